"""A pool's past as a chart for a page, and the times that may be chosen.

In goes a `History`, out comes markup that `plots` made and escaped. What never happens here: a look at the journal.
"""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup

from autoscaler.config.values import seconds
from autoscaler.plots import chart
from autoscaler.views import drawing
from autoscaler.views.history import History

SPANS = ("1h", "6h", "24h", "7d", "30d")
"""As the configuration writes durations."""
_FITTING = ("10m", "30m", "1h", "3h")
_MOST = "6h"


def fitting(sampled: tuple[float, float] | None, at: float) -> str:
    """How far back a pool's own page looks: six hours, less where all that is on record of it is shorter."""
    known_s = at - sampled[0] if sampled is not None else 0.0
    return next((span for span in _FITTING if seconds(span) >= known_s), _MOST)


def of(past: History, name: str) -> Markup | None:
    """The chart, by the daemon's own clock; None where nothing is on record of that time."""
    if not past.points:
        return None
    then = datetime.fromtimestamp(past.until_at, UTC).astimezone()
    ahead = then.utcoffset()
    ahead_s = ahead.total_seconds() if ahead is not None else 0.0
    picture = drawing.picture(past, ahead_s=ahead_s, zone=then.tzname() or "UTC")
    return Markup(chart.fragment(picture, name))  # noqa: S704 - made and escaped by `plots`
