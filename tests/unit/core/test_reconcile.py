"""What the world does to our records, and above all what it may not do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import (
    SIGHTINGS_CLOCK,
    CallKind,
    Hands,
    Memory,
    Missing,
    Outcome,
    OutcomeKind,
    Snapshot,
    listing_clock,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import ConsumerOrder, DrainExpiry, Node, Timeouts
from autoscaler.core.reconcile import Reconciled, reconcile
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    a_listing,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    an_instance,
    heard,
    idle,
    nobody_there,
    rules,
)

BLIND = Missing(why="a test says so")
S = NodeState


def after(snapshot: Snapshot, **pool: object) -> Reconciled:
    return reconcile(snapshot, rules(a_pool(**pool)), FLEET)


def only(snapshot: Snapshot, **pool: object) -> Node:
    nodes = after(snapshot, **pool).nodes
    assert len(nodes) == 1
    return nodes[0]


def an_outcome(call: CallKind, kind: OutcomeKind, **fields: object) -> Outcome:
    return Outcome(node=a_node().name, call=call, kind=kind, at=AT - 1, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [OutcomeKind.CAPACITY_REFUSED, OutcomeKind.REJECTED, OutcomeKind.THROTTLED])
def test_a_definite_no_ends_the_record(kind: OutcomeKind) -> None:
    """Nothing was made, so nothing is paid."""
    node = a_node(state=S.CREATING)

    assert only(a_snapshot(node, outcomes=(an_outcome(CallKind.CREATE, kind),))).state is S.GONE


def test_an_unanswered_create_stays_ordered() -> None:
    """It may have happened: only a listing or its deadline settles it."""
    node = a_node(state=S.CREATING, entered_on=5_000.0)

    assert only(a_snapshot(node, outcomes=(an_outcome(CallKind.CREATE, OutcomeKind.UNKNOWN),))) == node


def test_the_answer_to_a_create_tells_the_id() -> None:
    """From then on the machine is found by id, whatever else bears its name."""
    node = a_node(state=S.CREATING)
    told = an_outcome(CallKind.CREATE, OutcomeKind.DONE, instance=an_instance())

    found = only(a_snapshot(node, outcomes=(told,)))

    assert (S.BOOTING, an_instance().instance_id) == (found.state, found.instance_id)


def test_a_listed_machine_is_booting_even_if_the_listing_is_incomplete() -> None:
    """Presence is believed at once."""
    node = a_node(state=S.CREATING)

    assert only(a_snapshot(node, listings={CLOUD: a_listing("n1", complete=False)})).state is S.BOOTING


@pytest.mark.parametrize("state", [S.CREATING, S.BOOTING, S.LOST])
def test_a_heard_worker_serves(state: NodeState) -> None:
    """The worker itself is the proof, however it came about."""
    node = a_node(state=state)

    assert only(a_snapshot(node, sightings=heard(a_sighting()))).state is S.READY


def test_a_worker_lost_while_draining_is_told_to_consume_when_it_returns() -> None:
    """It may have stopped consuming; a READY worker that takes nothing is a paid idler."""
    node = a_node(state=S.LOST, consumer_order=ConsumerOrder.CANCEL)

    assert only(a_snapshot(node, sightings=heard(a_sighting()))).consumer_order is ConsumerOrder.ADD


@pytest.mark.parametrize("state", [S.BOOTING, S.READY, S.LOST, S.DRAINING, S.DESTROYING])
def test_absence_is_believed_only_after_the_settle_time(state: NodeState) -> None:
    """The first complete listing without it starts a clock; settled, it is gone."""
    node = a_node(state=state, entered_on=5_000.0)
    nowhere = a_snapshot(node, listings={CLOUD: a_listing()}, sightings=heard())
    first = only(nowhere)
    missing_on = CLOCKS[listing_clock(CLOUD)] + 10

    later = replace(nowhere, nodes=(first,), memory=Memory(clocks={**CLOCKS, listing_clock(CLOUD): 5_030.0}))

    assert (state, missing_on) == (first.state, first.missing_on)
    assert only(later).state is S.GONE


@pytest.mark.parametrize("state", list(S))
def test_a_failed_or_incomplete_listing_proves_no_absence(state: NodeState) -> None:
    """Even if it lasts for ever."""
    if state is S.GONE:
        return
    node = a_node(state=state, missing_on=0.0)
    for listing in (BLIND, a_listing(complete=False)):
        found = only(a_snapshot(node, listings={CLOUD: listing}, sightings=BLIND))
        assert found.state is state


def test_a_machine_whose_worker_speaks_is_not_gone_whatever_a_listing_says() -> None:
    """Absence needs the silence of its worker as a second witness."""
    node = a_node(missing_on=0.0)

    assert only(a_snapshot(node, listings={CLOUD: a_listing()})).state is S.READY


def test_a_reappearing_machine_is_not_missing_any_more() -> None:
    """The settle time starts anew."""
    node = a_node(missing_on=4_990.0)

    assert only(a_snapshot(node)).missing_on is None


def test_a_silent_worker_is_lost() -> None:
    """Silence longer than `timeouts.silence`, while we could hear."""
    node = a_node()

    assert only(a_snapshot(node, sightings=heard(a_sighting(silent_s=61.0)))).state is S.LOST


def test_a_worker_is_not_silent_before_we_listened_long_enough() -> None:
    """After a reconnection nobody was heard yet; that is our deafness, not their silence."""
    node = a_node()

    assert only(a_snapshot(node, sightings=heard(listening_s=30.0))).state is S.READY


def test_time_in_which_beats_were_left_unread_is_no_silence() -> None:
    """Nor do we know yet whom we would have heard; once we listened long enough beside it, we do."""
    node = a_node()
    seen = replace(heard(listening_s=200.0), unheard_s=150.0)

    assert only(a_snapshot(node, sightings=seen)).state is S.READY
    assert not seen.would_hear_within(60.0)
    assert only(a_snapshot(node, sightings=replace(seen, unheard_s=139.0))).state is S.LOST


@pytest.mark.parametrize("state", [S.CREATING, S.BOOTING, S.READY, S.LOST, S.DRAINING])
def test_while_deaf_no_deadline_that_rests_on_hearing_fires(state: NodeState) -> None:
    """And their clock stands still meanwhile."""
    node = a_node(state=state, entered_on=0.0 if state is not S.CREATING else 5_000.0)
    expire = Timeouts(drain_expiry=DrainExpiry.DESTROY)
    snapshot = a_snapshot(
        node, sightings=BLIND, listings={CLOUD: a_listing("n1")} if state is not S.CREATING else {}
    )

    found = after(snapshot, timeouts=expire)

    assert state is found.nodes[0].state
    assert CLOCKS[SIGHTINGS_CLOCK] == found.memory.clocks[SIGHTINGS_CLOCK]


@pytest.mark.parametrize(
    ("state", "timeouts"),
    [
        (S.CREATING, Timeouts(create_s=100.0)),
        (S.BOOTING, Timeouts(enrol_s=100.0)),
        (S.LOST, Timeouts(lost_s=100.0)),
        (S.DRAINING, Timeouts(drain_s=100.0, drain_expiry=DrainExpiry.DESTROY)),
    ],
)
def test_a_state_may_last_only_so_long_in_seconds_of_sight(state: NodeState, timeouts: Timeouts) -> None:
    """The limit itself ends it; a moment before does not."""
    early = a_node(state=state, entered_on=5_010.0 - 99.0)
    due = a_node(state=state, entered_on=5_010.0 - 100.0)

    unconnected = {"n1": nobody_there()}

    assert only(a_snapshot(early, idleness=unconnected), timeouts=timeouts).state is state
    assert only(a_snapshot(due, idleness=unconnected), timeouts=timeouts).state is S.DESTROYING


def test_a_drain_waits_for_ever_unless_the_operator_chose_otherwise() -> None:
    """Tasks are worth more than a machine by default."""
    node = a_node(state=S.DRAINING, entered_on=0.0)

    assert only(a_snapshot(node), timeouts=Timeouts(drain_s=1.0)).state is S.DRAINING


CONFIRMED = 4_990.0
"""On the clock of sightings, which shows 5010 after a tick of 10 s."""


@pytest.mark.parametrize(
    "facts",
    [
        {"hands": Hands(active=1, reserved=0, scheduled=0)},
        {"hands": Hands(active=0, reserved=1, scheduled=0)},
        {"hands": Hands(active=0, reserved=0, scheduled=1)},
        {"hands": BLIND},
        {"unacknowledged": 1},
        {"unacknowledged": BLIND},
        {"age_s": 20 - FLEET.proof_lag_s + 1},
    ],
    ids=str,
)
def test_one_missing_or_contrary_proof_keeps_a_drain_waiting(facts: dict[str, object]) -> None:
    """Both witnesses, both saying nothing is held, both after the stop of consuming was confirmed and could show."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, confirmed_on=CONFIRMED, worker_pid=7)

    assert only(a_snapshot(node, idleness={node.name: idle(**facts)})).state is S.DRAINING  # type: ignore[arg-type]


