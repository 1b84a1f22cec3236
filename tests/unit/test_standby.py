"""Standing by for a lease, and keeping it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from autoscaler import standby
from autoscaler.clock import SystemClock
from autoscaler.journal.contract import (
    JournalAway,
    JournalUnavailable,
    LeaseHeld,
    LeaseHolder,
    LeaseLost,
    LeaseTerms,
    SchemaChanged,
)
from tests.unit.stand_ins import Gate, Heard, nothing, raising, wait_for

TERMS = LeaseTerms(term_s=0.08)
Answer = LeaseHolder | Exception
OURS = LeaseHolder(owner="me", epoch=2, since_at=5.0)


def held_by(owner: str) -> LeaseHeld:
    return LeaseHeld(owner, 1.0, place="there")


class Scripted:
    """A journal whose n-th claim or renewal ends as scripted; the last answer is given for ever."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked = 0
        self.before_answering: Callable[[], None] = nothing

    def claim(self, owner: str, terms: LeaseTerms | None = None) -> LeaseHolder:
        assert ("me", TERMS) == (owner, terms)
        return self._answer()

    def renew(self) -> None:
        self._answer()

    def _answer(self) -> LeaseHolder:
        self.before_answering()
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    assert before == {number: signal.getsignal(number) for number in before}


def test_a_server_that_is_away_when_the_daemon_starts_is_waited_for() -> None:
    """Said once, with its return: a supervisor would give up a daemon that ends at once, time after time."""
    log, answers = Heard(), [JournalAway("the server is not there")] * 3

    def open_it() -> str:
        if answers:
            raise answers.pop()
        return "opened"

    assert "opened" == standby.reach(open_it, 0.01, log)
    assert ["journal.failed", "journal.recovered"] == log.names()


def test_a_journal_that_no_waiting_mends_ends_the_start() -> None:
    """A wrong password, tables of a later release."""
    with pytest.raises(JournalUnavailable, match="wrong"):
        standby.reach(raising(JournalUnavailable("its password is wrong")), 0.01, Heard())


def test_a_signal_ends_the_waiting_for_a_server() -> None:
    """In order, with nothing opened."""
    log = Heard()
    sending = threading.Timer(0.1, signal.raise_signal, args=(signal.SIGTERM,))
    sending.start()

    assert None is standby.reach(raising(JournalAway("the server is not there")), 0.01, log)
    assert ["journal.failed", "daemon.stopping"] == log.names()
    sending.join()


def test_a_free_lease_is_taken_without_a_word() -> None:
    """Alone, a daemon on a server starts like one on a file."""
    log = Heard()

    assert standby.stand_by(Scripted(OURS), "me", TERMS, log)
    assert [] == log.names()


def test_who_leads_is_said_once_and_again_when_another_does() -> None:
    """An operator sees for whom we wait, not every look."""
    log = Heard()
    journal = Scripted(*[held_by("a")] * 5, *[held_by("b")] * 5, OURS)

    assert standby.stand_by(journal, "me", TERMS, log)
    assert ["a", "b"] == [fields["holder"] for _, fields in log.events]


def test_a_journal_that_cannot_be_reached_is_waited_for() -> None:
    """Said once, with its return; a server that restarts ends nobody."""
    log = Heard()
    away = JournalUnavailable("the server is not there")
    journal = Scripted(held_by("a"), away, away, held_by("a"), OURS)

    assert standby.stand_by(journal, "me", TERMS, log)
    assert ["lease.awaited", "journal.failed", "journal.recovered"] == log.names()


def test_tables_of_another_release_are_not_waited_for() -> None:
    """They will not change back."""
    with pytest.raises(SchemaChanged):
        standby.stand_by(Scripted(held_by("a"), SchemaChanged("9999")), "me", TERMS, Heard())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_waiting(number: signal.Signals) -> None:
    """In order, and without the lease."""
    log = Heard()
    journal = Scripted(held_by("a"))
    sending = threading.Timer(0.1, signal.raise_signal, args=(number,))
    sending.start()

    assert not standby.stand_by(journal, "me", TERMS, log)
    assert ("daemon.stopping", {"signal": number.name, "in_flight": 0}) == log.events[-1]
    sending.join()


def test_a_signal_is_heard_while_a_look_gets_no_answer() -> None:
    """A server that is silent is waited for on another thread, for seconds."""
    log, gate = Heard(), Gate()
    journal = Scripted(OURS)
    journal.before_answering = gate
    sending = threading.Timer(0.1, signal.raise_signal, args=(signal.SIGTERM,))
    sending.start()
    try:
        assert not standby.stand_by(journal, "me", TERMS, log)
    finally:
        gate.open()
    assert gate.reached.is_set()
    assert ["daemon.stopping"] == log.names()
    sending.join()


