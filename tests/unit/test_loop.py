"""One tick: the order in which things happen, and what is said of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from autoscaler.core.facts import (
    CallKind,
    Hands,
    Idleness,
    Memory,
    Missing,
    Outcome,
    OutcomeKind,
    Rest,
    RestKind,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Action, CreateNode, Node, Order, PoolName, PoolWish
from autoscaler.journal.contract import JournalUnavailable, TickRecord
from autoscaler.loop import Loop, Machines, Rulebook
from autoscaler.observe import Seen
from policies.contract import Past, PolicySpec, Reading, Trust
from providers.contract import NodeName, ProviderName
from tests.unit.core.builders import (
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    SECOND_OFFER,
    a_demand,
    a_listing,
    a_node,
    a_pool,
    a_sighting,
    heard,
    rules,
)
from tests.unit.stand_ins import FixedClock, Heard

SEEN = Seen(
    demand={POOL: a_demand(backlog=15)}, listings={CLOUD: a_listing()}, sightings=heard(), idleness={}
)


class Remembered:
    """A journal in memory that tells when it was written."""

    def __init__(self, diary: list[str]) -> None:
        self.diary, self.broken = diary, False
        self.nodes, self.lease = cast("tuple[Node, ...]", ()), cast("object | None", None)
        self.kept = Memory(clocks=CLOCKS)
        self.records: list[TickRecord] = []

    def led(self) -> object | None:
        return self.lease

    def live_nodes(self) -> tuple[Node, ...]:
        return self.nodes

    def memory(self) -> Memory:
        return self.kept

    def waiting_orders(self) -> tuple[Order, ...]:
        return ()

    def wishes(self) -> Mapping[PoolName, PoolWish]:
        return {}

    def past(self, since_at: float) -> Mapping[PoolName, tuple[Past, ...]]:
        return {}

    def slices(self, pool: PoolName, since_at: float, before_at: float) -> tuple[()]:
        return ()

    def commit(self, record: TickRecord) -> None:
        if self.broken:
            raise JournalUnavailable("the disk is full")
        self.diary.append("commit")
        self.records.append(record)
        self.kept = record.memory
        changed = {n.name: n for n in (*self.nodes, *record.new_nodes, *record.changed_nodes)}
        self.nodes = tuple(n for n in changed.values() if n.state is not NodeState.GONE)


class Calls:
    """An executor that writes down what it was told, and answers what the test put in."""

    def __init__(self, diary: list[str]) -> None:
        self.diary = diary
        self.mailbox: tuple[Outcome, ...] = ()
        self.actions: list[Action] = []

    def dispatch(self, actions: tuple[Action, ...]) -> None:
        self.diary.append("dispatch")
        self.actions += actions

    def in_flight(self) -> frozenset[NodeName]:
        self.diary.append("in_flight")
        return frozenset()

    def outcomes(self) -> tuple[Outcome, ...]:
        self.diary.append("outcomes")
        return self.mailbox

    def forget(self, outcomes: tuple[Outcome, ...]) -> None:
        self.diary.append("forget")
        self.mailbox = ()


class Stage:
    """A loop with everything around it."""

    def __init__(self, settle_s: float = 30.0, *, machines: Machines | None = None, **pool: Any) -> None:
        self.diary: list[str] = []
        self.seen = SEEN
        self.journal, self.calls = Remembered(self.diary), Calls(self.diary)
        self.clock, self.log = FixedClock(), Heard()
        self.names = iter(f"s{i}" for i in range(100))
        self.loop = Loop(
            rulebook=Rulebook(
                fleet=FLEET, pools=rules(a_pool(**pool)), settle_s={CLOUD: settle_s}, tick_s=10.0
            ),
            journal=self.journal,
            observer=self,
            executor=self.calls,
            machines=machines,
            clock=self.clock,
            log=self.log,
            name_seed=lambda: next(self.names),
        )

    def look(self, *asked: Any) -> Seen:
        self.diary.append("look")
        self.asked = asked
        return self.seen

    def tick(self, after_s: float = 10.0) -> None:
        self.clock.at += after_s
        self.clock.lasted += after_s
        self.loop.tick()

    def said(self, event: str) -> list[Mapping[str, object]]:
        return [fields for name, fields in self.log.events if name == event]


def test_what_is_ordered_is_written_down_first() -> None:
    """A crash in between leaves a record to settle, never a machine that nobody knows."""
    stage = Stage()
    stage.tick()

    assert ["commit", "forget", "dispatch"] == stage.diary[-3:]
    created = {a.node for a in stage.calls.actions if isinstance(a, CreateNode)}
    assert created == {n.name for n in stage.journal.records[0].new_nodes}
    assert len(created) == 2


def test_calls_under_way_are_read_before_their_answers() -> None:
    """Else one that ends in between would be neither, and its node might get a second call."""
    stage = Stage()
    stage.tick()

    assert ["in_flight", "outcomes", "look"] == stage.diary[:3]


def test_nothing_is_dispatched_that_could_not_be_written_down() -> None:
    """And the answers stay, to be taken in by the next tick."""
    stage = Stage()
    answer = Outcome(node=NodeName("n9"), call=CallKind.DESTROY, kind=OutcomeKind.DONE, at=0.0)
    stage.calls.mailbox = (answer,)
    stage.journal.broken = True

    with pytest.raises(JournalUnavailable):
        stage.tick()

    assert ([], (answer,)) == (stage.calls.actions, stage.calls.mailbox)


def test_a_policy_that_fails_stops_its_pool_alone() -> None:
    """Its pool keeps what it has; ends already chosen go on."""
    stage = Stage(policies=(PolicySpec(kind="no such policy"),))
    stage.journal.nodes = (a_node(state=NodeState.DESTROYING, destroy_asks=1),)
    stage.seen = replace(SEEN, listings={CLOUD: a_listing("n1")})
    stage.tick()

    assert ["DestroyNode"] == [type(a).__name__ for a in stage.calls.actions]
    assert len(stage.said("pool.failed")) == 1


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_figures_that_are_no_numbers_stop_their_pool_alone(odd: float) -> None:
    """Neither a decision nor its sentence may end the tick: what was chosen goes on."""
    reading = Reading(value=odd, trust=Trust.SOLID)
    demand = a_demand(backlog=15, arrivals_per_s=reading, completions_per_s=reading, wait_s=reading)
    stage = Stage()
    stage.journal.nodes = (a_node(state=NodeState.DESTROYING, destroy_asks=1),)
    stage.seen = replace(SEEN, demand={POOL: demand}, listings={CLOUD: a_listing("n1")})
    stage.tick()

    assert "DestroyNode" in [type(a).__name__ for a in stage.calls.actions]


@pytest.mark.parametrize("settle_s", [math.nan, -1.0])
def test_a_settle_time_that_is_no_number_never_passes(settle_s: float) -> None:
    """A comparison with NaN is false, which would read as settled: then one listing ended every record."""
    stage = Stage(settle_s=settle_s)
    stage.journal.nodes = (a_node(),)
    for _ in range(20):
        stage.tick()

    assert NodeState.GONE not in {n.state for record in stage.journal.records for n in record.changed_nodes}


def test_a_clock_that_shows_no_number_ages_nobody() -> None:
    """Clocks of sight are summed up: one NaN would stay in them for ever."""
    stage = Stage()
    stage.tick()
    stage.clock.lasted = math.nan
    stage.loop.tick()

    assert all(math.isfinite(on) for on in stage.journal.kept.clocks.values())


def test_time_in_which_we_did_not_look_ages_nobody() -> None:
    """A suspended process wakes up to the same nodes: clocks of sight run three ticks at most."""
    stage = Stage()
    stage.tick()
    before = stage.journal.kept.clocks["sightings"]
    stage.tick(after_s=8 * 3600.0)

    assert stage.journal.kept.clocks["sightings"] == before + 30.0


def test_a_new_daemon_counts_its_own_good_looks_only() -> None:
    """What another saw before us, and what it may have missed at the end, is not in a row with what we see."""
    stage = Stage()
    stage.journal.kept = Memory(clocks=CLOCKS, good_looks={POOL: 10})
    stage.tick()
    stage.tick()

    assert [{POOL: 1}, {POOL: 2}] == [record.memory.good_looks for record in stage.journal.records]


def test_a_new_daemon_that_could_not_write_still_counts_from_zero() -> None:
    """Until its first commit the journal holds what another saw, on its second tick as on its first."""
    stage = Stage()
    stage.journal.kept = Memory(clocks=CLOCKS, good_looks={POOL: 10})
    stage.journal.broken = True
    with pytest.raises(JournalUnavailable):
        stage.tick()
    stage.journal.broken = False
    stage.tick()

    assert {POOL: 1} == stage.journal.records[-1].memory.good_looks


def test_a_new_daemon_that_could_not_write_still_wakes_rejected_offers() -> None:
    """A full disk at its start does not take from an operator what he restarted the daemon for."""
    stage = Stage()
    rest = Rest(
        until_at=stage.clock.at + 9_000, refusals=1, why="wrong image", kind=RestKind.REJECTED, since_at=1.0
    )
    stage.journal.kept = Memory(clocks=CLOCKS, offer_rests={OFFER.name: rest})
    stage.journal.broken = True
    with pytest.raises(JournalUnavailable):
        stage.tick()
    stage.journal.broken = False
    stage.tick()

    assert OFFER in [a.offer for a in stage.calls.actions if isinstance(a, CreateNode)]


def test_with_a_new_daemon_rejected_offers_wake() -> None:
    """A changed configuration may have mended what was rejected, so one machine is tried there; accounts that asked
    for peace keep it."""
    stage = Stage()
    rest = Rest(
        until_at=stage.clock.at + 9_000, refusals=1, why="wrong image", kind=RestKind.REJECTED, since_at=1.0
    )
    stage.journal.kept = Memory(
        clocks=CLOCKS, offer_rests={OFFER.name: rest}, account_rests={CLOUD: replace(rest, until_at=0.0)}
    )
    stage.tick()

    assert [OFFER, SECOND_OFFER] == [a.offer for a in stage.calls.actions if isinstance(a, CreateNode)]


def test_a_new_daemon_counts_its_good_looks_from_its_first() -> None:
    """It may be a successor: what the one before saw in a row does not let it scale in on its first look."""
    stage = Stage()
    stage.journal.kept = Memory(clocks=CLOCKS, good_looks={POOL: 99})
    stage.tick()

    assert {POOL: 1} == stage.journal.records[-1].memory.good_looks


def test_looks_that_were_not_written_down_end_the_row_of_good_ones() -> None:
    """While nothing could be written demand may have gone dark, too: the first look after that is the first."""
    stage = Stage()
    stage.tick()
    stage.tick()
    stage.journal.broken = True
    stage.seen = replace(SEEN, demand={POOL: Missing(why="the broker is away")})
    with pytest.raises(JournalUnavailable):
        stage.tick()
    stage.journal.broken, stage.seen = False, SEEN
    stage.tick()
    stage.tick()

    assert [1, 2, 1, 2] == [record.memory.good_looks[POOL] for record in stage.journal.records]


def test_a_plan_shows_what_the_daemon_that_runs_would_do() -> None:
    """`autoscaler plan` has no looks of its own to count."""
    stage = Stage()
    stage.journal.kept = Memory(clocks=CLOCKS, good_looks={POOL: 99})

    assert {POOL: 100} == stage.loop.think().record.memory.good_looks


def test_a_missing_fact_is_said_once_and_its_return_too() -> None:
    """Not on every tick between."""
    stage = Stage()
    stage.seen = replace(SEEN, sightings=Missing(why="our probe is not heard"))
    for _ in range(3):
        stage.tick()
    stage.seen = SEEN
    stage.tick()

    assert stage.said("fact.missed") == [{"fact": "workers", "why": "our probe is not heard"}]
    assert stage.said("fact.recovered") == [{"fact": "workers"}]


def test_nodes_of_a_provider_no_longer_configured_are_kept_and_said() -> None:
    """They may be paid for: they are never forgotten, an operator hears of them, and nothing crashes."""
    stage = Stage()
    gone = replace(OFFER, provider=ProviderName("gone"))
    stage.journal.nodes = (
        a_node("n1", NodeState.CREATING, offer=gone, entered_on=0.0),
        a_node("n2", NodeState.DESTROYING, offer=gone),
    )
    for _ in range(3):
        stage.tick()

    assert {"n1", "n2"} <= {n.name for n in stage.journal.nodes}
    ((fact, why),) = [tuple(fields.values()) for fields in stage.said("fact.missed")]
    assert (fact, "configure it again" in str(why)) == ("machines at gone", True)


def test_a_machine_that_does_not_go_is_said_at_every_further_ask() -> None:
    """And not on the ticks between two asks."""
    stage = Stage()
    stage.seen = replace(SEEN, demand={POOL: a_demand()}, listings={CLOUD: a_listing("n1")})
    stage.journal.nodes = (a_node(state=NodeState.DESTROYING, destroy_asks=1),)
    for _ in range(60):
        stage.tick()

    asks = [fields["asks"] for fields in stage.said("node.overdue")]
    assert asks == list(range(5, 5 + len(asks)))
    assert len(asks) > 1


def test_a_node_that_cannot_be_dealt_with_is_said_once_and_when_it_can_be_again() -> None:
    """Not on every tick between, and the others' tick goes on."""
    stage = Stage()
    odd = Idleness(age_s=0.0, hands=cast("Hands", "odd"), unacknowledged=0)
    node = a_node(state=NodeState.DRAINING, confirmed_on=4_500.0, worker_pid=7)
    stage.journal.nodes = (node,)
    stage.seen = replace(
        SEEN,
        demand={POOL: a_demand()},
        listings={CLOUD: a_listing("n1")},
        sightings=heard(a_sighting("n1")),
        idleness={node.name: odd},
    )
    for _ in range(3):
        stage.tick()
    ((name, why),) = [(fields["node"], str(fields["error"])) for fields in stage.said("node.failed")]
    assert (name, why.startswith("AttributeError")) == ("n1", True)

    stage.seen = replace(stage.seen, idleness={})
    stage.tick()

    assert ["n1"] == [fields["node"] for fields in stage.said("node.recovered")]


def test_a_decision_is_said_when_its_number_or_reason_is_new() -> None:
    """A quiet fleet has a quiet log."""
    stage = Stage()
    stage.seen = replace(SEEN, demand={POOL: a_demand()})
    for _ in range(4):
        stage.tick()

    assert len(stage.said("pool.decided")) == 1
