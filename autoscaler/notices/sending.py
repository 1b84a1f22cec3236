"""One letter, sent once, and what its answer means for the next try.

In go a route and a letter, out comes an answer. What never happens here: a retry, an exception for what the other side
does, or an address in words, not even where the other side repeats it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from autoscaler.clock import Clock
from autoscaler.gateways import webhooks
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.notices import routes, words
from autoscaler.notices.contract import Answer, Ending, Letter, Route

Send = Callable[[Route, Letter, float], Answer]
"""Sends a letter within so many seconds. Looking a name up may take longer: nobody can bound that."""

LONGEST_PAUSE_S = 3600.0
"""A receiver that wants to be left alone for longer is asked once an hour all the same."""
_SHOWN = 200
_NOT_NOW = frozenset({408, 425, 429})
"""Besides 5xx: what says that another try may succeed."""


def sender(clock: Clock) -> Send:
    """What sends by HTTP."""

    def send(route: Route, letter: Letter, within_s: float) -> Answer:
        try:
            reply = webhooks.ask(_request(route, letter), within_s=within_s, clock=clock)
        except FactUnavailable as error:
            return Answer(ending=Ending.NOT_NOW, says=str(error))
        return judged(reply, route, clock.now())

    return send


def judged(reply: webhooks.Reply, route: Route, now: float) -> Answer:
    """What this reply means. A 4xx is a definite no: the address is wrong, revoked, or takes another shape."""
    status = reply.status
    if 200 <= status < 300:
        return Answer(ending=Ending.TAKEN, says=f"taken, status {status}", status=status)
    if 300 <= status < 400:
        says = f"it sends us elsewhere (status {status}), and redirects are not followed"
        return Answer(ending=Ending.REFUSED, says=says, status=status)
    says = f"status {status}{_reason(reply.body, route)}"
    if status not in _NOT_NOW and status < 500:
        return Answer(ending=Ending.REFUSED, says=says, status=status)
    after_s = _retry_after_s(reply.retry_after, now)
    if after_s is None and status == 429:
        after_s = _matrix_pause_s(reply.body)
    return Answer(ending=Ending.NOT_NOW, says=says, status=status, after_s=after_s)


def _request(route: Route, letter: Letter) -> webhooks.Request:
    headers = {"Content-Type": "application/json", "User-Agent": "autoscaler"}
    if route.token is not None:
        headers["Authorization"] = f"Bearer {route.token.reveal()}"
    url = route.url.reveal()
    return webhooks.Request(
        method=letter.method,
        url=f"{url.rstrip('/')}{letter.path}" if letter.path else url,
        headers=headers,
        body=letter.body,
        ca_file=route.ca_file,
    )


def _retry_after_s(header: str | None, now: float) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3); None for neither."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return min(float(header.strip()[:9]), LONGEST_PAUSE_S)
    try:
        at = parsedate_to_datetime(header)
        return min(max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now), LONGEST_PAUSE_S)
    except (TypeError, ValueError, OverflowError):
        return None


def _matrix_pause_s(body: bytes) -> float | None:
    """`retry_after_ms`, which Matrix servers said before they had the header."""
    try:
        told = json.loads(body).get("retry_after_ms")
    except (ValueError, AttributeError, RecursionError):
        return None
    if isinstance(told, bool) or not isinstance(told, int | float) or not math.isfinite(told):
        return None
    return min(max(0.0, told / 1000), LONGEST_PAUSE_S)


def _reason(body: bytes, route: Route) -> str:
    """The first words of the other side's own, as Slack's `no_service`."""
    line = next((line for line in body.decode("utf-8", "replace").splitlines() if line.strip()), "").strip()
    sieve = routes.parts(route)
    # Cleaned before it is sifted once more, and cut only then: half a secret is one, too.
    shown = sieve.text(words.clean(sieve.text(line)))
    return f" ({words.short(shown, _SHOWN)})" if shown else ""
