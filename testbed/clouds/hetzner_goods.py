"""What Hetzner Cloud has for sale on loopback, in the API's own documents: locations, server types, images.

Names, countries and network zones are the real ones; prices and stock are made up. In goes nothing, out come documents
as the API lists them, and the document of a server that was ordered of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]

EPOCH = "2024-01-01T00:00:00Z"
PLACES = (
    ("fsn1", "DE", "Falkenstein", "eu-central"), ("nbg1", "DE", "Nuremberg", "eu-central"),
    ("hel1", "FI", "Helsinki", "eu-central"), ("ash", "US", "Ashburn, VA", "us-east"),
    ("hil", "US", "Hillsboro, OR", "us-west"), ("sin", "SG", "Singapore", "ap-southeast"),
)  # fmt: skip
EUROPE = ("fsn1", "nbg1", "hel1")
ELSEWHERE = ("ash", "hil", "sin")
KINDS = (
    # name, cores, memory and disk in GB, architecture, where it is sold, net price an hour
    ("cx23", 2, 4, 40, "x86", EUROPE, "0.0056"),
    ("cx33", 4, 8, 80, "x86", EUROPE, "0.0088"),
    ("cax11", 2, 4, 40, "arm", EUROPE, "0.0061"),
    ("cpx11", 2, 2, 40, "x86", ELSEWHERE, "0.0072"),
    ("ccx13", 2, 8, 80, "x86", (*EUROPE, *ELSEWHERE), "0.0200"),
)
SYSTEMS = (("debian-12", "debian", "12"), ("debian-13", "debian", "13"), ("ubuntu-24.04", "ubuntu", "24.04"))

LOCATIONS: tuple[Document, ...] = tuple(
    {
        "id": number, "name": name, "description": f"{city} DC Park 1", "country": country, "city": city,
        "latitude": 50.0, "longitude": 12.0, "network_zone": zone,
    }
    for number, (name, country, city, zone) in enumerate(PLACES, 1)
)  # fmt: skip


def _price(location: str, net: str) -> Document:
    def both(value: float) -> Document:
        return {"net": f"{value:.10f}", "gross": f"{value * 1.19:.10f}"}

    return {
        "location": location,
        "price_hourly": both(float(net) * (1.0 if location in EUROPE else 1.25)),
        "price_monthly": both(float(net) * 624 * (1.0 if location in EUROPE else 1.25)),
        "included_traffic": 20 * 1024**4,
        "price_per_tb_traffic": both(1.0),
    }


SERVER_TYPES: tuple[Document, ...] = tuple(
    {
        "id": 100 + number, "name": name, "description": name.upper(), "category": "Shared vCPU",
        "cores": cores, "memory": memory, "disk": disk, "architecture": architecture,
        "cpu_type": "dedicated" if name.startswith("ccx") else "shared", "storage_type": "local",
        "deprecated": False, "deprecation": None,
        "prices": [_price(where, net) for where in sold_in],
        "locations": [
            {"id": place["id"], "name": place["name"], "deprecation": None}
            for place in LOCATIONS if place["name"] in sold_in
        ],
    }
    for number, (name, cores, memory, disk, architecture, sold_in, net) in enumerate(KINDS)
)  # fmt: skip

IMAGES: tuple[Document, ...] = (
    *(
        {
            "id": 1000 + 10 * number + at, "type": "system", "status": "available", "name": name,
            "description": f"{flavor} {version}", "image_size": None, "disk_size": 5, "created": EPOCH,
            "created_from": None, "bound_to": None, "os_flavor": flavor, "os_version": version,
            "rapid_deploy": True, "protection": {"delete": False}, "deprecated": None, "deleted": None,
            "labels": {}, "architecture": architecture,
        }
        for number, (name, flavor, version) in enumerate(SYSTEMS)
        for at, architecture in enumerate(("x86", "arm"))
    ),
    {
        "id": 4711, "type": "snapshot", "status": "available", "name": None, "description": "workers-2026",
        "image_size": 2.5, "disk_size": 40, "created": EPOCH, "created_from": {"id": 1, "name": "builder"},
        "bound_to": None, "os_flavor": "debian", "os_version": "13", "rapid_deploy": False,
        "protection": {"delete": False}, "deprecated": None, "deleted": None, "labels": {"role": "worker"},
        "architecture": "x86",
    },
)  # fmt: skip

PRICING: Document = {
    "currency": "EUR", "vat_rate": "19.00", "primary_ips": [], "floating_ips": [], "load_balancer_types": [],
    "server_types": [
        {"id": each["id"], "name": each["name"], "prices": each["prices"]} for each in SERVER_TYPES
    ],
}  # fmt: skip
NETWORKS: tuple[Document, ...] = tuple(
    {
        "id": number, "name": name, "ip_range": "10.0.0.0/16", "routes": [], "servers": [], "load_balancers": [],
        "protection": {"delete": False}, "labels": {}, "created": EPOCH, "expose_routes_to_vswitch": False,
        "subnets": [{"type": "cloud", "ip_range": "10.0.1.0/24", "network_zone": zone, "gateway": "10.0.0.1",
                     "vswitch_id": None}],
    }
    for number, name, zone in ((7654321, "workers", "eu-central"), (7654322, "workers-us", "us-east"))
)  # fmt: skip
FIREWALLS: tuple[Document, ...] = (
    {"id": 1234567, "name": "closed", "labels": {}, "created": EPOCH, "rules": [], "applied_to": []},
)
GROUPS: tuple[Document, ...] = (
    {"id": 424242, "name": "spread", "labels": {}, "type": "spread", "created": EPOCH, "servers": []},
)
BESIDE = {"networks": NETWORKS, "firewalls": FIREWALLS, "placement_groups": GROUPS}
"""Lists of a project, beside its servers and keys."""


def instant(at: float) -> str:
    """As the API writes it: RFC 3339, in whole seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pick(rows: tuple[Document, ...], wanted: object, architecture: str = "") -> Document | None:
    """The document of that id or name; of several of one name, the one of that architecture."""
    found = [
        row
        for row in rows
        if wanted in {row["name"], str(row["id"])}
        and (not architecture or row["architecture"] == architecture)
    ]
    return found[0] if found else None


