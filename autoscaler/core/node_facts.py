"""What the world did to one machine: its record and the facts about it in, the moved record out, step by step.

Each step takes in one kind of fact: answers to calls, the listing, its worker's word, proofs of idleness, deadlines. No
event fires from the absence of a thing on a tick on which we could not have seen it. What never happens here: a look at
another node's record beyond its name, or a wish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from zlib import crc32

from autoscaler.core import claims, deadlines, enrolment, lifecycle, moves, namesakes, offers, patience
from autoscaler.core.facts import (
    REFUSALS,
    SIGHTINGS_CLOCK,
    CallKind,
    Missing,
    Outcome,
    OutcomeKind,
    Sighting,
    Snapshot,
    listing_clock,
)
from autoscaler.core.lifecycle import Event, FactKind, NodeState
from autoscaler.core.model import ConsumerOrder, FleetRules, Node, Timeouts, Transition
from autoscaler.core.reports import Boot
from providers.contract import Instance, Listing, NodeName, ProviderName

_UNHEARD = frozenset({OutcomeKind.THROTTLED, OutcomeKind.REJECTED, OutcomeKind.NOT_SENT})
"""Answers to a destroy which say that nothing will come of it."""
_LONGEST_PAUSE_S = 3600.0
"""No pause between two asks for a node's end is longer than this."""
_NOTED_EVERY_S, _NOTED_OF_EACH_S = 60.0, 0.03
"""How often the count of one that serves is noted: once a minute, and of more than 2,000 machines so much less often
that no tick writes more than some 35 records a second for it."""
_UNCONFIGURED = Missing(why="its provider is not configured")


@dataclass(frozen=True, slots=True)
class View:
    """What one node's reconciliation may look at."""

    snapshot: Snapshot
    clocks: Mapping[str, float]
    fleet: FleetRules
    timeouts: Timeouts
    outcomes: tuple[Outcome, ...]
    indices: Mapping[ProviderName, claims.Index]
    """Of every listing that was seen."""
    voices: namesakes.Voices
    booting: Mapping[NodeName, Boot]
    """What machines say of themselves on their way."""

    @property
    def blind(self) -> bool:
        return isinstance(self.snapshot.sightings, Missing)

    @property
    def heard_on(self) -> float:
        """What the clock of sightings shows now."""
        return self.clocks.get(SIGHTINGS_CLOCK, 0.0)

    def sighting(self, node: Node) -> Sighting | None:
        seen = self.snapshot.sightings
        return None if isinstance(seen, Missing) else seen.workers.get(node.worker)

    def silent_s(self, node: Node) -> float:
        """How long the worker has not been heard while we could hear; 0 while we cannot."""
        seen = self.snapshot.sightings
        if isinstance(seen, Missing):
            return 0.0
        heard = seen.workers.get(node.worker)
        attentive_s = max(0.0, seen.listening_s - seen.unheard_s)
        silent = attentive_s if heard is None else heard.silent_s
        return min(silent, attentive_s, moves.lasted_s(node, self.clocks))

    def alive(self, node: Node) -> bool:
        heard = self.sighting(node)
        return heard is not None and heard.online and heard.silent_s <= self.timeouts.silence_s

    @property
    def hears_all(self) -> bool:
        """Whether a worker that speaks would have been heard by now."""
        seen = self.snapshot.sightings
        return not isinstance(seen, Missing) and seen.would_hear_within(self.timeouts.silence_s)

    def is_twin(self, node: Node) -> bool:
        """Whether its machine shares its name with one that has a record of its own: then the worker is that one's."""
        return namesakes.is_twin(node, self.voices)

    def listing(self, node: Node) -> Listing | Missing:
        return self.snapshot.listings.get(node.offer.provider, _UNCONFIGURED)

    def settle_s(self, node: Node) -> float:
        return self.snapshot.settle_s.get(node.offer.provider, 60.0)

    def was_ordered_since(self, node: Node) -> bool:
        """Whether a listing that came late, or is taken again, was asked for before the order."""
        age_s = self.snapshot.listing_age_s.get(node.offer.provider, 0.0)
        return age_s > 0.0 and node.ordered_at >= self.snapshot.at - age_s

    def listed_completely(self, node: Node) -> bool:
        listing = self.listing(node)
        return isinstance(listing, Listing) and listing.complete


_Step = Callable[[Node, View], tuple[Node, Event | None, str]]


def reconcile_node(node: Node, view: View) -> tuple[Node, list[Transition]]:
    """The record after every step of this tick, and the moves it made. Raises whatever an odd fact makes it raise."""
    return (node, []) if serves_on(node, view) else step_by_step(node, view)


