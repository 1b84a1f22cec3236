"""Orders: checked, written down with who gave them, and answered."""

from __future__ import annotations

import os
import pwd
import time

import pytest

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import OrderKind
from tests.unit.cli.office import Office
from tests.unit.core.builders import a_node

EVERY_ORDER = {
    OrderKind.DRAIN: ["drain", "n1"],
    OrderKind.UNDRAIN: ["undrain", "n1"],
    OrderKind.DESTROY: ["destroy", "n1", "--force", "--yes"],
    OrderKind.FORGET: ["forget", "n1", "--yes"],
    OrderKind.PAUSE: ["pause", "images"],
    OrderKind.RESUME: ["resume", "images"],
    OrderKind.HOLD: ["hold", "images", "3", "--for", "2h"],
    OrderKind.SWEEP: ["sweep", "--yes"],
    OrderKind.WAKE: ["wake", "images"],
    OrderKind.REPLACE: ["replace", "images"],
    OrderKind.RELOAD: ["reload", "--yes"],
}


@pytest.mark.parametrize("kind", OrderKind)
def test_every_order_is_written_down_with_who_gave_it(office: Office, kind: OrderKind) -> None:
    """Orders work whether a daemon runs or not, and are kept."""
    office.on_record(a_node("n1"), at=time.time() - 3600)

    answer = office.command(*EVERY_ORDER[kind])

    with office.journal() as journal:
        (order,) = journal.waiting_orders()
    assert 0 == answer.code
    assert "waiting: no daemon is running; it will be carried out when one runs" in answer.out
    assert (kind, pwd.getpwuid(os.getuid()).pw_name) == (order.kind, order.given_by)


def test_an_order_about_a_machine_is_written_for_its_record(office: Office) -> None:
    """An orphan's record has another name than its machine; people read the machine's at the provider."""
    office.on_record(a_node("m1~1", machine="m1"))

    assert "m1~1" == office.command("drain", "m1", "--json").facts["target"]


def test_a_hold_ends_when_it_was_said_to(office: Office) -> None:
    """N workers, and an instant in the future."""
    office.on_record()
    before = time.time()

    office.command("hold", "images", "3", "--for", "2h")

    with office.journal() as journal:
        (order,) = journal.waiting_orders()
    assert 3 == order.workers
    assert order.until_at is not None
    assert 7200 <= order.until_at - before < 7260


@pytest.mark.parametrize(("carried_out", "code", "state"), [(True, 0, "carried out"), (False, 1, "refused")])
def test_the_daemons_answer_is_waited_for(office: Office, carried_out: bool, code: int, state: str) -> None:
    """A refusal is a failure of the command, with the daemon's reason."""
    office.on_record(a_node("n1"))

    with office.daemon(carried_out=carried_out, says="because I say so"):
        told = office.command("drain", "n1")
        facts = office.command("drain", "n1", "--json")

    assert (code, code) == (told.code, facts.code)
    assert f"drain n1: {state}: because I say so" in told.out
    assert {"order", "kind", "target", "state", "says"} == facts.facts.keys()
    assert state == facts.facts["state"]


def test_nobody_waits_who_does_not_want_to(office: Office) -> None:
    """For scripts that give many orders."""
    office.on_record(a_node("n1"))

    with office.daemon():
        facts = office.command("drain", "n1", "--no-wait", "--json").facts

    assert "waiting" == facts["state"]


@pytest.mark.parametrize("order", ["drain", "undrain", "destroy", "forget"])
def test_an_order_about_no_node_is_not_written(office: Office, order: str) -> None:
    """A typing error must not wait in the journal until such a node exists."""
    office.on_record(a_node("n1"), a_node("away", NodeState.GONE))

    answers = [office.command(order, name) for name in ("n2", "away")]

    with office.journal() as journal:
        assert () == journal.waiting_orders()
    assert [1, 1] == [answer.code for answer in answers]
    assert "On record are: n1." in answers[0].err


@pytest.mark.parametrize(
    "arguments",
    [
        ["pause", "imges"],
        ["resume", "imges"],
        ["hold", "imges", "1", "--for", "1h"],
        ["hold", "images", "6", "--for", "1h"],
        ["hold", "images", "-1", "--for", "1h"],
        ["hold", "images", "many", "--for", "1h"],
        ["hold", "images", "1", "--for", "a while"],
        ["hold", "images", "1", "--for", "0s"],
        ["hold", "images", "1"],
        ["drain"],
    ],
)
def test_an_order_that_cannot_be_meant_is_usage(office: Office, arguments: list[str]) -> None:
    """It ends with 2, says why, and writes nothing."""
    office.on_record()

    answer = office.command(*arguments)

    with office.journal() as journal:
        assert () == journal.waiting_orders()
    assert 2 == answer.code
    assert answer.err


@pytest.mark.parametrize(
    ("state", "arguments"),
    [
        (NodeState.READY, ["destroy", "n1", "--force"]),
        (NodeState.DRAINING, ["destroy", "n1", "--force"]),
        (NodeState.LOST, ["destroy", "n1"]),
        (NodeState.READY, ["forget", "n1"]),
        (NodeState.READY, ["sweep"]),
    ],
)
def test_what_may_lose_work_or_money_is_not_done_unasked(
    office: Office, state: NodeState, arguments: list[str]
) -> None:
    """Where there is nobody to ask, it must be said with --yes."""
    office.on_record(a_node("n1", state))

    answer = office.command(*arguments)

    with office.journal() as journal:
        assert () == journal.waiting_orders()
    assert 2 == answer.code
    assert "--yes" in answer.err


@pytest.mark.parametrize("state", [NodeState.CREATING, NodeState.BOOTING])
def test_what_holds_no_work_is_destroyed_unasked(office: Office, state: NodeState) -> None:
    """A machine that has no worker yet has nothing to lose."""
    office.on_record(a_node("n1", state))

    assert 0 == office.command("destroy", "n1").code


def test_only_what_there_is_can_be_woken(office: Office) -> None:
    """A typing mistake is told at once, with the names that would do."""
    office.on_record()

    mistaken = office.command("wake", "imagse")

    assert 2 == mistaken.code
    assert "'imagse'; there are: images, cloud, cloud///" in mistaken.err
    assert [0, 0, 0] == [office.command("wake", name).code for name in ("cloud", "cloud///", "*")]
