"""Notices: events that an operator chose, told to people by a webhook, and the end of each that was told.

In goes all that the daemon says; `Notices` is its log with ears. `pairs`, `choosing`, `words` and `shapes` are values
in, values out; `sending` knows HTTP, `posting` the thread. What never happens here: a tick that waits for a receiver.
"""

from autoscaler.notices.posting import Notices, opened

__all__ = ["Notices", "opened"]
