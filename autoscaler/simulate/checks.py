"""What must hold at every moment, whatever goes wrong, and what must be so once nothing does any more.

The world and the records go in; out comes nothing, or a `Harm`. The few excuses stand here, each with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import (
    DrainExpiry,
    Node,
    Order,
    OrderKind,
    Plan,
    PoolName,
    PoolRules,
    PoolWish,
    Transition,
)
from autoscaler.journal import TickRecord
from autoscaler.simulate.workers import Worker
from autoscaler.simulate.world import Kill, Place, World
from policies.contract import Decision, Past, Rule
from providers.contract import NodeName, ProviderName

_ROUNDING = 1e-6
_PROOFS_OF_ABSENCE = frozenset({Event.INSTANCE_GONE, Event.CREATE_REFUSED})
NOT_NEEDED = "not needed"
"""How the reasons of the plan's own scale-in begin; other drains are an operator's word."""
_FORCED = frozenset({NodeState.READY, NodeState.DRAINING})
"""States in which an operator's `destroy` needs his word that work may be lost."""
_Machine = tuple[ProviderName, str]
"""An account, and a machine there by its id, or by its name as long as no record knows the id."""


class Harm(Exception):
    """Something that must never happen; `counts` are the counts of the contract that it belongs to."""

    def __init__(self, count: str, says: str, *, tasks_lost: int = 0) -> None:
        super().__init__(says)
        self.counts = {count: 1} | ({"tasks_lost": tasks_lost} if tasks_lost else {})


@dataclass(slots=True)
class Known:
    """What could be known of machines whose end was asked for; times are the world's."""

    end_asked_at: dict[_Machine, float] = field(default_factory=dict)
    """When it was first written down that the end of that machine is asked for. From then on it may have been: a daemon
    that was killed in between cannot know, and so nothing may take it back."""
    given_up: dict[_Machine, float] = field(default_factory=dict)
    """When an operator's word took that machine with all that its worker holds: his `destroy` was carried out as it
    may be, or his `sweep` found it beside the recorded one of its name."""

    recorded: dict[str, float] = field(default_factory=dict)
    """When the record of a node of that name was first written."""

    nodes: dict[NodeName, Node] = field(default_factory=dict)
    """The live records as they were written."""

    orders: dict[int, Order] = field(default_factory=dict)
    """Operators' orders that were not answered yet."""
    paused: set[PoolName] = field(default_factory=set)
    """Pools that an operator paused."""

    def noted(self, record: TickRecord, at: float) -> None:
        """This was written."""
        for node in record.new_nodes:
            self.recorded[node.name] = at
        # A machine that is taken into the records may be told to end in the same tick.
        for node in (*record.new_nodes, *record.changed_nodes):
            if node.end_asked:
                self.end_asked_at.setdefault(_of(node), at)
            else:
                self.end_asked_at.pop(_of(node), None)  # whoever was asked said no

    draining_since: dict[NodeName, float] = field(default_factory=dict)
    """Since when each node drains."""

    def took(self, record: TickRecord, at: float, rules: Mapping[PoolName, PoolRules]) -> None:
        """This was written: whose end is on an operator's own head from now on, and what stands on record now."""
        sweeping = any(order.kind is OrderKind.SWEEP for order in self.orders.values())
        for node in (*record.new_nodes, *record.changed_nodes) if sweeping else ():
            # A sweep gives up the second machine of a name alone; its namesake may have been without a record, too.
            known = (*self.nodes.values(), *record.new_nodes)
            pair = any(n.machine == node.machine and n.name != node.name for n in known)
            if node.given_up and node.name != node.machine and pair:
                self.given_up[_of(node)] = at
        self._drained(record, at, rules)
        moves = {told.node: told for told in record.transitions if told.event is Event.DESTROY_CHOSEN}
        written = {node.name: node for node in (*record.new_nodes, *record.changed_nodes)}
        for answer in record.answers:
            order = self.orders.pop(answer.number, None)
            if order is None or order.kind is not OrderKind.DESTROY or not answer.carried_out:
                continue
            node = written.get(NodeName(order.target)) or self.nodes[NodeName(order.target)]
            move = moves.get(node.name)
            if order.force or move is None or move.before not in _FORCED:
                self.given_up[_of(node)] = at
        for wish in record.wishes:
            (self.paused.add if wish.paused else self.paused.discard)(wish.pool)
        for node in written.values():
            if node.state is NodeState.GONE:
                self.nodes.pop(node.name, None)
            else:
                self.nodes[node.name] = node

    def _drained(self, record: TickRecord, at: float, rules: Mapping[PoolName, PoolRules]) -> None:
        """An operator who lets no drain take longer than so long gives up what it then still holds."""
        nodes = {node.name: node for node in record.changed_nodes}
        for told in record.transitions:
            since, times = self.draining_since.pop(told.node, at), rules[told.pool].timeouts
            chosen = times.drain_expiry is DrainExpiry.DESTROY and at - since >= times.drain_s - _ROUNDING
            if told.event is Event.DRAIN_EXPIRED and chosen:
                self.given_up[_of(nodes[told.node])] = at
            if told.event is Event.ENROL_EXPIRED and times.drain_expiry is DrainExpiry.DESTROY:
                # One that is connected and was never heard has the time of a drain on top, and then the same end.
                ordered_at = self.recorded.get(told.node, float("inf"))
                enrol_s = times.enrol_s if times.enrol_first_s is None else times.enrol_least_s
                if nodes[told.node].given_up and at - ordered_at >= enrol_s + times.drain_s - _ROUNDING:
                    self.given_up[_of(nodes[told.node])] = at
            if told.after is NodeState.DRAINING:
                self.draining_since[told.node] = at

    def restored(
        self,
        nodes: tuple[Node, ...],
        orders: tuple[Order, ...],
        wishes: Mapping[PoolName, PoolWish],
        at: float,
    ) -> None:
        """The journal is an older one. What was asked for and given up since stays so; that whoever was asked said no
        since then, nobody knows any more."""
        for node in nodes:
            if node.end_asked:
                self.end_asked_at.setdefault(_of(node), at)
        self.nodes = {node.name: node for node in nodes}
        self.orders = {order.number: order for order in orders}
        self.paused = {pool for pool, wish in wishes.items() if wish.paused}
        # How long those have been draining the older journal knows better.
        self.draining_since = {n.name: float("-inf") for n in nodes if n.state is NodeState.DRAINING}

    def forget(self, before: float) -> None:
        """Drop what is long over."""
        for name in [name for name, at in self.recorded.items() if at < before]:
            del self.recorded[name]
        for known in (self.end_asked_at, self.given_up):
            for machine in [machine for machine, at in known.items() if at < before]:
                del known[machine]


