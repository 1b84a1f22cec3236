"""Whether a stored decision leads to the same number today.

What never happens here: a look at anything but the decision.
"""

from __future__ import annotations

from autoscaler.core.model import PoolDecision
from policies import PolicyOptionsWrong
from policies.decide import decide


def replayed(stored: PoolDecision) -> tuple[bool, str]:
    """Whether the same facts lead to the same number by today's program, and that in words."""
    before = stored.decision.wanted
    try:
        after = decide(stored.decision.input).wanted
    except PolicyOptionsWrong as error:
        return False, f"It cannot be replayed: {error}"
    if after == before:
        return True, f"Replayed from the same facts: {after} again."
    return (
        False,
        f"Replayed from the same facts: {after}, where {before} was decided. The program has changed since.",
    )
