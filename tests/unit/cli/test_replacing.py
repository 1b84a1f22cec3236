"""Machines of an older definition: seen in `nodes` and `status`, replaced by an order."""

from __future__ import annotations

import time

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import OrderKind
from providers.contract import NodeName
from tests.unit.cli.office import Office
from tests.unit.core.builders import a_node

WHY = "image: debian-12, now debian-13"
MEMORY = Memory(outdated={NodeName("n1"): WHY})


def test_outdated_machines_stand_out_in_the_list(office: Office) -> None:
    """Each in a word; where all are current, nothing is said of it."""
    office.on_record(
        a_node("n1", becomes="old"),
        a_node("n2", becomes="new"),
        a_node("n3"),
        a_node("n4", becomes="new", replace_due=True),
        a_node("n5", NodeState.DRAINING),
        memory=MEMORY,
    )

    told = office.command("nodes").out
    words = {
        name: next(line for line in told.splitlines() if name in line) for name in ("n1", "n2", "n3", "n4")
    }

    assert "DEFINITION" in told
    assert "outdated" in words["n1"]
    assert "current" in words["n2"]
    assert "not known" in words["n3"]
    assert "to be replaced" in words["n4"]


def test_a_fleet_that_is_current_has_no_such_column(office: Office) -> None:
    """It would say the same on every line."""
    office.on_record(a_node("n1", becomes="new"))

    assert "DEFINITION" not in office.command("nodes").out


def test_why_a_machine_is_outdated_is_told_of_it(office: Office) -> None:
    """For people, and for programs."""
    office.on_record(a_node("n1", becomes="old", replace_due=True), a_node("n2"), memory=MEMORY)

    records = {record["name"]: record for record in office.command("nodes", "--json").facts["nodes"]}

    assert f"outdated ({WHY}); to be replaced, as ordered" in " ".join(
        office.command("nodes", "n1").out.split()
    )
    assert "not known: nothing says how it was ordered" in " ".join(office.command("nodes", "n2").out.split())
    assert (WHY, None) == (records["n1"]["outdated"], records["n2"]["outdated"])
    assert (True, "old") == (records["n1"]["replace_due"], records["n1"]["becomes"])


def test_status_counts_them(office: Office) -> None:
    """A pool at a time."""
    office.on_record(a_node("n1"), a_node("n2"), memory=MEMORY)

    assert [1] == [pool["outdated"] for pool in office.command("status", "--json").facts["pools"]]


def test_a_machine_can_be_ordered_to_be_replaced_by_its_name(office: Office) -> None:
    """All of a pool with `--all`; nobody who is not there."""
    office.on_record(a_node("n1"), at=time.time() - 3600)

    assert [0, 0] == [office.command("replace", *words).code for words in (("n1",), ("images", "--all"))]
    mistaken = office.command("replace", "imagse")

    with office.journal() as journal:
        given = [(order.kind, order.target, order.force) for order in journal.waiting_orders()]
    assert [(OrderKind.REPLACE, "n1", False), (OrderKind.REPLACE, "images", True)] == given
    assert 2 == mistaken.code
    assert "There is no pool or live node 'imagse'; there are: images, n1." in mistaken.err
