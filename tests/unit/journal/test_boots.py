"""How machines became workers, or failed to, in the journal: one row each, kept as long as their records."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.reports import Boot, Boots, DiskFigures, Failure, Phase, PhaseTime
from autoscaler.journal import Journal, JournalUnavailable, codec, open_journal, read, tables
from autoscaler.journal import journal as whole
from autoscaler.journal.contract import BootRecord
from providers.contract import NodeName
from tests.unit.core.builders import OFFER, POOL, a_node
from tests.unit.journal.older import take_back
from tests.unit.journal.records import a_tick

N = NodeName("n1")
BOOT = Boot(
    power_at=990.5,
    phases=(
        PhaseTime(phase=Phase.BOOTED, from_s=0.0, to_s=8.25),
        PhaseTime(phase=Phase.APPLICATION, from_s=8.25, to_s=9.0, ok=False),
    ),
    failed=Failure(phase=Phase.APPLICATION, says="no such thing: \ud800"),
    disk=DiskFigures(mean_ms=0.4, worst_ms=7.0, requests=250),
)
LOG = ("Collecting shop==9", "", "ERROR: no matching distribution")


def a_boot(node: str = N, **fields: Any) -> BootRecord:
    usual: dict[str, Any] = {"pool": POOL, "offer": OFFER.name, "at": 1000.0, "boot": BOOT, "log": LOG}
    return BootRecord(node=NodeName(node), **(usual | fields))


def test_a_boot_is_kept_with_the_end_of_its_log(journal: Journal) -> None:
    """Its phase, its words and its lines come back as they were, but for what no database takes."""
    journal.commit(a_tick(new_nodes=(a_node(N),), boots=(a_boot(),)))

    (found,) = read.boots(journal, [N, NodeName("n2")]).values()
    assert LOG == found.log
    assert BOOT.phases == found.boot.phases
    assert BOOT.disk == found.boot.disk
    assert found.boot.failed is not None
    assert Phase.APPLICATION is found.boot.failed.phase


def test_a_later_word_takes_the_place_of_the_former_and_leaves_its_log(journal: Journal) -> None:
    """The log is what an operator will want to read; the report that follows may bring none."""
    journal.commit(a_tick(new_nodes=(a_node(N),), boots=(a_boot(),)))
    journal.commit(a_tick(boots=(a_boot(at=1010.0, boot=replace(BOOT, failed=None), log=None),)))

    (found,) = read.boots(journal, [N]).values()
    assert (1010.0, None, LOG) == (found.at, found.boot.failed, found.log)


def test_boots_are_forgotten_with_their_machines(journal: Journal) -> None:
    """Those of live machines are kept for as long as these live."""
    nodes = (a_node("old", state=NodeState.GONE, entered_at=10.0), a_node(N, entered_at=10.0))
    journal.commit(a_tick(new_nodes=nodes, boots=(a_boot("old"), a_boot())))

    while journal.purge(100.0):
        pass

    assert {N} == set(read.boots(journal, ["old", N]))


def test_of_many_failures_the_last_logs_are_kept(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that fails for days fills no disk; what failed, and in which words, stays on record."""
    monkeypatch.setattr(whole, "LOGS_KEPT", 2)
    nodes = tuple(a_node(f"n{i}") for i in range(4))
    boots = tuple(a_boot(f"n{i}", at=1000.0 + i) for i in range(4))
    journal.commit(a_tick(new_nodes=nodes, boots=boots))

    journal.purge(100.0)

    found = read.boots(journal, [node.name for node in nodes])
    assert [None, None, LOG, LOG] == [found[node.name].log for node in nodes]
    assert all(record.boot.failed for record in found.values())


def test_what_is_remembered_of_boots_survives_a_restart(journal: Journal) -> None:
    """As it was, enums and all."""
    memory = Memory(
        booting={N: BOOT},
        phases={OFFER.name: Boots(took_s={Phase.BOOTED: (8.25,)}, failed={Phase.DISK: 2}, slow_disks=1)},
    )
    journal.commit(a_tick(memory=memory, at=5.0))

    found = journal.memory()
    assert (memory.phases, BOOT.phases) == (dict(found.phases), found.booting[N].phases)


def test_a_damaged_boot_is_named(tmp_path: Path) -> None:
    """Commands say which row it is; the daemon reads none of them."""
    opened = open_journal(f"sqlite:///{tmp_path}/journal.db")
    opened.commit(a_tick(new_nodes=(a_node(N),), boots=(a_boot(),)))
    with opened.writing("spoil it") as connection:
        connection.execute(sa.text("UPDATE boots SET document = '[]'"))

    with pytest.raises(JournalUnavailable, match="boots for n1"):
        read.boots(opened, [N])
    opened.close()


def test_a_journal_of_the_release_before_is_brought_up_to_date(url: str) -> None:
    """With its machines and its memory; nobody listened then, so no boot is known."""
    opened = open_journal(url)
    opened.commit(a_tick(new_nodes=(a_node(N),), memory=Memory(clocks={"sightings": 7.0})))
    older = json.loads(codec.memory_document(opened.memory()))
    del older["booting"], older["phases"]
    with opened.writing("take it back to the release before") as connection:
        take_back(connection, "0007")
        connection.execute(sa.update(tables.memory).values(document=json.dumps(older)))
    opened.close()

    again = open_journal(url)
    assert {"sightings": 7.0} == dict(again.memory().clocks)
    assert ({}, {}) == (dict(again.memory().booting), dict(again.memory().phases))
    assert {} == read.boots(again, [N])
    again.commit(a_tick(boots=(a_boot(),)))
    assert {N} == set(read.boots(again, [N]))
    again.close()
