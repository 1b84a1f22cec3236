"""What one written tick may choose, answer and take for silence, held against the records and the operators' word.

Nothing is taken from the daemon's own sums: what a pool has is counted in its records. A record goes in, out comes
nothing, or a `Harm`. What never happens here: a look at the world, or an excuse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from autoscaler.core import quanta
from autoscaler.core.lifecycle import ARRIVING, SERVING, Event, NodeState
from autoscaler.core.model import ConsumerOrder, OrderKind, PoolName, PoolRules, Transition
from autoscaler.journal import TickRecord
from autoscaler.simulate import checks_of_replacements
from autoscaler.simulate.checks import NOT_NEEDED, Harm, Known

_SUPPLY = ARRIVING | SERVING
_SWEEP_PATIENCE_S = 600.0
"""A sweep may wait for listings and workers to be seen; every other order is answered on the next tick."""
_PART_OF_A_QUANTUM = 5
"""So much of it must be left to be worth working for: the shortest here are ten minutes."""
_BOUGHT, _TAKEN_BACK, _TAKEN_IN, _REPLACED = "bought", "taken back", "taken in", "replaced"


def answers(known: Known, record: TickRecord) -> None:
    """Raise Harm unless every order is answered once and in time. To be asked before the record is taken in."""
    told = Counter(answer.number for answer in record.answers)
    for number, times in told.items():
        if times > 1 or number not in known.orders:
            raise Harm("unheeded_orders", f"order {number} was answered more than once")
    for order in known.orders.values():
        patient = order.kind is OrderKind.SWEEP and record.at - order.given_at <= _SWEEP_PATIENCE_S
        if order.number not in told and not patient:
            raise Harm("unheeded_orders", f"nobody answered the order to {order.kind.value} {order.target}")


def choices(known: Known, record: TickRecord, rules: Mapping[PoolName, PoolRules]) -> None:
    """Raise Harm for a choice that the number wanted does not ask for. To be asked once the record is taken in."""
    chosen: dict[PoolName, Counter[str]] = {}
    for told in record.transitions:
        kind = "" if _outlasted_its_quantum(known, told) else _choice(told)
        if kind:
            chosen.setdefault(told.pool, Counter())[kind] += 1
    wanted = {told.pool: told.decision.wanted for told in record.decisions}
    surges = checks_of_replacements.surges(known, record, rules)
    for pool, kinds in chosen.items():
        if pool in known.paused:
            raise Harm("wrong_supply", f"{pool} is paused, and this was chosen: {_in_words(kinds)}")
        if kinds.keys() - {_REPLACED}:
            _fits(known, pool, kinds, wanted[pool], surges[pool])


def silences(record: TickRecord, silence_s: Mapping[PoolName, float], listened_s: float | None) -> None:
    """Raise Harm for a worker that was taken for lost by who could not have heard it; None: nobody is heard at all."""
    for told in record.transitions:
        if told.event is Event.WORKER_SILENT and (listened_s or 0.0) <= silence_s[told.pool]:
            ear = "deaf" if listened_s is None else f"listening for {listened_s:.0f} s only"
            raise Harm("wrong_supply", f"{told.node} was taken for lost while we were {ear}")


def _choice(told: Transition) -> str:
    """What kind of choice of the daemon's own a move is; empty for the world's and the operators' moves."""
    match told.event:
        case None if told.after is NodeState.CREATING:
            return _BOUGHT
        case Event.DRAIN_CHOSEN if told.reason.startswith(NOT_NEEDED):
            return _TAKEN_IN
        case Event.UNDRAIN_CHOSEN if not told.reason.startswith(OrderKind.UNDRAIN.value):
            return _TAKEN_BACK
        case Event.REPLACE_CHOSEN:
            return _REPLACED
        case _:
            return ""


def _outlasted_its_quantum(known: Known, told: Transition) -> bool:
    """A machine that drained into a new and long quantum: it is paid, so whether it is wanted is not the question."""
    node = known.nodes.get(told.node)
    return (
        told.event is Event.UNDRAIN_CHOSEN
        and told.reason == quanta.PAID_ANEW
        and node is not None
        and quanta.is_long(node)
        and quanta.left_s(node, told.at) > node.offer.quantum_s / _PART_OF_A_QUANTUM
    )


def _fits(known: Known, pool: PoolName, kinds: Counter[str], wanted: int, surge: int) -> None:
    of_pool = [node for node in known.nodes.values() if node.pool == pool]
    have = sum(node.state in _SUPPLY for node in of_pool)
    grew = kinds[_BOUGHT] or kinds[_TAKEN_BACK]
    if (grew and have > wanted + surge) or (kinds[_TAKEN_IN] and have < wanted):
        raise Harm(
            "wrong_supply",
            f"{pool} has {have} that serve or arrive, wanted are {wanted}, after this: {_in_words(kinds)}",
        )
    for node in of_pool if kinds[_BOUGHT] else ():
        if node.state is NodeState.DRAINING and node.consumer_order is not ConsumerOrder.LEAVE:
            raise Harm("wrong_supply", f"{pool} bought while {node.name} drains, which could be taken back")


def _in_words(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())