def serves_on(node: Node, view: View) -> bool:
    """Whether it serves, is listed and heard, and nothing of that is new to its record: then no step would change it.

    All but a few are such on most ticks. One look takes 1.5 us, where the steps take 6.5.
    """
    if node.state is not NodeState.READY or view.outcomes:
        return False
    heard = view.sighting(node)
    if heard is None or not heard.online:
        return False
    at, listed = view.snapshot.at, view.indices.get(node.offer.provider)
    return (
        heard.silent_s <= view.timeouts.silence_s
        and (heard.pid is None or heard.pid == node.worker_pid)
        and (heard.processed is None or _is_noted(node, heard, view.snapshot))
        and (listed is None or node.instance_id in listed.by_id)
        and node.missing_on is None
        and node.confirmed_on is None
        and node.stopped_at is None
        and node.next_ask_at <= at
    )


def step_by_step(node: Node, view: View) -> tuple[Node, list[Transition]]:
    """The same by all the steps, for any machine."""
    told: list[Transition] = []
    for step in _STEPS:
        if node.state is NodeState.GONE:
            break
        node, event, reason = step(node, view)
        if event is not None:
            node, transition = moves.move(node, event, reason, at=view.snapshot.at, clocks=view.clocks)
            told.append(transition)
    return node, told


def _set_back(node: Node, view: View) -> tuple[Node, Event | None, str]:
    """After the wall clock was set back, instants of "the future" would bind for as long: they are taken as now."""
    at = view.snapshot.at
    if node.stopped_at is not None and node.stopped_at > at:
        node = replace(node, stopped_at=at)
    if node.next_ask_at > at + _LONGEST_PAUSE_S:
        node = replace(node, next_ask_at=at)
    return node, None, ""


def _answered(node: Node, view: View) -> tuple[Node, Event | None, str]:
    """Take in the answers to our calls. At most one of them can move the node: a node has one call in flight."""
    event: Event | None = None
    reason = ""
    for outcome in view.outcomes:
        match outcome.call, outcome.kind:
            case CallKind.CREATE, OutcomeKind.DONE if outcome.instance is not None:
                node = replace(_identify(node, outcome.instance), missing_on=None)
                if node.state is NodeState.CREATING:
                    event, reason = Event.INSTANCE_SEEN, "the provider took the order"
            case CallKind.CREATE, kind if kind in REFUSALS and node.state is NodeState.CREATING:
                event, reason = Event.CREATE_REFUSED, f"create refused: {outcome.says}"
            case CallKind.DRAIN, OutcomeKind.DONE if node.state is NodeState.DRAINING:
                # One that waited may be the word of a predecessor of the same pid: it is asked for again.
                if node.confirmed_on is None and not view.snapshot.outcomes_may_be_old:
                    node = replace(node, confirmed_on=view.heard_on)
            case CallKind.UNDRAIN, OutcomeKind.DONE if node.consumer_order is ConsumerOrder.ADD:
                node = replace(node, consumer_order=ConsumerOrder.NONE)
            case CallKind.DESTROY, kind if kind in _UNHEARD and node.state is NodeState.DESTROYING:
                if node.refused_asks == node.destroy_asks - 1:  # else one before it may have been heard
                    node = replace(node, refused_asks=node.destroy_asks)
                if kind is OutcomeKind.THROTTLED:
                    again_at = outcome.at + offers.throttle_s(outcome.retry_after_s)
                    node = replace(node, next_ask_at=max(node.next_ask_at, again_at))
            case _:
                pass  # an unknown outcome is settled by looking, never by repeating
    return node, event, reason


def _listed(node: Node, view: View) -> tuple[Node, Event | None, str]:
    """Presence is believed at once, absence only after it lasted over complete listings."""
    listing = view.listing(node)
    if isinstance(listing, Missing):
        return node, None, ""
    instance = claims.claimed_by(node, view.indices[node.offer.provider])
    if instance is not None:
        node = _present(_identify(node, instance))
        seen = node.state is NodeState.CREATING
        return node, Event.INSTANCE_SEEN if seen else None, "the provider lists it"
    if not listing.complete or node.state is NodeState.CREATING:
        return node, None, ""
    if node.instance_id is None and node.name in view.snapshot.in_flight:
        # Its creation may be under way: not there yet is not gone.
        return replace(node, missing_on=None), None, ""
    if node.missing_on is None and view.was_ordered_since(node):
        return node, None, ""
    now_on = view.clocks[listing_clock(node.offer.provider)]
    if node.missing_on is None:
        return replace(node, missing_on=now_on), None, ""
    absent_s = now_on - node.missing_on
    if absent_s < view.settle_s(node) or _may_yet_be(node, view):
        return node, None, ""
    return node, Event.INSTANCE_GONE, f"absent from complete listings for {absent_s:.0f} s"


