"""One run: a workload under one rule, tick by tick, with the daemon's own policies, limits, life cycle and plan.

A workload, the terms and a rule go in, an `Outcome` comes out. On a tick on which nothing can change (no machine leaves
or is heard for the first time, and the number wanted is met, or what is too many is paid) the core is not asked: it
would answer with nothing, and most ticks are such. What never happens here: a fault, a file, a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from autoscaler.core import measuring, remembering, selection, supply
from autoscaler.core import plan as planning
from autoscaler.core.facts import Memory, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import FleetRules, Node, Offer, Plan, PoolName, PoolRules, Timeouts
from autoscaler.core.reconcile import Reconciled, reconcile
from autoscaler.prospects import Prospects
from autoscaler.study.contract import Look, Outcome, Peer, Start, Terms, Workload
from autoscaler.study.fleet import POOL, PROVIDER, QUEUE, Fleet
from autoscaler.study.score import outcome
from autoscaler.study.world import World
from policies import seasons
from policies.contract import (
    Decision,
    DecisionInput,
    Demand,
    History,
    Limits,
    Past,
    PolicySpec,
    Rule,
    Stabilization,
    Step,
    Supply,
    Traffic,
)
from policies.decide import decide
from policies.prospect import Slice
from policies.stabilize import default_scale_in_window_s

TICK_S = 5.0
PROOF_LAG_S = 11.0
"""As with a broker's statistics interval of five seconds."""
_TICKS_OF_A_DRAIN = 4.0
_PATIENCE_S = 86_400.0
"""After the last arrival, for what is left: a rule that never finishes is stopped."""
_TAIL_S = 3600.0
"""After the last task, to give machines back: rules that keep one for ever are not billed for ever."""
_BOOTS_ALLOWED = 10.0
_SETTLED = frozenset({NodeState.READY, NodeState.BOOTING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A pool's own policies, as the daemon would ask them."""

    policies: tuple[PolicySpec, ...]
    stabilization: Stabilization = field(default_factory=Stabilization)
    name: str = "configured"
    tick_s: float = TICK_S
    foresight: Callable[[Traffic, World], Traffic] | None = None
    """What the policies are told in place of what was measured, by `foresight`; None for the truth of production."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Somebody else's rule. `keeps_paid` lets machines go only near the end of their paid quantum, as we do."""

    peer: Peer
    keeps_paid: bool = False

    @property
    def name(self) -> str:
        return f"{self.peer.name} paid-aware" if self.keeps_paid else self.peer.name


Chooser = Configured | Other
Watch = Callable[[float, Fleet, Decision], None]
"""Told after each tick: seconds, the fleet, and the decision."""


def default(target_wait_s: float, quantum_s: float) -> Configured:
    """The default policy, with default settings, for machines that are billed in such quanta."""
    spec = PolicySpec(kind="wait", options={"target_wait_s": target_wait_s})
    calm = Stabilization(scale_in_window_s=default_scale_in_window_s(quantum_s))
    return Configured(policies=(spec,), stabilization=calm, name="default")


_FROM_NOTHING = Start()


def run(
    workload: Workload,
    terms: Terms,
    chooser: Chooser,
    *,
    seed: int = 0,
    watch: Watch | None = None,
    start: Start = _FROM_NOTHING,
) -> Outcome:
    """Let the workload come, and see how that rule fares. Equal arguments give equal outcomes."""
    return _Run(workload, terms, chooser, seed, watch, start).run()


class _Run:
    """The state of one run."""

    def __init__(
        self,
        workload: Workload,
        terms: Terms,
        chooser: Chooser,
        seed: int,
        watch: Watch | None,
        start: Start,
    ) -> None:
        self.workload, self.terms, self.chooser, self.watch = workload, terms, chooser, watch
        self.start = start
        self.fleet = Fleet(World(workload, terms.slots), terms, seed, start.at)
        self.tick_s = chooser.tick_s if isinstance(chooser, Configured) else min(chooser.peer.period_s, 15.0)
        self.pool = _pool(terms, chooser)
        self.rules = {POOL: self.pool}
        self.fleet_rules = FleetRules(
            name="study",
            proof_lag_s=PROOF_LAG_S,
            drain_s=PROOF_LAG_S + _TICKS_OF_A_DRAIN * self.tick_s,
            # A study asks what a rule is worth, not how many calls a provider takes.
            max_calls=10 * terms.max_workers,
            calls_per_minute={PROVIDER: 1e6},
        )
        self.nodes: tuple[Node, ...] = ()
        self.arriving: tuple[Node, ...] = ()
        self.settled = True
        """None of the nodes is on its way out, or was ordered only just now."""
        self._stand(self.fleet.stand(start.ages_s, self.pool.offers[0]))
        self.memory = Memory()
        self.traffic = start.traffic
        """As the memory has it after a whole tick; quiet ones leave the memory alone."""
        self.past: deque[Past] = deque()
        self.slices = {of.since_at: of for of in start.slices}
        self.prospects = Prospects(self.rules, self._slices)
        self.looked_s = -float("inf")
        self.choice = terms.min_workers
        self.looks = 0
        self.asked = 0
        """The look at which the core was asked last: on the quiet ticks since, its clocks went on."""

    def run(self) -> Outcome:
        world = self.fleet.world
        until_s = self.workload.span_s + _PATIENCE_S if self.start.ends_s is None else self.start.ends_s
        at_s = 0.0
        while at_s < until_s:
            at_s += self.tick_s
            world.advance(at_s)
            self._tick()
            if world.finished and self.start.ends_s is None:
                if len(self.nodes) <= self.terms.min_workers:
                    break
                until_s = min(until_s, at_s + _TAIL_S)
        return outcome(
            self.chooser.name,
            self.workload,
            world,
            self.fleet.all_lives(),
            self.fleet.creates,
            self.fleet.destroys,
            self.fleet.peak,
            self.terms,
        )

    def _tick(self) -> None:
        demand = self.fleet.demand()
        self.looks += 1
        if self.prospects.is_asked:
            self._remember(seasons.slice_of(self.fleet.epoch + self.fleet.world.now_s, demand.flow))
        decision = self._quiet(demand) or self._whole(demand)
        asked = decision.recommended
        self.past.append(
            Past(
                at=decision.input.at,
                recommended=asked,
                wanted=decision.wanted,
                workers=decision.input.supply.workers,
            )
        )
        # One decision further than the longest window: it still stood when that began.
        while len(self.past) > 1 and self.past[1].at <= decision.input.at - self.pool.stabilization.longest_s:
            self.past.popleft()
        if self.watch:
            self.watch(self.fleet.world.now_s, self.fleet, decision)

    def _quiet(self, demand: Demand) -> Decision | None:
        """The decision of a tick on which the core has nothing to do; None if it may have."""
        at = self.fleet.epoch + self.fleet.world.now_s
        if not self.settled or self.fleet.has_news(self.arriving):
            return None
        have = len(self.nodes)
        present = Supply(
            serving=have - len(self.arriving),
            arriving=len(self.arriving),
            leaving=0,
            lost=0,
            slots=self.terms.slots,
            tasks_in_hand=self.fleet.world.in_progress,
            arriving_for_s=tuple(sorted((at - node.ordered_at for node in self.arriving), reverse=True)),
        )
        traffic = measuring.with_look(self.traffic, demand, present)
        decision = self._decided(demand, present, traffic)
        if decision.wanted > have or (decision.wanted < have and self.arriving):
            return None
        if decision.wanted < have:
            pace = selection.pace(decision, self.pool, self.fleet_rules, at, have)
            # One with a task in hand may be due earlier than an idle one, and never later.
            if any(pace.is_due(node, 1) for node in self.nodes):
                return None
        self.traffic = traffic
        return decision

    def _whole(self, demand: Demand) -> Decision:
        """A tick as the daemon's loop has it."""
        unasked_s = (self.looks - 1 - self.asked) * self.tick_s
        self.asked = self.looks
        memory = replace(
            self.memory,
            traffic={POOL: self.traffic},
            good_looks={POOL: self.looks - 1},
            clocks={name: seconds + unasked_s for name, seconds in self.memory.clocks.items()},
        )
        snapshot = self.fleet.snapshot(demand, self.nodes, memory, tuple(self.past), self.tick_s)
        reconciled = reconcile(snapshot, self.rules, self.fleet_rules)
        present = supply.supply(supply.of_pool(reconciled.nodes, POOL), self.terms.slots, snapshot)
        decision = self._decided(demand, present, reconciled.memory.traffic[POOL])
        plan = planning.plan(snapshot, reconciled, {POOL: decision}, self.rules, self.fleet_rules)
        self._take(snapshot, reconciled, plan)
        return decision

    def _take(self, snapshot: Snapshot, reconciled: Reconciled, plan: Plan) -> None:
        self.memory = remembering.after(snapshot, reconciled, plan, self.rules, self.fleet_rules)
        self.traffic = self.memory.traffic[POOL]
        self._stand(tuple(node for node in plan.nodes if node.state is not NodeState.GONE))
        self.fleet.carry_out(plan.actions)

    def _stand(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes
        self.arriving = tuple(node for node in nodes if node.state is NodeState.BOOTING)
        self.settled = all(node.state in _SETTLED for node in nodes)

    def _remember(self, seen: Slice | None) -> None:
        """What the journal would add up."""
        if seen is not None:
            had = self.slices.get(seen.since_at) or Slice(since_at=seen.since_at, arrived=0.0, looked_s=0.0)
            self.slices[seen.since_at] = replace(
                had, arrived=had.arrived + seen.arrived, looked_s=had.looked_s + seen.looked_s
            )

    def _slices(self, _pool: PoolName, since_at: float, before_at: float) -> list[Slice]:
        """As the journal is read; what was read is not asked for again."""
        found = [of for at, of in self.slices.items() if since_at <= at < before_at]
        self.slices = {at: of for at, of in self.slices.items() if at >= before_at}
        return found

    def _decided(self, demand: Demand, present: Supply, traffic: Traffic) -> Decision:
        if isinstance(self.chooser, Configured) and self.chooser.foresight:
            traffic = self.chooser.foresight(traffic, self.fleet.world)
        at = self.fleet.epoch + self.fleet.world.now_s
        given = DecisionInput(
            pool=POOL,
            at=at,
            demand=demand,
            supply=replace(present, quantum_s=supply.quantum_s(self.pool.offers)),
            history=History(
                past=tuple(self.past),
                good_looks=self.looks,
                traffic=traffic,
                prospect=self.prospects.of_pools(at, {POOL: traffic}).get(POOL),
            ),
            policies=self.pool.policies,
            limits=self.pool.limits,
            stabilization=self.pool.stabilization,
        )
        if isinstance(self.chooser, Configured):
            return decide(given)
        return self._chosen(given, self.chooser.peer)

    def _chosen(self, given: DecisionInput, peer: Peer) -> Decision:
        """What somebody else's rule chooses, asked once a period; within the limits."""
        world = self.fleet.world
        if world.now_s >= self.looked_s + peer.period_s - 1e-6:
            self.looked_s = world.now_s
            look = Look(
                at_s=world.now_s,
                backlog=world.backlog,
                in_progress=world.in_progress,
                arrived=world.arrived,
                done=world.done,
                serving=given.supply.serving,
                arriving=given.supply.arriving,
                leaving=given.supply.leaving,
                slots=self.terms.slots,
                task_s=world.busy_s / world.done if world.done else None,
            )
            limits = given.limits
            self.choice = max(limits.min_workers, min(peer.wanted(look), limits.max_workers))
        step = Step(rule=Rule.PROPOSALS, before=given.supply.workers, after=self.choice, why=peer.name)
        return Decision(
            input=given,
            proposals=(),
            recommended=self.choice,
            steps=(step,),
            wanted=self.choice,
            binding=peer.name,
        )


def _pool(terms: Terms, chooser: Chooser) -> PoolRules:
    keeps_paid = isinstance(chooser, Configured) or chooser.keeps_paid
    offer = Offer(
        provider=PROVIDER,
        location="",
        size="",
        image="",
        price_per_h=terms.price_per_h,
        quantum_s=terms.quantum_s if keeps_paid else 1,
    )
    return PoolRules(
        name=POOL,
        queues=(QUEUE,),
        slots=terms.slots,
        policies=chooser.policies if isinstance(chooser, Configured) else (),
        limits=Limits(
            min_workers=terms.min_workers,
            max_workers=terms.max_workers,
            max_creates_in_flight=terms.max_workers,
        ),
        stabilization=chooser.stabilization if isinstance(chooser, Configured) else Stabilization(),
        # Machines are sound here, however long they boot and their tasks run.
        timeouts=Timeouts(enrol_s=_BOOTS_ALLOWED * terms.boot_s + 600.0, drain_s=1e9, stall_s=0.0),
        offers=(offer,),
    )
