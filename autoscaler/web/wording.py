"""Figures, instants and sums as pages write them: the same signs as commands print.

Plain values go in, short text comes out. What never happens here: markup.
"""

from __future__ import annotations

from datetime import UTC, datetime

from autoscaler.views import wording
from policies.phrases import duration

NOTHING, local, offer = wording.NOTHING, wording.local, wording.offer
_THOUSANDS = "\u202f"
"""A narrow space, at which no line ends."""


def number(value: float | None) -> str:
    """A count, or the sign for nothing."""
    return NOTHING if value is None else f"{value:,}".replace(",", _THOUSANDS)


def amount(sum_: float, currency: str = "") -> str:
    """A sum with as many decimals as prices of machines need, its thousands apart."""
    return wording.amount(sum_, currency, thousands=_THOUSANDS)


def span(seconds: float | None) -> str:
    """How long."""
    return NOTHING if seconds is None else duration(seconds)


def clock(at: float, now: float) -> str:
    """The same as short as it may be: the time of today, else with its day."""
    then, today = (datetime.fromtimestamp(each, UTC).astimezone() for each in (at, now))
    if then.date() == today.date():
        return f"{then:%H:%M:%S}"
    return f"{then:%-d %b %H:%M}" if then.year == today.year else f"{then:%-d %b %Y}"


def machine_readable(at: float) -> str:
    """For `<time datetime>`: in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tail(sentence: str, pool: str) -> str:
    """A pool's sentence where its name stands beside it already."""
    return sentence.removeprefix(f"{pool}: ")