def _of(node: Node) -> _Machine:
    return node.offer.provider, node.instance_id or node.machine


def committed(world: World, record: TickRecord, knows_anew: Callable[[Worker], bool]) -> None:
    """Raise Harm for what may stand in no record. Damage that heals later is damage all the same.

    `knows_anew` is whether the daemon heard before this tick that this process began.
    """
    nodes = {node.name: node for node in record.changed_nodes}
    for decided in record.decisions:
        _was_seen(world, decided.pool, decided.decision)
    for told in record.transitions:
        if told.event in _PROOFS_OF_ABSENCE:
            _was_gone(world, nodes[told.node], told)
        elif told.event is Event.DRAINED:
            _was_drained(world, nodes[told.node], knows_anew)
        elif told.event is Event.ENROL_FAILED:
            _had_failed(world, nodes[told.node])


def first_asked(world: World, known: Known, record: TickRecord, before: frozenset[_Machine]) -> None:
    """Raise Harm for a first ask for the end of a machine whose worker was never heard, unless the broker said on that
    very tick that nobody of its name is connected. To be asked once the record is taken in.

    `before` are the machines whose end had been asked for. One that had no record may have been heard and drained,
    too. Of a pair neither may have been asked about, and some operators end who is connected and not heard.
    """
    for node in (*record.new_nodes, *record.changed_nodes):
        keys = {_of(node), (node.offer.provider, node.machine)}
        first = not keys.isdisjoint(known.end_asked_at) and keys.isdisjoint(before)
        proven = node.stop_due or node.enrolled_at is not None
        if not first or proven or node.machine in world.made_twice:
            continue
        impatient = world.fleet.rules[node.pool].timeouts.drain_expiry is DrainExpiry.DESTROY
        given_up = not known.given_up.keys().isdisjoint(keys)
        if not impatient and not given_up and not world.unconnected_now(node.machine):
            raise Harm(
                "wrong_ends", f"the end of {node.name} was asked for, and nobody knew whether it works"
            )


