"""Laws of upstream files, for every fleet and whatever a provider says."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core import upstream
from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.core.upstream import Listings, Server, Upstream
from providers.contract import InstanceState, Listing, NodeName
from tests.unit.core.builders import CLOUD, a_node, a_pool, an_instance

NAMES = ("n1", "n2", "n3", "n4")
LINE = re.compile(
    r"server (?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|\[[0-9a-f:.]+\]):8000(?: weight=[0-9]+)? max_fails=1 fail_timeout=10s; "
    r"# [a-z0-9-]+"
)
SYNTAX = st.text(st.sampled_from(list("0123456789abcdef.:%;{}#$\\'\" \n\r\t/[]")), max_size=30)
addresses = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(
        ["10.0.0.1", "10.0.0.2", "fd00::1", "8.8.8.8", "127.0.0.1", "fe80::1%x; }", "::ffff:8.8.8.8"]
    ),
    SYNTAX,
    st.text(max_size=20),
)
wanted = st.sampled_from(["private", "public", "10.0.0.0/8", "::/0", "0.0.0.0/0"])


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[Node], Listings, tuple[Server, ...], Upstream]:
    """Machines in any state, what is listed of them if that was seen, and what stood in the file."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    nodes = [a_node(name, draw(st.sampled_from(NodeState))) for name in names]
    shown: Listing | Missing = Missing(why="no answer")
    if draw(st.booleans()):
        instances = tuple(
            an_instance(
                name,
                addresses=tuple(draw(st.lists(addresses, max_size=4))),
                state=draw(st.sampled_from(InstanceState)),
            )
            for name in draw(st.lists(st.sampled_from(NAMES), unique=True))
        )
        shown = Listing(instances=instances, complete=draw(st.booleans()))
    stood = tuple(
        Server(node=NodeName(name), address=str(draw(st.ip_addresses(v=4))))
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True))
    )
    # What stands in a file was once an address that may stand there.
    stood = tuple(s for s in stood if upstream.address_of((s.address,), "0.0.0.0/0"))
    rules = Upstream(pool=a_pool(), file="/f", port=8000, address=draw(wanted))
    return nodes, {CLOUD: shown}, stood, rules


@given(fleets())
def test_every_line_is_a_comment_or_one_server(fleet: Any) -> None:
    """Whatever a provider says of addresses, nothing of it is a word of nginx's; and there is one server at least."""
    nodes, listings, before, rules = fleet
    now, _ = upstream.servers(nodes, listings, before, rules)
    head, *lines = upstream.text(now, rules).splitlines()

    assert head.startswith("# ")
    assert lines
    if now:
        assert [] == [line for line in lines if not LINE.fullmatch(line)]
    else:
        assert ["server 127.0.0.1:9 down; # no machine serves"] == lines


@given(fleets())
def test_what_is_written_is_read_back(fleet: Any) -> None:
    """A new daemon knows what stands there, from the file alone; and would write the same bytes."""
    nodes, listings, before, rules = fleet
    now, _ = upstream.servers(nodes, listings, before, rules)
    text = upstream.text(now, rules)

    assert now == upstream.read(text)
    assert text == upstream.text(upstream.read(text), rules)


@given(fleets())
def test_nobody_stands_there_who_neither_serves_nor_fell_silent(fleet: Any) -> None:
    """One that is told to leave never does, nor one that boots; and one that fell silent only while nobody serves."""
    nodes, listings, before, rules = fleet
    states = {node.name: node.state for node in nodes}
    now, _ = upstream.servers(nodes, listings, before, rules)
    found = {states[server.node] for server in now}

    assert found <= {NodeState.READY, NodeState.LOST}
    assert len(found) < 2
    assert NodeState.LOST not in found or {s.node for s in now} <= {s.node for s in before}


@given(fleets())
def test_the_last_resort_is_of_those_that_stood_there_and_are_not_gone(fleet: Any) -> None:
    """Nobody enters by it, and nobody stays whose end was asked for."""
    nodes, listings, before, rules = fleet
    states = {node.name: node.state for node in nodes}
    kept = upstream.last_resort(nodes, listings, before, rules)

    assert set(kept) <= set(before)
    assert {states[server.node] for server in kept} <= {NodeState.LOST, NodeState.DRAINING}


@given(fleets())
def test_blindness_takes_nobody_away(fleet: Any) -> None:
    """With no listing at all, whoever stood there and serves stands there still, at the same address."""
    nodes, _, before, rules = fleet
    serving = {node.name for node in nodes if node.state is NodeState.READY}
    now, _ = upstream.servers(nodes, {CLOUD: Missing(why="no answer")}, before, rules)

    assert {s.node: s.address for s in before if s.node in serving}.items() <= {
        s.node: s.address for s in now
    }.items()


@given(fleets())
def test_once_is_twice(fleet: Any) -> None:
    """With what was just written standing there, the same facts write the same."""
    nodes, listings, before, rules = fleet
    now, _ = upstream.servers(nodes, listings, before, rules)

    assert now == upstream.servers(nodes, listings, now, rules)[0] or any(
        node.state is NodeState.LOST for node in nodes
    )
