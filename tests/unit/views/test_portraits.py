"""One pool and one node as pages show them, read from a real journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.config import Settings, parse
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import PoolName
from autoscaler.journal import Journal, TickRecord, open_journal
from autoscaler.journal.contract import BootRecord
from autoscaler.views import portraits
from providers.contract import NodeName
from tests.unit.cli.office import CONFIG, SECRETS
from tests.unit.core.builders import AT, POOL, a_node
from tests.unit.web import made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A configuration with one pool."""
    return parse(CONFIG.format(directory=tmp_path), SECRETS, source="a test")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Four nodes of it, one gone, with their lives."""
    opened = open_journal(f"sqlite:///{tmp_path}/journal.db")
    nodes = [
        a_node("old", ordered_at=AT - 900),
        a_node("new", ordered_at=AT - 90),
        a_node("leaving", state=NodeState.DRAINING),
        a_node("gone", state=NodeState.GONE),
    ]
    portrait = made.a_portrait(nodes[0])
    assert portrait.boot is not None
    booted = BootRecord(node=nodes[0].name, pool=POOL, offer=nodes[0].offer.name, at=AT, boot=portrait.boot)
    moves = (*made.a_life(nodes[0]), *made.a_life(nodes[1]))
    opened.commit(
        TickRecord(
            at=AT,
            new_nodes=tuple(nodes),
            transitions=moves,
            boots=(booted,),
            decisions=(made.a_decision(),),
            memory=Memory(outdated={nodes[0].name: "its image"}),
        )
    )
    yield opened
    opened.close()


def test_what_changes_comes_first_and_what_is_gone_is_left_out(journal: Journal, settings: Settings) -> None:
    """Then those that serve, the newest first; each with its own life and boot."""
    found = portraits.of_pool(journal, settings, POOL, AT)

    assert found is not None
    assert ["leaving", "new", "old"] == [each.node.name for each in found.nodes]
    assert [0, 3, 3] == [len(each.moves) for each in found.nodes]
    assert [False, False, True] == [each.boot is not None for each in found.nodes]
    assert ["", "", "its image"] == [each.outdated for each in found.nodes]
    assert (0, 5, 6) == (found.more_nodes, found.max_workers, len(found.moves))


def test_many_nodes_are_counted_and_some_are_drawn(
    journal: Journal, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page stays light, whatever a pool's size."""
    monkeypatch.setattr(portraits, "MOST_NODES", 2)

    found = portraits.of_pool(journal, settings, POOL, AT)

    assert found is not None
    assert (["leaving", "new"], 1) == ([each.node.name for each in found.nodes], found.more_nodes)


def test_what_nobody_knows_has_no_portrait(journal: Journal, settings: Settings) -> None:
    """A pool that is neither configured nor on record, a node that never was; one that is gone has its own."""
    assert portraits.of_pool(journal, settings, PoolName("other"), AT) is None
    assert portraits.of_node(journal, NodeName("never"), AT) is None
    gone = portraits.of_node(journal, NodeName("gone"), AT)
    assert gone is not None
    assert gone.node.state is NodeState.GONE
