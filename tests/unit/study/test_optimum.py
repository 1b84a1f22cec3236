"""The bound is what a hand computes where a hand can, and never above what some schedule pays."""

from __future__ import annotations

import math
import random
from array import array
from dataclasses import dataclass, replace

import pytest

from autoscaler.study import solver
from autoscaler.study.contract import Terms, Workload
from autoscaler.study.envelopes import Envelopes, envelopes, pieces
from autoscaler.study.optimum import Optimum, OptimumUnavailable, optimum, without_boot

HOURLY = Terms()
BY_MINUTE = Terms(quantum_s=60)
BILLINGS = pytest.mark.parametrize("terms", [HOURLY, BY_MINUTE], ids=["hour", "minute"])


def workload(*tasks: tuple[float, float]) -> Workload:
    """Tasks as (sent, runtime), in any order."""
    ordered = sorted(tasks)
    return Workload(
        name="made",
        submit_s=array("d", [sent for sent, _ in ordered]),
        runtime_s=array("d", [runtime for _, runtime in ordered]),
    )


def line_of(made: Workload, terms: Terms, count: int) -> Envelopes:
    """On slots of a minute from the start, all tasks as one piece."""
    (piece,) = pieces(made, target_wait_s=terms.target_wait_s, silence_s=math.inf)
    return envelopes(piece, terms, slot_s=60.0, from_s=0.0, count=count)


def solved(made: Workload, terms: Terms, share: float = 1.0) -> Optimum:
    pytest.importorskip("scipy")
    return optimum(made, terms, share_in_time=share, time_limit_s=20.0)


def units(made: Workload, terms: Terms, share: float = 1.0) -> int:
    """Paid units of the bound."""
    return round(solved(made, terms, share).node_hours_billed * 3600.0 / terms.quantum_s)


def test_work_starts_at_once_or_as_late_as_it_may() -> None:
    """Both envelopes of one task of 90 s that may wait for 120 s, at the borders of minutes."""
    line = line_of(workload((30.0, 90.0)), HOURLY, 5)

    assert [0.0, 30.0, 90.0, 90.0, 90.0, 90.0] == list(line.earliest)
    assert [0.0, 0.0, 0.0, 30.0, 90.0, 90.0] == list(line.latest)


def test_what_runs_longer_than_it_may_wait_needs_whole_machines() -> None:
    """Three tasks of 200 s are all running from 120 s to 200 s, on two machines."""
    line = line_of(workload(*[(0.0, 200.0)] * 3), HOURLY, 4)

    assert [0.0, 0.0, 120.0, 40.0] == list(line.machines)


def test_a_workload_is_cut_in_silence_and_nowhere_else() -> None:
    """Silence begins when the last task has ended that started as late as it may."""
    made = workload((0.0, 100.0), (500.0, 10.0), (2000.0, 10.0))

    def cut(silence_s: float) -> list[range]:
        return [piece.tasks for piece in pieces(made, target_wait_s=120.0, silence_s=silence_s)]

    assert [range(3)] == cut(1371.0)
    assert [range(2), range(2, 3)] == cut(1370.0)
    assert [range(1), range(1, 2), range(2, 3)] == cut(280.0)


@BILLINGS
def test_nothing_to_do_costs_nothing(terms: Terms) -> None:
    """The one bound that is exact by itself."""
    found = solved(workload(), terms)

    assert ("exact", 0.0, 0) == (found.kind, found.cost, found.pieces)


@pytest.mark.parametrize(("terms", "expected"), [(HOURLY, 1), (BY_MINUTE, 3)])
def test_one_task_takes_one_machine_for_its_boot_and_its_run(terms: Terms, expected: int) -> None:
    """90 s of boot and 40 s of running are one started hour, and three started minutes."""
    assert expected == units(workload((0.0, 40.0)), terms)


@BILLINGS
def test_two_tasks_at_once_share_a_machine_of_two_slots(terms: Terms) -> None:
    """They cost what one costs."""
    assert units(workload((0.0, 40.0)), terms) == units(workload((0.0, 40.0), (0.0, 40.0)), terms)


@pytest.mark.parametrize(("terms", "each"), [(HOURLY, 1), (BY_MINUTE, 47)])
def test_long_tasks_at_once_take_a_slot_each(terms: Terms, each: int) -> None:
    """Ten tasks of 45 minutes need five machines. By the minute, boots and rows by slots may hide a little."""
    found = units(workload(*[(0.0, 2700.0)] * 10), terms)

    assert 5 * each * 0.97 <= found <= 5 * each


@pytest.mark.parametrize(("terms", "expected"), [(HOURLY, 2), (BY_MINUTE, 6)])
def test_tasks_more_than_an_hour_apart_are_paid_apart(terms: Terms, expected: int) -> None:
    """No unit that began for the first is of use to the second."""
    assert expected == units(workload((0.0, 40.0), (4200.0, 40.0)), terms)


@pytest.mark.parametrize(("terms", "expected"), [(HOURLY, 1), (BY_MINUTE, 6)])
def test_a_gap_is_slept_through_or_booted_again(terms: Terms, expected: int) -> None:
    """Half an hour apart: the second is free by the hour; by the minute, a boot is cheaper than to stay."""
    assert expected == units(workload((0.0, 40.0), (1800.0, 40.0)), terms)


def test_a_short_gap_is_cheaper_to_stay_through_than_to_boot_again() -> None:
    """Tasks of 40 s, 60 s apart: one machine, less than two."""
    assert 3 <= units(workload((0.0, 40.0), (60.0, 40.0)), BY_MINUTE) <= 4


