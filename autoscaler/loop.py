"""One tick: look, reconcile, decide, plan, check, write down, act. In that order, on one thread, and never otherwise.

The loop holds no state of its own that matters: all of it is in the journal, so a tick after a crash is a tick like any
other. What was not committed did not happen; what was committed before a crash is settled by looking. Records that our
own last commit left are not read again: nobody else writes any while the lease is ours, and no commit succeeds after.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from autoscaler import meters, tick_record
from autoscaler.clock import Clock
from autoscaler.core import (
    holdings,
    invariants,
    money,
    offers,
    orders,
    reconcile,
    supply,
)
from autoscaler.core import plan as planning
from autoscaler.core.facts import Memory, Missing, Outcome, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    Action,
    FleetRules,
    Node,
    Order,
    PoolName,
    PoolRules,
    PoolWish,
    WorkerName,
    worker_of,
)
from autoscaler.core.published import Published
from autoscaler.core.reconcile import Reconciled
from autoscaler.core.repeats import Kept
from autoscaler.core.reports import Refusals, Report
from autoscaler.core.true_time import carried_over
from autoscaler.journal.contract import TickRecord
from autoscaler.meters import Meters
from autoscaler.observe import Seen
from autoscaler.prospects import Prospects
from autoscaler.telemetry import Log
from autoscaler.telling import Teller, Tick
from policies.contract import Allowance, Decision, Past, Traffic
from policies.decide import decide
from policies.prospect import Slice
from policies.sentence import sentence
from providers.contract import Listing, NodeName, ProviderName

_ELAPSED_CAP_TICKS = 3.0
"""Time in which we did not look is not time in which we could see: a suspended process does not age its nodes."""


class Journal(Protocol):
    """What a tick reads and writes."""

    def led(self) -> object | None:
        """Our lease, by its holder and epoch: whoever commits under another one changes it. None without any."""
        ...

    def live_nodes(self) -> tuple[Node, ...]: ...

    def memory(self) -> Memory: ...

    def waiting_orders(self) -> tuple[Order, ...]: ...

    def wishes(self) -> Mapping[PoolName, PoolWish]: ...

    def past(self, since_at: float) -> Mapping[PoolName, tuple[Past, ...]]: ...

    def slices(self, pool: PoolName, since_at: float, before_at: float) -> tuple[Slice, ...]: ...

    def commit(self, record: TickRecord) -> None: ...


class Observer(Protocol):
    """The facts of one tick."""

    def look(
        self,
        nodes: tuple[Node, ...],
        strangers: Collection[WorkerName],
        serving: Collection[WorkerName],
        quiet: Mapping[ProviderName, str],
    ) -> Seen: ...


class Machines(Protocol):
    """What machines say that are no workers yet."""

    def reports(self) -> Mapping[NodeName, Report] | Missing: ...

    def forget(self, reports: Mapping[NodeName, Report]) -> None: ...

    def refusals(self) -> Refusals: ...


class Executor(Protocol):
    """Calls under way and their answers."""

    def dispatch(self, actions: tuple[Action, ...]) -> None: ...

    def in_flight(self) -> frozenset[NodeName]: ...

    def outcomes(self) -> tuple[Outcome, ...]: ...

    def forget(self, outcomes: tuple[Outcome, ...]) -> None: ...


class LeftOvers(Protocol):
    """What machines left behind, dealt with beside the ticks."""

    def swept(self) -> Mapping[int, str]: ...

    def tick(
        self, orders: Sequence[Order], live: Collection[str], quiet: Mapping[ProviderName, str]
    ) -> None: ...


class Upstreams(Protocol):
    """Files in which machines that serve are published, kept beside the ticks."""

    def tick(self, nodes: Collection[Node], listings: Mapping[ProviderName, Listing | Missing]) -> None: ...

    def published(self, nodes: Collection[Node]) -> Mapping[PoolName, Published]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """The configuration as the loop needs it. `settle_s` is how long absence must last at each provider."""

    fleet: FleetRules
    pools: Mapping[PoolName, PoolRules]
    settle_s: Mapping[ProviderName, float]
    tick_s: float


class Loop:
    """Ticks over one fleet. Only one thread may call it."""

    def __init__(  # noqa: PLR0913 - one for each of a tick's doors to the outside, by name
        self,
        *,
        rulebook: Rulebook,
        journal: Journal,
        observer: Observer,
        executor: Executor,
        machines: Machines | None = None,
        clock: Clock,
        log: Log,
        name_seed: Callable[[], str] = lambda: secrets.token_hex(4),
        left_overs: LeftOvers | None = None,
        upstreams: Upstreams | None = None,
        counted: Meters = meters.NOBODY,
    ) -> None:
        self._rulebook = rulebook
        self._rules = rulebook.pools
        # Of a provider that names no number no absence is ever believed: a comparison with none would pass at once.
        self._settle_s = {name: s if s >= 0.0 else math.inf for name, s in rulebook.settle_s.items()}
        self._fleet = rulebook.fleet
        self._journal = journal
        self._prospects = Prospects(rulebook.pools, journal.slices)
        self._observer = observer
        self._executor = executor
        self._machines = machines
        self._clock = clock
        self._log = log
        self._teller = Teller(log, self._rules, rulebook.tick_s)
        self._name_seed = name_seed
        self._left_overs = left_overs
        self._upstreams = upstreams
        self._meters = counted
        self._looked_at: float | None = None
        self._written: tuple[float, float] | None = None
        """The instant of our last tick that was written down, on the wall clock and on the one that is never set."""
        self._committed, self._unwritten = False, True  # any tick of ours; not the tick before
        self._kept: Mapping[PoolName, Kept] = {}
        """Of our own ticks alone, so that the first of a process keeps all it decided."""
        self._left: tuple[object, Memory, tuple[Node, ...]] | None = None
        """The lease under which our last commit was made, and the memory and the records it left."""

    def tick(self) -> Tick:
        """One tick, whole. Raises `JournalUnavailable` (nothing was done), or a programmer's error."""
        unwritten, self._unwritten = self._unwritten, True
        lease = self._journal.led()
        tick = self.think(first=unwritten)
        self._kept, self._left = {}, None  # of a commit that fails nobody knows what it left
        with self._meters.timed(meters.STAGE, meters.COMMIT):
            self._journal.commit(tick.record)
        self._committed, self._unwritten, self._kept = True, False, tick.record.repeats.kept
        if lease is not None and lease == self._journal.led():
            stand = (node for node in tick.plan.nodes if node.state is not NodeState.GONE)
            self._left = lease, tick.record.memory, tuple(sorted(stand, key=lambda node: node.name))
        if self._looked_at is not None:
            self._written = (tick.snapshot.at, self._looked_at)
        self._executor.forget(tick.snapshot.outcomes)
        if self._machines is not None and not isinstance(tick.snapshot.reports, Missing):
            self._machines.forget(tick.snapshot.reports)
        if self._upstreams is not None:
            self._upstreams.tick(tick.plan.nodes, tick.snapshot.listings)
        with self._meters.timed(meters.STAGE, meters.DISPATCH):
            self._executor.dispatch(tick.plan.actions)
        self._teller.tell(tick)
        if self._machines is not None:
            self._teller.tell_refusals(self._machines.refusals())
        if self._left_overs is not None:
            answered = {answer.number for answer in tick.record.answers}
            waiting = [order for order in tick.snapshot.orders if order.number not in answered]
            live = {name for node in tick.plan.nodes for name in (node.name, node.machine)}
            quiet = offers.why_quiet(tick.record.memory, tick.snapshot.at)
            self._left_overs.tick(waiting, live, quiet)
        return tick

    def think(self, *, first: bool = False) -> Tick:
        """All before the commit: changes nothing anywhere. `first`: the tick before it was not written down."""
        with self._meters.timed(meters.STAGE, meters.OBSERVE):
            snapshot = self._observe(first=first)
        with self._meters.timed(meters.STAGE, meters.THINK):
            return self._thought(snapshot)

    def _thought(self, snapshot: Snapshot) -> Tick:
        asked = orders.apply_to_pools(snapshot.orders, snapshot.wishes, self._rules)
        reconciled = reconcile.reconcile(snapshot, self._rules, self._fleet)
        decisions = self._decide(snapshot, reconciled, asked.wishes)
        plan = planning.plan(snapshot, reconciled, decisions, self._rules, self._fleet)
        invariants.check(snapshot, reconciled, plan, self._rules, self._fleet)
        record = tick_record.record(
            snapshot, reconciled, decisions, plan, asked, self._rules, self._fleet, self._kept
        )
        return Tick(snapshot=snapshot, reconciled=reconciled, decisions=decisions, plan=plan, record=record)

    def _observe(self, *, first: bool) -> Snapshot:
        memory = self._journal.memory()
        nodes = self._records(memory)
        # In-flight first: a call that ends in between is then answered and still counts as under way, which only
        # delays. The other way round it would be neither, and its node might get a second call.
        in_flight = self._executor.in_flight()
        outcomes = self._executor.outcomes()
        strangers = {worker_of(NodeName(stranger.instance.name)) for stranger in memory.strangers}
        reports = self._machines.reports() if self._machines is not None else {}
        interesting = reconcile.of_interest(nodes, memory, self._rules, reports)
        # Which accounts to leave in peace is asked now, and anew of the instant at which all has been seen.
        asked_at = self._clock.now()
        quiet = offers.why_quiet(self._carried_over(memory, asked_at, self._clock.monotonic()), asked_at)
        seen = self._observer.look(interesting, strangers, holdings.to_ask(nodes, memory), quiet)
        at, monotonic = self._clock.now(), self._clock.monotonic()
        elapsed_s = 0.0 if self._looked_at is None else max(0.0, monotonic - self._looked_at)  # 0 for NaN
        self._looked_at = monotonic
        memory = self._carried_over(memory, at, monotonic)
        longest_s = _ELAPSED_CAP_TICKS * self._rulebook.tick_s
        if not self._committed:
            # The journal may be an older copy, of whose missing records nobody knows before each account was seen.
            memory = replace(offers.after_restart(memory, at), seen=())
        if first:
            # The row on record does not hold the last look, which may have seen nothing: it is another's, or unwritten.
            memory = replace(memory, good_looks={})
        return Snapshot(
            at=at,
            elapsed_s=min(elapsed_s, longest_s),
            demand=seen.demand,
            listings=seen.listings,
            sightings=seen.sightings,
            idleness=seen.idleness,
            strangers_hold=seen.strangers_hold,
            hands=seen.hands,
            nodes=nodes,
            outcomes=outcomes,
            outcomes_may_be_old=first or elapsed_s > longest_s,
            in_flight=in_flight,
            orders=self._journal.waiting_orders(),
            swept=self._left_overs.swept() if self._left_overs is not None else None,
            wishes=self._journal.wishes(),
            past=self._journal.past(at - self._history_s()),
            memory=memory,
            prospects=self._prospects.of_pools(at, self._traffic(memory, at)),
            name_seed=self._name_seed(),
            settle_s=self._settle_s,
            listing_age_s=seen.listing_age_s,
            rate_limits=seen.rate_limits,
            reports=reports,
            published=self._upstreams.published(nodes) if self._upstreams is not None else {},
        )

    def _records(self, memory: Memory) -> tuple[Node, ...]:
        """Those that are not GONE, by name. Reading ten thousand takes 0.06 s of a processor.

        A memory that is not the very one we wrote tells that the journal was set back, whoever holds the lease by it.
        """
        if self._left is not None and self._left[0] == self._journal.led() and self._left[1] is memory:
            return self._left[2]
        return self._journal.live_nodes()

    def _traffic(self, memory: Memory, at: float) -> dict[PoolName, Traffic]:
        """Of the pools, each with the boots of what it would buy now; of none where nobody asks for a prospect."""
        asked = self._rules.items() if self._prospects.is_asked else ()
        return {name: supply.traffic(rules, memory, at) for name, rules in asked}

    def _carried_over(self, memory: Memory, at: float, monotonic: float) -> Memory:
        """The memory by the wall clock as it shows now, which may have been set since it was written."""
        written_at, written_on = self._written or (None, 0.0)
        return carried_over(memory, at, monotonic - written_on if memory.at == written_at else None)

    def _history_s(self) -> float:
        """How far back decisions may look: the longest window or cooldown of any pool."""
        return max((pool.stabilization.longest_s for pool in self._rules.values()), default=0.0)

    def _decide(
        self, snapshot: Snapshot, reconciled: Reconciled, wishes: Mapping[PoolName, PoolWish]
    ) -> dict[PoolName, Decision]:
        decisions = {}
        nodes, memory = supply.by_pool(reconciled.nodes), reconciled.memory
        allowed = money.allowances(reconciled.nodes, memory, self._rules, self._fleet, snapshot.at, wishes)
        for name, rules in self._rules.items():
            decision = self._decide_one(
                rules, snapshot, nodes[name], memory, wishes.get(name), allowed.get(name)
            )
            if decision is not None:
                decisions[name] = decision
        return decisions

    def _decide_one(
        self,
        rules: PoolRules,
        snapshot: Snapshot,
        nodes: tuple[Node, ...],
        memory: Memory,
        wish: PoolWish | None,
        allowance: Allowance | None,
    ) -> Decision | None:
        try:
            asked = supply.decision_input(rules, snapshot, nodes, memory, wish, allowance)
            decision = decide(asked)
            sentence(decision)  # figures that have no words fail here, and this pool alone
        except Exception as error:  # noqa: BLE001 - other people's policies run in here; one bad pool never stops the others
            self._log.say("pool.failed", pool=rules.name, error=f"{type(error).__name__}: {error}")
            return None
        return decision