def _may_yet_be(node: Node, view: View) -> bool:
    """Whether an absent machine may be there after all, or still come."""
    settle_s = view.settle_s(node)
    heard = None if view.is_twin(node) else view.sighting(node)
    speaks = heard is not None and heard.online and heard.silent_s <= settle_s
    if speaks and not namesakes.another_stands(node, view.snapshot.nodes):
        return True  # a machine whose worker still speaks is not gone, whatever a listing says
    # An unanswered creation may still be carried out, even if it was given up early.
    age_s = view.snapshot.at - node.ordered_at
    return node.instance_id is None and age_s < view.timeouts.create_s + settle_s


def _worked(node: Node, view: View) -> tuple[Node, Event | None, str]:
    """How many tasks its worker is done with: those that it took up less those that it runs, by one word of its own.

    A worker that begins anew counts from nothing, and what was counted before is kept. Counts grow all the time, so one
    that serves is noted once a minute or less often: else every record would be written on every tick.
    """
    heard = view.sighting(node)
    if heard is None or heard.processed is None or view.is_twin(node):
        return node, None, ""
    # Where the record does not take it on, as a goodbye's, another process would be another on every tick.
    taken_on = view.alive(node) and node.state is not NodeState.DESTROYING
    another = taken_on and heard.pid != node.worker_pid and None not in {heard.pid, node.worker_pid}
    if not another and _is_noted(node, heard, view.snapshot):
        return node, None, ""
    done, before, at = _done(heard), node.tasks_now or 0, view.snapshot.at
    anew = another or done < before
    earlier = node.tasks_before + (before if anew else 0)
    return replace(node, tasks_before=earlier, tasks_now=done, tasks_noted_at=at), None, ""


def _is_noted(node: Node, heard: Sighting, snapshot: Snapshot) -> bool:
    """Whether what the process that was heard before has done by now stands in the record, or need not yet."""
    done, noted = _done(heard), node.tasks_now
    if done == noted:
        return True
    if noted is None or done < noted or not heard.online or node.state is not NodeState.READY:
        return False
    # Each at its own instant of that time, or all of a fleet would be written on one tick.
    every_s = max(_NOTED_EVERY_S, _NOTED_OF_EACH_S * len(snapshot.nodes))
    apart_s, noted_at = crc32(node.name.encode()) % every_s, node.tasks_noted_at
    return noted_at is not None and (snapshot.at + apart_s) // every_s == (noted_at + apart_s) // every_s


def _done(heard: Sighting) -> int:
    return max(0, (heard.processed or 0) - (heard.active or 0))


def _heard(node: Node, view: View) -> tuple[Node, Event | None, str]:
    """Workers heard become READY; workers unheard for too long, while we could hear, become LOST."""
    if view.blind:
        return node, None, ""
    if view.alive(node):
        heard = view.sighting(node)
        assert heard is not None
        # On a DESTROYING node the pid stays that of the worker whose idleness was proven.
        if heard.pid not in {None, node.worker_pid} and node.state is not NodeState.DESTROYING:
            # A restarted worker consumes again, whatever its predecessor confirmed.
            node = replace(node, worker_pid=heard.pid, confirmed_on=None)
        elif node.confirmed_on is not None and _may_have_begun_anew(
            heard, view.heard_on - node.confirmed_on, view
        ):
            node = replace(node, confirmed_on=None)
        if node.state in {NodeState.CREATING, NodeState.BOOTING, NodeState.LOST}:
            enrolled_at = node.enrolled_at or view.snapshot.at
            return replace(node, enrolled_at=enrolled_at), Event.WORKER_SEEN, f"{node.worker} is heard"
        return node, None, ""
    silent_s = view.silent_s(node)
    if node.state in {NodeState.READY, NodeState.DRAINING} and silent_s > view.timeouts.silence_s:
        return node, Event.WORKER_SILENT, f"{node.worker} was not heard for {silent_s:.0f} s"
    return node, None, ""


def _may_have_begun_anew(heard: Sighting, confirmed_s: float, view: View) -> bool:
    """Whether a worker may have restarted since it confirmed its order so long ago, though its pid is the same.

    In containers every process has the same pid. It says so as it begins, or its count falls; and what it said while
    we did not listen without a break, nobody knows. The order is repeated then, which costs a few seconds.
    """
    seen = view.snapshot.sightings
    listening_s = 0.0 if isinstance(seen, Missing) else seen.listening_s
    within_s = confirmed_s + view.snapshot.elapsed_s  # it was taken in up to a tick after it was said
    return listening_s <= within_s or (heard.began_s is not None and heard.began_s <= within_s)


