"""How long a cloud may take: for a connection, for one answer, and for a whole create.

In goes nothing, out comes the type by which a dialect says so; what it does not say is as below. An operator's word in
`[providers.NAME]` counts more. What never happens here: a clock, or a wait.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """All three within the time that a call was given, which is a pool's (`timeouts.call`) or the loop's."""

    connect_s: float = 10.0
    """Until a connection stands. A lost packet is repeated after 1, 3 and 7 s (RFC 6298); who does not answer then is
    not there. Nothing was sent, so that is a definite no, and the next offer need not wait for the whole call."""
    answer_s: float = 60.0
    """For one answer, as libcloud and the clouds' own libraries (botocore) have it. An order that was sent and has none
    by then is unknown, and is settled by looking."""
    create_s: float = 20.0
    """What a whole create should be given. Ended earlier it is unknown, which costs its place until a listing tells.
    Where a cloud documents nothing: some times what one request takes as a rule."""
