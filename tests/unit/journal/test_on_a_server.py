"""What only a journal on a server meets: logins, restarts, rights, other programs, and a network in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from psycopg import sql

from autoscaler.core.model import Node, OrderKind
from autoscaler.journal import (
    Journal,
    JournalAbsent,
    JournalAway,
    JournalUnavailable,
    LeaseHeld,
    LeaseTerms,
    TickRecord,
    codec,
    open_journal,
    orders,
    postgresql,
)
from testbed.hostile_tcp import FAIR, STALLED, tcp_proxy
from testbed.postgresql import PrivatePostgreSQL
from testbed.waiting import wait_until
from tests.unit.journal.records import a_whole_tick


def _run(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_password_given_beside_the_url_opens_the_journal_and_is_in_no_message(
    server: PrivatePostgreSQL, server_url: str
) -> None:
    """Whatever characters it has. A wrong one, or none, is said; none is shown."""
    bare = server.url_for(str(sa.make_url(server_url).database))
    with closing(open_journal(bare, password=server.password)) as journal:
        journal.commit(a_whole_tick(1))
        assert server.password not in repr(journal)

    for password in ("wr0ng", None):
        with pytest.raises(JournalUnavailable, match="the user or its password is wrong") as refused:
            open_journal(bare, password=password)
        said = f"{refused.value} {refused.value.__cause__}"
        assert server.password not in said
        assert "wr0ng" not in said


@pytest.mark.parametrize(
    ("changed", "says", "kind"),
    [
        ({"database": "no_such"}, "the server has no such database", JournalUnavailable),
        ({"port": 1}, "the server is not there", JournalAway),
        ({"username": "nobody", "password": "x"}, "the user or its password is wrong", JournalUnavailable),
        ({"host": "no-such-host.invalid"}, "its name is not known", JournalAway),
        ({"query": {"sslmode": "require"}}, "no trusted connection came about", JournalUnavailable),
    ],
)
def test_a_server_that_cannot_be_used_is_said_in_an_operators_words(
    server_url: str, changed: dict[str, object], says: str, kind: type[JournalUnavailable]
) -> None:
    """What is wrong decides who is to be called, and whether a daemon that starts waits for it."""
    url = sa.make_url(server_url).set(**changed)  # type: ignore[arg-type]

    with pytest.raises(JournalUnavailable, match=says) as refused:
        open_journal(url.render_as_string(hide_password=False))
    assert kind is type(refused.value)
    assert str(url.password) not in str(refused.value)


def test_a_restart_of_the_server_costs_no_open_journal_its_work(
    server: PrivatePostgreSQL, server_url: str
) -> None:
    """While it is down nothing can be written, and that is said; afterwards all goes on with new connections."""
    with closing(open_journal(server_url)) as journal:
        journal.commit(a_whole_tick(1))
        server.restart()
        journal.commit(a_whole_tick(2))

        server.kill()
        with pytest.raises(JournalUnavailable, match="the server is not there"):
            journal.commit(a_whole_tick(3))
        with pytest.raises(JournalUnavailable, match="the server is not there"):
            journal.live_nodes()
        server.start()
        journal.commit(a_whole_tick(3))

        assert 3 == len(journal.live_nodes())


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("53100", "the server's disk is full"),
        ("53200", "short of memory"),
        ("40001", "another transaction was in the way"),
        ("40P01", "another transaction was in the way"),
        ("25006", "it may only be read"),
        ("42501", "lacks a right"),
        ("57014", "did not get it done within 10 s"),
        ("57P01", "going down or coming up"),
        ("XX001", "damage"),
    ],
)
def test_a_servers_error_is_said_in_an_operators_words_and_nothing_is_written(
    server_url: str, state: str, says: str
) -> None:
    """By its SQLSTATE, with the server's own sentence behind it."""
    with closing(open_journal(server_url)) as journal:
        _run(
            server_url,
            "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'as said' USING ERRCODE = '{state}'; END $$",
            "CREATE TRIGGER trouble BEFORE INSERT ON memory FOR EACH ROW EXECUTE FUNCTION trouble()",
        )
        with pytest.raises(JournalUnavailable, match=rf"cannot write down the tick: .*{says}.*\(as said\)"):
            journal.commit(a_whole_tick(1))
        assert () == journal.live_nodes()

        _run(server_url, "DROP TRIGGER trouble ON memory")
        journal.commit(a_whole_tick(1))
        assert 1 == len(journal.live_nodes())


