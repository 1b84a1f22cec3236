"""Operators' orders: what each means, and the answer it gets.

Orders about pools become standing wishes before anything is decided; orders about nodes become moves in the plan. An
order that cannot be carried out is answered with the reason; none is left waiting because it was odd.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import Node, Order, OrderAnswer, OrderKind, PoolName, PoolRules, PoolWish


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOrders:
    """Wishes as they stand after this tick's orders; `changed` are those to write."""

    wishes: Mapping[PoolName, PoolWish]
    changed: tuple[PoolWish, ...]
    answers: tuple[OrderAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOrder:
    """An order about a node: the event it means, or why it cannot be."""

    order: Order
    node: Node | None
    event: Event | None
    says: str
    leaves: bool = False
    """Its worker is to leave for good; where it boots, once it is heard."""
    stays: bool = False
    """It is not to be replaced any more by an operator's word."""
    gives_up: bool = False
    """Its end was chosen already, and waits no longer for anybody's word."""


_POOL_ORDERS = frozenset({OrderKind.PAUSE, OrderKind.RESUME, OrderKind.HOLD})
_FLEET_ORDERS = frozenset({OrderKind.SWEEP, OrderKind.WAKE, OrderKind.RELOAD})
_ORDERS_OF_ROLLING = frozenset({OrderKind.REPLACE})
_NODE_EVENTS: Mapping[OrderKind, Mapping[NodeState, Event]] = {
    OrderKind.DRAIN: {
        NodeState.READY: Event.DRAIN_CHOSEN,
    },
    OrderKind.UNDRAIN: {NodeState.DRAINING: Event.UNDRAIN_CHOSEN},
    OrderKind.DESTROY: {
        NodeState.CREATING: Event.DESTROY_CHOSEN,
        NodeState.BOOTING: Event.DESTROY_CHOSEN,
        NodeState.LOST: Event.DESTROY_CHOSEN,
    },
    OrderKind.FORGET: {state: Event.FORGOTTEN for state in NodeState if state is not NodeState.GONE},
}
_SWEEP_PATIENCE_S = 600.0  # longer than any settle time; an order must not act on machines of another day
_FORCED_DESTROY = frozenset({NodeState.READY, NodeState.DRAINING})


def apply_to_pools(
    orders: tuple[Order, ...], wishes: Mapping[PoolName, PoolWish], rules: Mapping[PoolName, PoolRules]
) -> PoolOrders:
    """Take pause, resume and hold into the standing wishes."""
    now: dict[PoolName, PoolWish] = dict(wishes)
    touched: set[PoolName] = set()
    answers: list[OrderAnswer] = []
    for order in orders:
        if order.kind not in _POOL_ORDERS:
            continue
        pool = PoolName(order.target)
        if pool not in rules:
            says = f"there is no pool {order.target!r}; there are: {', '.join(sorted(rules))}"
            answers.append(OrderAnswer(number=order.number, carried_out=False, says=says))
            continue
        wish, says = _wish(order, now.get(pool, PoolWish(pool=pool)))
        now[pool] = wish
        touched.add(pool)
        answers.append(OrderAnswer(number=order.number, carried_out=True, says=says))
    return PoolOrders(wishes=now, changed=tuple(now[p] for p in sorted(touched)), answers=tuple(answers))


def about_nodes(orders: tuple[Order, ...], nodes: tuple[Node, ...]) -> tuple[NodeOrder, ...]:
    """What each order about a node means now. A node may be named by its record or by its machine."""
    found = []
    for order in orders:
        if order.kind in _POOL_ORDERS | _FLEET_ORDERS | _ORDERS_OF_ROLLING:
            continue
        node = next((n for n in nodes if order.target in {n.name, n.machine}), None)
        if node is None:
            says = f"there is no live node {order.target!r}"
            found.append(NodeOrder(order=order, node=None, event=None, says=says))
            continue
        if order.kind is OrderKind.DRAIN and node.state is NodeState.BOOTING:
            says = f"drain by {order.given_by}: it boots, and leaves once its worker is heard"
            found.append(NodeOrder(order=order, node=node, event=None, says=says, leaves=True))
            continue
        if order.kind is OrderKind.DESTROY and node.state is NodeState.DESTROYING and not node.end_asked:
            says = f"destroy by {order.given_by}: its end is asked for now, whatever its worker holds"
            found.append(NodeOrder(order=order, node=node, event=None, says=says, gives_up=True))
            continue
        if order.kind is OrderKind.UNDRAIN and node.state is not NodeState.DRAINING and node.replace_due:
            says = f"undrain by {order.given_by}: it is not to be replaced any more"
            found.append(NodeOrder(order=order, node=node, event=None, says=says, stays=True))
            continue
        event = _NODE_EVENTS[order.kind].get(node.state)
        if order.kind is OrderKind.DESTROY and order.force and node.state in _FORCED_DESTROY:
            event = Event.DESTROY_CHOSEN
        says = f"{order.kind.value} by {order.given_by}" if event else _why_not(order, node)
        leaves, stays = event is Event.DRAIN_CHOSEN, event is Event.UNDRAIN_CHOSEN
        found.append(NodeOrder(order=order, node=node, event=event, says=says, leaves=leaves, stays=stays))
    return tuple(found)


def sweeps(
    orders: tuple[Order, ...], strangers_left: int, at: float, swept: Mapping[int, str] | None = None
) -> tuple[OrderAnswer, ...]:
    """Answers to sweep orders: each stays open until every stranger was taken in and what machines left behind was
    dealt with (`swept`; None: nobody here does that), or its patience ends."""
    answers = []
    for order in orders:
        if order.kind is not OrderKind.SWEEP:
            continue
        looked = swept is None or order.number in swept
        if strangers_left == 0 and looked:
            more = swept[order.number] if swept else ""
            says = "every machine without a record is draining or being destroyed" + (more and f"; {more}")
            answers.append(OrderAnswer(number=order.number, carried_out=True, says=says))
        elif at - order.given_at > _SWEEP_PATIENCE_S:
            says = (
                f"{strangers_left} machines could not be judged in time: workers or listings were not seen"
                if strangers_left
                else "what machines left behind was not seen in time"
            )
            answers.append(OrderAnswer(number=order.number, carried_out=False, says=says))
    return tuple(answers)


def _wish(order: Order, wish: PoolWish) -> tuple[PoolWish, str]:
    match order.kind:
        case OrderKind.PAUSE:
            return replace(wish, paused=True), "paused: nothing is bought or drained until it is resumed"
        case OrderKind.RESUME:
            return replace(wish, paused=False, hold_workers=None, hold_until_at=None), "resumed"
        case _:
            return (
                replace(wish, hold_workers=order.workers, hold_until_at=order.until_at),
                f"held at {order.workers} worker{'' if order.workers == 1 else 's'}",
            )


def _why_not(order: Order, node: Node) -> str:
    if order.kind is OrderKind.DESTROY and node.state in _FORCED_DESTROY:
        return (
            f"{node.name} is {node.state.value} and may hold work: drain it, "
            "or destroy it with force and lose what it holds"
        )
    return f"{node.name} is {node.state.value}: {order.kind.value} does not apply"