def _works_after_all(node: Node, view: View) -> tuple[Node, Event | None, str]:
    """A worker that is heard takes its machine's end back, as long as nobody was asked for that end yet.

    It enrolled late or came back from silence, and may take up a task at any moment; or it was restarted, or works,
    after it was proven idle. What an operator gave up stays given up, and of a twin it cannot be told whose word it is.
    """
    if node.state is not NodeState.DESTROYING or node.end_asked or node.given_up or view.is_twin(node):
        return node, None, ""
    heard = view.sighting(node)
    if heard is None or not view.alive(node):
        return node, None, ""
    another = heard.pid != node.worker_pid and None not in {heard.pid, node.worker_pid}
    # In containers every process has the same pid; it is heard to begin.
    restarted = another or (heard.began_s is not None and heard.began_s < view.snapshot.at - node.entered_at)
    if node.stop_due and not heard.active and not restarted:
        return node, None, ""
    node = replace(node, enrolled_at=node.enrolled_at or view.snapshot.at)
    return node, Event.WORK_SEEN, f"{node.worker} is heard" + (" to work" if heard.active else "")


def _proven_idle(node: Node, view: View) -> tuple[Node, Event | None, str]:
    """Two witnesses must agree: the worker holds nothing, and the broker holds nothing for it. Silence is no proof."""
    idleness = view.snapshot.idleness.get(node.name)
    if node.state is not NodeState.DRAINING or idleness is None or view.blind or node.confirmed_on is None:
        return node, None, ""
    published = view.snapshot.published.get(node.pool)
    if published is not None and node.name in published.exposed:
        return node, None, ""  # its worker holds nothing, but requests may still reach what runs beside it
    hands, unacknowledged = idleness.hands, idleness.unacknowledged
    if isinstance(hands, Missing) or isinstance(unacknowledged, Missing):
        return node, None, ""
    early = view.heard_on - idleness.age_s < node.confirmed_on + view.fleet.proof_lag_s
    if early or hands.total > 0 or unacknowledged > 0 or not view.alive(node):
        return node, None, ""
    return node, Event.DRAINED, "its worker holds no task and the broker holds none for it"


def _boot_failed(node: Node, view: View) -> tuple[Node, Event | None, str]:
    """A machine that says itself that it cannot become a worker ends early: if nobody can be at work on it.

    Its word alone ends nothing. What proves that nobody is at work is what ends one that never enrols.
    """
    if node.state is not NodeState.BOOTING or not view.hears_all or view.is_twin(node):
        return node, None, ""
    boot, idleness = view.booting.get(node.name), view.snapshot.idleness.get(node.name)
    failed = enrolment.failure(boot, view.sighting(node), idleness)
    if failed is None:
        return node, None, ""
    return node, Event.ENROL_FAILED, enrolment.in_words(failed)


def _overdue(node: Node, view: View) -> tuple[Node, Event | None, str]:
    """States that may last only so long, counted in seconds of sight and fired only while we see."""
    deadline = lifecycle.DEADLINES.get(node.state)
    if deadline is None:
        return node, None, ""
    sees = view.listed_completely(node) if deadline.clock is FactKind.INSTANCES else view.hears_all
    idleness = view.snapshot.idleness.get(node.name)
    age_s = view.snapshot.listing_age_s.get(node.offer.provider, 0.0)
    memory = view.snapshot.memory
    times = patience.times_of(node, view.timeouts, memory, view.booting, view.snapshot.reports)
    limit_s = deadlines.allowed_s(node, times, view.sighting(node), idleness, age_s)
    lasted_s = moves.lasted_s(node, view.clocks)
    if not sees or lasted_s < limit_s:
        return node, None, ""
    if deadline.event is Event.ENROL_EXPIRED and idleness is not None:
        # Somebody is connected: it was the time of a drain that is over, and that was an operator's choice.
        node = replace(node, given_up=isinstance(idleness.unacknowledged, int))
    says = f"{node.state.value} for {lasted_s:.0f} s, allowed are {limit_s:.0f} s"
    why = patience.why(node, view.timeouts, memory, view.booting, view.clocks)
    return node, deadline.event, f"{says}: {why}" if why else says


_STEPS: tuple[_Step, ...] = (
    _set_back,
    _answered,
    _listed,
    _worked,  # before the record takes on another process
    _heard,
    _works_after_all,
    _proven_idle,
    _boot_failed,
    _overdue,
)


def _present(node: Node) -> Node:
    """The node without a doubt about its presence; most have none, and copies cost more than a look."""
    return node if node.missing_on is None else replace(node, missing_on=None)


def _identify(node: Node, instance: Instance) -> Node:
    if node.instance_id is not None:
        return node
    return replace(node, instance_id=instance.instance_id, instance_created_at=instance.created_at)
