"""The lease on a server: who may act, who may take over, and that it is never two at once. Time is an argument."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from psycopg import sql

from autoscaler.journal import (
    Journal,
    JournalUnavailable,
    LeaseHeld,
    LeaseHolder,
    LeaseLost,
    LeaseTerms,
    SchemaChanged,
    open_journal,
    postgresql,
    read,
    tables,
    timed_lease,
)
from autoscaler.journal.database import Manner
from autoscaler.journal.opening import open_database
from testbed.postgresql import PrivatePostgreSQL
from testbed.waiting import wait_until
from tests.unit.journal.records import a_whole_tick

TERMS = LeaseTerms(term_s=8.0)


@dataclass(slots=True)
class Pair:
    """Two daemons with a journal each on one database, and one time that passes for both."""

    url: str
    on: float = 1000.0
    opened: ExitStack = field(default_factory=ExitStack)

    def a_journal(self) -> Journal:
        database = open_database(self.url, password=None, manner=Manner())
        journal = Journal(database, elapsed=lambda: self.on)
        self.opened.callback(journal.close)
        return journal


@pytest.fixture
def pair(server_url: str) -> Iterator[Pair]:
    made = Pair(server_url)
    with made.opened:
        yield made


def is_held(journal: Journal, terms: LeaseTerms = TERMS) -> bool:
    """Whether a look of one who stands by finds the lease held; if not, it is its own now."""
    try:
        journal.claim("second", terms)
    except LeaseHeld:
        return True
    return False


def test_a_lease_that_is_renewed_is_never_taken(pair: Pair) -> None:
    """By renewals or by commits, for as long as there are any."""
    first, second = pair.a_journal(), pair.a_journal()
    first.claim("first", TERMS)
    for number in range(1, 20):
        pair.on += 7.9
        if number % 3:
            first.renew()
        else:
            first.commit(a_whole_tick(number))

        assert first.may_act()
        assert is_held(second)


def test_a_lease_not_renewed_for_its_term_is_taken_over_and_its_holder_learns_it(pair: Pair) -> None:
    """A killed, stopped or cut-off holder is succeeded under the next epoch; if it comes back it writes nothing."""
    first, second = pair.a_journal(), pair.a_journal()
    held = first.claim("first", TERMS)
    assert is_held(second)
    pair.on += 8.0
    assert is_held(second)
    pair.on += 0.1
    taken = second.claim("second", TERMS)

    assert ("second", held.epoch + 1) == (taken.owner, taken.epoch)
    assert taken == read.lease_holder(first)
    with pytest.raises(LeaseLost, match=r"lease of first .* lost: second took it over"):
        first.commit(a_whole_tick(1))
    with pytest.raises(LeaseLost):
        first.renew()
    assert () == second.live_nodes()
    second.commit(a_whole_tick(1))
    assert second.may_act()
    assert not first.may_act()


def test_a_holder_ceases_to_be_sure_long_before_another_may_take_over(pair: Pair) -> None:
    """It asks no database for that: one that was stopped, or cannot reach the server, knows by the time alone."""
    first, second = pair.a_journal(), pair.a_journal()
    first.claim("first", TERMS)
    both, sure_until, taken_at = [], 0.0, 0.0
    is_held(second)
    for _ in range(100):
        pair.on += 0.1
        taken = not is_held(second)
        both.append(first.may_act() and second.may_act())
        sure_until = pair.on if first.may_act() else sure_until
        taken_at = taken_at or (pair.on if taken else 0.0)

    assert not any(both)
    assert 5.8 <= sure_until - 1000.0 <= 6.0
    assert 8.0 <= taken_at - 1000.0 <= 8.2


def test_time_asleep_counts_for_a_holder(pair: Pair) -> None:
    """After a suspended machine wakes, nothing may be done before the lease was renewed."""
    first = pair.a_journal()
    first.claim("first", TERMS)
    pair.on += 3600.0

    assert not first.may_act()
    first.renew()
    assert first.may_act()


def test_a_slow_renewal_counts_from_when_it_was_asked_for(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server confirms was true some time after the question, so later would be too late."""
    first = pair.a_journal()
    first.claim("first", TERMS)
    pair.on += 1.0
    writing = first._database.writing

    def slowly(doing: str) -> object:
        pair.on += 5.0
        return writing(doing)

    monkeypatch.setattr(first._database, "writing", slowly)
    first.renew()  # asked for at 1001, so good until 1007; now it is 1006

    assert first.may_act()
    pair.on += 1.0
    assert not first.may_act()


def test_who_stands_by_waits_for_the_holders_term_not_its_own(pair: Pair) -> None:
    """Two configurations may differ; what counts is what the holder relies on."""
    first, second = pair.a_journal(), pair.a_journal()
    first.claim("first", TERMS)
    hasty = LeaseTerms(term_s=1.0)
    assert is_held(second, hasty)
    pair.on += 7.9

    assert is_held(second, hasty)


