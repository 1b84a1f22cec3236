"""Whether somebody listens, and why not."""

from __future__ import annotations

import socket

import pytest

from autoscaler.clock import SystemClock
from autoscaler.gateways import reaching
from autoscaler.gateways.contract import FactUnavailable


def test_somebody_who_listens_is_reached_and_sent_nothing() -> None:
    """The address that it led to, and how long that took."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reached = reaching.reach(f"amqp://127.0.0.1:{port}", timeout_s=5.0, clock=SystemClock())
        peer, _ = server.accept()
        with peer:
            peer.settimeout(5.0)
            assert b"" == peer.recv(1)

    assert f"127.0.0.1 port {port}" == reached.address
    assert 0.0 <= reached.took_s < 5.0


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:1", "127.0.0.1 port 1: Connection refused"),
        ("http://no-such-host.invalid", "no-such-host.invalid port 80: "),
    ],
)
def test_who_cannot_be_reached_is_named_with_the_reason(url: str, says: str) -> None:
    """The port is that of the scheme where the address has none."""
    with pytest.raises(FactUnavailable, match=says):
        reaching.reach(url, timeout_s=5.0, clock=SystemClock())
