"""Whether somebody listens at an address: a connection is made and closed, and nothing is sent.

In goes a URL, out comes where it led and how long that took. What never happens here: a login, or a wait without an end
beyond that of the system's own resolver.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from autoscaler.clock import Clock
from autoscaler.gateways.contract import FactUnavailable

PORTS = {"http": 80, "https": 443, "amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Somebody listens there."""

    address: str
    took_s: float


def reach(url: str, *, timeout_s: float, clock: Clock) -> Reached:
    """Connect to the host and port of that URL. Raises FactUnavailable with the reason why nobody could be reached."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    began = clock.monotonic()
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            address = connection.getpeername()
    except OSError as error:
        raise FactUnavailable(f"{host} port {port}: {error.strerror or error}") from error
    return Reached(address=f"{address[0]} port {address[1]}", took_s=round(clock.monotonic() - began, 4))
