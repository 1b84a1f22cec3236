"""What machines say of their boots: it ends none that may be at work, and none but the one that said it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import enrolment, held_back, offers
from autoscaler.core.facts import Memory, Missing, RestKind, Sightings, Snapshot, Unconnected
from autoscaler.core.invariants import InvariantViolated, check
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.core.reconcile import of_interest, reconcile
from autoscaler.core.reports import Boot, Boots, Failure, Phase, PhaseTime, Report
from providers.contract import NodeName
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    FLEET,
    OFFER,
    POOL,
    a_node,
    a_sighting,
    a_snapshot,
    heard,
    idle,
    nobody_there,
    rules,
)
from tests.unit.core.test_leaving import kinds, tick

S = NodeState
N = NodeName("n1")
FAILED = Failure(phase=Phase.APPLICATION, says="no matching distribution found for shop==9")
KEY = offers.for_pool(OFFER.name, POOL)
YOUNG: dict[str, Any] = {"ordered_at": AT - 100, "entered_at": AT - 60, "entered_on": 4_940.0}


def a_time(phase: Phase, from_s: float, to_s: float, *, ok: bool = True) -> PhaseTime:
    return PhaseTime(phase=phase, from_s=from_s, to_s=to_s, ok=ok)


STARTED = (a_time(Phase.BOOTED, 0, 8), a_time(Phase.APPLICATION, 8, 30), a_time(Phase.WORKER, 30, 33))


def a_report(node: str = N, **fields: Any) -> Report:
    usual: dict[str, Any] = {"heard_at": AT - 1, "uptime_s": 50.0}
    return Report(node=NodeName(node), **(usual | fields))


def booting(name: str = N, **fields: Any) -> Node:
    """A machine in time to enrol."""
    return a_node(name, state=S.BOOTING, **(YOUNG | fields))


def told(*nodes: Node, **fields: Any) -> Snapshot:
    """A tick on which `n1` says that it failed, and nobody of any name is connected."""
    usual: dict[str, Any] = {
        "reports": {N: a_report(failed=FAILED)},
        "idleness": {node.name: nobody_there() for node in nodes},
    }
    return a_snapshot(*nodes, **(usual | fields))


def test_a_machine_that_says_that_it_failed_ends_at_once() -> None:
    """It is paid and will never be a worker; its reason names the phase and its first words."""
    made = tick(told(booting()))
    (node,) = made.nodes

    assert (S.DESTROYING, ["DestroyNode"]) == (node.state, kinds(made))
    assert "its boot failed in phase application: no matching distribution found for shop==9" == node.reason


def test_a_report_ends_nobody_but_who_sent_it() -> None:
    """Another machine of the pool boots on, whatever `n1` says."""
    made = tick(told(booting(), booting("n2")))

    assert [S.DESTROYING, S.BOOTING] == [node.state for node in sorted(made.nodes, key=lambda n: n.name)]


@pytest.mark.parametrize(
    "change",
    [
        {"idleness": {N: idle()}},
        {"idleness": {N: idle(unacknowledged=3)}},
        {"idleness": {N: idle(unacknowledged=Missing(why="the broker is down"))}},
        {"idleness": {}},
        {"sightings": Missing(why="our own probe is not heard")},
        {"sightings": heard(listening_s=5.0)},
        {"sightings": heard(a_sighting(silent_s=500.0, online=False))},
        {"reports": Missing(why="not connected yet")},
        {"reports": {N: a_report(failed=FAILED, phases=STARTED)}},
        {"reports": {N: a_report(phases=STARTED)}},
    ],
    ids=[
        "somebody is connected",
        "somebody holds messages",
        "the broker does not say",
        "the broker was not asked",
        "deaf",
        "not listening for long",
        "a worker of its name was heard once",
        "nothing is reported",
        "it started a worker",
        "it did not fail",
    ],
)
def test_a_report_ends_nobody_who_may_be_at_work(change: dict[str, Any]) -> None:
    """What proves that a machine past its time has no worker must be proven of one that says so itself, too."""
    made = tick(told(booting(), **change))

    assert S.BOOTING is made.nodes[0].state


@pytest.mark.parametrize("state", [S.CREATING, S.READY, S.LOST, S.DRAINING, S.DESTROYING])
def test_a_report_moves_no_machine_that_does_not_boot(state: NodeState) -> None:
    """Before it is known to exist there is nothing to end; after its worker was heard its word is worth nothing."""
    node = a_node(state=state, **YOUNG)
    with_report = told(node, idleness={})

    assert tick(replace(with_report, reports={})).nodes == tick(with_report).nodes


def test_once_its_worker_was_heard_a_token_only_adds_the_phases_that_were_missing() -> None:
    """Whoever read its user data by then can neither show it as failed nor change what it said itself."""
    node = a_node(state=S.READY, **(YOUNG | {"enrolled_at": AT - 10}))
    boot = Boot(power_at=AT - 90, phases=STARTED[:2])
    memory = Memory(booting={N: boot})
    forged = a_report(failed=FAILED, log=("pay me",), phases=(a_time(Phase.BOOTED, 0, 1), STARTED[2]))

    late = reconcile(told(node, memory=memory, reports={N: forged}), rules(), FLEET).memory.booting[N]

    assert (None, STARTED, AT - 90) == (late.failed, late.phases, late.power_at)
    assert late.worker_started


def test_a_phase_that_failed_is_told_anew_by_a_machine_whose_worker_was_heard() -> None:
    """Somebody ran its program again by hand, and its last reports were under way."""
    node = a_node(state=S.READY, **(YOUNG | {"enrolled_at": AT - 10}))
    boot = Boot(power_at=AT - 90, phases=(STARTED[0], replace(STARTED[1], ok=False)), failed=FAILED)

    late = reconcile(
        told(node, memory=Memory(booting={N: boot}), reports={N: a_report(phases=STARTED)}), rules(), FLEET
    ).memory.booting[N]

    assert (None, STARTED) == (late.failed, late.phases)


def test_a_worker_that_is_heard_after_all_is_a_worker() -> None:
    """Whatever its machine said before."""
    made = reconcile(told(booting(), sightings=heard(a_sighting())), rules(), FLEET)

    assert S.READY is made.nodes[0].state


def test_a_failure_is_remembered_until_it_can_be_acted_on_or_is_taken_back() -> None:
    """The tick that hears it may be one that sees nothing else; who fails and tries again successfully goes on."""
    deaf = reconcile(told(booting(), sightings=Missing(why="deaf")), rules(), FLEET)
    (node,) = deaf.nodes
    assert S.BOOTING is node.state

    later = told(node, reports={}, memory=replace(deaf.memory, clocks=CLOCKS))
    assert (node,) == of_interest((node,), later.memory, rules())
    assert S.DESTROYING is tick(later).nodes[0].state

    better = replace(later, reports={N: a_report(phases=(a_time(Phase.BOOTED, 0, 8),))})
    assert () == of_interest((node,), later.memory, rules(), better.reports)
    assert S.BOOTING is tick(better).nodes[0].state


def test_that_a_worker_was_started_is_never_taken_back() -> None:
    """A program that starts again on the machine knows nothing of the worker that its first run left at work."""
    first = reconcile(told(booting(), reports={N: a_report(phases=STARTED)}), rules(), FLEET)
    then = tick(told(first.nodes[0], memory=replace(first.memory, clocks=CLOCKS)))

    assert S.BOOTING is then.nodes[0].state


def test_the_broker_is_asked_about_a_machine_that_failed() -> None:
    """And about none that is in time to enrol and does not say so."""
    nodes = (booting(), booting("n2"))

    assert nodes[:1] == of_interest(nodes, Memory(clocks=CLOCKS), rules(), {N: a_report(failed=FAILED)})
    assert () == of_interest(nodes, Memory(clocks=CLOCKS), rules(), Missing(why="down"))


def test_an_end_by_a_machines_word_without_the_other_proofs_is_refused() -> None:
    """By a rule kept apart from the one that chooses it."""
    good = told(booting())
    made, reconciled = tick(good), reconcile(good, rules(), FLEET)
    check(good, reconciled, made, rules(), FLEET)
    for change in (
        {"idleness": {N: idle()}},
        {"idleness": {}},
        {"sightings": heard(a_sighting(online=False))},
        {"sightings": Missing(why="deaf")},
    ):
        with pytest.raises(InvariantViolated, match="may be at work"):
            check(replace(good, **change), reconciled, made, rules(), FLEET)
    forged = replace(reconciled, memory=replace(reconciled.memory, booting={}))
    with pytest.raises(InvariantViolated, match="no word of its own"):
        check(good, forged, made, rules(), FLEET)


def test_an_orphan_that_was_taken_in_is_not_spoken_for() -> None:
    """Its record bears another name than the machine was given, and that name's token is not its own."""
    made = tick(told(booting(machine=NodeName("n0"))))

    assert S.BOOTING is made.nodes[0].state


