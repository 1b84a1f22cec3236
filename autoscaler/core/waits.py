"""What is wanted and waits, besides what limits and rests hold back: found anew on each tick, and told to operators.

Values only; that something waits is decided where it is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class WaitKind(StrEnum):
    """What holds something back that is wanted, besides limits and rests."""

    CANARY = "canary"
    """One machine of a new kind is tried first."""
    CALLS = "calls"
    """The account was called often enough for now."""
    ORPHANS = "orphans"
    """Enough machines without a record were ended unasked."""
    TWIN = "twin"
    """Two machines bear one name, and nobody can tell which of them works."""
    UNHEARD = "unheard"
    """A machine without a record is silent, and the broker does not say that its worker is not there."""
    ABSENCES = "absences"
    """Most machines of an account are absent at once."""
    WITNESS = "witness"
    """The end of a machine is not asked for before the broker says that nobody is at work on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Something wanted that waits, as an operator should read it. Found anew on each tick."""

    kind: WaitKind
    subject: str
    """What waits: an offer for a pool, an account, or a machine."""
    why: str
    since_at: float
