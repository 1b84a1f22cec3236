"""How long the journal keeps a past how closely, by itself and as configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.cli import keeping
from autoscaler.config import ConfigError, Settings, load
from tests.unit.cli.office import SECRETS, Office

DAY_S = 86_400.0


def _settings(tmp_path: Path, kept: str = "") -> Settings:
    office = Office(tmp_path)
    office.rewrite('tick = "100ms"', 'tick = "10s"')
    office.rewrite('observe_timeout = "500ms"', 'observe_timeout = "5s"')
    text = office.config.read_text()
    office.config.write_text(text.replace("[journal]\n", f"[journal]\n{kept}\n"))
    return load(office.config, SECRETS)


def _of_size(settings: Settings, pools: int) -> Settings:
    name, pool = next(iter(settings.pools.items()))
    many = {f"{name}-{number}": pool for number in range(pools)}
    return settings.model_copy(update={"pools": many})


def test_a_small_fleet_keeps_every_look_and_a_large_one_what_it_has_room_for(tmp_path: Path) -> None:
    """Never less than its pages show by points of their own: six hours, and a day by minutes."""
    settings = _settings(tmp_path)

    small, large, huge = (_of_size(settings, pools) for pools in (10, 1_000, 10_000))

    assert [30 * DAY_S] * 2 == [keeping.detail_s(small), keeping.minutes_s(small)]
    assert [30_000.0, 120_000.0] == [keeping.detail_s(large), keeping.minutes_s(large)]
    assert [DAY_S / 4, DAY_S] == [keeping.detail_s(huge), keeping.minutes_s(huge)]


def test_what_is_configured_holds_but_for_decisions_that_windows_heed(tmp_path: Path) -> None:
    """Those, and what a replay begins from, are kept for longer than any window looks back."""
    settings = _settings(tmp_path, 'detail = "1h"\nminutes = "2h"')
    terms = keeping.terms(settings, 1e6)
    (pool,) = settings.pools.values()
    window = pool.model_copy(
        update={"stabilize": pool.stabilize.model_copy(update={"scale_in_window_s": 5_000.0})}
    )
    patient = settings.model_copy(update={"pools": {"images": window}})

    assert (1e6 - 3_600.0, 1e6 - 7_200.0) == (terms.ticks_since_at, terms.minutes_since_at)
    assert 1e6 - 13_600.0 == keeping.terms(patient, 1e6).decisions_since_at
    assert 35.0 == terms.apart_s


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        ('detail = "2d"\nminutes = "1d"', "detail longer than minutes"),
        ('detail = "8w"', "detail longer than retention"),
        ('minutes = "8w"', "minutes longer than retention"),
    ],
)
def test_looks_become_minutes_before_they_are_forgotten(tmp_path: Path, kept: str, says: str) -> None:
    """A time that can never come is refused, with what to change."""
    with pytest.raises(ConfigError, match=says):
        _settings(tmp_path, kept)