def test_times_count_from_power_on_however_late_a_report_comes() -> None:
    """One waited in the broker while the daemon was down; none can have had power before it was ordered."""
    late = reconcile(told(booting(), reports={N: a_report(uptime_s=2.0, phases=STARTED[:1])}), rules(), FLEET)
    assert AT - 3 == late.memory.booting[N].power_at

    sooner = told(late.nodes[0], memory=late.memory, reports={N: a_report(uptime_s=40.0, phases=STARTED)})
    assert AT - 41 == reconcile(sooner, rules(), FLEET).memory.booting[N].power_at

    liar = replace(sooner, reports={N: a_report(uptime_s=1e6)})
    assert AT - 100 == reconcile(liar, rules(), FLEET).memory.booting[N].power_at


def test_a_whole_boot_is_learned_once_by_phases_of_its_offer() -> None:
    """With what only we see: from order to power, to the first heartbeat, to the first task."""
    node = a_node(ordered_at=AT - 100, enrolled_at=AT - 20, entered_at=AT - 20)
    at_work = heard(a_sighting(processed=1, active=0))
    snapshot = a_snapshot(node, sightings=at_work, reports={N: a_report(uptime_s=59.0, phases=STARTED)})

    first = reconcile(snapshot, rules(), FLEET).memory
    again = reconcile(replace(snapshot, memory=first), rules(), FLEET).memory

    assert {
        Phase.MACHINE: (40.0,),
        Phase.BOOTED: (8.0,),
        Phase.APPLICATION: (22.0,),
        Phase.WORKER: (3.0,),
        Phase.HEARTBEAT: (7.0,),
        Phase.TASK: (20.0,),
    } == dict(enrolment.of_offer(first, OFFER.name, POOL).took_s)
    assert (80.0,) == enrolment.of_offer(first, OFFER.name, POOL).whole_s
    assert first.phases == again.phases


