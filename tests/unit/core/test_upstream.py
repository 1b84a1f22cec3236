"""Which machines stand in an upstream file, and its text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core import upstream
from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.core.upstream import Listings, Server, Upstream
from providers.contract import InstanceState, Listing, NodeName
from tests.unit.core.builders import CLOUD, OFFER, a_node, a_pool, an_instance

RULES = Upstream(pool=a_pool(), file="/f", port=8000, address="private")
UNSEEN = {CLOUD: Missing(why="no answer")}


def a_server(name: str, address: str = "10.0.0.1", weight: int = 1) -> Server:
    return Server(node=NodeName(name), address=address, weight=weight)


def listed(**addresses: tuple[str, ...]) -> Listings:
    instances = tuple(an_instance(name, addresses=told) for name, told in addresses.items())
    return {CLOUD: Listing(instances=instances, complete=True)}


def chosen(
    nodes: list[Node], listings: Listings, before: tuple[Server, ...] = (), rules: Upstream = RULES
) -> list[str]:
    """Names of those that are to stand in the file."""
    return [server.node for server in upstream.servers(nodes, listings, before, rules)[0]]


def test_those_that_serve_stand_in_it_and_no_others() -> None:
    """Whatever else a machine is, requests are none of its business."""
    nodes = [a_node(state.value, state) for state in NodeState]
    listings = listed(**{state.value: ("10.0.0.1",) for state in NodeState})

    assert ["ready"] == chosen(nodes, listings, tuple(a_server(state.value) for state in NodeState))


def test_machines_of_other_pools_do_not() -> None:
    """Each pool has its own file."""
    nodes = [a_node("n1"), a_node("n2", pool="other")]

    assert ["n1"] == chosen(nodes, listed(n1=("10.0.0.1",), n2=("10.0.0.2",)))


def test_a_machine_stays_while_its_account_cannot_be_seen() -> None:
    """Its address is the one that stands there."""
    now, unknown = upstream.servers([a_node("n1")], UNSEEN, (a_server("n1", "10.0.0.9"),), RULES)

    assert (a_server("n1", "10.0.0.9"),) == now
    assert () == unknown


def test_a_machine_that_a_complete_listing_lacks_stays_until_its_record_says_more() -> None:
    """Absence is believed by the life cycle, late and for good reasons, and not here."""
    assert ["n1"] == chosen([a_node("n1")], listed(), (a_server("n1"),))


def test_a_machine_whose_address_nobody_told_waits() -> None:
    """It serves, and cannot be named."""
    assert ((), ("n1",)) == upstream.servers([a_node("n1")], UNSEEN, (), RULES)
    assert ((), ("n1",)) == upstream.servers([a_node("n1")], listed(n1=("192.88.99.1",)), (), RULES)


def test_a_name_that_is_none_of_ours_keeps_nobody_else_out() -> None:
    """An orphan that was taken in bears the name that it had."""
    odd = "N1; }\n"
    listings = listed(**{odd: ("10.0.0.1",), "n2": ("10.0.0.2",)})
    now, unknown = upstream.servers([a_node(odd), a_node("n2")], listings, (), RULES)

    assert (a_server("n2", "10.0.0.2"),) == now
    assert (odd,) == unknown


def test_an_address_that_changed_is_the_new_one() -> None:
    """As a machine that was stopped and started has it."""
    now, _ = upstream.servers([a_node("n1")], listed(n1=("10.0.0.2",)), (a_server("n1"),), RULES)

    assert (a_server("n1", "10.0.0.2"),) == now


@pytest.mark.parametrize("state", [InstanceState.STOPPED, InstanceState.ENDING])
def test_a_machine_that_its_provider_ends_is_none_that_serves(state: InstanceState) -> None:
    """Somebody ended it at the panel; its worker is believed for a while longer."""
    listings = {
        CLOUD: Listing(instances=(an_instance("n1", state=state, addresses=("10.0.0.1",)),), complete=True)
    }

    assert [] == chosen([a_node("n1")], listings, (a_server("n1"),))


def test_the_last_ones_stay_though_their_workers_fell_silent() -> None:
    """A broker that loses all workers must not take the tier away; one that serves is enough to do without them."""
    silent = [a_node("n1", NodeState.LOST), a_node("n2", NodeState.LOST)]
    before = (a_server("n1"),)

    assert ["n1"] == chosen(silent, UNSEEN, before)
    assert ["n3"] == chosen([*silent, a_node("n3")], listed(n3=("10.0.0.3",)), before)


@pytest.mark.parametrize("state", [InstanceState.STOPPED, InstanceState.ENDING])
def test_the_last_one_goes_where_its_provider_ends_it(state: InstanceState) -> None:
    """Its address may be somebody else's soon."""
    listings = {
        CLOUD: Listing(instances=(an_instance("n1", state=state, addresses=("10.0.0.1",)),), complete=True)
    }

    assert [] == chosen([a_node("n1", NodeState.LOST)], listings, (a_server("n1"),))
    for silent in (NodeState.LOST, NodeState.DRAINING):
        assert () == upstream.last_resort([a_node("n1", silent)], listings, (a_server("n1"),), RULES)


