"""Task and boot times: measured where enough was seen, and by what was seen alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from autoscaler.study.measured import boots, mean_task_s, task_times
from autoscaler.study.recorded import Gap
from providers.contract import NodeName
from tests.unit.study.looked import BEGINS_AT, a_look, a_machine, blind, uncounted


def test_task_times_are_busy_slots_over_completions() -> None:
    """Four slots busy and two tasks done in ten seconds: twenty seconds each."""
    periods = task_times([a_look(tick, busy=4, completed=2, in_progress=4) for tick in range(61)])

    assert pytest.approx(20.0) == mean_task_s(periods)
    assert (0.0, 600.0) == (periods[0].from_s, periods[-1].to_s)
    assert not periods[0].is_rough


def test_task_times_may_change_with_the_hour() -> None:
    """Each period rests on enough tasks, and each has its own mean."""
    short = [a_look(tick, busy=4, completed=4, in_progress=4) for tick in range(200)]
    long = [a_look(tick, busy=4, completed=1, in_progress=4) for tick in range(200, 600)]

    periods = task_times(short + long)

    assert (10.0, 40.0) == (periods[0].task_s, periods[-1].task_s)
    assert all(before.to_s == after.from_s for before, after in pairwise(periods))


def test_a_few_tasks_are_measured_and_told_to_be_few() -> None:
    """Better than an assumption, and rough."""
    looks = [a_look(tick, busy=int(tick % 10 == 0), completed=int(tick % 10 == 1)) for tick in range(50)]

    (period,) = task_times(looks)

    assert period.is_rough
    assert 5.0 < period.task_s < 15.0


def test_times_in_which_nobody_looked_measure_nothing() -> None:
    """Nor do looks at which nobody counted, of a record that has no rates."""
    steady = [a_look(tick, busy=2, completed=1, in_progress=2) for tick in range(201)]
    torn = [*steady[:100], blind(100), *(replace(look, at=look.at + 9000.0) for look in steady[101:])]

    assert pytest.approx(20.0) == mean_task_s(task_times(torn))
    assert () == task_times([uncounted(tick, busy=2) for tick in range(9)])


def test_rows_of_an_older_release_are_measured_by_their_rates() -> None:
    """What was delivered is taken for what ran."""
    rows = [uncounted(tick, busy=None, in_progress=6, completions_per_s=0.5) for tick in range(100)]

    assert pytest.approx(12.0) == mean_task_s(task_times(rows))


def test_boots_are_those_of_machines_that_were_watched() -> None:
    """One that came up in a gap was heard later than it spoke; an adopted one was ordered by nobody."""
    sound = [a_machine(f"n{number}", 1000.0 * number, boot_s=80.0 + number) for number in range(5)]
    unwatched = a_machine("late", 5000.0, boot_s=900.0)
    adopted = replace(a_machine("other", 100.0, boot_s=5.0), machine=NodeName("theirs"))
    never = replace(a_machine("never", 100.0), enrolled_at=None)
    hung = a_machine("hung", 6000.0, boot_s=590.0)
    gap = Gap(from_s=5500.0, to_s=5950.0, arrived=0, counted=False, blind=False)

    found = boots([*sound, unwatched, adopted, never, hung], [gap], BEGINS_AT)

    assert found is not None
    assert (82.0, 5) == (found.mean_s, found.machines)
    assert pytest.approx(0.0193, abs=1e-4) == found.cv
    assert boots([adopted, never], [], BEGINS_AT) is None