def test_two_agreeing_proofs_end_a_drain() -> None:
    """The worker holds nothing and the broker holds nothing for it."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, confirmed_on=CONFIRMED, worker_pid=7)

    found = only(a_snapshot(node, idleness={node.name: idle()}))

    assert (S.DESTROYING, True) == (found.state, found.stop_due)


def test_proofs_without_a_confirmed_stop_prove_nothing() -> None:
    """A worker that still consumes is idle only by chance."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, worker_pid=7)

    assert only(a_snapshot(node, idleness={node.name: idle()})).state is S.DRAINING


def test_a_restarted_worker_must_be_told_again_to_stop_consuming() -> None:
    """`cancel_consumer` is not kept over a restart of the worker."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, confirmed_on=CONFIRMED, worker_pid=6)

    found = only(a_snapshot(node, idleness={node.name: idle()}))

    assert (S.DRAINING, None, 7) == (found.state, found.confirmed_on, found.worker_pid)


def test_only_the_first_confirmation_counts() -> None:
    """Else a repeated order would push the proofs' time away for ever."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, confirmed_on=CONFIRMED, worker_pid=7)
    again = an_outcome(CallKind.DRAIN, OutcomeKind.DONE)

    assert only(a_snapshot(node, outcomes=(again,))).confirmed_on == CONFIRMED


