"""Taking in a configuration between two ticks: all of it, or nothing and the reason."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.config import ConfigError, Settings, changes, parse
from autoscaler.core.model import Node, Order, OrderAnswer, OrderKind
from autoscaler.journal.contract import JournalUnavailable
from autoscaler.reload import Bell, Reloading, Ways
from providers.contract import ProviderName, ProviderOptionsWrong
from tests.unit.config.documents import ENVIRON, a_document, settings
from tests.unit.core.builders import a_node
from tests.unit.stand_ins import FixedClock, Heard, raising

BIGGER = a_document(("max_workers = 4", "max_workers = 5"))
HUGE = a_document(("max_workers = 4", "max_workers = 400"))


class Parts:
    """A loop that counts its ticks, and the settings it goes by."""

    def __init__(self, of: Settings) -> None:
        self.settings = of
        self.loop = self
        self.ticks = 0

    def tick(self) -> object:
        self.ticks += 1
        return self.ticks


class Office:
    """Journal, file and systemd in one, and a loop over them."""

    def __init__(self, file: str | None, *nodes: Node) -> None:
        self.file = file
        self.nodes = nodes
        self.orders: list[Order] = []
        self.answers: list[OrderAnswer] = []
        self.told: list[str] = []
        self.log, self.bell = Heard(), Bell()
        self.first = self.parts = Parts(settings())
        self.opening: Callable[[Settings], Any] = Parts
        ways = Ways(
            read=self.read, replace=self.replace, give=self.give, foreseen=(ConfigError, ProviderOptionsWrong)
        )
        self.loop = Reloading(self.first, ways, self, self.bell, self, clock=FixedClock(), log=self.log)

    def read(self) -> tuple[str, Callable[[], Settings]]:
        if self.file is None:
            raise ConfigError([], source="no file there")
        text = self.file
        return text, lambda: parse(text, ENVIRON)

    def replace(self, after: Settings) -> Parts:
        self.parts = self.opening(after)
        return self.parts

    def give(self, digest: str) -> int:
        return self.order(by="SIGHUP", target=digest)

    def order(self, *, by: str = "ada", target: str | None = None, force: bool = False) -> int:
        number = len(self.orders) + 1
        meant = changes.digest(self.file or "") if target is None else target
        self.orders.append(
            Order(number=number, kind=OrderKind.RELOAD, target=meant, given_at=1.0, given_by=by, force=force)
        )
        return number

    def waiting_orders(self) -> tuple[Order, ...]:
        answered = {answer.number for answer in self.answers}
        return tuple(order for order in self.orders if order.number not in answered)

    def live_nodes(self) -> tuple[Node, ...]:
        return self.nodes

    def answer(self, answers: tuple[OrderAnswer, ...], at: float) -> None:
        self.answers += answers

    def reloading(self) -> None:
        self.told.append("reloading")

    def reloaded(self) -> None:
        self.told.append("reloaded")


def test_an_order_is_carried_out_before_the_next_tick_which_goes_by_the_new_settings() -> None:
    """Once; it is answered, said and told to systemd, with who gave it."""
    office = Office(BIGGER)
    office.loop.tick()
    office.order()
    office.loop.tick()
    office.loop.tick()

    assert (1, 2) == (office.first.ticks, office.parts.ticks)
    assert 5 == office.loop.settings.pools["images"].limits.max_workers
    (answer,) = office.answers
    assert (True, "by ada: images: max_workers 4 → 5") == (answer.carried_out, answer.says)
    assert (
        "configuration.reloaded",
        {"by": "ada", "changes": ["images: max_workers 4 → 5"]},
    ) in office.log.events
    assert ["reloading", "reloaded"] == office.told


def test_a_signal_asks_for_the_same_and_is_written_down() -> None:
    """Its handler does no more than ring; the loop's thread does the rest."""
    office = Office(BIGGER)
    before = signal.signal(signal.SIGHUP, office.bell.ring)
    try:
        signal.raise_signal(signal.SIGHUP)
        untouched = office.loop.settings
        office.loop.tick()
        office.loop.tick()
    finally:
        signal.signal(signal.SIGHUP, before)

    assert office.first.settings is untouched
    assert ["SIGHUP"] == [order.given_by for order in office.orders]
    assert [True] == [answer.carried_out for answer in office.answers]
    assert 5 == office.loop.settings.pools["images"].limits.max_workers


