"""The decision that stands, beside a past of those that changed something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.repeats import Repeats
from autoscaler.journal import Journal, read
from tests.unit.journal.records import IMAGES, a_decision, a_sample, a_tick

T0 = 3_600_000.0


def test_a_decision_that_repeats_the_one_before_stands_and_is_no_part_of_the_past(journal: Journal) -> None:
    """With its own figures; one of which nothing moved is not written at all, its tick's sample tells that it was."""
    first, second, third = (a_decision(at=T0 + at) for at in (0.0, 10.0, 20.0))
    journal.commit(a_tick(first.at, decisions=(first,)))
    key = (IMAGES, second.at)
    journal.commit(a_tick(second.at, decisions=(second,), repeats=Repeats(said=frozenset({key}))))
    again = frozenset({(IMAGES, third.at)})
    journal.commit(a_tick(third.at, decisions=(third,), repeats=Repeats(said=again, whole=again)))

    assert second == read.last_decisions(journal)[IMAGES]
    journal.commit(a_tick(third.at, samples=(a_sample(at=third.at),)))
    assert replace(second, at=third.at) == read.last_decisions(journal)[IMAGES]
    assert [first] == list(read.decisions_between(journal, IMAGES, 0.0, 9e9))
    assert [first.at] == [each.at for each in journal.past(T0 + 15.0)[IMAGES]]
    assert first == read.decision_at(journal, IMAGES, T0 + 5.0)
    assert second == read.decision_at(journal, IMAGES, T0 + 15.0)


def test_what_stood_is_the_last_that_was_written_before(journal: Journal) -> None:
    """By the order of writing: after a wall clock was set back, the later instant is the older word."""
    for at, wanted in ((T0 + 3_600.0, 5), (T0, 3)):
        journal.commit(a_tick(at, decisions=(a_decision(at=at, wanted=wanted),)))

    assert [3] == [each.wanted for each in journal.past(T0 + 7_200.0)[IMAGES]]


@pytest.mark.parametrize("later", [None, T0 + 9_000.0])
def test_the_decision_that_stood_when_retention_begins_outlasts_it(
    journal: Journal, later: float | None
) -> None:
    """A pool may want the same for longer than anything is kept; its windows and cooldowns still begin from it."""
    for at, wanted in ((T0, 2), (T0 + 10.0, 3), *([(later, 4)] if later else [])):
        journal.commit(a_tick(at, decisions=(a_decision(at=at, wanted=wanted),)))

    while journal.purge(T0 + 8_000.0):
        pass

    assert [3] == [each.wanted for each in journal.past(T0 + 8_500.0)[IMAGES]][:1]
    assert [3, 4][: 2 if later else 1] == [
        each.decision.wanted for each in read.decisions_between(journal, IMAGES, 0.0, 9e9)
    ]
