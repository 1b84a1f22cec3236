"""Which machines are outdated, and why; what is not known is no drift."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import drift
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolRules
from tests.unit.core.builders import AT, OFFER, a_node, a_pool, rules

NOW = a_pool(becomes={OFFER.name: "new"})
IMAGE = replace(OFFER, image="debian-13")
SIZE = replace(OFFER, size="xl")
ELSEWHERE = replace(OFFER, location="hel", image="other")


@pytest.mark.parametrize(
    ("node", "pool", "why"),
    [
        (a_node(becomes="new"), NOW, ""),
        (a_node(becomes="old"), NOW, "bootstrap: another than now"),
        (a_node(becomes="old"), a_pool(), ""),
        (a_node(becomes="old"), a_pool(offers=(IMAGE,)), "image: debian, now debian-13"),
        (a_node(becomes="old"), a_pool(offers=(SIZE,)), "size: s, now xl"),
        (a_node(), a_pool(offers=(ELSEWHERE,)), "offer: cloud/osl/s/debian is no longer configured"),
        (a_node(becomes="old", slots=1), NOW, "slots: 1, now 2"),
        (a_node(queues=("a", "b")), NOW, "queues: a, b, now images"),
        (a_node(queues=()), NOW, "queues: none, now images"),
    ],
)
def test_it_is_told_what_a_new_machine_would_be_otherwise(node: Node, pool: PoolRules, why: str) -> None:
    """By what is on record of it; a bootstrap is known by its fingerprint alone."""
    assert why == drift.why_drifted(node, pool)


def test_the_order_of_queues_is_no_difference() -> None:
    """A worker consumes all of them."""
    assert "" == drift.why_drifted(a_node(queues=("b", "a")), a_pool(queues=("a", "b")))


@pytest.mark.parametrize("fields", [{}, {"machine": "m1", "becomes": "old"}])
def test_what_is_not_known_is_no_drift(fields: dict[str, Any]) -> None:
    """Records of an older release have no fingerprint; machines taken in without a record have a guessed offer."""
    node = a_node(**fields)

    assert "" == drift.why_drifted(node, NOW)
    assert not drift.is_known(node)


def test_a_machine_taken_in_is_not_judged_by_its_guessed_offer() -> None:
    """It may be the newest of all."""
    assert "" == drift.why_drifted(a_node("m1~1", machine="m1"), a_pool(offers=(IMAGE,)))


def test_age_counts_from_the_order_and_only_beyond_the_limit() -> None:
    """Of a pool without such a limit none is too old."""
    node = a_node(ordered_at=AT - 3600)

    assert "" == drift.why_too_old(node, a_pool(), AT)
    assert "" == drift.why_too_old(node, a_pool(max_age_s=3600.0), AT)
    assert "1 h 1 min old, max_age is 1 h" == drift.why_too_old(node, a_pool(max_age_s=3600.0), AT + 60)


def test_who_leaves_already_is_not_told_of() -> None:
    """Nor are machines of pools that are gone: those leave anyway."""
    nodes = [a_node(state.value, state, becomes="old") for state in NodeState]
    stranger = a_node("of another", becomes="old", pool="gone")

    found = drift.outdated([*nodes, stranger], rules(NOW), AT)

    assert {"creating", "booting", "ready", "lost"} == set(found)
