"""Whatever a cloud answers to the looks at an offer: findings, or an error that the adapter knows, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract import Finding, Purchase
from providers.dialects import DIALECTS, Dialect
from providers.libcloud.adapter import TROUBLE
from providers.libcloud.asking import Unknown
from providers.libcloud.findings import Look, came_to, of_offer
from providers.libcloud.options import Account

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
OFFER = Purchase(
    size="e2-1", image="debian", location="eu-west1-b", machines=3, price_per_h=0.1, currency="EUR"
)
OURS = ("size", "image", "location", "credentials")


class Driver:
    """Answers each request with the next of these, in the place where the dialect looks or anywhere."""

    def __init__(self, answers: list[Any]) -> None:
        self._answers = answers
        self._at = 0

    def ex_look(self, _path: str, _params: Mapping[str, Any]) -> Any:
        self._at += 1
        return self._answers[self._at % len(self._answers)]

    def list_sizes(self, *_: object) -> list[Any]:
        return [
            SimpleNamespace(
                id="e2-1", name="e2-1", ram=self.ex_look("", {}), price=self.ex_look("", {}), extra={}
            )
        ]


def placed(dialect: Dialect, odd: Any) -> st.SearchStrategy[Any]:
    """An answer of the right outside for one of the dialect's looks, with something odd at its end."""
    looks = dialect.looks
    paths = [named.ask.rows for named in looks.named.values() if named.ask]
    paths += [reading.at for meter in looks.quota.meters for reading in (meter.limit, meter.used)]
    paths += [reading.at for reading in looks.price.readings]

    def around(path: str) -> Any:
        inner: Any = odd
        for step in reversed([each for each in path.split(".") if each]):
            key, _, choice = step.partition("[")
            name, _, value = choice.rstrip("]").partition("=")
            kept = (
                [{**(inner if isinstance(inner, dict) else {"limit": inner}), name: value}]
                if choice
                else inner
            )
            inner = kept if not key else [kept] if key.isdecimal() else {key: kept}
        return inner

    return st.sampled_from([odd, *map(around, paths)])


@pytest.mark.parametrize("driver", sorted(DIALECTS))
@given(data=st.data())
def test_an_odd_answer_is_a_finding_or_a_known_trouble(driver: str, data: st.DataObject) -> None:
    """What is not understood is said not to have been seen: never a failure of the offer, and never a crash."""
    dialect = DIALECTS[driver]
    answers = [data.draw(placed(dialect, data.draw(ODD))) for _ in range(3)]
    said = {name: ("one", "two") for name, option in dialect.options.items() if not option.secret}
    account = Account(
        dialect=dialect,
        settle_s=0.0,
        times=dialect.times,
        secrets=(),
        driver_arguments={},
        create_arguments=(),
        said=said,
    )
    stub = Driver(answers)

    def carry_out(look: Look) -> Finding:
        if look.subject in OURS:
            return Finding(subject=look.subject, ok=True, says="not tried here")
        try:
            return came_to(look, look.of(stub))
        except (*TROUBLE, Unknown) as trouble:
            return came_to(look, trouble)

    findings = [*of_offer(OFFER, account, fleet="shop", ours=lambda _: (), carry_out=carry_out)]

    assert {"price", "quota", "network", "user data"} <= {each.subject for each in findings}
    for each in findings:
        assert each.says
        assert not each.note or each.ok
        assert "nan" not in each.says.split()
