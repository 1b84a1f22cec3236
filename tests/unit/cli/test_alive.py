"""`status --alive`, for whoever asks again and again whether a daemon ticks: a container's runtime, a load balancer."""

from __future__ import annotations

import time

from tests.unit.cli.office import Office
from tests.unit.core.builders import a_node


def test_a_daemon_that_ticks_is_alive(office: Office) -> None:
    """In one line."""
    with office.daemon():
        answer = office.command("status", "--alive")

    assert (0, 1) == (answer.code, len(answer.out.splitlines()))
    assert "the daemon runs" in answer.out


def test_one_that_ticked_once_is_not(office: Office) -> None:
    """Nor is one that still stands in the journal: what counts are its ticks."""
    office.on_record(a_node("n1"), at=time.time() - 3600)
    answer = office.command("status", "--alive")

    assert (1, True) == (answer.code, "no daemon runs" in answer.out)


def test_before_the_first_start_nobody_is(office: Office) -> None:
    """There is no journal yet, which is told apart."""
    assert 69 == office.command("status", "--alive").code


def test_a_probe_asks_for_nothing_else(office: Office) -> None:
    """One form at a time."""
    assert 2 == office.command("status", "--alive", "--json").code
