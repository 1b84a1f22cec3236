"""Whether a daemon runs, as far as its journal tells.

A lease row outlives a daemon that was killed, so what counts is the time of the last tick. The lock itself is not
tried: holding it for an instant could turn away a daemon that starts just then.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.config import Settings
from autoscaler.journal import Journal, LeaseHolder, read
from policies.phrases import ago

_PATIENCE_TICKS = 3.0
"""A tick may overrun, and one or two may fail; a daemon that misses three in a row is not there, or no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What is known of the daemon. `last_tick_at` is None before the first tick there ever was."""

    running: bool
    holder: LeaseHolder | None
    last_tick_at: float | None

    def instant(self, now: float) -> float:
        """Of which instant figures are: the last tick's while ticks come, so that all see the same; else now."""
        return self.last_tick_at if self.running and self.last_tick_at is not None else now

    def says(self, now: float) -> str:
        """In one phrase."""
        if self.last_tick_at is None:
            return "the daemon is starting, no tick yet" if self.running else "no daemon has ticked yet"
        last = ago(self.last_tick_at, now)
        owner = self.holder.owner if self.holder else "unknown"
        if self.running:
            return f"the daemon runs ({owner}), last tick {last}"
        if self.holder is None:
            return f"no daemon runs: the last tick was {last}"
        # A lease that was not given back: in the journal, one that was killed and one that cannot write are alike.
        return f"no daemon ticks: the last tick was {last}; {owner} was killed, or cannot write its journal"


def patience_s(settings: Settings) -> float:
    """How long without a tick a daemon still counts as running."""
    loop = settings.loop
    return _PATIENCE_TICKS * (loop.tick_s + loop.jitter_s) + loop.observe_timeout_s


def listen(journal: Journal, settings: Settings, now: float) -> Heartbeat:
    """Look at the lease and at the last tick. Raises JournalUnavailable."""
    holder = read.lease_holder(journal)
    last_tick_at = read.last_tick_at(journal)
    signs = [at for at in (last_tick_at, holder.since_at if holder else None) if at is not None]
    fresh = bool(signs) and now - max(signs) <= patience_s(settings)
    return Heartbeat(running=holder is not None and fresh, holder=holder, last_tick_at=last_tick_at)
