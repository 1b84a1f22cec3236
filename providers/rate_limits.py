"""How many requests an account still takes, read from the headers of its answers.

In go the headers of one answer and how their cloud names them, out comes a `RateLimit`, or nothing where they say
nothing. They come from outside: what is no number, negative or longer than an hour away is never believed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Protocol

from providers.contract import RateLimit

LONGEST_S = 3600.0
"""The longest window that any cloud here counts in; one that says more is asked again after that."""
MOST = 1_000_000
"""No account takes more in an hour, and more than that is no bound."""
_INSTANT = 1e8
"""Clouds write epoch seconds, or (as the draft of RFC does) seconds from now; no window is three years long."""
_FEW = 10.0
"""Requests that came back: after a refusal by an account that refills, so many make it worth to ask again."""


class Names(Protocol):
    """What a cloud calls its headers, in lower case; one that says nothing has empty names."""

    @property
    def remaining(self) -> str: ...

    @property
    def reset(self) -> str:
        """Epoch seconds by the cloud's own clock, or seconds from now."""
        ...

    @property
    def limit(self) -> str:
        """How many requests it takes in all; needed where they come back one by one."""
        ...

    @property
    def refills(self) -> bool:
        """Whether they do until then, and not all at once."""
        ...

    @property
    def counts_for_s(self) -> float:
        """For how long each counts by itself; 0 where all are renewed at once."""
        ...


def read(headers: Mapping[str, str], names: Names, now: float) -> RateLimit | None:
    """What an answer that came now says; None where it does not say it. Names in `headers` are in lower case."""
    remaining, reset = _number(headers.get(names.remaining, "")), _number(headers.get(names.reset, ""))
    if remaining is None or reset is None:
        return None
    in_s = reset - _its_now(headers.get("date", ""), now) if reset >= _INSTANT else reset
    in_s = min(max(0.0, in_s), LONGEST_S)
    limit = _number(headers.get(names.limit, "")) if names.refills or names.counts_for_s else None
    if names.counts_for_s:
        return RateLimit(
            remaining=int(min(remaining, MOST)),
            resets_at=now + in_s,
            per_s=min(remaining if limit is None else limit, MOST) / names.counts_for_s,
            told_at=now,
            sliding=True,
        )
    missing = 0.0 if limit is None else max(0.0, min(limit, MOST) - remaining)
    return RateLimit(
        remaining=int(min(remaining, MOST)),
        resets_at=now + in_s,
        per_s=missing / in_s if in_s > 1.0 else 0.0,
        told_at=now,
    )


def rest_s(limit: RateLimit, now: float) -> float:
    """How long to leave an account in peace that refused and named no time: until it takes more."""
    left_s = min(max(0.0, limit.resets_at - now), LONGEST_S)
    return min(left_s, _FEW / limit.per_s) if limit.per_s > 0.0 and not limit.sliding else left_s


def _number(text: str) -> float | None:
    try:
        number = float(text[:40])
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0.0 else None


def _its_now(date: str, now: float) -> float:
    """The time by the cloud's own clock, which is what it dates its window by; ours where it does not say."""
    try:
        at = parsedate_to_datetime(date)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return now
