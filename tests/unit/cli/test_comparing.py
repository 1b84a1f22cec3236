"""The journal beside the providers, and what machines cost: values in, values out."""

from __future__ import annotations

import pytest

from autoscaler.cli import comparing
from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from tests.unit.core.builders import CLOUD, a_listing, a_node


def test_records_with_their_machines_agree() -> None:
    """Each node listed, each machine on record."""
    nodes = (a_node("n1"), a_node("n2", NodeState.DRAINING))

    compared = comparing.compare(nodes, {CLOUD: a_listing("n1", "n2")}, nodes)

    assert compared.agree is True
    assert {"n1": "i-n1", "n2": "i-n2"} == {n: i.instance_id for n, i in compared.instances.items()}


@pytest.mark.parametrize("state", [NodeState.CREATING, NodeState.DESTROYING])
def test_a_machine_that_need_not_exist_is_not_missed(state: NodeState) -> None:
    """Not yet there, or gone already."""
    nodes = (a_node("n1", state),)

    assert comparing.compare(nodes, {CLOUD: a_listing()}, nodes).agree is True


@pytest.mark.parametrize("state", sorted(comparing.EXPECTED_TO_EXIST))
def test_a_machine_that_must_exist_is_missed(state: NodeState) -> None:
    """The provider lists everything, and not this."""
    nodes = (a_node("n1", state),)

    compared = comparing.compare(nodes, {CLOUD: a_listing()}, nodes)

    assert (False, nodes) == (compared.agree, compared.without_machine)


def test_a_machine_without_a_record_is_named() -> None:
    """With the account it stands in."""
    compared = comparing.compare((), {CLOUD: a_listing("n9")}, ())

    assert compared.agree is False
    assert [(CLOUD, "n9")] == [(provider, i.name) for provider, i in compared.without_record]


def test_what_changed_between_the_two_readings_is_no_difference() -> None:
    """A daemon buys and ends machines while we look."""
    ended = a_node("n1")
    bought = a_node("n2")

    compared = comparing.compare((ended,), {CLOUD: a_listing("n1")}, (bought,))

    assert compared.agree is True


def test_a_provider_that_was_not_seen_proves_nothing() -> None:
    """Neither agreement nor difference; it is named with why."""
    nodes = (a_node("n1"),)

    failed = comparing.compare(nodes, {CLOUD: Missing(why="timed out")}, nodes)
    partial = comparing.compare(nodes, {CLOUD: a_listing(complete=False)}, nodes)

    assert (None, {CLOUD: "timed out"}) == (failed.agree, failed.unseen)
    assert (None, ()) == (partial.agree, partial.without_machine)