def test_one_that_is_told_to_leave_goes_though_it_is_the_last() -> None:
    """That is somebody's choice."""
    assert [] == chosen([a_node("n1", NodeState.DRAINING)], UNSEEN, (a_server("n1"),))


@pytest.mark.parametrize(
    ("addresses", "wanted", "expected"),
    [
        (("203.0.113.9", "10.0.0.7"), "private", "10.0.0.7"),
        (("8.8.8.8", "10.0.0.7"), "public", "8.8.8.8"),
        (("10.0.0.7", "10.0.0.10"), "private", "10.0.0.7"),
        (("10.0.0.10", "10.0.0.7"), "private", "10.0.0.7"),
        (("fd00::7", "10.0.0.7"), "private", "10.0.0.7"),
        (("FD00:0::07",), "private", "fd00::7"),
        (("100.64.1.2",), "private", "100.64.1.2"),
        (("100.64.1.2",), "public", None),
        (("10.1.0.7", "10.2.0.7"), "10.2.0.0/16", "10.2.0.7"),
        (("127.0.0.1",), "127.0.0.0/8", "127.0.0.1"),
        (("127.0.0.1", "::1", "0.0.0.0", "169.254.1.1", "fe80::1", "224.0.0.1"), "private", None),
        (("fd00::1%eth0; evil",), "private", None),
        (("::ffff:10.0.0.1",), "private", None),
        (("10.0.0.1; return 200", "10.0.0.1\n", " 10.0.0.1", "010.0.0.1", "host", ""), "private", None),
    ],
)
def test_the_address_is_the_one_of_that_kind(
    addresses: tuple[str, ...], wanted: str, expected: str | None
) -> None:
    """The same one in whatever order a provider tells them, and never anything but an address."""
    assert expected == upstream.address_of(addresses, wanted)


def test_the_text_is_a_line_for_each() -> None:
    """IPv6 in brackets, the weight of a machine that counts as several, and whose line it is."""
    standing = (a_server("n2", "fd00::2", 3), a_server("n1", "10.0.0.1"))
    rules = replace(RULES, max_fails=2, fail_timeout_s=5.0)

    assert (
        "# Machines of the pool images that serve, written by autoscaler: changes are lost.\n"
        "server 10.0.0.1:8000 max_fails=2 fail_timeout=5s; # n1\n"
        "server [fd00::2]:8000 weight=3 max_fails=2 fail_timeout=5s; # n2\n"
    ) == upstream.text(standing, rules)


def test_nobody_is_a_server_that_is_down() -> None:
    """An upstream of no server keeps nginx from starting."""
    assert upstream.text((), RULES).endswith("server 127.0.0.1:9 down; # no machine serves\n")
    assert () == upstream.read(upstream.text((), RULES))


def test_a_larger_machine_has_its_share() -> None:
    """One of an offer with twice the slots counts as two workers, here as everywhere."""
    large = a_node("n1", slots=4)
    rules = replace(RULES, pool=a_pool(slots=2, own_slots={OFFER.name: 4}))
    now, _ = upstream.servers([large], listed(n1=("10.0.0.1",)), (), rules)

    assert (2,) == tuple(server.weight for server in now)


@pytest.mark.parametrize(
    "line",
    [
        "server 10.0.0.1:8000;",
        "server 10.0.0.1:8000; # N1",
        "server 999.0.0.1:8000; # n1",
        "server unix:/tmp/s; # n1",
        "server 10.0.0.1:8000; evil; # n1",
        "# server 10.0.0.1:8000; # n1",
        "server [10.0.0.1]:8000; # n1; x",
    ],
)
def test_a_line_that_was_not_written_here_is_passed_over(line: str) -> None:
    """What people wrote into the file is nobody's machine."""
    assert () == upstream.read(f"{line}\n")
