"""Whether machines that become workers late are ended again and again: each that was late gives the next more time.

The daemon's records go in, out comes nothing, or a `Harm`. Nothing is taken from what the daemon itself learned: the
least that it may wait is doubled here for each that was late in a row. What never happens here: a look at a machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import OfferName, PoolName, PoolRules
from autoscaler.journal import TickRecord
from autoscaler.simulate.checks import Harm, Known
from providers.contract import NodeName

_ROUNDING = 1e-6
_HEARD = frozenset({Event.WORKER_SEEN, Event.WORK_SEEN})


@dataclass(frozen=True, slots=True)
class _Late:
    """Machines of one offer that were late, none having become a worker since the first of them."""

    times: int
    at: float
    """When the last one was."""


class Lates:
    """Those of one life; times are the world's."""

    def __init__(self) -> None:
        self._booting: dict[NodeName, float] = {}
        self._rows: dict[tuple[PoolName, OfferName], _Late] = {}

    def restored(self) -> None:
        """The journal is an older one: what it learned is not known here."""
        self._booting.clear()
        self._rows.clear()

    def learn(self, known: Known, record: TickRecord, at: float, rules: Mapping[PoolName, PoolRules]) -> None:
        """Raise Harm for a machine that was taken for late too early after another. `known` takes the record in after
        this.

        Those that were ordered before the one before was late had the same time as it: they are one failure.
        """
        given_up = {node.name for node in record.changed_nodes if node.given_up}
        for told in record.transitions:
            node, times = known.nodes.get(told.node), rules[told.pool].timeouts
            if told.after is NodeState.BOOTING:
                self._booting[told.node] = at
                continue
            since = self._booting.pop(told.node, None)
            if node is None or times.enrol_first_s is None:
                continue
            key = (node.pool, node.offer.name)
            if told.event in _HEARD and node.enrolled_at is None:
                self._rows.pop(key, None)
            late = self._rows.get(key, _Late(0, float("-inf")))
            unproven = since is None or node.name in given_up
            ordered_at = known.recorded.get(node.name, float("-inf"))
            if told.event is not Event.ENROL_EXPIRED or unproven or ordered_at <= late.at:
                continue
            assert since is not None
            least_s = min(times.enrol_s, times.enrol_least_s * 2.0**late.times)
            if at - since < least_s - _ROUNDING:
                raise Harm(
                    "wrong_ends",
                    f"{node.name} was late after {at - since:.0f} s, not {least_s:.0f} s, as number {late.times + 1} "
                    f"in a row of {node.offer.name} of which none became a worker",
                )
            self._rows[key] = _Late(late.times + 1, at)
