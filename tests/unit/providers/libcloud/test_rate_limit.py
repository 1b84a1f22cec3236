"""An account's own word of its limit, over the wire: read from each look's answer, and what follows from a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from autoscaler.clock import SystemClock
from providers.contract import Metered, Provider, Throttled
from tests.contract import world_digitalocean, world_hetzner, world_linode, world_moto

WORLDS = {"digitalocean": world_digitalocean, "hetzner": world_hetzner, "linode": world_linode}
NOW = SystemClock().now
TIMEOUT_S = 5.0


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[object]:
    """An account on loopback that counts requests as its cloud does."""
    with ExitStack() as ending:
        yield ending.enter_context(WORLDS[request.param].open_world(tmp_path))


def told(provider: Provider):  # type: ignore[no-untyped-def]
    assert isinstance(provider, Metered)
    return provider.rate_limit()


def test_nothing_is_told_before_the_first_look_and_the_limit_after_it(world) -> None:  # type: ignore[no-untyped-def]
    """By our own clock, within the hour; and how many requests a look takes."""
    provider = world.open("shop")
    assert told(provider) is None

    world.cloud.server.limit.drain(40)
    provider.list_instances(timeout_s=TIMEOUT_S)
    limit = told(provider)

    asked = limit.listing_requests
    assert 40 - asked <= limit.remaining <= 40 + asked
    assert NOW() - TIMEOUT_S <= limit.told_at <= NOW() < limit.resets_at <= NOW() + 3601


def test_a_refusal_without_a_time_says_when_it_takes_more(world) -> None:  # type: ignore[no-untyped-def]
    """Its headers say it: an account that is empty is left in peace until then, and no longer than a quarter hour."""
    provider = world.open("shop")
    world.cloud.server.limit.drain(0)

    with pytest.raises(Throttled) as refused:
        provider.list_instances(timeout_s=TIMEOUT_S)

    assert refused.value.retry_after_s is not None
    assert 0.0 < refused.value.retry_after_s <= 900.0
    assert 0 == told(provider).remaining


def test_hetzner_gives_a_request_back_each_second(tmp_path: Path) -> None:
    """So ten seconds are enough after a refusal, though its limit is whole again an hour later only."""
    with world_hetzner.open_world(tmp_path) as world:
        provider = world.open("shop")
        world.cloud.server.limit.drain(0)

        with pytest.raises(Throttled) as refused:
            provider.list_instances(timeout_s=TIMEOUT_S)

        assert 10.0 == pytest.approx(refused.value.retry_after_s, rel=0.1)
        assert 1.0 == pytest.approx(told(provider).per_s, rel=0.1)


def test_ec2_tells_no_limit(tmp_path: Path) -> None:
    """So nothing but `calls_per_minute` binds there."""
    with world_moto.open_world(tmp_path) as world:
        provider = world.open("shop")
        provider.list_instances(timeout_s=TIMEOUT_S)

        assert told(provider) is None
