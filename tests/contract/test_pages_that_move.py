"""Machines come and go between the pages of a listing: whoever stood all the while is in it, or it is not complete."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.contract import Listing, ListingUnavailable
from providers.dialects import DIALECTS
from providers.dialects.contract import Dialect, Json
from providers.libcloud import options
from providers.libcloud.adapter import LibcloudProvider
from providers.libcloud.drivers import cloudstack, hetzner, scaleway, upcloud
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Answer, Asked, Kind
from testbed.clouds.machines import Machine

TIMEOUT_S = 20.0
LONG_S = 1e6
"""More than any lag of a listing, or time that an end takes."""
COUNTED = sorted(
    n for n, d in DIALECTS.items() if isinstance(d.listing.reads, Json) and d.listing.reads.numbered
)
Moves = list[tuple[list[int], int]]
"""After each page that was answered: which of those that stand are ended, by number, and how many are made."""


def by_parameter(name: str, size: int) -> Callable[[pytest.MonkeyPatch, Dialect], tuple[Dialect, int]]:
    def shorten(_: pytest.MonkeyPatch, dialect: Dialect) -> tuple[Dialect, int]:
        return replace(dialect, listing=replace(dialect.listing, params={name: str(size)})), size

    return shorten


def by_constant(module: Any, name: str) -> Callable[[pytest.MonkeyPatch, Dialect], tuple[Dialect, int]]:
    def shorten(patch: pytest.MonkeyPatch, dialect: Dialect) -> tuple[Dialect, int]:
        patch.setattr(module, name, 4)
        return dialect, 4

    return shorten


SHORTEN = {
    "cloudstack": by_constant(cloudstack, "PAGE"),
    "digitalocean": lambda _, dialect: (replace(dialect, constructor={"ex_per_page": 4}), 4),
    "hetzner": by_constant(hetzner, "PER_PAGE"),
    # No page there is shorter.
    "linode": by_parameter("page_size", 25),
    "scaleway": by_constant(scaleway, "PER_PAGE"),
    "upcloud": by_constant(upcloud, "PER_PAGE"),
    "vultr": by_parameter("per_page", 4),
}


@dataclass(slots=True, kw_only=True, repr=False)
class Account:
    """An account of some pages, in which something happens after each page that is answered."""

    cloud: Cloud
    provider: LibcloudProvider
    pattern: Machine
    """What all machines are like; it stands as well."""
    page: int
    moves: Moves = field(default_factory=list)

    def stand(self, pages: int) -> None:
        """So many full pages of machines stand, and one more."""
        self.cloud.machines.clock.turn(3600)
        for each in self.cloud.machines.standing():
            if each is not self.pattern:
                each.end_asked_at = -LONG_S
        for _ in range(self.page * pages):
            self.make()

    def make(self) -> None:
        """One more, which listings show at once."""
        made = self.cloud.machines.make(self.pattern.name, user_data=b"", body=self.pattern.body)
        made.made_at = -LONG_S
        if made.body.get("id"):
            made.body["id"] = type(made.body["id"])(made.key)

    def ids(self) -> set[str]:
        return {each.key for each in self.cloud.machines.standing()}

    def happen(self) -> None:
        ends, makes = self.moves.pop(0) if self.moves else ([], 0)
        for number in ends:
            standing = self.cloud.machines.standing()
            standing[number % len(standing)].end_asked_at = -LONG_S
        for _ in range(makes):
            self.make()

    def look(self, moves: Moves) -> tuple[Listing, set[str]]:
        """The listing amid these moves, and the ids of those that stood all the while."""
        before = self.ids()
        self.moves = [*moves]
        try:
            listing = self.provider.list_instances(timeout_s=TIMEOUT_S)
        except ListingUnavailable as error:  # a page was the last one, and is no more: some refuse it
            listing = Listing(instances=(), complete=False, why_incomplete=str(error))
        self.moves = []
        return listing, before & self.ids()


@pytest.fixture(scope="module", params=COUNTED)
def account(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    driver = request.param
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        dialect, page = SHORTEN[driver](patch, DIALECTS[driver])
        patch.setitem(options.DIALECTS, driver, dialect)
        module = importlib.import_module(f"tests.contract.world_{driver}")
        world = stack.enter_context(module.open_world(tmp_path_factory.mktemp(driver)))
        provider = world.open("fleet")
        provider.create(world.spec(name="images-1", fleet="fleet", pool="images"), timeout_s=TIMEOUT_S)
        (pattern,) = world.cloud.machines.standing()
        opened = Account(cloud=world.cloud, provider=provider, pattern=pattern, page=page)

        def amid(handler: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
            def handle(asked: Asked) -> Answer:
                told = handler(asked)
                opened.happen()
                return told

            return handle

        server = world.cloud.server
        server.routes = [
            replace(each, handler=amid(each.handler)) if each.kind is Kind.LIST else each
            for each in server.routes
        ]
        yield opened


moves = st.lists(st.tuples(st.lists(st.integers(1, 60), max_size=2), st.integers(0, 2)), max_size=7)


@given(pages=st.integers(1, 3), moves=moves)
@example(pages=1, moves=[([1], 1)])
@example(pages=2, moves=[([1], 1), ([1], 1)])
@example(pages=2, moves=[([1], 1), ([], 0), ([], 0), ([1], 1)])
@example(pages=2, moves=[([1, 2], 2), ([], 0), ([], 0)])
def test_who_stood_all_the_while_is_listed_or_the_listing_is_not_complete(
    account: Account, pages: int, moves: Moves
) -> None:
    """One that goes moves all behind it forward, and one of them across a seam: that is never called absence."""
    account.stand(pages)

    listing, stayed = account.look(moves)

    seen = {str(each.instance_id) for each in listing.instances}
    assert not listing.complete or stayed <= seen, stayed - seen


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_an_account_at_rest_is_listed_whole(account: Account, pages: int) -> None:
    """However many pages it has; whatever guards against movement finds none."""
    account.stand(pages)

    listing, stayed = account.look([])

    assert listing.complete, listing.why_incomplete
    assert stayed == {str(each.instance_id) for each in listing.instances}


def test_every_dialect_that_counts_pages_is_tried() -> None:
    """The table says how to make its pages short."""
    assert set(COUNTED) == set(SHORTEN)