def datacenter(location: Document) -> Document:
    """The deprecated name for a location, which documents still bear."""
    sold = [
        each["id"] for each in SERVER_TYPES if location["name"] in {at["name"] for at in each["locations"]}
    ]
    return {
        "id": location["id"], "name": f"{location['name']}-dc1", "description": f"{location['city']} virtual DC 1",
        "location": location,
        "server_types": {"available": sold, "available_for_migration": sold, "supported": sold},
    }  # fmt: skip


def addresses(number: int, order: dict[str, Any]) -> Document:
    """The public addresses of the server of that number."""
    wanted = order.get("public_net") or {}
    ipv4 = {
        "id": 2 * number, "ip": f"203.0.113.{number % 250 + 1}", "blocked": False,
        "dns_ptr": f"static.{number}.example.net",
    }  # fmt: skip
    ipv6 = {"id": 2 * number + 1, "ip": f"2001:db8:{number:x}::/64", "blocked": False, "dns_ptr": []}
    firewalls = [{"id": each["firewall"], "status": "pending"} for each in order.get("firewalls") or ()]
    return {
        "ipv4": ipv4 if wanted.get("enable_ipv4", True) else None,
        "ipv6": ipv6 if wanted.get("enable_ipv6", True) else None,
        "floating_ips": [], "firewalls": firewalls,
    }  # fmt: skip


def server(
    number: int, order: dict[str, Any], *, kind: Document, image: Document, place: Document, at: float
) -> Document:
    """The document of a server that was just ordered, but for its status."""
    group = order.get("placement_group")
    return {
        "id": number, "name": order["name"], "created": instant(at), "labels": dict(order.get("labels") or {}),
        "server_type": kind, "image": image, "location": place, "datacenter": datacenter(place),
        "iso": None, "rescue_enabled": False, "locked": False, "backup_window": None,
        "outgoing_traffic": 0, "ingoing_traffic": 0, "included_traffic": 20 * 1024**4,
        "primary_disk_size": kind["disk"], "protection": {"delete": False, "rebuild": False},
        "volumes": list(order.get("volumes") or ()), "load_balancers": [],
        "private_net": [
            {"network": net, "ip": f"10.0.0.{number % 250 + 2}", "alias_ips": [], "mac_address": "86:00:00:00:00:01"}
            for net in order.get("networks") or ()
        ],
        "placement_group": group and {
            "id": group, "name": f"group-{group}", "labels": {}, "type": "spread", "servers": [number],
            "created": EPOCH,
        },
        "public_net": addresses(number, order),
    }  # fmt: skip
