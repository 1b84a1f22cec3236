"""What each machine was to become, kept with its record; of machines of the release before it is not known."""

from __future__ import annotations

from autoscaler.core.facts import Memory
from autoscaler.journal import open_journal
from providers.contract import NodeName
from tests.unit.core.builders import a_node
from tests.unit.journal.older import take_back
from tests.unit.journal.records import a_tick

N = NodeName("n1")


def test_what_a_machine_was_to_become_outlasts_the_daemon(url: str) -> None:
    """With the order that it be replaced, and why it is outdated."""
    node = a_node(N, becomes="0123", replace_due=True)
    opened = open_journal(url)
    opened.commit(a_tick(new_nodes=(node,), memory=Memory(outdated={N: "image: a, now b"})))
    opened.close()

    again = open_journal(url)

    assert (node,) == again.live_nodes()
    assert {N: "image: a, now b"} == dict(again.memory().outdated)
    again.close()


def test_machines_of_the_release_before_are_kept_as_not_known(url: str) -> None:
    """Nobody wrote it down then."""
    opened = open_journal(url)
    opened.commit(a_tick(new_nodes=(a_node(N, becomes="0123"),)))
    with opened.writing("take it back to the release before") as connection:
        take_back(connection, "0008")
    opened.close()

    again = open_journal(url)

    assert (a_node(N),) == again.live_nodes()
    again.close()
