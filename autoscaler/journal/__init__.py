"""The durable record: what the daemon owns, decided, was ordered and must not forget.

The loop opens it here; commands read through `read` and give orders through `orders`.
What never happens here: a choice.
"""

from autoscaler.journal.contract import (
    JournalAbsent,
    JournalAway,
    JournalUnavailable,
    LeaseHeld,
    LeaseHolder,
    LeaseLost,
    LeaseTerms,
    OrderRecord,
    Sample,
    SchemaChanged,
    TickRecord,
)
from autoscaler.journal.journal import Journal, open_journal

__all__ = [
    "Journal",
    "JournalAbsent",
    "JournalAway",
    "JournalUnavailable",
    "LeaseHeld",
    "LeaseHolder",
    "LeaseLost",
    "LeaseTerms",
    "OrderRecord",
    "Sample",
    "SchemaChanged",
    "TickRecord",
    "open_journal",
]
