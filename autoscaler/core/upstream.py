"""Which machines of a pool stand in its upstream file, and the text of it: `server` lines that nginx includes.

In go records, what listings say of addresses, and what stood in the file before; out comes the text, whole. The same
servers make the same text, byte for byte. What never happens here: a word of somebody else's in the file (addresses
are parsed and written anew); a text without a server, which nginx refuses; a machine that goes because nobody could
see it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoscaler.core import claims
from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolRules
from providers.contract import Instance, InstanceState, Listing, NodeName, ProviderName

Listings = Mapping[ProviderName, Listing | Missing]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PRIVATE, PUBLIC = "private", "public"
_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Between carriers and their customers (RFC 6598): Python's `ipaddress` calls it neither private nor global."""
_NOBODY = "127.0.0.1:9"
"""The port `discard`. A server that is `down` is never connected to; nginx does not start without one line at least."""
_NODE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LINE = re.compile(
    r"server (?:(?P<v4>[0-9.]+)|\[(?P<v6>[0-9a-f:]+)\]):[0-9]+(?: [a-z0-9_=]+)*; # (?P<node>[a-z0-9-]+)"
)
_GOING = frozenset({InstanceState.STOPPED, InstanceState.ENDING})
_MAY_STILL_ANSWER = frozenset({NodeState.LOST, NodeState.DRAINING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """How a pool is published."""

    pool: PoolRules
    file: str
    port: int
    address: str
    """Which of a machine's addresses: `private`, `public`, or those of a network such as `10.0.0.0/8`."""
    max_fails: int = 1
    fail_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One line: a machine, where it is reached, and as how many workers it counts."""

    node: NodeName
    address: str
    weight: int = 1


def told(nodes: Iterable[Node], listings: Listings) -> dict[NodeName, Instance]:
    """What its account lists of each machine; only of those that a listing of this tick shows."""
    indices = {p: claims.index(li) for p, li in listings.items() if isinstance(li, Listing)}
    found = {}
    for node in nodes:
        index = indices.get(node.offer.provider)
        instance = claims.claimed_by(node, index) if index is not None else None
        if instance is not None:
            found[node.name] = instance
    return found


def servers(
    nodes: Iterable[Node], listings: Listings, before: Sequence[Server], rules: Upstream
) -> tuple[tuple[Server, ...], tuple[NodeName, ...]]:
    """Those that are to stand in the file, by name; and those that serve whose address nobody knows yet.

    A machine that serves stands in it. While none does, those that fell silent and stood in it stay: a worker that is
    not heard says little about the application beside it, and nothing would be left to ask. One that is told to leave
    is not among them (`last_resort` may keep it). An address that a listing does not tell now is the one that was told
    before.
    """
    mine = sorted((n for n in nodes if n.pool == rules.pool.name), key=lambda n: n.name)
    seen = told(mine, listings)
    stood = {server.node: server.address for server in before}
    mine = [n for n in mine if not (n.name in seen and seen[n.name].state in _GOING)]
    serving = [n for n in mine if n.state is NodeState.READY]
    if not serving:
        serving = [n for n in mine if n.state is NodeState.LOST and n.name in stood]
    known = {n.name: _address(n.name, seen, stood, rules.address) for n in serving}
    chosen = tuple(
        Server(node=n.name, address=address, weight=rules.pool.counts_as(n))
        for n in serving
        if (address := known[n.name]) is not None
    )
    return chosen, tuple(name for name, address in known.items() if address is None)


def last_resort(
    nodes: Iterable[Node], listings: Listings, before: Sequence[Server], rules: Upstream
) -> tuple[Server, ...]:
    """Of those that stand in the file, who stays while somebody serves and nobody of those answers yet: machines that
    fell silent or were told to leave, whose provider does not end them. A worker that is heard is no application yet.
    """
    mine = [n for n in nodes if n.pool == rules.pool.name and n.state in _MAY_STILL_ANSWER]
    seen = told(mine, listings)
    staying = {n.name for n in mine if not (n.name in seen and seen[n.name].state in _GOING)}
    return tuple(server for server in before if server.node in staying)


def _address(
    node: NodeName, seen: Mapping[NodeName, Instance], stood: Mapping[NodeName, str], wanted: str
) -> str | None:
    """Where a machine is reached: as listed now, else as before; None where it is listed without such an address, or
    where its name, which an orphan was given by others, is none that may stand behind a line."""
    if _NODE.fullmatch(node) is None:
        return None
    instance = seen.get(node)
    if instance is None or not instance.addresses:
        return stood.get(node)
    return address_of(instance.addresses, wanted)


def address_of(addresses: Iterable[str], wanted: str) -> str | None:
    """The address of that kind, the same one whatever their order: IPv4 before IPv6, then the lowest."""
    fitting = [
        parsed for text in addresses if (parsed := _parsed(text)) is not None and _fits(parsed, wanted)
    ]
    return str(min(fitting, key=lambda a: (a.version, int(a)))) if fitting else None


def _parsed(text: str) -> _Address | None:
    """As an address, if it is one and nothing besides: a scope (`fe80::1%…`) may hold any text."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    scoped = isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None
    mapped = isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None
    nobodys = parsed.is_unspecified or parsed.is_multicast or parsed.is_link_local
    return None if scoped or mapped or nobodys else parsed


def _fits(address: _Address, wanted: str) -> bool:
    if wanted == PUBLIC:
        return address.is_global
    if wanted == PRIVATE:
        shared = address.version == _SHARED.version and address in _SHARED
        return (address.is_private or shared) and not address.is_loopback and not address.is_reserved
    network = ipaddress.ip_network(wanted)
    return address.version == network.version and address in network


def text(standing: Sequence[Server], rules: Upstream) -> str:
    """The whole file. With no server it holds one that is down: nginx answers 502 at once, and starts."""
    head = f"# Machines of the pool {rules.pool.name} that serve, written by autoscaler: changes are lost.\n"
    lines = "".join(_line(server, rules) for server in sorted(standing, key=lambda s: s.node))
    return head + (lines or f"server {_NOBODY} down; # no machine serves\n")


def _line(server: Server, rules: Upstream) -> str:
    address = _parsed(server.address)
    if address is None or _NODE.fullmatch(server.node) is None:
        raise ValueError("no server: its name or its address is none")
    host = f"[{address}]" if address.version == ipaddress.IPv6Address(0).version else str(address)
    weight = f" weight={server.weight}" if server.weight > 1 else ""
    limits = f" max_fails={rules.max_fails} fail_timeout={max(1, round(rules.fail_timeout_s))}s"
    return f"server {host}:{rules.port}{weight}{limits}; # {server.node}\n"


def read(written: str) -> tuple[Server, ...]:
    """The servers of a file that was written here, so that a new daemon knows what stands; other lines are none."""
    return tuple(_read(written))


def _read(written: str) -> Iterator[Server]:
    for line in written.splitlines():
        found = _LINE.fullmatch(line)
        if found is None or _NODE.fullmatch(found["node"]) is None:
            continue
        address = _parsed(found["v4"] or found["v6"])
        if address is not None:
            weight = re.search(r" weight=([0-9]{1,6})\b", line)
            yield Server(
                node=NodeName(found["node"]), address=str(address), weight=int(weight[1]) if weight else 1
            )