def _was_gone(world: World, node: Node, told: Transition) -> None:
    for (account, instance_id), place in world.places.items():
        is_it = (
            (account, instance_id) == (node.offer.provider, node.instance_id)
            if node.instance_id is not None
            else place.machine.name == node.machine
        )
        if is_it:
            raise Harm("leaked_nodes", f"the record of {node.name} ended while it stood: {told.reason}")


def _was_drained(world: World, node: Node, knows_anew: Callable[[Worker], bool]) -> None:
    """Who began anew takes tasks, whatever its predecessor confirmed. Of a pair nobody can tell whose word it is."""
    named = world.workers.get(node.machine, [])
    if len(named) == 1 and named[0].consuming and knows_anew(named[0]):
        raise Harm("wrong_ends", f"{node.name} was taken for idle while its worker, begun anew, takes tasks")


def _had_failed(world: World, node: Node) -> None:
    """Its own word ends a machine, nobody else's does; and never alone."""
    if node.machine not in world.speech.failed:
        raise Harm("wrong_ends", f"{node.name} was taken for failed, and never said so")
    if not world.unconnected_now(node.machine):
        raise Harm("wrong_ends", f"{node.name} was taken for failed, and nobody knew whether it works")


def _was_seen(world: World, pool: PoolName, decision: Decision) -> None:
    """Whether fewer are wanted than there are, whatever comes of it; an operator's number is no conclusion of ours."""
    given = decision.input
    if decision.wanted >= given.supply.workers or given.paused or decision.steps[0].rule is Rule.HOLD:
        return
    looks, needed = world.good_looks[pool], given.stabilization.good_looks
    if looks < needed:
        raise Harm(
            "blind_scale_ins",
            f"{pool}: {decision.wanted} of {given.supply.workers} are wanted when demand had been seen {looks} times "
            f"in a row; needed are {needed}",
        )


def dealt_with(world: World, plan: Plan, since: float) -> None:
    """Raise Harm for a node that could not be dealt with although nothing odd was said of any in the tick that began
    then: a mistake of ours."""
    if plan.troubles and world.odd_told_at < since:
        trouble = plan.troubles[0]
        raise Harm("failed_ticks", f"{trouble.node} could not be dealt with: {trouble.error}")


def always(world: World, known: Known) -> None:
    """Raise Harm for the first rule that is broken now."""
    if world.doubled:
        raise Harm("double_creates", f"{world.doubled} was ordered a second time")
    if world.astray:
        raise Harm("misplaced", world.astray)
    if world.trespass:
        raise Harm("failed_ticks", f"a daemon whose lease was taken sent this: {world.trespass}")
    for name in world.newly_asked:
        if name not in known.recorded:
            raise Harm(
                "leaked_nodes", f"{name} was ordered, and its daemon's tick ended without a record of it"
            )
    world.newly_asked.clear()
    _limits_hold(world, known)
    for name, ended in world.ended:
        _was_meant(known.nodes.get(name), ended)
    world.ended.clear()
    for account, manners in world.manners.items():
        if manners.broken:
            raise Harm("account_abuse", f"{account}: {manners.broken}")
    for kill in world.kills:
        if not _excused(kill, known):
            name = kill.place.machine.name
            gone = f", and {kill.lost} of them are lost" if kill.lost else ""
            says = f"{name} was ended while it worked on {kill.tasks} tasks{gone}"
            raise Harm("busy_kills", says, tasks_lost=kill.lost)
    world.kills.clear()


def _limits_hold(world: World, known: Known) -> None:
    """Machines that the provider made without being asked are its own matter, and after a restore of the journal nobody
    can count those that he was not shown yet: what was bought until then is in nobody's place."""
    for pool, rules in world.fleet.rules.items():
        ceiling, budget = rules.limits.max_workers, rules.limits.max_cost_per_hour
        standing = world.standing[pool] - world.seconds[pool]
        cost = world.cost_per_h[pool] - world.cost_of_seconds_per_h[pool]
        most = float("inf") if budget is None else budget * (1 + 1e-3) + _ROUNDING
        if standing <= ceiling and cost <= most:
            continue
        blind = _bought_unshown(world, known, pool)
        if standing - len(blind) > ceiling:
            raise Harm("ceiling_breaches", f"{standing} machines of {pool} are paid, allowed are {ceiling}")
        if cost - sum(place.price_per_h for place in blind) > most:
            raise Harm("budget_breaches", f"{pool} costs {cost:.2f} an hour, allowed are {budget:.2f}")
    _fleets_hour_holds(world, known)


