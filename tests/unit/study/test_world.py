"""The world of a study: laws that hold in every run, and the order of what happens at one instant."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.study.contract import Workload
from autoscaler.study.world import World
from tests.unit.study.made import a_workload, a_world, run_out, walked

# Whole and half seconds, so that much happens at one instant.
SECONDS = st.integers(0, 40).map(lambda halves: halves / 2)
WORKLOADS = st.lists(st.tuples(SECONDS, SECONDS), max_size=25).map(lambda tasks: a_workload(*sorted(tasks)))
NODES = st.sampled_from(["a", "b", "c", "d"])
ACTS = st.sampled_from(["begin", "stop_taking", "take_again", "remove"])
STEPS = st.lists(st.tuples(SECONDS, ACTS, NODES, SECONDS), max_size=25)
SLOTS = st.integers(1, 3)


class Watched:
    """A world played through a script, with what an onlooker knows of its machines; `law` is asked after each act."""

    def __init__(self, workload: Workload, slots: int, law: Callable[[Watched], None]) -> None:
        self.world, self.workload, self.slots, self.law = World(workload, slots), workload, slots, law
        self.begins_s: dict[str, float] = {}
        self.drains: set[str] = set()

    def play(self, steps: list[tuple[float, str, str, float]]) -> Watched:
        for after_s, act, node, later_s in steps:
            self.world.advance(self.world.now_s + after_s)
            self.law(self)
            self._do(act, node, later_s)
            self.law(self)
        return self

    def _do(self, act: str, node: str, later_s: float) -> None:
        if (act == "begin") == (node in self.begins_s):
            return
        if act == "begin":
            self.begins_s[node] = self.world.now_s + later_s
            self.world.begin(node, self.begins_s[node])
            return
        getattr(self.world, act)(node)
        if act == "stop_taking":
            self.drains.add(node)
        else:
            self.drains.discard(node)
        if act == "remove":
            del self.begins_s[node]

    def serving(self) -> list[str]:
        """Machines that have begun for sure: one that begins at this instant may still be to come."""
        now_s = self.world.now_s
        return [node for node, at_s in self.begins_s.items() if at_s < now_s and node not in self.drains]

    def facts(self) -> tuple[Any, ...]:
        world = self.world
        return (
            world.backlog,
            world.in_progress,
            world.done,
            world.redelivered,
            world.busy_s,
            list(world.waits_s),
        )


def play(law: Callable[[Watched], None], workload: Workload, slots: int, steps: Any) -> Watched:
    return Watched(workload, slots, law).play(steps)


def nothing(_seen: Watched) -> None:
    """No law but what the test asks at the end."""


@given(WORKLOADS, SLOTS, STEPS)
def test_what_arrived_is_queued_or_runs_or_is_done(workload: Workload, slots: int, steps: Any) -> None:
    """No task is lost or doubled, whatever machines do; arrived are those sent before now."""

    def law(seen: Watched) -> None:
        world = seen.world
        assert world.arrived == world.backlog + world.in_progress + world.done
        assert world.arrived == sum(sent_s < world.now_s for sent_s in workload.submit_s)

    play(law, workload, slots, steps)


@given(WORKLOADS, SLOTS, STEPS)
def test_no_machine_runs_more_than_its_slots(workload: Workload, slots: int, steps: Any) -> None:
    """And what the machines run together is what is in progress."""

    def law(seen: Watched) -> None:
        in_hand = [seen.world.in_hand(node) for node in seen.begins_s]
        assert all(0 <= tasks <= slots for tasks in in_hand)
        assert seen.world.in_progress == sum(in_hand)

    play(law, workload, slots, steps)


@given(WORKLOADS, SLOTS, STEPS)
def test_no_slot_idles_while_a_task_is_queued(workload: Workload, slots: int, steps: Any) -> None:
    """Every machine that serves and takes is full, or the queue is empty."""

    def law(seen: Watched) -> None:
        if seen.world.backlog:
            assert all(seen.world.in_hand(node) == slots for node in seen.serving())

    play(law, workload, slots, steps)


@given(WORKLOADS, SLOTS, STEPS)
def test_a_draining_machine_takes_nothing(workload: Workload, slots: int, steps: Any) -> None:
    """From the moment it stops, what it has in hand only shrinks."""
    held: dict[str, int] = {}

    def law(seen: Watched) -> None:
        for node in set(held) - seen.drains:
            del held[node]
        for node in seen.drains:
            in_hand = seen.world.in_hand(node)
            assert in_hand <= held.get(node, slots)
            held[node] = in_hand

    play(law, workload, slots, steps)


@given(WORKLOADS, SLOTS, STEPS)
def test_tasks_first_start_once_and_in_the_order_of_arrival(
    workload: Workload, slots: int, steps: Any
) -> None:
    """There is one wait for each task started, and the starts that they make never go back in time."""
    seen = play(nothing, workload, slots, steps)
    waits_s = list(seen.world.waits_s)
    starts_s = [sent_s + wait_s for sent_s, wait_s in zip(workload.submit_s, waits_s, strict=False)]

    assert seen.world.started == len(waits_s) <= seen.world.arrived
    assert sorted(starts_s) == starts_s
    assert all(wait_s >= 0 for wait_s in waits_s)


@given(WORKLOADS, SLOTS, STEPS)
def test_the_same_inputs_make_the_same_world(workload: Workload, slots: int, steps: Any) -> None:
    """To the bit."""
    assert play(nothing, workload, slots, steps).facts() == play(nothing, workload, slots, steps).facts()


@given(WORKLOADS, SLOTS, st.integers(1, 4), st.lists(SECONDS))
def test_looking_more_often_changes_nothing(
    workload: Workload, slots: int, machines: int, looks: list[float]
) -> None:
    """Time has no steps: a world seen at many instants ends as one that is run through."""
    seen = walked(a_world(workload, machines=machines, slots=slots), sorted(looks))

    assert run_out(seen).waits_s == run_out(a_world(workload, machines=machines, slots=slots)).waits_s


@given(WORKLOADS, SLOTS, st.integers(1, 4))
def test_waits_are_those_of_the_recursion_over_servers(workload: Workload, slots: int, machines: int) -> None:
    """After Kiefer and Wolfowitz: each task starts when it is there and the first of the servers is free."""
    free_s = [0.0] * (machines * slots)
    expected = []
    for sent_s, run_s in zip(workload.submit_s, workload.runtime_s, strict=True):
        start_s = max(sent_s, free_s[0])
        heapq.heapreplace(free_s, start_s + run_s)
        expected.append(start_s - sent_s)
    world = run_out(a_world(workload, machines=machines, slots=slots))

    assert expected == list(world.waits_s)
    assert workload.work_s == pytest.approx(world.busy_s)


def test_events_at_the_very_time_wait() -> None:
    """An arrival at 5 is not there at 5, nor is an end; a moment later both are."""
    world = walked(a_world(a_workload((0, 5), (5, 5)), machines=1), [5])
    at = (world.arrived, world.done)
    world.advance(5.001)

    assert ((1, 0), (2, 1)) == (at, (world.arrived, world.done))


def test_a_task_that_arrives_as_another_ends_does_not_wait() -> None:
    """At one instant tasks end before tasks arrive."""
    assert [0, 0] == list(run_out(a_world(a_workload((0, 5), (5, 5)), machines=1)).waits_s)


def test_a_machine_begins_at_its_time_with_what_is_queued() -> None:
    """Exactly then, not at the next look."""
    world = World(a_workload((1, 5), (2, 5), (3, 5)), 2)
    world.begin("late", 10.5)

    assert [9.5, 8.5, 12.5] == list(run_out(world).waits_s)


def test_a_machine_that_begins_now_takes_tasks_now() -> None:
    """It needs no further look for that."""
    world = walked(World(a_workload((0, 5)), 1), [3])
    world.begin("a", 3)

    assert (0, 1, [3]) == (world.backlog, world.in_hand("a"), list(world.waits_s))


def test_the_slot_free_longest_takes_the_next_task() -> None:
    """As with a broker that goes round its consumers: a, b, c, then a again although c is free too."""
    world = a_world(a_workload((1, 1), (3, 1), (5, 1), (7, 9)), machines=3)

    assert [1, 0, 0] == [walked(world, [8]).in_hand(node) for node in ("n0", "n1", "n2")]


def test_a_machine_that_takes_again_stands_last_in_line() -> None:
    """It lost its place when it stopped."""
    world = a_world(a_workload((1, 9)), machines=2)
    world.stop_taking("n0")
    world.take_again("n0")
    world.take_again("n0")
    world.advance(2)

    assert [0, 1] == [world.in_hand("n0"), world.in_hand("n1")]


def test_what_a_machine_ran_goes_back_to_the_front_and_runs_from_its_start() -> None:
    """Before what was queued behind it, in the order of arrival; its first wait stands, and its seconds count."""
    world = walked(a_world(a_workload((0, 10), (0, 10), (1, 1)), machines=1, slots=2), [4])
    given_back = world.remove("n0")
    at = (given_back, world.backlog, world.in_progress, world.redelivered, world.busy_s)
    world.begin("n0", 6)
    world.advance(15.5)
    assert (2, 3, 0, 2, 8.0) == at
    assert (1, 2) == (world.backlog, world.in_progress)

    assert [0, 0, 15] == list(run_out(world).waits_s)
    assert 8 + 21 == world.busy_s


def test_what_is_given_back_last_is_first_in_the_queue() -> None:
    """Before what another machine gave back sooner: each goes to the front."""
    world = walked(a_world(a_workload((0, 10), (0, 20)), machines=2), [4])
    world.remove("n0")
    world.remove("n1")
    world.begin("one", 4)
    world.advance(23.5)
    assert 0 == world.done

    assert 1 == walked(world, [24.5]).done


def test_what_one_machine_gives_back_keeps_the_order_of_arrival() -> None:
    """The first slot that is free, at 6, takes the older task, of 10 seconds."""
    world = walked(a_world(a_workload((0, 10), (0, 20), (0, 6), (0, 99)), machines=2, slots=2), [4])
    world.remove("n0")

    assert [1, 2] == [walked(world, [at_s]).done for at_s in (15.5, 16.5)]


def test_a_draining_machine_takes_nothing_that_was_given_back() -> None:
    """It ends what it runs, and the queue's front stays where it is."""
    world = walked(a_world(a_workload((0, 10), (0, 20)), machines=2), [4])
    world.stop_taking("n0")
    world.remove("n1")
    world.advance(50)

    assert (1, 0, 1) == (world.backlog, world.in_progress, world.done)


