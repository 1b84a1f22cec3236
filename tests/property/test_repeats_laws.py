"""A past without what repeats decides as the whole one does."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from policies.contract import DecisionInput, Past
from policies.decide import decide
from tests.property.strategies import decision_inputs


def _whole(past: tuple[Past, ...], ticks: list[int], at: float) -> tuple[Past, ...]:
    """That past as ticks in between would have told it again, each with an instant of its own."""
    dense: list[Past] = []
    for (one, following), often in zip(pairwise([*past, None]), ticks, strict=False):
        assert one is not None
        until_at = at if following is None else following.at
        step_s = max(0.0, until_at - one.at) / (often + 1)
        dense += (replace(one, at=one.at + step_s * tick) for tick in range(often + 1))
    return tuple(dense)


@given(decision_inputs(), st.lists(st.integers(0, 4), min_size=12, max_size=12))
def test_decisions_that_repeat_the_one_before_are_not_missed(asked: DecisionInput, ticks: list[int]) -> None:
    """Windows heed what was asked for in them, cooldowns when the number changed: neither is told by a repetition."""
    dense = _whole(asked.history.past, ticks, asked.at)
    long = decide(replace(asked, history=replace(asked.history, past=dense)))
    short = decide(replace(asked, history=replace(asked.history, past=asked.history.past[: len(ticks)])))

    assert long.wanted == short.wanted
    assert long.steps == short.steps
