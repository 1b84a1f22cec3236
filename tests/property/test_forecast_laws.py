"""Laws of foreseeing, for every past and every prospect."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.contract import DecisionInput, Demand
from policies.decide import decide
from policies.kinds import open_policies
from policies.prospect import Prospect, Slice
from policies.seasons import SLICE_S, Seasons
from tests.property.strategies import (
    NOW,
    decision_inputs,
    demands,
    forecast_specs,
    left_to_policies,
    prospects,
    supplies,
    wait_specs,
)

DAYS = 4
FIRST = int(NOW // SLICE_S) // 288 * 288


@settings(max_examples=100)
@given(decision_inputs(), demands, wait_specs, forecast_specs, prospects)
def test_a_forecast_never_lowers_the_number(
    asked: DecisionInput, demand: Demand, wait: object, forecast: object, prospect: Prospect
) -> None:
    """Beside another policy it can only ask for more, whatever it foresees."""
    asked = replace(left_to_policies(asked), demand=demand, history=replace(asked.history, prospect=prospect))
    alone, beside = (decide(replace(asked, policies=kinds)) for kinds in ((wait,), (wait, forecast)))

    assert alone.wanted <= beside.wanted


@given(decision_inputs(), forecast_specs, supplies)
def test_without_a_prospect_there_is_no_opinion(
    asked: DecisionInput, forecast: object, supply: object
) -> None:
    """What is not known asks for nothing."""
    asked = replace(left_to_policies(asked), history=replace(asked.history, prospect=None))
    (policy,) = open_policies((forecast,))  # type: ignore[arg-type] - as drawn

    assert (
        asked.demand is None or policy.recommend(asked.demand, supply, asked.history, at=NOW).workers is None
    )  # type: ignore[arg-type]


@settings(max_examples=100)
@given(decision_inputs(), demands, forecast_specs, prospects, st.floats(1, 5))
def test_a_higher_rate_soon_never_asks_for_fewer(
    asked: DecisionInput, demand: Demand, forecast: object, prospect: Prospect, times: float
) -> None:
    """All else equal, and nobody held."""
    if prospect.soon is None:
        return
    (policy,) = open_policies((forecast,))  # type: ignore[arg-type] - as drawn
    higher = replace(prospect.soon, per_s=tuple(rate * times for rate in prospect.soon.per_s))
    fewer, more = (
        policy.recommend(
            demand,
            asked.supply,
            replace(asked.history, prospect=replace(prospect, soon=soon, later=None)),
            at=NOW,
        ).workers
        for soon in (prospect.soon, higher)
    )
    # A rate that becomes infinite is none.
    assert (fewer or 0) <= (more or 0) or not all(map(math.isfinite, higher.per_s))


amounts = st.sampled_from([0.0, 3.0, 40.0, 900.0]) | st.floats()
pasts = st.lists(
    st.tuples(st.integers(0, DAYS * 288), amounts, st.sampled_from([300.0, 120.0, 10.0]) | st.floats()),
    max_size=60,
)


@settings(max_examples=20, deadline=None)
@given(
    pasts,
    st.lists(amounts, min_size=1, max_size=40),
    st.sampled_from(["UTC", "Europe/Oslo", "Australia/Lord_Howe", "America/St_Johns"]),
    st.floats(0, (DAYS + 1) * 86_400) | st.floats(),
    st.floats(),
    st.floats(),
)
def test_every_past_can_be_learned_of_and_foretells_only_what_was(
    holes: list[tuple[int, float, float]],
    shape: list[float],
    zone: str,
    now_s: float,
    boot_s: float,
    quantum_s: float,
) -> None:
    """Days of odd amounts with odd slices among them: no error, no figure that is none, nothing above the highest."""
    odd = {number: (arrived, looked_s) for number, arrived, looked_s in holes}
    past = [
        Slice(since_at=(FIRST + number) * SLICE_S, arrived=arrived, looked_s=looked_s)
        for number in range(DAYS * 288)
        for arrived, looked_s in [odd.get(number, (shape[number % len(shape)], SLICE_S))]
    ]
    learned = Seasons(time_zone=zone)
    learned.learn(past)
    found = learned.prospect(FIRST * SLICE_S + now_s, boot_s=boot_s, quantum_s=quantum_s)
    seen = [
        s.arrived / s.looked_s for s in past if math.isfinite(s.arrived) and 60.0 <= s.looked_s < math.inf
    ]

    for foreseen in (found.soon, found.later):
        if foreseen is not None:
            assert all(0.0 <= rate <= max(seen) for rate in foreseen.per_s)
            assert foreseen.error < foreseen.present_error
