"""The played fleet: what passes unwatched stands in the journal as if every tick had been written down alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoscaler.config import Settings, load
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import NodeName, OrderKind, PoolName
from autoscaler.demo import configured, running
from autoscaler.demo.hurrying import Hurrying
from autoscaler.demo.playing import Played
from autoscaler.journal import Journal, TickRecord, open_journal, orders, read

IMAGES, MAILS = PoolName("images"), PoolName("mails")
AT = 1_800_014_400.0
"""Noon of a Friday, UTC: there is work at any time of its history."""
HISTORY_S = 3_600.0
FOREVER = 1_000

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The demo's own, with a journal that is not there yet."""
    return load(configured.write(tmp_path), {})


@pytest.fixture
def journal(settings: Settings) -> Iterator[Journal]:
    """A real one, in a file."""
    opened = open_journal(settings.journal.url)
    opened.claim("a test")
    yield opened
    opened.close()


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[TickRecord]:
    """Every tick of the history, as the loop wrote it."""
    written: list[TickRecord] = []
    commit = Hurrying.commit

    def listening(self: Hurrying, record: TickRecord) -> None:
        written.append(record)
        commit(self, record)

    monkeypatch.setattr(Hurrying, "commit", listening)
    return written


@pytest.fixture
def played(settings: Settings, journal: Journal, records: list[TickRecord]) -> Played:
    """A fleet that lived for an hour."""
    fleet = Played(settings, journal, begins_at=AT - HISTORY_S, history_s=HISTORY_S)
    running.pass_history(fleet, HISTORY_S, over=lambda: False, watch=lambda _: None)
    assert not fleet.mistakes
    assert records
    return fleet


def _ticks_until(played: Played, so: Callable[[], object], what: str) -> None:
    for _ in range(FOREVER):
        if so():
            return
        played.tick()
    pytest.fail(f"after {FOREVER} ticks still waited for {what}")


def test_many_ticks_in_one_transaction_leave_what_single_ones_leave(
    played: Played, journal: Journal, records: list[TickRecord], settings: Settings
) -> None:
    """Nobody can tell by the journal that its first hours were written in a hurry."""
    singly = open_journal("sqlite://")
    for record in records:
        singly.commit(record)

    assert read.rows(singly) | {"lease": 1} == read.rows(journal)
    assert singly.live_nodes() == journal.live_nodes()
    assert singly.memory() == journal.memory()
    assert singly.past(0.0) == journal.past(0.0)
    for pool in map(PoolName, settings.pools):
        assert read.samples_between(singly, pool, 0.0, AT) == read.samples_between(journal, pool, 0.0, AT)
        assert singly.slices(pool, 0.0, AT) == journal.slices(pool, 0.0, AT)
    names = {NodeName(node.name) for record in records for node in record.new_nodes}
    assert read.boots(singly, names) == read.boots(journal, names)
    singly.close()


def test_the_history_ends_at_the_present(played: Played, journal: Journal) -> None:
    """So that what people see first is what time it is."""
    assert AT == played.now()
    assert AT == read.last_tick_at(journal)


def test_every_machine_of_the_history_has_a_record_and_every_record_a_machine(
    played: Played, journal: Journal
) -> None:
    """Taking over from the hurry loses none and leaves none."""
    standing = {place.machine.name for place in played.world.places.values()}
    on_record = {n.machine for n in journal.live_nodes() if n.state in {NodeState.READY, NodeState.DRAINING}}

    assert standing
    assert on_record <= standing


def test_an_order_in_the_journal_is_carried_out(played: Played, journal: Journal) -> None:
    """As with any daemon; the demo has no way of its own for them."""
    given = orders.give(
        journal, OrderKind.HOLD, MAILS, by="kari", at=played.now(), workers=3, until_at=AT + 7_200.0
    )
    _ticks_until(played, lambda: orders.answer_of(journal, given), "an answer")
    answer = orders.answer_of(journal, given)

    assert answer is not None
    assert answer.carried_out
    _ticks_until(played, lambda: played.world.standing[MAILS] >= 3, "three machines of the pool that is held")


def test_a_drained_machine_goes(played: Played, journal: Journal) -> None:
    """The world obeys as workers do: it finishes what it holds, and then its machine ends."""

    def ready() -> list[NodeName]:
        return [n.name for n in journal.live_nodes() if n.state is NodeState.READY and n.pool == IMAGES]

    _ticks_until(played, ready, "a machine that serves")
    (one, *_) = ready()
    orders.give(journal, OrderKind.DRAIN, one, by="kari", at=played.now())
    _ticks_until(played, lambda: one not in {n.name for n in journal.live_nodes()}, f"the end of {one}")