@pytest.mark.parametrize(("tick_s", "term_s"), [(10.0, 15.0), (4.0, 6.0), (1.0, 3.0), (0.1, 3.0)])
def test_two_ticks_are_enough_for_a_successor_to_notice(tick_s: float, term_s: float) -> None:
    """One term and two pauses of its looks; very short ticks have a floor, lest a busy machine looks dead."""
    terms = standby.terms_for(tick_s)

    assert term_s == terms.term_s
    assert terms.term_s + 2 * terms.pause_s <= max(2 * tick_s, 3.75)


class Ticks:
    """A loop, and a time that passes when it is told to."""

    def __init__(self) -> None:
        self.ticks, self.on = 0, 100.0

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks == 2:
            raise RuntimeError("odd")


def a_keeper(journal: Scripted, loop: Ticks) -> standby.Keeper:
    return standby.Keeper(journal, loop, TERMS, tick_s=10.0, monotonic=lambda: loop.on)


def test_a_keeper_renews_whatever_single_renewals_do_until_the_lease_is_lost() -> None:
    """A server that restarts is no reason to stop; another holder is."""
    journal = Scripted(OURS, JournalUnavailable("away"), OURS, LeaseLost("b took it over"))
    keeper = a_keeper(journal, Ticks())
    keeper.start()
    wait_for(lambda: journal.asked >= 4, "the renewals")
    keeper.stop()

    assert 4 == journal.asked


def test_a_lease_is_kept_through_slow_and_failing_ticks_but_not_for_a_loop_that_hangs() -> None:
    """Renewals come from a thread of their own, and would keep a daemon in office that does nothing."""
    journal, loop = Scripted(OURS), Ticks()
    keeper = a_keeper(journal, loop)
    keeper.tick()
    loop.on += 90.0
    with pytest.raises(RuntimeError):
        keeper.tick()
    loop.on += 90.0
    keeper.start()
    wait_for(lambda: journal.asked >= 2, "renewals during a slow tick")
    loop.on += 20.0
    asked = journal.asked
    pause = threading.Event()
    pause.wait(TERMS.pause_s * 5)

    assert journal.asked <= asked + 1
    keeper.stop()


def test_the_guards_clock_goes_on_while_the_machine_sleeps() -> None:
    """It is never behind the clock that stops meanwhile."""
    clock = SystemClock()

    assert clock.boottime() >= clock.monotonic() - 0.001


def test_a_lease_is_not_kept_for_a_loop_that_never_writes_while_its_server_is_there() -> None:
    """What stands in its way is its own (a schema it does not know), and another may do better."""
    journal = Scripted(OURS)
    loop = Failing()
    keeper = standby.Keeper(journal, loop, TERMS, tick_s=10.0, monotonic=lambda: 100.0)
    for _ in range(4):
        with pytest.raises(JournalUnavailable):
            keeper.tick()
    keeper.start()
    wait_for(lambda: journal.asked >= 2, "renewals after a few failures")
    with pytest.raises(JournalUnavailable):
        keeper.tick()
    asked = journal.asked
    threading.Event().wait(TERMS.pause_s * 5)
    assert journal.asked <= asked + 1

    loop.fails = False
    keeper.tick()
    wait_for(lambda: journal.asked >= asked + 3, "renewals after a tick that was written down")
    keeper.stop()


def test_a_lease_is_kept_through_an_outage_of_the_server_however_long() -> None:
    """Then nobody can write. On its return the leader of before goes on, also before its next tick."""
    journal = Scripted(*[JournalUnavailable("away")] * 12, OURS)
    keeper = standby.Keeper(journal, Failing(), TERMS, tick_s=10.0, monotonic=lambda: 100.0)
    keeper.start()
    for _ in range(10):
        asked = journal.asked
        with pytest.raises(JournalUnavailable):
            keeper.tick()
        wait_for(lambda asked=asked: journal.asked > asked, "a renewal")  # type: ignore[misc]
    wait_for(lambda: journal.asked >= 14, "renewals after the return")
    keeper.stop()


def test_a_loop_goes_on_while_its_ticks_are_written_down() -> None:
    """Slow ones count, failed ones do not, and a first one has its time."""
    loop = Ticks()
    keeper = a_keeper(Scripted(OURS), loop)
    loop.on += 90.0
    assert keeper.goes_on()
    keeper.tick()
    loop.on += 90.0
    assert keeper.goes_on()
    with pytest.raises(RuntimeError):
        keeper.tick()
    loop.on += 20.0
    assert not keeper.goes_on()
    keeper.tick()

    assert keeper.goes_on()


class Failing:
    """A loop whose ticks cannot be written down."""

    def __init__(self) -> None:
        self.fails = True

    def tick(self) -> None:
        if self.fails:
            raise JournalUnavailable("odd")