@pytest.mark.parametrize("file", [None, "no [toml", a_document(("max_workers = 4", "max_workers = 0"))])
def test_a_wrong_file_changes_nothing_and_the_answer_says_why(file: str | None) -> None:
    """Not there, not TOML, not valid: the loop ticks on by what it had."""
    office = Office(file)
    office.order()
    office.bell.ring()
    office.loop.tick()

    assert office.first is office.parts
    assert 1 == office.first.ticks
    assert [False, False] == [answer.carried_out for answer in office.answers]
    assert all("the configuration in force stays" in answer.says for answer in office.answers)
    assert ["configuration.kept"] * 2 == office.log.names()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ProviderOptionsWrong("no such zone"), "no such zone"),
        (RuntimeError("token=t0ken"), "it could not be opened (RuntimeError)"),
    ],
)
def test_parts_that_do_not_open_change_nothing(error: Exception, says: str) -> None:
    """Other people's providers may raise anything, and a stranger's message may hold anything."""
    office = Office(BIGGER)
    office.opening = raising(error)
    office.order()
    office.loop.tick()
    office.loop.tick()

    assert 2 == office.first.ticks
    (answer,) = office.answers
    assert answer.says.endswith(says)
    assert "t0ken" not in answer.says


def test_an_order_that_means_another_file_is_refused() -> None:
    """The command was given another --config than the daemon, or the file changed under both."""
    office = Office(BIGGER)
    office.order(target="of another file")
    office.loop.tick()

    assert office.first is office.parts
    assert "another file" in office.answers[0].says


def test_a_jump_wants_a_second_word_which_a_signal_cannot_say() -> None:
    """The refusal says what to type."""
    office = Office(HUGE)
    office.bell.ring()
    office.order()
    office.loop.tick()
    refused = [answer.carried_out for answer in office.answers]
    office.order(force=True)
    office.loop.tick()

    assert [False, False] == refused
    assert "`autoscaler reload --yes`" in office.answers[0].says
    assert office.answers[2].carried_out
    assert 400 == office.loop.settings.pools["images"].limits.max_workers


def test_what_needs_a_restart_is_refused_whole_whoever_is_sure() -> None:
    """Half of a file in force would be a third configuration that nobody wrote."""
    office = Office(a_document(("max_workers = 4", "max_workers = 5"), ('name = "shop"', 'name = "other"')))
    office.order(force=True)
    office.loop.tick()

    assert office.first is office.parts
    assert "fleet.name does not change while the daemon runs" in office.answers[0].says


def test_an_account_with_machines_is_told_from_the_records() -> None:
    """They stand at the account that their records name."""
    elsewhere = a_document(
        ("[providers.here]", "[providers.there]"), ('provider = "here"', 'provider = "there"')
    )
    bought = replace(a_node("n1").offer, provider=ProviderName("here"))
    full, empty = Office(elsewhere, a_node("n1", offer=bought)), Office(elsewhere)
    for office in (full, empty):
        office.order()
        office.loop.tick()

    assert "the account here is removed while one machine stands there" in full.answers[0].says
    assert [False, True] == [office.answers[0].carried_out for office in (full, empty)]


def test_nothing_that_differs_is_no_reason_to_open_anything() -> None:
    """A daemon that started with the file finds the order that waited for it."""
    office = Office(a_document())
    office.opening = raising(AssertionError("opened"))
    office.order()
    office.loop.tick()

    assert (True, "by ada: nothing differs from what is in force") == (
        office.answers[0].carried_out,
        office.answers[0].says,
    )


def test_a_journal_that_cannot_be_read_keeps_the_order_and_fails_the_tick() -> None:
    """As every tick without a journal; the order is taken up once it is back."""
    office = Office(HUGE)
    office.order()
    live_nodes, office.live_nodes = office.live_nodes, raising(JournalUnavailable("away"))  # type: ignore[method-assign]
    with pytest.raises(JournalUnavailable):
        office.loop.tick()
    office.live_nodes = live_nodes  # type: ignore[method-assign]
    office.loop.tick()

    assert 1 == len(office.answers)
    assert ["reloading", "reloaded"] * 2 == office.told
