"""Who may ask a cloud, and how often: tokens looked at, requests counted, the headers that tell of the count.

In goes a request, out comes a yes, a no, or the headers of its answer. Tokens stand in no repr and no message.
"""

from __future__ import annotations

import base64
import hmac
import threading
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

from testbed.clouds.exchange import Asked

Guard = Callable[[Asked], bool]
"""Whether a request bears what this cloud asks for."""


def anybody(_: Asked) -> bool:
    """No credentials are needed."""
    return True


def header(name: str, value: str) -> Guard:
    """A header with exactly this value."""

    def guard(asked: Asked) -> bool:
        return hmac.compare_digest(asked.headers.get(name.lower(), "").encode(), value.encode())

    return guard


def header_among(name: str, values: Container[str]) -> Guard:
    """A header with one of the values that were given out, for tokens that are lent at a login."""

    def guard(asked: Asked) -> bool:
        return asked.headers.get(name.lower(), "") in values

    return guard


def bearer(token: str) -> Guard:
    """`Authorization: Bearer …` (RFC 6750)."""
    return header("Authorization", f"Bearer {token}")


def basic(user: str, password: str) -> Guard:
    """`Authorization: Basic …` (RFC 7617)."""
    return header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class RateNames:
    """The headers in which a provider tells of its limit; an empty one is not told."""

    limit: str
    remaining: str
    reset: str
    """An instant, in epoch seconds."""


class RateLimit:
    """A bucket of requests that refills evenly, as most providers keep one an account."""

    def __init__(self, *, requests: int, window_s: float, names: RateNames, now: Callable[[], float]) -> None:
        self._requests = requests
        self._per_s = requests / window_s
        self._names = names
        self._now = now
        self._lock = threading.Lock()
        self._left = float(requests)
        self._at = now()

    def take(self) -> bool:
        """Count one request; False where it is one too many."""
        with self._lock:
            self._refill()
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def drain(self, left: int = 0) -> None:
        """As if others had spent all but so many."""
        with self._lock:
            self._left, self._at = float(left), self._now()

    def headers(self) -> Mapping[str, str]:
        """What an answer tells of the limit now."""
        with self._lock:
            self._refill()
            full_at = self._now() + (self._requests - self._left) / self._per_s
            told = {
                self._names.limit: str(self._requests),
                self._names.remaining: str(int(self._left)),
                self._names.reset: str(int(full_at) + 1),
            }
        return {name: value for name, value in told.items() if name}

    def _refill(self) -> None:
        now = self._now()
        self._left = min(float(self._requests), self._left + max(0.0, now - self._at) * self._per_s)
        self._at = now
