"""How long a cloud may take is part of its dialect: the wire heeds it, operators may say otherwise."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    InstanceSpec,
    ListingUnavailable,
    NodeName,
    OutcomeUnknown,
    ProviderOptionsWrong,
    Throttled,
)
from providers.dialects import DIALECTS
from providers.libcloud.adapter import LibcloudProvider, open_libcloud

SPEC = InstanceSpec(
    name=NodeName("images-1"), fleet="production", pool="images", size="s-1vcpu-1gb", image="debian-13-x64",
    location="fra1", user_data=b"#cloud-config\n",
)  # fmt: skip
CALL_S = 20.0
SOON_S = 6.0
"""Far less than the call, and time enough for a busy computer."""


@contextmanager
def listening(*, full: bool) -> Iterator[int]:
    """A port behind which nobody answers; where it is full, no connection to it is made either."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0 if full else 8)
        port = server.getsockname()[1]
        for _ in range(4 if full else 0):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


@contextmanager
def account(port: int, driver: str = "digitalocean", **more: object) -> Iterator[LibcloudProvider]:
    options = {
        "driver": driver, "token": "dop_v1_t", "host": "127.0.0.1", "port": port, "secure": False, **more,
    }  # fmt: skip
    opened = open_libcloud(name="do", fleet="production", options=options, clock=SystemClock())
    try:
        yield opened
    finally:
        opened.close()


def test_nobody_to_connect_to_is_a_definite_no_long_before_the_call_is_over() -> None:
    """Not a byte was sent, so nothing was made, and the next offer is asked on the next tick."""
    with listening(full=True) as port, account(port, connect_s=1.0) as cloud:
        began = time.monotonic()
        with pytest.raises(Throttled, match="nothing was sent"):
            cloud.create(SPEC, timeout_s=CALL_S)

    assert time.monotonic() - began < SOON_S


def test_an_order_without_an_answer_is_unknown_when_its_answer_is_overdue() -> None:
    """It was sent: a shorter wait changes nothing about that."""
    with listening(full=False) as port, account(port, answer_s=1.0) as cloud:
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            cloud.create(SPEC, timeout_s=CALL_S)

    assert time.monotonic() - began < SOON_S


def test_a_call_is_never_longer_than_it_was_given() -> None:
    """However patient its dialect is."""
    with listening(full=False) as port, account(port, answer_s=600.0, connect_s=600.0) as cloud:
        began = time.monotonic()
        with pytest.raises(ListingUnavailable):
            cloud.list_instances(timeout_s=1.0)

    assert time.monotonic() - began < SOON_S


@pytest.mark.parametrize("driver", sorted(DIALECTS))
def test_a_create_is_given_time_for_each_of_its_answers(driver: str) -> None:
    """No dialect asks for less than a connection takes, nor for more than a pool's calls have by default."""
    times = DIALECTS[driver].times

    assert 0.0 < times.connect_s < times.create_s <= 60.0
    assert times.connect_s < times.answer_s


def test_what_an_operator_says_of_a_create_counts_more() -> None:
    """By default it is the dialect's word."""
    with account(9) as usual, account(9, create_s=90.0) as slow:
        assert [DIALECTS["digitalocean"].times.create_s, 90.0] == [
            each.traits.create_needs_s for each in (usual, slow)
        ]


@pytest.mark.parametrize("name", ["connect_s", "answer_s", "create_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, "10s", float("inf"), True])
def test_a_time_that_is_none_is_refused(name: str, value: object) -> None:
    """By its name."""
    with pytest.raises(ProviderOptionsWrong, match=name), account(9, **{name: value}):
        pass