def test_what_is_no_journal_is_refused_and_left_alone(server_url: str) -> None:
    """A database of another program, and a journal of a later release."""
    _run(server_url, "CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(JournalUnavailable, match="database of another program: it holds bookmarks"):
        open_journal(server_url)

    _run(server_url, "DROP TABLE bookmarks")
    open_journal(server_url).close()
    _run(server_url, "UPDATE journal_schema SET version_num = '9999'")
    for read_only in (False, True):
        with pytest.raises(JournalUnavailable, match="has schema 9999, newer than this program's"):
            open_journal(server_url, read_only=read_only)


def test_a_database_may_hold_the_journal_in_a_schema_of_its_own(server_url: str) -> None:
    """Beside other programs' tables, for those who get one database for all: `options=-c search_path=…`."""
    _run(server_url, "CREATE SCHEMA scaling", "CREATE TABLE bookmarks (url TEXT)")
    url = f"{server_url}?options={quote('-c search_path=scaling')}"
    with closing(open_journal(url)) as journal:
        journal.commit(a_whole_tick(1))

    with closing(open_journal(url, read_only=True)) as reader:
        assert 1 == len(reader.live_nodes())


def test_two_fleets_with_a_schema_each_lead_side_by_side_on_one_server(server_url: str) -> None:
    """Each has a lease of its own, which its own standby waits for, and neither sees the other's machines."""
    _run(server_url, "CREATE SCHEMA shop", "CREATE SCHEMA films")
    shop, films = (f"{server_url}?options={quote(f'-c search_path={name}')}" for name in ("shop", "films"))
    with (
        closing(open_journal(shop)) as leads,
        closing(open_journal(films)) as beside,
        closing(open_journal(shop)) as waits,
    ):
        leads.claim("shop one")
        beside.claim("films one")
        with pytest.raises(LeaseHeld, match="shop one"):
            waits.claim("shop two")
        leads.commit(a_whole_tick(1))
        beside.renew()

        assert (1, 0) == (len(waits.live_nodes()), len(beside.live_nodes()))
        assert leads.may_act()
        assert beside.may_act()


def test_rows_of_many_nodes_are_made_before_the_transaction_begins(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a transaction after two idle seconds: a busy machine that makes rows for longer writes them all
    the same."""
    made = codec.node_row

    def slowly(node: Node) -> dict[str, Any]:
        time.sleep(1.3)
        return made(node)

    with closing(open_journal(server_url)) as journal:
        tick = a_whole_tick(1)
        journal.commit(tick)
        monkeypatch.setattr(codec, "node_row", slowly)
        (node,) = journal.live_nodes()
        journal.commit(TickRecord(at=2.0, changed_nodes=(node, node), memory=tick.memory))

        assert 1 == len(journal.live_nodes())


def test_a_user_without_rights_is_told_so(server: PrivatePostgreSQL, server_url: str) -> None:
    """Who may not make tables cannot make a journal, and does not find half of one either."""
    name = sa.make_url(server_url).database
    server.execute(sql.SQL("ALTER DATABASE {} OWNER TO admin").format(sql.Identifier(str(name))))

    with pytest.raises(JournalUnavailable, match="this user lacks a right on the server"):
        open_journal(server_url)
    with pytest.raises(JournalAbsent):
        open_journal(server_url, read_only=True)


def test_a_program_stopped_in_mid_transaction_keeps_no_locks(server_url: str) -> None:
    """The server ends it after two seconds, so that neither orders nor another daemon wait for it for ever."""
    with closing(open_journal(server_url)) as stopped, closing(open_journal(server_url)) as other:

        def stop_in_the_middle(journal: Journal) -> None:
            with journal.writing("be slow") as connection:
                connection.exec_driver_sql("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
                assert 1 == orders.give(other, OrderKind.DRAIN, "a", by="anna", at=1.0)  # waits, and then can

        with pytest.raises(
            JournalUnavailable, match=r"held up in the middle of a transaction|connection was lost"
        ):
            stop_in_the_middle(stopped)


WAITS: dict[str, Callable[[Journal], object]] = {
    "commit": lambda journal: journal.commit(a_whole_tick(2)),
    "renew": lambda journal: journal.renew(),
    "look": lambda journal: journal.live_nodes(),
    "order": lambda journal: orders.give(journal, OrderKind.DRAIN, "a", by="anna", at=1.0),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
def test_a_server_that_accepts_and_never_answers_is_not_waited_for(
    server: PrivatePostgreSQL,
    server_url: str,
    monkeypatch: pytest.MonkeyPatch,
    wait: Callable[[Journal], object],
) -> None:
    """Its time-outs are its own and stand still with it, and to the kernel it is alive. Afterwards all goes on."""
    monkeypatch.setattr(postgresql, "ANSWER_S", 1.0)
    with tcp_proxy(server.port) as link, closing(open_journal(_by_way_of(link.port, server_url))) as journal:
        journal.claim("first", LeaseTerms(term_s=60.0))
        journal.commit(a_whole_tick(1))
        link.manners = STALLED
        began = time.monotonic()
        with pytest.raises(JournalAway, match="the server gave no answer within 1 s"):
            wait(journal)
        assert time.monotonic() - began < postgresql.CONNECT_S

        link.manners = FAIR
        wait(journal)


def test_a_login_that_gets_no_answer_is_given_up(server: PrivatePostgreSQL, server_url: str) -> None:
    """It has a bound of its own, which libpq keeps."""
    with tcp_proxy(server.port) as link:
        link.manners = STALLED
        began = time.monotonic()
        with pytest.raises(JournalUnavailable, match="the server is not there"):
            open_journal(_by_way_of(link.port, server_url))
        assert time.monotonic() - began < 2 * postgresql.CONNECT_S


def test_a_commit_that_waits_for_a_replica_without_end_is_given_up(
    server: PrivatePostgreSQL, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No time-out of the server ends that wait. Others are then kept out by the lock, and have their end, too."""
    monkeypatch.setattr(postgresql, "ANSWER_S", 1.5)
    with closing(open_journal(server_url)) as journal:
        journal.claim("first", LeaseTerms(term_s=60.0))
        try:
            server.execute(sql.SQL("ALTER SYSTEM SET synchronous_standby_names = 'nobody'"))
            server.execute(sql.SQL("SELECT pg_reload_conf()"))
            wait_until(lambda: _replicates(server_url), 10, "the server to wait for its replica")
            for wait in (lambda: journal.commit(a_whole_tick(1)), journal.renew):
                with pytest.raises(JournalUnavailable, match=r"gave no answer|kept it locked"):
                    wait()
        finally:
            server.execute(sql.SQL("ALTER SYSTEM RESET synchronous_standby_names"))
            server.execute(sql.SQL("SELECT pg_reload_conf()"))


def _replicates(url: str) -> bool:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        names = connection.exec_driver_sql("SHOW synchronous_standby_names").scalar()
    engine.dispose()
    return bool(names)


def _by_way_of(port: int, url: str) -> str:
    return sa.make_url(url).set(port=port).render_as_string(hide_password=False)
