"""How long the journal keeps a past how closely: what is configured, or what a fleet of that size has room for.

Settings and an instant go in, terms to thin by come out. What never happens here: a look at the journal.
"""

from __future__ import annotations

from autoscaler import pool_rules
from autoscaler.config import Settings
from autoscaler.core import repeats
from autoscaler.journal.thinning import MINUTE_S, Terms
from autoscaler.views import heartbeat

_LOOKS, _MINUTES = 3_000_000, 2_000_000
"""So many of all pools are kept unless another time is configured: half a gigabyte each, measured in docs/scale.md."""
_LEAST_DETAIL_S, _LEAST_MINUTES_S = 21_600.0, 86_400.0
"""A pool's page shows six hours, and a day by points of more than two minutes."""


def detail_s(settings: Settings) -> float:
    """For how long each look at a pool is kept."""
    kept = settings.journal
    if kept.detail_s is not None:
        return kept.detail_s
    room_s = max(_LEAST_DETAIL_S, _LOOKS * settings.loop.tick_s / max(1, len(settings.pools)))
    return min(room_s, kept.retention_s, kept.minutes_s or kept.retention_s)


def minutes_s(settings: Settings) -> float:
    """For how long each minute is kept."""
    kept = settings.journal
    if kept.minutes_s is not None:
        return kept.minutes_s
    room_s = max(_LEAST_MINUTES_S, _MINUTES * MINUTE_S / max(1, len(settings.pools)), detail_s(settings))
    return min(room_s, kept.retention_s)


def decisions_s(settings: Settings) -> float:
    """For how long each decision is kept: what a window heeds, or a replay begins from, is never thinned."""
    pools = (pool_rules.of(name, pool) for name, pool in settings.pools.items())
    heeded_s = max((pool.stabilization.longest_s for pool in pools), default=0.0)
    return max(detail_s(settings), repeats.AGAIN_AFTER_S + 2.0 * heeded_s)


def terms(settings: Settings, now: float) -> Terms:
    """What is kept whole at that instant."""
    return Terms(
        ticks_since_at=now - detail_s(settings),
        minutes_since_at=now - minutes_s(settings),
        decisions_since_at=now - decisions_s(settings),
        apart_s=heartbeat.patience_s(settings),
        tick_s=settings.loop.tick_s,
    )
