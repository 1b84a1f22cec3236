"""Machines that an earlier release ordered go on under this one as if nothing had happened."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from autoscaler.core.lifecycle import NodeState
from autoscaler.journal import open_journal
from autoscaler.observe import Seen
from tests.unit.core.builders import CLOUD, OFFER, POOL, a_demand, a_listing, a_node, a_sighting, heard
from tests.unit.journal.older import OLDER, as_of
from tests.unit.journal.records import a_tick
from tests.unit.test_loop import Stage

AT_WORK = ("n1", "n2", "n3")

FINGERPRINTS = "0009"
"""The first schema that has what machines were to become."""


@pytest.mark.parametrize("revision", [each for each in OLDER if each < FINGERPRINTS])
def test_machines_of_an_older_release_are_neither_ended_nor_bought_again(
    tmp_path: Path, revision: str
) -> None:
    """Even where outdated ones are replaced unasked: what they were to become is not known, and that is no drift."""
    with closing(open_journal(f"sqlite:///{tmp_path}/whole.db")) as journal:
        journal.commit(a_tick(new_nodes=tuple(a_node(name, becomes="of its day") for name in AT_WORK)))
    as_of(f"sqlite:///{tmp_path}/journal.db", revision, f"sqlite:///{tmp_path}/whole.db")
    stage = Stage(becomes={OFFER.name: "of today"}, replaces_drifted=True)
    with closing(open_journal(f"sqlite:///{tmp_path}/journal.db")) as journal:
        stage.journal.nodes = journal.live_nodes()
    stage.seen = Seen(
        demand={POOL: a_demand(backlog=30, in_progress=3)},
        listings={CLOUD: a_listing(*AT_WORK)},
        sightings=heard(*(a_sighting(name, active=1) for name in AT_WORK)),
        idleness={},
    )

    for _ in range(5):
        stage.tick()

    assert [] == [action for action in stage.calls.actions if action.node in AT_WORK]
    assert [NodeState.READY] * 3 == [n.state for n in stage.journal.nodes if n.name in AT_WORK]
    assert {} == dict(stage.journal.kept.outdated)
    assert dict.fromkeys(AT_WORK, "") == {n.name: n.becomes for n in stage.journal.nodes if n.name in AT_WORK}
