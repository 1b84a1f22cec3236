"""Instants, sums and offers as people read them, the same on a terminal and on a page.

Plain values go in, short text comes out. What never happens here: markup, a colour.
"""

from __future__ import annotations

from datetime import UTC, datetime

from autoscaler.core.model import Offer

NOTHING = "–"
"""Where there is nothing to show, which is not the same as zero."""
SAY_HOW_LONG = "say how long they run"
"""How a replay's advice begins where no task was seen to be done. A page, which has no option, puts its own there."""


_MINUTE_S = 60.0


def rows(over_s: float) -> str:
    """Of how long one row of a past tells: `by the …`."""
    return "minute" if over_s <= _MINUTE_S else "hour"


def local(at: float) -> str:
    """An instant in local time, with its offset from UTC."""
    return datetime.fromtimestamp(at, UTC).astimezone().isoformat(sep=" ", timespec="seconds")


def amount(sum_: float, currency: str = "", *, thousands: str = "") -> str:
    """A sum with as many decimals as prices of machines need. `thousands`: what stands between them."""
    if 0 < abs(sum_) < 0.1:
        return f"{sum_:.4f} {currency}".strip()
    return f"{sum_:,.2f} {currency}".strip().replace(",", thousands)


def offer(bought: Offer) -> str:
    """An offer without its image, which is often a long number; `local` has nothing but a provider."""
    return "/".join(filter(None, (bought.provider, bought.location, bought.size)))
