"""Listings of pages that are counted: whole where nothing moved, and no proof of absence where something did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from autoscaler.clock import SystemClock
from providers.contract import InstanceSpec, NodeName
from providers.dialects import DIALECTS
from providers.libcloud import options
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from testbed.clouds import digitalocean, linode
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import REQUEST_LOST, Answer, Asked, Kind

TIMEOUT_S = 20.0
COUNT = 60
"""Three pages of 25."""
DO, LINODE = DIALECTS["digitalocean"], DIALECTS["linode"]
SHORT = {
    "digitalocean": replace(DO, constructor={"ex_per_page": 25}),
    "linode": replace(LINODE, listing=replace(LINODE.listing, params={"page_size": "25"})),
}
SERVERS: dict[str, tuple[Any, str, str, str]] = {
    "digitalocean": (digitalocean, "s-1vcpu-1gb", "debian-13-x64", "fra1"),
    "linode": (linode, "g6-nanode-1", "linode/debian13", "se-sto"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """An account with sixty machines of ours and some of another fleet's."""

    cloud: Cloud
    provider: LibcloudProvider

    def after_each_page(self, happens: Callable[[], None]) -> None:
        """Let something happen in the cloud once a page of a listing was answered."""

        def wrapped(handler: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
            def handle(asked: Asked) -> Answer:
                told = handler(asked)
                happens()
                return told

            return handle

        server = self.cloud.server
        server.routes = [
            replace(each, handler=wrapped(each.handler)) if each.kind is Kind.LIST else each
            for each in server.routes
        ]


@pytest.fixture(params=SERVERS)
def full(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Full]:
    driver = request.param
    server, size, image, location = SERVERS[driver]
    monkeypatch.setitem(options.DIALECTS, driver, SHORT[driver])
    with server.serving() as cloud:
        given = {
            "driver": driver, "token": server.TOKEN, "host": "127.0.0.1", "port": cloud.server.port, "secure": False,
        }  # fmt: skip
        opened = [
            open_libcloud(name="any", fleet=fleet, options=given, clock=SystemClock())
            for fleet in ("production", "staging")
        ]
        for number in range(COUNT):
            spec = InstanceSpec(
                name=NodeName(f"images-{number}"), fleet="production", pool="images", size=size, image=image,
                location=location, user_data=b"#cloud-config\n",
            )  # fmt: skip
            opened[0].create(spec, timeout_s=TIMEOUT_S)
            if number % 10 == 0:
                opened[1].create(replace(spec, name=NodeName(f"theirs-{number}")), timeout_s=TIMEOUT_S)
        cloud.machines.clock.turn(60)
        yield Full(cloud=cloud, provider=opened[0])
        for each in opened:
            each.close()


def names(full: Full) -> tuple[set[str], bool, str]:
    listing = full.provider.list_instances(timeout_s=TIMEOUT_S)
    return {each.name for each in listing.instances}, listing.complete, listing.why_incomplete


def test_every_page_is_read(full: Full) -> None:
    """Three requests and, for proof, three more, each for our machines only: all of them are there."""
    before = full.cloud.server.count(Kind.LIST)

    seen, complete, _ = names(full)

    assert ({f"images-{number}" for number in range(COUNT)}, True) == (seen, complete)
    assert 2 * 3 == full.cloud.server.count(Kind.LIST) - before


def test_a_machine_that_falls_between_two_pages_is_not_called_absent(full: Full) -> None:
    """Another one goes while the pages are read: the rest move forward, one of them onto the page that was read."""
    first = full.cloud.machines.standing()[0]
    full.after_each_page(lambda: full.cloud.machines.end(first))

    seen, complete, why = names(full)

    assert {f"images-{number}" for number in range(COUNT)} - seen == {"images-25"}
    assert not complete
    assert "disagree" in why


def test_a_machine_that_comes_meanwhile_spoils_nothing_but_the_proof(full: Full) -> None:
    """The pages disagree: what they show is there, and the next listing is whole again."""
    old = full.cloud.machines.standing()[5]
    made = []

    def another() -> None:
        if not made:
            made.append(full.cloud.machines.make("another", user_data=b"", body=old.body))
            made[0].made_at -= 60

    full.after_each_page(another)

    assert not names(full)[1]
    assert names(full)[1]


def test_what_one_walk_showed_is_seen_where_the_second_breaks_off(full: Full) -> None:
    """Presence is proven by the first alone: an account too large for two walks in its time is not blind for that."""
    pages = iter(range(1, 10))

    def lose_the_next_one() -> None:
        if next(pages) == 3:
            full.cloud.server.meet(REQUEST_LOST, kind=Kind.LIST)

    full.after_each_page(lose_the_next_one)
    listing = full.provider.list_instances(timeout_s=TIMEOUT_S)

    assert COUNT == len(listing.instances)
    assert not listing.complete
    assert "second time" in listing.why_incomplete
    assert full.provider.list_instances(timeout_s=TIMEOUT_S).complete