def test_who_could_not_look_begins_to_wait_anew(pair: Pair, server: PrivatePostgreSQL) -> None:
    """While the server was away the holder could not renew either; its return must not be a race."""
    first, second = pair.a_journal(), pair.a_journal()
    first.claim("first", TERMS)
    assert is_held(second)
    server.kill()
    pair.on += 60.0
    for journal in (first, second):
        with pytest.raises(JournalUnavailable):
            journal.claim("second", TERMS) if journal is second else journal.renew()
    server.start()

    assert is_held(second)
    first.renew()
    assert first.may_act()
    pair.on += 7.0
    assert is_held(second)


def test_a_lease_given_back_is_taken_at_once(pair: Pair) -> None:
    """An orderly end costs no time."""
    first, second = pair.a_journal(), pair.a_journal()
    first.claim("first", TERMS)
    assert is_held(second)
    first.close()

    assert not is_held(second)


def test_of_many_that_claim_at_once_one_gets_it(server_url: str) -> None:
    """On a database without any lease, and on one whose lease was given back."""
    for round_ in (1, 2):
        with ExitStack() as opened:
            journals = [opened.enter_context(closing(open_journal(server_url))) for _ in range(4)]
            assert [round_] == [holder.epoch for holder in _claim_together(journals)]


def test_a_claim_waits_for_a_commit_under_way_and_then_sees_it(pair: Pair) -> None:
    """The holder was slow, not dead: what it wrote last counts as a sign of life."""
    first, second = pair.a_journal(), pair.a_journal()
    first.claim("first", TERMS)
    assert is_held(second)
    pair.on += 8.5
    answers: list[bool] = []
    claiming = threading.Thread(target=lambda: answers.append(is_held(second)))
    with first.writing("write down the tick") as connection:
        assert first._lease is not None
        first._lease.require(connection)
        claiming.start()
        wait_until(lambda: _waits_for_a_lock(pair.url), 10, "the claim to wait for the commit")
        assert [] == answers
    claiming.join(timeout=10)

    assert [True] == answers
    first.commit(a_whole_tick(1))


def _waits_for_a_lock(url: str) -> bool:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database "
            "WHERE NOT granted AND datname = current_database()"
        ).scalar()
    engine.dispose()
    return bool(found)


def _claim_together(journals: list[Journal]) -> list[LeaseHolder]:
    """Those who got the lease, of all who claimed it at the same moment."""
    claimed: list[LeaseHolder] = []
    failed: list[BaseException] = []
    starting = threading.Barrier(len(journals))

    def claim(number: int, journal: Journal) -> None:
        starting.wait(timeout=10)
        try:
            claimed.append(journal.claim(f"number {number}", TERMS))
        except LeaseHeld:
            pass
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=claim, args=each) for each in enumerate(journals)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert [] == failed
    return claimed


def test_a_holder_of_the_same_number_on_a_server_that_came_back_older_is_another(pair: Pair) -> None:
    """A replica that lagged, or a copy put back, counts up to a number that was given before: still only one leads."""
    first, second = pair.a_journal(), pair.a_journal()
    held = first.claim("first", TERMS)
    with first.writing("put an older copy back") as connection:
        connection.execute(sa.delete(tables.lease))
    taken = second.claim("second", TERMS)

    assert held.epoch == taken.epoch
    with pytest.raises(LeaseLost, match="second took it over"):
        first.commit(a_whole_tick(1))
    assert not first.may_act()
    first.release()
    second.commit(a_whole_tick(1))
    assert taken == read.lease_holder(second)


def test_who_stood_by_through_a_change_of_the_tables_does_not_take_the_lease(pair: Pair) -> None:
    """It could hold it, and never write: of a pair that is upgraded the new one is to lead."""
    first, second = pair.a_journal(), pair.a_journal()
    first.claim("first", TERMS)
    assert is_held(second)
    with first.writing("migrate") as connection:
        connection.exec_driver_sql("UPDATE journal_schema SET version_num = '9999'")
    first.release()

    with pytest.raises(SchemaChanged):
        second.claim("second", TERMS)
    assert not second.may_act()


_INSTANT = 1_795_718_000.1234567
"""One whose last digits are lost with 15 of them."""


def test_a_user_whose_numbers_are_rounded_renews_all_the_same(
    pair: Pair, server: PrivatePostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`extra_float_digits` may be set for a user or a database; ours outranks it."""
    monkeypatch.setattr(timed_lease, "_now", sa.literal(_INSTANT, sa.Double))
    server.execute(sql.SQL("ALTER ROLE {} SET extra_float_digits = 0").format(sql.Identifier(server.user)))
    try:
        journal = pair.a_journal()
        assert _INSTANT == journal.claim("first", TERMS).since_at
        journal.renew()
    finally:
        server.execute(sql.SQL("ALTER ROLE {} RESET extra_float_digits").format(sql.Identifier(server.user)))


def test_a_renewal_that_renews_no_row_is_a_loss(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others saw no sign of life; who took it for one would act beside the next leader."""
    monkeypatch.setattr(timed_lease, "_now", sa.literal(_INSTANT, sa.Double))
    monkeypatch.setattr(postgresql, "_SETTINGS", "-c extra_float_digits=0")
    journal = pair.a_journal()
    journal.claim("first", TERMS)

    with pytest.raises(LeaseLost, match="its row cannot be found"):
        journal.renew()
    assert not journal.may_act()
