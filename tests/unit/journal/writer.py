"""Programs that other tests start beside themselves: a daemon that ticks, a command that gives orders, a full disk."""

from __future__ import annotations

import resource
import sys
import time

from autoscaler.core.model import OrderKind
from autoscaler.journal import Journal, JournalUnavailable, LeaseHeld, LeaseTerms, open_journal, orders
from tests.unit.journal.records import a_whole_tick


def tick(url: str, count: int) -> None:
    """Claim the journal, go on where it stands, and say each tick that was committed."""
    journal = open_journal(url)
    _claim(journal)
    first = int(journal.memory().clocks.get("ticks", 0.0)) + 1
    for number in range(first, first + count):
        journal.commit(a_whole_tick(number))
        _say(number)
    journal.close()


def order(url: str, count: int) -> None:
    """Give orders."""
    journal = open_journal(url)
    for number in range(count):
        orders.give(journal, OrderKind.DRAIN, f"node-{number}", by="anna", at=float(number))
    journal.close()


def fill(url: str, limit_bytes: int) -> None:
    """Tick until no file may grow any more; then, with room again, tick once more. Say what happened."""
    journal = open_journal(url)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    number = 0
    try:
        while number < 10_000:
            journal.commit(a_whole_tick(number + 1))
            number += 1
    except JournalUnavailable as error:
        _say(error)
    written = len(journal.live_nodes())
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.commit(a_whole_tick(number + 1))
    _say(number, written, len(journal.live_nodes()))
    journal.close()


def _claim(journal: Journal) -> None:
    """Stand by until the lease is free."""
    deadline = time.monotonic() + 20
    while True:
        try:
            journal.claim("a test's daemon", LeaseTerms(term_s=0.5))
        except LeaseHeld:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {"tick": tick, "order": order, "fill": fill}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
