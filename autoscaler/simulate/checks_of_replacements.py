"""Whether machines are replaced as promised: one at a time, and as many serve as are wanted while that happens.

A written record and what is known go in, out comes nothing, or a `Harm`. Counted in the records, with no sum of the
daemon's own. What never happens here: a choice of who is outdated.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import PoolName, PoolRules
from autoscaler.journal import TickRecord
from autoscaler.simulate.checks import NOT_NEEDED, Harm, Known

_REPLACED = "replaced "
"""How the reason of a machine begins that leaves for a new one; one that makes no progress has another."""
_LEFT_FIRST = "no room for one more"
"""How the reason ends of one that an operator's word let leave before another came."""


def surges(known: Known, record: TickRecord, rules: Mapping[PoolName, PoolRules]) -> dict[PoolName, int]:
    """How many more than wanted may be there of each pool, because an old one stays until the new one serves."""
    return {
        told.pool: int(
            rules[told.pool].replaces_drifted
            or rules[told.pool].max_age_s > 0
            or any(node.replace_due for node in known.nodes.values() if node.pool == told.pool)
        )
        for told in record.decisions
    }


def kept_up(known: Known, record: TickRecord) -> None:
    """Raise Harm for a replacement beside another, or one that leaves too few. To be asked once the record is
    taken in."""
    wanted = {told.pool: told.decision.wanted for told in record.decisions}
    for told in record.transitions:
        if told.event is not Event.REPLACE_CHOSEN or not told.reason.startswith(_REPLACED):
            continue
        of_pool = [node for node in known.nodes.values() if node.pool == told.pool]
        leaving = [
            node.name
            for node in of_pool
            if node.state is NodeState.DRAINING and node.reason.startswith(_REPLACED)
        ]
        if len(leaving) > 1:
            raise Harm("wrong_supply", f"of {told.pool} are replaced at once: {', '.join(leaving)}")
        spared = sum(
            other.pool == told.pool and other.reason.startswith(NOT_NEEDED) for other in record.transitions
        )
        serving = spared + sum(node.state is NodeState.READY for node in of_pool)
        least = wanted[told.pool] - told.reason.endswith(_LEFT_FIRST)
        if serving < least:
            raise Harm(
                "wrong_supply",
                f"{serving} of {told.pool} serve once {told.node} is replaced, wanted are {wanted[told.pool]}",
            )
