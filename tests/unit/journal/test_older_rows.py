"""What an older release wrote down is read by this one, and decides the same."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

from autoscaler.core import supply
from autoscaler.core.facts import Full, Memory, Misplaced, Rest, RestKind
from autoscaler.core.learned import Learned
from autoscaler.core.model import PoolDecision
from autoscaler.core.reconcile import reconcile
from autoscaler.core.reports import Boot
from autoscaler.journal import codec
from policies.contract import Flow, Past, Span
from policies.decide import decide
from providers.contract import InstanceId, NodeName
from tests.unit.core.builders import (
    AT,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    a_demand,
    a_node,
    a_pool,
    a_snapshot,
    rules,
)
from tests.unit.journal.records import a_decision

NEWER = {
    "traffic": {"boots_of", "drains", "drain_s", "drain_squares", "growth", "redeliveries"},
    "flow": {"delivered", "redelivered"},
    "supply": {"scheduled", "prefetched", "idle"},
    "memory": {"boots", "drains", "holdings", "held_by_broker"},
}
"""What was not written down before growth was guarded."""


def _older(document: dict[str, Any]) -> dict[str, Any]:
    """The document as it was before that: without the newer fields, wherever they stand."""
    newer = NEWER["memory"] if "clocks" in document else set()
    kept = {key: value for key, value in document.items() if key not in newer}
    for key, value in kept.items():
        if isinstance(value, dict):
            within = _older(value)
            kept[key] = {k: v for k, v in within.items() if k not in NEWER.get(key, set())}
    return kept


def test_what_was_written_before_growth_was_guarded_is_read_and_decides_the_same() -> None:
    """Every field that came since has a default that stands for "not measured"."""
    demand = a_demand(50, 3, flow=Flow(arrived=4, completed=3, over_s=10.0))
    snapshot = a_snapshot(a_node(), demand={POOL: demand})
    memory = reconcile(snapshot, rules(), FLEET).memory
    decision = decide(supply.decision_input(a_pool(), snapshot, snapshot.nodes, memory, None))
    row = codec.decision_row(PoolDecision(pool=POOL, at=AT, decision=decision, sentence="as it was"))
    plain = json.loads(zlib.decompress(row["document"]))
    older = json.dumps(_older(plain))

    read = codec.read_decision({**row, "document": zlib.compress(older.encode())})
    remembered = codec.read_memory(json.dumps(_older(json.loads(codec.memory_document(memory)))))

    assert not any(name in older for name in ("redeliveries", "prefetched", "redelivered"))
    assert decision.wanted == decide(read.decision.input).wanted
    assert ({}, {}, {}) == (remembered.boots, remembered.holdings, remembered.drains)


OF_OFFERS = {"misplaced", "quotas", "delivered", "bought"}


def test_what_is_remembered_of_places_and_offers_is_read_back() -> None:
    """After a restart a full account is full, and a machine elsewhere is elsewhere."""
    rest = Rest(until_at=AT + 30, refusals=2, why="full", kind=RestKind.QUOTA, since_at=AT)
    memory = Memory(
        misplaced=(
            Misplaced(
                provider=CLOUD,
                machine="n1",
                instance_id=InstanceId("i-n1"),
                location="sto",
                pool=POOL,
                country=None,
                allowed=("NO",),
                since_at=AT,
                bought_by=OFFER.name,
            ),
        ),
        quotas={CLOUD: Full(held=3, rest=rest)},
        delivered={OFFER.name: Span(seconds=10.0, amount=4.0)},
        bought={POOL: OFFER.name},
    )

    assert memory == codec.read_memory(codec.memory_document(memory))


def test_a_memory_from_before_boots_were_learned_from_is_read() -> None:
    """Nothing is known of any offer then, so its machines have the first time; and a boot under way goes on."""
    known = Memory(
        booting={NodeName("n1"): Boot(power_at=AT, moved_on=5.0)},
        learned={OFFER.name: Learned(took_s=(60.0,))},
    )
    plain = json.loads(codec.memory_document(known))
    del plain["learned"], plain["booting"]["n1"]["moved_on"]

    read = codec.read_memory(json.dumps(plain))

    assert known == codec.read_memory(codec.memory_document(known))
    assert ({}, Boot(power_at=AT)) == (read.learned, read.booting[NodeName("n1")])


def test_a_memory_from_before_places_and_offers_were_known_is_read() -> None:
    """Nothing is misplaced or full, and nothing was bought, until that is seen."""
    plain = json.loads(codec.memory_document(Memory(clocks={"sightings": 7.0})))
    older = {key: value for key, value in plain.items() if key not in OF_OFFERS}

    assert OF_OFFERS == plain.keys() - older.keys()
    assert Memory(clocks={"sightings": 7.0}) == codec.read_memory(json.dumps(older))


def test_a_decision_whose_past_has_no_names_of_fields_is_read() -> None:
    """As it was written until documents were written by what reads them."""
    past = (
        Past(at=AT - 60.0, recommended=2, wanted=3, workers=1),
        Past(at=AT, recommended=4, wanted=4, workers=3),
    )
    stored = a_decision()
    given = stored.decision.input
    told = replace(stored.decision, input=replace(given, history=replace(given.history, past=past)))
    plain = json.loads(zlib.decompress(codec.decision_document(told)))
    plain["input"]["history"]["past"] = [[AT - 60.0, 2, 3, 1], [AT, 4, 4, 3]]
    row = codec.decision_row(stored) | {"document": zlib.compress(json.dumps(plain).encode())}

    assert told == codec.read_decision(row).decision
