"""What a tick does about upstream files: after it was written down, and before anything is ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from autoscaler.core.facts import Memory, Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolName
from autoscaler.core.published import Published
from autoscaler.journal.contract import JournalUnavailable
from autoscaler.loop import Loop, Rulebook
from providers.contract import Listing, NodeName, ProviderName
from tests.unit.core.builders import (
    CLOCKS,
    CLOUD,
    FLEET,
    POOL,
    a_demand,
    a_listing,
    a_node,
    a_pool,
    a_sighting,
    heard,
    idle,
    rules,
)
from tests.unit.test_loop import SEEN, Stage


class Files:
    """Says that a machine is exposed, or not, and remembers what it was told."""

    def __init__(self, diary: list[str]) -> None:
        self.diary = diary
        self.exposed: tuple[NodeName, ...] = ()
        self.told: list[dict[str, NodeState]] = []
        self.listings: Mapping[ProviderName, Listing | Missing] = {}

    def tick(self, nodes: Collection[Node], listings: Mapping[ProviderName, Listing | Missing]) -> None:
        self.diary.append("publish")
        self.told.append({node.name: node.state for node in nodes})
        self.listings = listings

    def published(self, nodes: Collection[Node]) -> Mapping[PoolName, Published]:
        return {POOL: Published(file="/f", exposed=self.exposed)}


def a_stage() -> tuple[Stage, Files]:
    stage = Stage()
    files = Files(stage.diary)
    stage.loop = Loop(
        rulebook=Rulebook(fleet=FLEET, pools=rules(a_pool()), settle_s={CLOUD: 30.0}, tick_s=10.0),
        journal=stage.journal,
        observer=stage,
        executor=stage.calls,
        clock=stage.clock,
        log=stage.log,
        upstreams=files,
    )
    return stage, files


def test_files_are_told_after_the_commit_and_before_anything_is_sent() -> None:
    """What was not written down did not happen, and a line goes before its machine does."""
    stage, files = a_stage()
    stage.tick()
    stage.journal.broken = True
    with pytest.raises(JournalUnavailable):
        stage.tick()

    assert ["commit", "forget", "publish", "dispatch"] == [
        word for word in stage.diary if word in {"commit", "forget", "publish", "dispatch"}
    ][:4]
    assert 1 == len(files.told)
    assert files.listings == SEEN.listings


def test_a_machine_that_the_tick_sends_away_is_told_as_leaving_on_that_very_tick() -> None:
    """Not a tick later."""
    stage, files = a_stage()
    stage.journal.nodes = (a_node("n1"),)
    stage.journal.kept = Memory(clocks=CLOCKS, good_looks={POOL: 10})
    stage.seen = replace(
        SEEN,
        demand={POOL: a_demand()},
        listings={CLOUD: a_listing("n1")},
        sightings=heard(a_sighting("n1")),
    )
    for _ in range(4):
        stage.tick()
        stage.journal.kept = stage.journal.records[-1].memory

    assert NodeState.DRAINING in {told["n1"] for told in files.told}
    for told, record in zip(files.told, stage.journal.records, strict=True):
        for node in record.changed_nodes:
            assert told[node.name] is node.state


def test_what_is_published_is_kept_and_holds_back_the_proof() -> None:
    """For `status`; and as long as requests may reach a machine it is not ended."""
    stage, files = a_stage()
    node = a_node("n1", NodeState.DRAINING, confirmed_on=4_900.0, worker_pid=7)
    stage.journal.nodes = (node,)
    stage.seen = replace(
        SEEN,
        demand={POOL: a_demand()},
        listings={CLOUD: a_listing("n1")},
        sightings=heard(a_sighting("n1")),
        idleness={node.name: idle()},
    )
    files.exposed = (node.name,)
    stage.tick()
    held = files.told[-1]["n1"], stage.journal.records[-1].memory.published[POOL].exposed
    files.exposed = ()
    stage.tick()

    assert (NodeState.DRAINING, (node.name,)) == held
    assert NodeState.DESTROYING is files.told[-1]["n1"]