def test_a_boot_without_a_task_is_learned_when_nothing_more_will_come() -> None:
    """An idle fleet learns too; what it says long after it arrived is not listened to."""
    node = a_node(ordered_at=AT - 400, enrolled_at=AT - 301, entered_at=AT - 301)
    known = Boot(power_at=AT - 350, phases=STARTED, worker_started=True)
    memory = Memory(clocks=CLOCKS, booting={N: known})

    learnt = reconcile(a_snapshot(node, memory=memory, reports={N: a_report()}), rules(), FLEET).memory

    assert {} == learnt.booting
    assert (16.0,) == enrolment.of_offer(learnt, OFFER.name, POOL).took_s[Phase.HEARTBEAT]


def test_what_is_remembered_is_bounded() -> None:
    """Machines that left, offers that are bought no more, and times beyond the last twenty are forgotten."""
    node = a_node(ordered_at=AT - 100, enrolled_at=AT - 20)
    memory = Memory(
        clocks=CLOCKS,
        booting={NodeName("gone"): Boot(phases=STARTED)},
        phases={
            KEY: Boots(took_s={Phase.BOOTED: tuple(map(float, range(20)))}),
            offers.for_pool(replace(OFFER, size="xl").name, POOL): Boots(slow_disks=1),
        },
    )
    reports = {N: a_report(phases=STARTED), NodeName("nobody"): a_report("nobody")}
    snapshot = a_snapshot(node, memory=memory, reports=reports, sightings=heard(a_sighting(processed=1)))

    learnt = reconcile(snapshot, rules(), FLEET).memory

    assert {N} == set(learnt.booting)
    assert {KEY} == set(learnt.phases)
    assert (*map(float, range(1, 20)), 8.0) == learnt.phases[KEY].took_s[Phase.BOOTED]


