"""A failing life is made as simple as it can be, within bounds, and stays a failing life."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.simulate.contract import EVERY_FAULT, Fault, Scenario, Verdict
from autoscaler.simulate.shrink import shrink
from tests.unit.simulate.stand_ins import FULL, a_verdict, broken_by_two


def test_only_the_kinds_that_are_needed_stay() -> None:
    """Two of some forty, and no more time than it takes."""
    found = shrink(broken_by_two(FULL), broken_by_two)

    assert frozenset({Fault.LIST_LAG, Fault.ANSWER_LOST}) == found.verdict.scenario.faults
    assert 900.0 == found.verdict.scenario.trouble_s
    assert found.verdict.scenario.seed == FULL.seed


def test_harm_that_needs_no_fault_is_found_to_need_none() -> None:
    """Then it is not the trouble's doing."""
    found = shrink(a_verdict(FULL, "unconverged"), lambda scenario: a_verdict(scenario, "unconverged"))

    assert frozenset() == found.verdict.scenario.faults


def test_another_kind_of_harm_is_another_failure() -> None:
    """A simpler life that breaks another rule is no simpler form of this one."""

    def otherwise(scenario: Scenario) -> Verdict:
        harm = "double_creates" if scenario.faults == EVERY_FAULT else "busy_kills"
        return a_verdict(scenario, harm if scenario.trouble_s == FULL.trouble_s else "")

    failed = otherwise(FULL)

    assert failed == shrink(failed, otherwise).verdict


def test_no_more_lives_are_played_than_allowed() -> None:
    """What is best so far stands."""
    played = []

    def counting(scenario: Scenario) -> Verdict:
        played.append(scenario)
        return broken_by_two(scenario)

    found = shrink(broken_by_two(FULL), counting, attempts=5)

    assert (5, 5) == (len(played), found.attempts)
    assert found.verdict.counts.double_creates == 1


def test_kinds_that_never_struck_are_left_out_first() -> None:
    """One life, and the list is as short as what happened."""
    failed = replace(broken_by_two(FULL), struck=frozenset({Fault.LIST_LAG, Fault.ANSWER_LOST}))

    assert (
        frozenset({Fault.LIST_LAG, Fault.ANSWER_LOST})
        == shrink(failed, broken_by_two, attempts=1).verdict.scenario.faults
    )
