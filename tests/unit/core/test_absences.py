"""Many machines absent at once are a reason to doubt the listing: for longer, and not for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import Memory, listing_clock
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.reconcile import Reconciled, reconcile
from autoscaler.core.waits import WaitKind
from tests.unit.core.builders import CLOCKS, CLOUD, FLEET, a_listing, a_node, a_snapshot, heard, rules

NODES = tuple(a_node(f"n{i}", NodeState.BOOTING, missing_on=5_000.0) for i in range(4))


def after(absent_s: float, *listed: str, nodes=NODES, complete: bool = True) -> Reconciled:  # type: ignore[no-untyped-def]
    """The records after machines were absent for so long; a usual absence is believed after 30 s."""
    clocks = {**CLOCKS, listing_clock(CLOUD): 5_000.0 + absent_s}
    snapshot = a_snapshot(
        *nodes,
        listings={CLOUD: a_listing(*listed, complete=complete)},
        memory=Memory(clocks=clocks),
        elapsed_s=0.0,
        sightings=heard(),
    )
    return reconcile(snapshot, rules(), FLEET)


def gone(done: Reconciled) -> list[str]:
    return [node.name for node in done.nodes if node.state is NodeState.GONE]


def test_most_machines_absent_at_once_are_believed_later() -> None:
    """An empty list, or another project's, is shown for minutes; nothing is bought twice meanwhile."""
    doubted = after(89)

    assert gone(doubted) == []
    assert [(WaitKind.ABSENCES, CLOUD)] == [(wait.kind, wait.subject) for wait in doubted.waits]
    assert "4 of 4 machines are absent" in doubted.waits[0].why
    assert gone(after(90)) == ["n0", "n1", "n2", "n3"]


@pytest.mark.parametrize("listed", [("n0", "n1"), ("n0", "n1", "n2")])
def test_half_of_them_or_fewer_are_believed_as_ever(listed: tuple[str, ...]) -> None:
    """Machines die one by one."""
    assert len(gone(after(30, *listed))) == 4 - len(listed)


def test_exactly_half_are_not_most() -> None:
    """Three of six may be the machines of one rack."""
    six = tuple(a_node(f"n{i}", NodeState.BOOTING, missing_on=5_000.0) for i in range(6))

    assert len(gone(after(30, "n0", "n1", "n2", nodes=six))) == 3


def test_two_machines_are_never_many() -> None:
    """A small fleet would be doubted all the time."""
    assert len(gone(after(30, nodes=NODES[:2]))) == 2


def test_machines_that_were_told_to_end_may_vanish_together() -> None:
    """That is what they were told."""
    ending = tuple(replace(node, state=NodeState.DESTROYING) for node in NODES)

    assert len(gone(after(30, nodes=ending))) == 4


def test_an_incomplete_listing_raises_no_doubt() -> None:
    """It shows no absence at all."""
    assert after(30, complete=False).waits == ()