def test_one_failed_boot_lets_its_offer_rest_for_the_pool() -> None:
    """As one that expires does; and it is counted by its phase."""
    memory = reconcile(told(booting()), rules(), FLEET).memory

    assert RestKind.NEVER_ENROLLED is memory.offer_rests[KEY].kind
    assert {Phase.APPLICATION: 1} == dict(memory.phases[KEY].failed)


SLOW = Failure(phase=Phase.DISK, says="the disk takes 12.1 ms, allowed are 5.0 ms")


def test_slow_disks_in_a_row_let_an_offer_rest() -> None:
    """One is replaced at once: it had a noisy neighbour. What rests says why, how many it were, and what ends it."""
    slow = {N: a_report(failed=SLOW)}
    first = reconcile(told(booting(), reports=slow), rules(), FLEET).memory
    assert {} == first.offer_rests
    assert 1 == first.phases[KEY].slow_disks

    second = reconcile(
        told(booting(), reports=slow, memory=replace(first, clocks=CLOCKS)), rules(), FLEET
    ).memory
    (held,) = held_back.look(second, AT)
    assert RestKind.SLOW_DISK is second.offer_rests[KEY].kind
    assert (KEY, "one machine is tried until one enrols") == (held.subject, held.ends)
    assert "2 machines of cloud/osl/s/debian in a row had disks too slow for pool images" == held.why


def test_a_machine_that_enrols_ends_the_row_of_slow_disks() -> None:
    """And wakes the offer."""
    memory = Memory(clocks=CLOCKS, phases={KEY: Boots(slow_disks=1, failed={Phase.DISK: 1})})
    arrives = a_snapshot(booting(), memory=memory, sightings=heard(a_sighting()))

    learnt = reconcile(arrives, rules(), FLEET).memory

    assert (0, {Phase.DISK: 1}) == (learnt.phases[KEY].slow_disks, dict(learnt.phases[KEY].failed))


def test_quantiles_of_few_times_are_no_more_than_was_seen() -> None:
    """Of none there is none, of one that one."""
    assert None is enrolment.middle_and_high(())
    assert (3.0, 3.0) == enrolment.middle_and_high((3.0,))
    assert (10.0, 19.0) == enrolment.middle_and_high(map(float, range(21)))


def test_a_machine_nobody_hears_of_loses_nothing() -> None:
    """Without reports all is as it was without this module; the deadline to enrol ends who never becomes a worker."""
    overdue = a_node(state=S.BOOTING)
    deaf_to_reports = a_snapshot(
        overdue, reports=Missing(why="not connected"), idleness={N: nobody_there()}, sightings=heard()
    )

    assert S.DESTROYING is tick(deaf_to_reports).nodes[0].state
    assert isinstance(deaf_to_reports.sightings, Sightings)
    assert isinstance(nobody_there().unacknowledged, Unconnected)