def test_a_confirmation_that_may_have_waited_is_asked_for_again() -> None:
    """A full disk kept it in the mailbox, and a worker that began anew meanwhile under the same pid consumes."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, worker_pid=7)
    answer = an_outcome(CallKind.DRAIN, OutcomeKind.DONE)

    fresh, old = (
        only(a_snapshot(node, outcomes=(answer,), outcomes_may_be_old=old)) for old in (False, True)
    )

    assert (True, None) == (fresh.confirmed_on is not None, old.confirmed_on)


def test_good_looks_start_anew_after_an_outage() -> None:
    """Scale-in waits for several good looks in a row."""
    snapshot = a_snapshot()

    assert after(snapshot).memory.good_looks == {"images": 11}
    assert after(replace(snapshot, demand={"images": BLIND})).memory.good_looks == {"images": 0}  # type: ignore[dict-item]


def test_looking_twice_at_the_same_world_changes_nothing_more() -> None:
    """Reconcile is idempotent: the second pass over the same facts finds everything in its place."""
    nodes = [a_node(f"n{i}", state, entered_on=5_000.0) for i, state in enumerate(S) if state is not S.GONE]
    snapshot = a_snapshot(*nodes, elapsed_s=0.0)
    once = after(snapshot)

    twice = after(
        replace(snapshot, nodes=tuple(n for n in once.nodes if n.state is not S.GONE), memory=once.memory)
    )

    assert tuple(n for n in once.nodes if n.state is not S.GONE) == twice.nodes
    assert twice.transitions == ()
