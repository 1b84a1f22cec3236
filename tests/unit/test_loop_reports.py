"""What machines say reaches the core, the journal and the log, and is forgotten only once it was written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.reports import Failure, Phase, PhaseTime, Refusals, Report
from autoscaler.journal.contract import JournalUnavailable
from providers.contract import NodeName
from tests.unit.core.builders import CLOUD, OFFER, POOL, a_listing, a_node, nobody_there
from tests.unit.test_loop import SEEN, Stage

N = NodeName("n1")
SAYS = "https://kari:s3cret@pypi.example is down"
FAILED = Report(
    node=N,
    heard_at=1_000_000.0,
    uptime_s=30.0,
    phases=(PhaseTime(phase=Phase.BOOTED, from_s=0.0, to_s=8.0),),
    failed=Failure(phase=Phase.PACKAGES, says=SAYS),
    log=("first", "last"),
)


class Machines:
    """What a test has them say."""

    def __init__(self, *reports: Report) -> None:
        self.said: Mapping[NodeName, Report] | Missing = {report.node: report for report in reports}
        self.forgotten: list[Mapping[NodeName, Report]] = []
        self.refused = Refusals()

    def reports(self) -> Mapping[NodeName, Report] | Missing:
        return self.said

    def forget(self, reports: Mapping[NodeName, Report]) -> None:
        self.forgotten.append(reports)

    def refusals(self) -> Refusals:
        return self.refused


def a_stage(machines: Machines, **seen: Any) -> Stage:
    """A loop with one machine that boots and is in time; nobody is connected under its name."""
    stage = Stage(machines=machines)
    stage.journal.nodes = (
        a_node(state=NodeState.BOOTING, ordered_at=999_900.0, entered_at=999_950.0, entered_on=4_950.0),
    )
    usual: dict[str, Any] = {"listings": {CLOUD: a_listing("n1")}, "idleness": {N: nobody_there()}}
    stage.seen = replace(SEEN, **(usual | seen))
    return stage


def test_a_failed_boot_is_asked_about_acted_on_written_down_and_told() -> None:
    """All on the tick that hears of it. The daemon's log names the phase; the machine's own words are not in it."""
    machines = Machines(FAILED)
    stage = a_stage(machines)

    stage.tick()

    assert [N] == [node.name for node in stage.asked[0]]
    assert NodeState.DESTROYING is next(n.state for n in stage.journal.nodes if n.name == N)
    (record,) = stage.journal.records[-1].boots
    assert (N, POOL, OFFER.name, ("first", "last")) == (record.node, record.pool, record.offer, record.log)
    assert FAILED.failed == record.boot.failed
    assert [machines.said] == machines.forgotten
    told = {"node": N, "pool": POOL, "offer": OFFER.name, "phase": "packages"}
    assert [told] == stage.said("boot.failed")


def test_what_was_said_again_is_neither_written_nor_told_again() -> None:
    """A machine that failed says so every half a minute, until it is ended."""
    stage = a_stage(Machines(FAILED), idleness={})
    stage.tick()
    stage.tick()

    assert [1, 0] == [len(record.boots) for record in stage.journal.records]
    assert 1 == len(stage.said("boot.failed"))


def test_nothing_is_forgotten_that_was_not_written_down() -> None:
    """The broker keeps it for the next tick, or for the daemon that comes next."""
    machines = Machines(FAILED)
    stage = a_stage(machines)
    stage.journal.broken = True

    with pytest.raises(JournalUnavailable):
        stage.tick()
    assert [] == machines.forgotten


def test_reports_that_cannot_be_heard_are_a_missing_fact_and_move_nobody() -> None:
    """It is said once, as of any other fact."""
    machines = Machines()
    machines.said = Missing(why="not connected yet")
    stage = a_stage(machines)
    stage.tick()
    stage.tick()

    assert [] == machines.forgotten
    assert NodeState.BOOTING is next(n.state for n in stage.journal.nodes if n.name == N)
    missed = [fields for fields in stage.said("fact.missed") if "become workers" in str(fields["fact"])]
    assert [{"fact": "machines that become workers", "why": "not connected yet"}] == missed


def test_strangers_in_the_queue_are_told_ever_more_seldom() -> None:
    """Each time their number has doubled: whoever floods the queue floods no log."""
    machines = Machines()
    stage = a_stage(machines)
    for messages in (0, 1, 1, 2, 3, 5, 5):
        machines.refused = Refusals(messages=messages, why="it is no JSON")
        stage.tick()

    assert [1, 2, 5] == [fields["messages"] for fields in stage.said("report.refused")]