def test_what_is_given_back_goes_on_at_once_where_a_slot_is_free() -> None:
    """A free machine takes it at the same instant."""
    world = walked(a_world(a_workload((0, 10)), machines=2), [4])
    world.remove("n0")

    assert 1 == world.in_hand("n1")
    assert not walked(world, [14]).finished
    assert walked(world, [14.5]).finished


def test_a_machine_may_go_or_be_told_to_drain_before_it_begins() -> None:
    """What never served gives nothing back, and one told to drain begins without taking."""
    world = World(a_workload((0, 1)), 1)
    world.begin("gone", 5)
    world.begin("drains", 6)
    world.begin("again", 7)
    assert 0 == world.remove("gone")
    for node in ("drains", "again"):
        world.stop_taking(node)
    world.take_again("again")

    assert [7] == list(run_out(world).waits_s)


def test_busy_seconds_over_a_tick_are_average_busy_slots() -> None:
    """Tasks that still run count up to now."""
    world = walked(a_world(a_workload((0, 10), (2, 10)), machines=2), [5])

    assert 5 + 3 == world.busy_s


@pytest.mark.parametrize("until_s", [4.0, math.inf, math.nan])
def test_time_never_goes_back_nor_to_the_end_of_days(until_s: float) -> None:
    """Neither for the world nor for a machine that begins."""
    world = walked(World(a_workload((0, 1)), 1), [5])

    with pytest.raises(ValueError, match=r"the time is 5"):
        world.advance(until_s)
    with pytest.raises(ValueError, match=r"the time is 5"):
        world.begin("a", until_s)


def test_machines_are_known_by_name() -> None:
    """One name is one machine at a time; nobody else's name is known; a machine has a slot."""
    world = a_world(a_workload((0, 1)), machines=1)

    with pytest.raises(ValueError, match="n0 is there already"):
        world.begin("n0", 9)
    for act in (world.remove, world.in_hand, world.stop_taking, world.take_again):
        with pytest.raises(KeyError):
            act("n9")
    with pytest.raises(ValueError, match="0 slots"):
        World(a_workload((0, 1)), 0)


def test_an_empty_workload_is_finished_from_the_start() -> None:
    """There is nothing to wait for."""
    assert World(a_workload(), 1).finished