def _fleets_hour_holds(world: World, known: Known) -> None:
    """What was bought of one pool in the place of a machine that was not shown yet may be another pool's."""
    budget = world.fleet.max_cost_per_hour
    cost = sum(world.cost_per_h.values()) - sum(world.cost_of_seconds_per_h.values())
    if budget is None or cost <= budget * (1 + 1e-3) + _ROUNDING:
        return
    until = max(map(world.forgotten.hidden_until, world.fleet.rules))
    blind = [
        place.price_per_h
        for place in world.places.values()
        if world.forgotten.since <= known.recorded.get(place.machine.name, float("-inf")) < until
    ]
    if cost - sum(blind) > budget * (1 + 1e-3) + _ROUNDING:
        raise Harm("budget_breaches", f"the fleet costs {cost:.2f} an hour, allowed are {budget:.2f}")


def _bought_unshown(world: World, known: Known, pool: PoolName) -> list[Place]:
    """What stands and was bought while a machine whose record was lost with a journal had not been shown."""
    since, until = world.forgotten.since, world.forgotten.hidden_until(pool)
    return [
        place
        for place in world.places.values()
        if place.pool == pool and since <= known.recorded.get(place.machine.name, float("-inf")) < until
    ]


def _was_meant(node: Node | None, ended: tuple[Place, ...]) -> None:
    """One ask for the end of a node's machine ends that machine and no other, whatever else bears its name."""
    if len(ended) > 1:
        raise Harm("wrong_ends", f"one call ended {len(ended)} machines of the name {ended[0].machine.name}")
    if node is None or node.instance_id is None:
        return
    for place in ended:
        if (place.account, place.machine.instance_id) != _of(node):
            raise Harm("wrong_ends", f"{place.machine.instance_id} was ended in place of {node.instance_id}")


def _excused(kill: Kill, known: Known) -> bool:
    """Whether nobody could have known better, or a person did know."""
    machine, worker, account = kill.place.machine, kill.place.worker, kill.place.account
    assert worker is not None
    # An operator's word to destroy it is the one order that takes tasks along; a drain does not. And his sweep ends the
    # second machine of a name although a worker of that name is heard: the manual says so. His configuration may end a
    # drain that takes too long.
    keys = ((account, machine.instance_id), (account, machine.name))
    if any(key in known.given_up for key in keys):
        return True
    # Its end had been asked for before this worker process began: a request that was sent cannot be taken back.
    asked = (known.end_asked_at.get(key, float("inf")) for key in keys)
    return worker.up_since >= min(asked)


def unrest(world: World, nodes: tuple[Node, ...], past: Mapping[PoolName, tuple[Past, ...]]) -> str:
    """Why the world is not at rest; empty when all work is done and records, machines and wishes agree."""
    outstanding = world.outstanding()
    if outstanding:
        return f"{outstanding} of {world.sent} tasks are not done"
    recorded = sorted(node.machine for node in nodes)
    standing = sorted(place.machine.name for place in world.places.values())
    if recorded != standing:
        return f"records {recorded}, machines {standing}"
    for pool, rules in world.fleet.rules.items():
        of_pool = [node for node in nodes if node.pool == pool]
        serving = sum(node.state is NodeState.READY for node in of_pool)
        wanted = past[pool][-1].wanted if past.get(pool) else None
        if not (len(of_pool) == serving == wanted == rules.limits.min_workers):
            states = ", ".join(f"{n.name} {n.state.value}" for n in of_pool)
            return f"{pool}: {serving} serve ({states}), {wanted} wanted, floor {rules.limits.min_workers}"
    return ""


def at_last(world: World, nodes: tuple[Node, ...]) -> None:
    """Raise Harm for what may not be so at the end of a life, at rest or not."""
    recorded = {node.machine for node in nodes}
    for place in world.places.values():
        if place.machine.name not in recorded:
            raise Harm("leaked_nodes", f"{place.machine.name} stands without a record")
    lost = world.sent - world.finished() - world.outstanding() - world.lost
    if lost:
        raise Harm("tasks_lost", f"{lost} tasks are nowhere")
