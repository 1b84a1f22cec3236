"""What a report on trouble reads in a journal."""

from __future__ import annotations

from autoscaler.core.reports import Boot, Failure, Phase
from autoscaler.journal import Journal, read
from autoscaler.journal.contract import BootRecord
from providers.contract import NodeName
from tests.unit.journal.records import IMAGES, OFFER, a_node, a_tick, a_whole_tick


def test_every_table_is_counted(journal: Journal) -> None:
    """Empty ones, too."""
    for number in (1, 2):
        journal.commit(a_whole_tick(number))

    counted = read.rows(journal)
    assert {"nodes": 2, "transitions": 2, "decisions": 2, "memory": 1, "wishes": 0}.items() <= counted.items()


def test_the_last_decisions_are_told_newest_first(journal: Journal) -> None:
    """Of all pools together, without their documents."""
    for number in (1, 2, 3):
        journal.commit(a_whole_tick(number))

    told = read.last_sentences(journal, limit=2)
    assert [1003.0, 1002.0] == [at for at, _ in told]
    assert all(says.startswith("images: ") for _, says in told)


def test_boots_that_failed_are_told_without_their_logs(journal: Journal) -> None:
    """Newest first; those that went well are not among them."""
    failed = Boot(failed=Failure(phase=Phase.PACKAGES, says="no such package"))
    records = [
        BootRecord(node=NodeName(name), pool=IMAGES, offer=OFFER.name, at=at, boot=boot, log=("a line",))
        for name, at, boot in (("a", 1.0, failed), ("b", 3.0, failed), ("c", 2.0, Boot()))
    ]
    journal.commit(a_tick(new_nodes=tuple(map(a_node, "abc")), boots=tuple(records)))

    found = read.failed_boots(journal, limit=5)
    assert [("b", None), ("a", None)] == [(each.node, each.log) for each in found]
    assert [found[0]] == list(read.failed_boots(journal, limit=1))
