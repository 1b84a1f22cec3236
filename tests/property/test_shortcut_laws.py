"""Laws of what a tick leaves out because nothing would come of it: it comes to the same as if it were done."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core import boots, claims, namesakes, node_facts
from autoscaler.core.facts import Missing, Sightings, listing_clock
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, OfferName, PoolName, Timeouts
from policies.contract import Span
from providers.contract import Instance, InstanceId, InstanceState, Listing, NodeName, ProviderName
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    SECOND_OFFER,
    a_listing,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
)

NORTH, SOUTH = ProviderName("north"), ProviderName("south")
ACCOUNTS, NAMES, IDS = (NORTH, SOUTH), ("n1", "n2", "n3"), ("i-1", "i-2", "i-3")
SERVES = a_node(worker_pid=7, tasks_now=4, tasks_noted_at=AT - 90.0)
POOLS = tuple(PoolName(name) for name in ("images", "mail", "bulk for mail"))


RECORD = {
    "state": [NodeState.DRAINING, NodeState.LOST],
    "instance_id": [InstanceId("i-other"), None],
    "missing_on": [4_990.0],
    "worker_pid": [8, None],
    "confirmed_on": [4_990.0],
    "stopped_at": [AT + 5.0, AT - 5.0],
    "next_ask_at": [AT + 30.0, AT + 1e9],
    "tasks_now": [None, 3, 6],
    "tasks_noted_at": [AT - 10.0, AT + 10.0, None],
}
WORD = {
    "silent_s": [60.0, 61.0, float("nan")],
    "online": [False],
    "pid": [8, None],
    "active": [0, None],
    "processed": [2, 0, None],
    "began_s": [3.0],
}
LISTINGS = [a_listing(), a_listing(complete=False), Missing(why="drawn so")]
SIGHTINGS = [Sightings(listening_s=1_000.0, workers={}), Missing(why="drawn so")]
ODD = [
    (part, name, value)
    for part, fields in (
        ("record", RECORD),
        ("word", WORD),
        ("seen", {"listing": LISTINGS, "sightings": SIGHTINGS, "twin": [True]}),
    )
    for name, values in fields.items()
    for value in values
]


def a_look(*oddities: tuple[str, str, Any]) -> tuple[Node, node_facts.View]:
    """A machine that serves, and what a tick may look at for it; these things are not as they were."""
    odd: dict[str, dict[str, Any]] = {"record": {}, "word": {}, "seen": {}}
    for part, name, value in oddities:
        odd[part][name] = value
    node = replace(SERVES, **odd["record"])
    word = a_sighting(**({"active": 1, "processed": 5} | odd["word"]))
    listing = odd["seen"].get("listing", a_listing("n1"))
    heard = odd["seen"].get("sightings", Sightings(listening_s=1_000.0, workers={word.worker: word}))
    twins = [replace(node, name=NodeName("n1~1"), ordered_at=0.0)] if "twin" in odd["seen"] else []
    view = node_facts.View(
        a_snapshot(node, listings={CLOUD: listing}, sightings=heard),
        CLOCKS | {listing_clock(CLOUD): 5_010.0},
        FLEET,
        Timeouts(),
        outcomes=(),
        indices={CLOUD: claims.index(listing)} if isinstance(listing, Listing) else {},
        voices=namesakes.voices([node, *twins]),
        booting={},
    )
    return node, view


def test_who_serves_on_is_left_as_all_steps_would_leave_it() -> None:
    """No step has anything to say of a machine that is passed over, whichever two things are not as they were."""
    for oddities in combinations(ODD, 2):
        node, view = a_look(*oddities)

        assert node_facts.step_by_step(node, view) == node_facts.reconcile_node(node, view), oddities


def test_who_serves_as_before_is_passed_over() -> None:
    """Nearly all of a large fleet are, or each tick would be longer by all the steps of each."""
    assert node_facts.serves_on(*a_look())


records = st.builds(
    lambda name, account, key: a_node(
        name, offer=replace(OFFER, provider=account), instance_id=InstanceId(key) if key else None
    ),
    st.sampled_from(NAMES),
    st.sampled_from(ACCOUNTS),
    st.sampled_from([*IDS, None]),
)
machines = st.builds(
    Instance,
    name=st.sampled_from(NAMES),
    instance_id=st.sampled_from(IDS).map(InstanceId),
    state=st.just(InstanceState.RUNNING),
    created_at=st.sampled_from([None, 1.0, 2.0]),
)


@given(
    st.lists(records, max_size=4),
    st.lists(machines, max_size=3, unique_by=lambda machine: machine.instance_id),
    st.sampled_from(ACCOUNTS),
)
def test_a_listed_machine_is_unclaimed_if_no_record_claims_it(
    live: list[Node], listed: list[Instance], account: ProviderName
) -> None:
    """As each record by itself says which is its own, whichever accounts are one, and whatever is alike."""
    listing = Listing(instances=tuple(listed), complete=True)
    index = claims.index(listing)
    found = [(node, claims.claimed_by(node, index)) for node in live]
    claimed = {
        own.instance_id
        for node, own in found
        if own is not None and (node.offer.provider == account or own.name == node.machine)
    }

    expected = [machine for machine in listed if machine.instance_id not in claimed]
    assert expected == claims.unclaimed(account, listing, live, index)


keys = st.builds(
    lambda offer, image, pool: OfferName(f"{replace(offer, image=image).name} for {pool}"),
    st.sampled_from([OFFER, SECOND_OFFER]),
    st.sampled_from(["debian", "older", "oldest"]),
    st.sampled_from([*POOLS, "removed"]),
)


@given(
    st.dictionaries(keys, st.sampled_from([0.0, 2.0]).map(lambda n: Span(seconds=60.0, amount=n))),
    st.lists(st.sampled_from(POOLS), unique=True),
)
def test_of_all_boots_those_are_kept_that_a_pool_would_take(
    known: dict[OfferName, Span], names: list[PoolName]
) -> None:
    """A pool looks at its own alone, though the name of one may end as another's."""
    pools = [a_pool(name=name, offers=(OFFER,)) for name in names]
    expected = set()
    for pool in pools:
        key = OfferName(f"{OFFER.name} for {pool.name}")
        alike = [k for k in known if k.startswith("cloud/osl/s/") and k.endswith(f" for {pool.name}")]
        expected |= {key} | ({k for k in alike if known[k].amount} if key not in known else set())

    assert expected == boots.of_interest(known, pools)
