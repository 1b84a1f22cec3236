"""Records that a commit of ours left are not read again, as long as nobody else can have written any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.core.model import CreateNode
from autoscaler.journal import open_journal
from autoscaler.journal.contract import JournalUnavailable
from autoscaler.loop import Loop, Rulebook
from autoscaler.observe import Seen
from tests.unit.core.builders import CLOUD, FLEET, a_demand, a_listing, a_pool, a_sighting, heard, rules
from tests.unit.test_loop import SEEN, Stage


def _known(stage: Stage) -> set[str]:
    """Of whom the next tick knows."""
    return {node.name for node in stage.loop.think().snapshot.nodes}


def _after_a_tick() -> tuple[Stage, set[str]]:
    """Of a daemon that leads, with the records that its tick left; and none of them can be read any more."""
    stage = Stage()
    stage.journal.lease = "ours"
    stage.tick()
    left = {node.name for node in stage.journal.nodes}
    assert left
    stage.journal.nodes = ()
    return stage, left


def test_records_are_not_read_again_while_the_lease_is_ours() -> None:
    """What the commit left is what there is."""
    stage, left = _after_a_tick()

    assert left == _known(stage)


def _another_takes_it(stage: Stage) -> None:
    stage.journal.lease = "another's"


def _it_is_given_back(stage: Stage) -> None:
    stage.journal.lease = None


def _a_commit_fails(stage: Stage) -> None:
    stage.journal.broken = True
    with pytest.raises(JournalUnavailable):
        stage.tick()


def _it_is_set_back(stage: Stage) -> None:
    stage.journal.kept = replace(stage.journal.kept)


@pytest.mark.parametrize("happens", [_another_takes_it, _it_is_given_back, _a_commit_fails, _it_is_set_back])
def test_records_are_read_where_another_may_have_written(happens: Callable[[Stage], None]) -> None:
    """Another lease, none, or a commit of which nobody knows what it left."""
    stage, _ = _after_a_tick()
    happens(stage)

    assert set() == _known(stage)


def test_a_lease_that_changes_within_a_tick_leaves_nothing_to_rely_on() -> None:
    """What the tick read may be of the time of another lease."""
    stage = Stage()
    stage.journal.lease = "the one before"
    commit = stage.journal.commit

    def late(record: object) -> None:
        stage.journal.lease = "ours"
        commit(record)  # type: ignore[arg-type]

    stage.journal.commit = late  # type: ignore[method-assign]
    stage.tick()
    stage.journal.nodes = ()

    assert set() == _known(stage)


def _grows(stage: Stage) -> Seen:
    return replace(SEEN, demand={name: a_demand(backlog=35) for name in SEEN.demand})


def _is_heard(stage: Stage) -> Seen:
    names = [action.node for action in stage.calls.actions if isinstance(action, CreateNode)]
    heard_now = heard(*(a_sighting(name) for name in names[:-1]))
    return replace(SEEN, listings={CLOUD: a_listing(*names[:-1])}, sightings=heard_now)


def _is_empty(stage: Stage) -> Seen:
    return replace(_is_heard(stage), demand={name: a_demand(backlog=0) for name in SEEN.demand})


def _is_gone(stage: Stage) -> Seen:
    return replace(_is_empty(stage), listings={CLOUD: a_listing()}, sightings=heard())


def test_what_is_known_is_what_a_reader_finds_on_record(tmp_path: Path) -> None:
    """Through purchases, workers that come and go, machines that end: a tick begins with what the journal says."""
    stage, url = Stage(), f"sqlite:///{tmp_path}/journal.db"
    journal, reader = open_journal(url), open_journal(url)
    journal.claim("the test")
    stage.loop = Loop(
        rulebook=Rulebook(fleet=FLEET, pools=rules(a_pool()), settle_s={CLOUD: 30.0}, tick_s=10.0),
        journal=journal,
        observer=stage,
        executor=stage.calls,
        clock=stage.clock,
        log=stage.log,
        name_seed=lambda: next(stage.names),
    )
    states = set()
    for sees in (_grows, _is_heard, _is_empty, _is_gone):
        for _ in range(12):
            stage.seen = sees(stage)
            stage.tick()
            found = reader.live_nodes()
            states |= {node.state for node in found}
            assert found == stage.loop.think().snapshot.nodes
    journal.close()
    reader.close()

    assert len(states) >= 4, states
