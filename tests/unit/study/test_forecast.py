"""What `forecast` beside `wait` is worth: on virtual time, with the history fed as the daemon feeds it."""

from __future__ import annotations

import random
from array import array
from dataclasses import replace

import pytest

from autoscaler.study import run
from autoscaler.study.contract import EPOCH, Start, Terms, Workload
from benchmarks.forecast import DAY_S, Peaks, line, peaks, played, with_and_without
from benchmarks.forecast import Job as Comparison
from policies.contract import PolicySpec
from policies.prospect import Slice
from policies.seasons import SLICE_S

LEAP = Peaks(days=5, workers=15.0, hours=0.5)
"""From one machine to fifteen at nine, every day."""


@pytest.mark.parametrize("quantum_s", [3600, 60])
def test_a_daily_leap_faster_than_a_boot_is_met_by_machines_that_are_there(quantum_s: int) -> None:
    """Tasks should start within 30 s, and machines boot in 120 s: whoever buys when tasks wait is late every morning.

    The first three days are learned of; of what was late on the other two most is in time, for hardly more money.
    """
    alone, beside = with_and_without(
        peaks(LEAP), Terms(target_wait_s=30.0, boot_s=120.0, quantum_s=quantum_s)
    )

    late, late_beside = 1.0 - alone.within_target, 1.0 - beside.within_target
    assert late > 0.02
    assert late_beside < 0.6 * late
    assert beside.cost <= 1.05 * alone.cost


def test_a_past_that_is_given_is_foretold_from() -> None:
    """As in a backtest: the weeks before the time that is played are known, and the first morning is met."""
    tasks = peaks(Peaks(days=4, workers=15.0, hours=0.5))
    opens_at = EPOCH + 3 * DAY_S - EPOCH % SLICE_S
    known = dict.fromkeys((opens_at - number * SLICE_S for number in range(1, 3 * 288 + 1)), 0.0)
    morning = Workload(name="morning", submit_s=array("d"), runtime_s=array("d"))
    for at_s, runtime_s in zip(tasks.submit_s, tasks.runtime_s, strict=True):
        if EPOCH + at_s >= opens_at:
            morning.submit_s.append(EPOCH + at_s - opens_at)
            morning.runtime_s.append(runtime_s)
        else:
            known[EPOCH + at_s - (EPOCH + at_s) % SLICE_S] += 1.0
    terms = Terms(target_wait_s=30.0, boot_s=120.0, quantum_s=60)
    default = run.default(terms.target_wait_s, terms.quantum_s)
    beside = replace(
        default, policies=(*default.policies, PolicySpec(kind="forecast", options={"target_wait_s": 30.0}))
    )
    past = tuple(Slice(since_at=at, arrived=of, looked_s=SLICE_S) for at, of in sorted(known.items()))

    late = [
        1.0 - run.run(morning, terms, beside, start=Start(at=opens_at, slices=slices)).within_target
        for slices in ((), past)
    ]

    assert late[0] > 0.02
    assert late[1] < 0.5 * late[0]


def test_where_the_past_foretells_nothing_nothing_is_bought_for_it() -> None:
    """Bursts at random hours of random days: the same cost and the same waits."""
    dice = random.Random(5)
    at_s = sorted(
        begins_s + dice.uniform(0, 600)
        for begins_s in (dice.uniform(0, 432_000) for _ in range(25))
        for _ in range(200)
    )
    bursts = Workload(name="bursts", submit_s=array("d", at_s), runtime_s=array("d", [20.0] * len(at_s)))
    alone, beside = with_and_without(bursts, Terms(target_wait_s=30.0, boot_s=120.0, quantum_s=60))

    assert beside.cost <= 1.02 * alone.cost
    assert alone.within_target == pytest.approx(beside.within_target, abs=0.002)


def test_a_comparison_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `make bench-forecast` prints: the share in time alone, and what `forecast` changes in cost and share."""
    monkeypatch.setattr("benchmarks.forecast.MADE", {"leap": Peaks(days=1, workers=2.0)})
    record = played(Comparison(name="leap", file="", terms=Terms(target_wait_s=30.0, quantum_s=60)))

    assert (record.cost, record.within_target) == (record.cost_with, record.within_target_with)
    assert line(record).startswith("leap")
    assert line(record).split()[-3:] == ["+0.00", "%", "+0.00"]
