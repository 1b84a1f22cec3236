"""The policy `rate` by value."""

from __future__ import annotations

import pytest

from policies.contract import History, PolicySpec, Reading, Recommendation, Span, Traffic, Trust
from policies.decide import decide
from policies.rate import open_policy
from tests.unit.policies.builders import ABSENT, NOW, a_demand, a_supply, an_input


def recommend(per_s: float | None, *, share: float = 10.0, remembered: float | None = None) -> Recommendation:
    """What `rate` asks for."""
    reading = ABSENT if per_s is None else Reading(value=per_s, trust=Trust.SOLID)
    traffic = Traffic()
    if remembered is not None:
        traffic = Traffic(arrivals=(Span(seconds=5.0, amount=1),), arrivals_per_s=remembered)
    demand = a_demand(500, 20, arrivals_per_s=reading)
    return open_policy({"messages_per_s": share}).recommend(
        demand, a_supply(3), History(traffic=traffic), at=NOW
    )


@pytest.mark.parametrize(
    ("per_s", "share", "workers"),
    [(0.0, 10, 0), (1e-9, 10, 0), (0.1, 10, 1), (10.0, 10, 1), (10.1, 10, 2), (29.0, 10, 3), (5.0, 0.5, 10)],
)
def test_every_share_of_the_rate_begun_asks_for_a_worker(per_s: float, share: float, workers: int) -> None:
    """ceil(rate / messages_per_s), whatever waits."""
    assert workers == recommend(per_s, share=share).workers


def test_a_rate_that_is_not_told_is_the_one_that_was_measured_last() -> None:
    """A broker forgets counters of what is not used, and a new daemon needs two looks."""
    asked = recommend(None, remembered=25.0)

    assert 3 == asked.workers
    assert "25 messages a second as measured last at 10 a worker ask for 3" == asked.why


def test_before_anything_was_measured_it_asks_for_nothing_and_takes_nothing_away() -> None:
    """No opinion is not zero: three that serve stay."""
    asked = an_input(
        workers=3, policies=(PolicySpec(kind="rate", options={"messages_per_s": 10}),), demand=a_demand(0)
    )

    assert recommend(None).workers is None
    assert 3 == decide(asked).wanted


def test_it_says_why_and_what_would_change_it() -> None:
    """The number, where it comes from, and the rates on either side that ask for another one."""
    asked = recommend(25.0)

    assert "25 messages a second at 10 a worker ask for 3" == asked.why
    assert "more than 30 a second would ask for 4 workers, 20 for 2" == asked.would_change
    assert "nothing arrives" == recommend(0.0).why
    assert "more than 0 a second would ask for 1 worker" == recommend(0.0).would_change


def test_tolerance_compares_it_before_it_is_rounded_up() -> None:
    """As `backlog`: 30.5 against 3 workers of 10 is within a tenth."""
    assert 3.05 == pytest.approx(recommend(30.5).exact)