@BILLINGS
def test_boots_have_their_part_in_the_bound(terms: Terms) -> None:
    """By the minute, a task of 40 s costs one unit where machines need no boot; by the hour it is one as before."""
    pytest.importorskip("scipy")

    assert 1 == round(
        without_boot(workload((0.0, 40.0)), terms, time_limit_s=20.0).node_hours_billed
        * 3600.0
        / terms.quantum_s
    )


@BILLINGS
def test_a_boot_that_varies_is_taken_to_be_instant(terms: Terms) -> None:
    """Some of its machines may be lucky, and a bound holds for these too."""
    made = workload((0.0, 40.0), (900.0, 40.0))

    assert units(made, replace(terms, boot_cv=0.2)) == units(made, replace(terms, boot_s=0.0))


def test_money_is_hours_times_their_price() -> None:
    """A bound in money is in the fleet's currency."""
    found = solved(workload((0.0, 40.0)), Terms(price_per_h=0.25))

    assert (1.0, 0.25) == (found.node_hours_billed, found.cost)


@dataclass(slots=True)
class Machine:
    """One of a made-up schedule: when it was ordered, and when each of its slots is free."""

    ordered_s: float
    free_s: list[float]

    def units(self, quantum_s: float) -> int:
        return max(1, math.ceil((max(self.free_s) - self.ordered_s) / quantum_s - 1e-9))


def some_schedule(made: Workload, terms: Terms, dice: random.Random) -> int:
    """Units of a schedule that starts every task in time: each takes some slot it can have, or a new machine."""
    machines: list[Machine] = []
    eager = dice.random()
    for sent_s, runtime_s in zip(made.submit_s, made.runtime_s, strict=True):
        latest_s = sent_s + terms.target_wait_s
        fitting = [machine for machine in machines if min(machine.free_s) <= latest_s]
        if not fitting or dice.random() < 0.1:
            ordered_s = sent_s - terms.boot_s + dice.choice([0.0, dice.random(), 1.0]) * terms.target_wait_s
            machines.append(Machine(ordered_s, [ordered_s + terms.boot_s] * terms.slots))
            fitting = machines[-1:]
        chosen = dice.choice(fitting) if dice.random() < eager else fitting[-1]
        slot = chosen.free_s.index(min(chosen.free_s))
        chosen.free_s[slot] = max(sent_s, chosen.free_s[slot]) + runtime_s
    return sum(machine.units(terms.quantum_s) for machine in machines)


def made_up(dice: random.Random) -> Workload:
    """Some tasks in bursts or apart, of seconds or of minutes."""
    span_s = dice.choice([60.0, 900.0, 6000.0])
    longest_s = dice.choice([20.0, 150.0, 1500.0])
    return workload(
        *((dice.uniform(0.0, span_s), dice.uniform(1.0, longest_s)) for _ in range(dice.randint(1, 8)))
    )


@pytest.mark.parametrize("quantum_s", [60, 3600])
@pytest.mark.parametrize("boot_s", [0.0, 40.0, 90.0, 300.0])
def test_no_schedule_pays_less_than_the_bound(quantum_s: int, boot_s: float) -> None:
    """The cheapest of many random schedules, for random workloads: that is the promise of a bound."""
    for seed in range(8):
        dice = random.Random(f"{quantum_s} {boot_s} {seed}")
        terms = Terms(quantum_s=quantum_s, boot_s=boot_s, slots=dice.randint(1, 3))
        made = made_up(dice)
        cheapest = min(some_schedule(made, terms, dice) for _ in range(200))

        assert units(made, terms) <= cheapest


@BILLINGS
def test_who_may_wait_longer_pays_no_more(terms: Terms) -> None:
    """Every schedule that is in time for a shorter wait is in time for a longer one."""
    made = made_up(random.Random(5))
    bounds = [units(made, replace(terms, target_wait_s=wait_s)) for wait_s in (30.0, 120.0, 600.0)]

    assert bounds == sorted(bounds, reverse=True)


@BILLINGS
def test_who_may_be_late_with_some_pays_no_more(terms: Terms) -> None:
    """A burst of forty tasks: with leave to be late the peak shrinks, but all its work is still paid."""
    made = workload(*[(0.0, 100.0)] * 40)
    bounds = [units(made, terms, share) for share in (1.0, 0.9, 0.0)]

    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > bounds[2]
    assert bounds[2] * terms.quantum_s >= made.work_s / terms.slots


@BILLINGS
def test_without_time_to_compute_the_bound_is_what_is_plain_to_see(terms: Terms) -> None:
    """All work, and one boot; and it says that it was in a hurry and cut short."""
    pytest.importorskip("scipy")
    made = workload(*[(0.0, 2700.0)] * 10)

    found = optimum(made, terms, time_limit_s=0.0)

    assert (1, True, math.ceil(13590.0 / terms.quantum_s) * terms.quantum_s) == (
        found.hurried,
        found.cut_short,
        round(found.node_hours_billed * 3600.0),
    )


def test_a_search_that_ended_by_itself_was_not_cut_short() -> None:
    """Then more time would find nothing more."""
    assert not solved(workload((0.0, 60.0)), HOURLY).cut_short


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon never needs it, so it may be missing."""

    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(solver.importlib, "import_module", missing)

    with pytest.raises(OptimumUnavailable, match=r"pip install 'vps-autoscaler\[study\]'"):
        optimum(workload(), HOURLY, time_limit_s=1.0)
