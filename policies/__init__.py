"""How many workers are wanted: pure rules from demand to a number, with reasons.

The door is `open_policies`; `decide.decide` makes the number and `sentence` tells it. What never happens here: I/O,
clocks, chance.
"""

from policies.kinds import open_policies
from policies.options import PolicyOptionsWrong

__all__ = ["PolicyOptionsWrong", "open_policies"]
