"""Ceilings on money agree with prices and floors, or the configuration is refused with the reason."""

from __future__ import annotations

import pytest

from autoscaler import config
from autoscaler.config import ConfigError
from tests.unit.config.documents import ENVIRON, a_document

PRICE = ('provider = "here"', 'provider = "here"\nprice_per_hour = 0.1')


def told(*changes: tuple[str, str]) -> str:
    try:
        config.parse(a_document(*changes), ENVIRON)
    except ConfigError as error:
        return str(error)
    return ""


def limits(line: str) -> tuple[str, str]:
    return ("max_workers = 4", f"max_workers = 4\n{line}")


def of_fleet(line: str) -> tuple[str, str]:
    return ('name = "shop"', f'name = "shop"\n{line}')


@pytest.mark.parametrize(
    "ceiling",
    [
        limits("max_cost_per_hour = 1.0"),
        limits("max_cost_per_month = 100.0"),
        of_fleet("max_cost_per_hour = 1.0"),
        of_fleet("max_cost_per_month = 100.0"),
    ],
)
def test_a_ceiling_needs_prices(ceiling: tuple[str, str]) -> None:
    """Without them it would never bind; 0, written down, is a price."""
    free = (PRICE[0], PRICE[1].replace("0.1", "0"))

    assert "price_per_hour: found nothing, but there is a ceiling on money" in told(ceiling)
    assert ["", ""] == [told(ceiling, PRICE), told(ceiling, free)]
    assert "" == told()


@pytest.mark.parametrize("where", [limits, of_fleet])
@pytest.mark.parametrize(("ceiling", "fits"), [(148.7, False), (148.8, True), (149, True)])
def test_a_months_money_pays_for_the_floor(where: object, ceiling: float, fits: bool) -> None:
    """Two workers at 0.1 for 744 hours; a floor is never sent away."""
    line = f"max_cost_per_month = {ceiling}"
    changes = (
        [limits("min_workers = 2\n" + line)]
        if where is limits
        else [limits("min_workers = 2"), of_fleet(line)]
    )

    found = told(PRICE, *changes)

    assert fits == (not found)
    assert fits or "at least 148.80, which min_workers alone cost in a month of 31 days" in found


def test_what_has_not_the_right_shape_is_told_by_the_schema() -> None:
    """A sum in quotes is one problem, not two, and never an exception."""
    found = told(PRICE, limits('max_cost_per_month = "much"'))

    assert ("expected a number" in found, 1) == (True, found.count("max_cost_per_month"))
