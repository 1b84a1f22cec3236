"""What UpCloud sells and what an account has there: plans, zones, templates, networks, groups, prices.

As the description that `upcloud` follows words them; names and numbers are made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Document = dict[str, Any]

IMAGE = "01000000-0000-4000-8000-000020080100"

PLANS: Sequence[Document] = tuple(
    {
        "name": name, "core_number": cores, "memory_amount": memory, "family": "general_purpose",
        "current_offering": "yes", "storage_size": disk, "storage_tier": "maxiops", "public_traffic_out": 1024,
    }
    for name, cores, memory, disk in (("1xCPU-1GB", 1, 1024, 25), ("2xCPU-4GB", 2, 4096, 80))
)  # fmt: skip
CENTS = (("1xCPU-1GB", 1.488), ("2xCPU-4GB", 4.167))
"""An hour of each plan."""
ZONES: Sequence[Document] = tuple(
    {"id": name, "description": says, "public": "yes"}
    for name, says in (("fi-hel1", "Helsinki #1"), ("de-fra1", "Frankfurt #1"), ("uk-lon1", "London #1"))
)
TEMPLATES: Sequence[Document] = tuple(
    {
        "uuid": uuid, "title": title, "type": "template", "template_type": "cloud-init", "access": "public",
        "size": 10, "state": "online", "encrypted": "no", "labels": [], "license": 0,
    }
    for uuid, title in ((IMAGE, "Debian GNU/Linux 13"), ("01000000-0000-4000-8000-000030240200", "Ubuntu 24.04"))
)  # fmt: skip
NETWORK, NETWORK_ELSEWHERE = "03000000-0000-4000-8000-000000000001", "03000000-0000-4000-8000-000000000002"
SERVER_GROUP = "0b000000-0000-4000-8000-000000000001"
NETWORKS: Sequence[Document] = tuple(
    {
        "uuid": uuid, "name": name, "type": "private", "zone": zone, "labels": [], "ip_networks": {"ip_network": [
            {"address": "10.0.1.0/24", "dhcp": "yes", "family": "IPv4", "gateway": "10.0.1.1"}]},
    }
    for uuid, name, zone in ((NETWORK, "workers", "fi-hel1"), (NETWORK_ELSEWHERE, "others", "de-fra1"))
)  # fmt: skip
GROUPS: Sequence[Document] = (
    {
        "uuid": SERVER_GROUP,
        "title": "spread",
        "labels": {"label": []},
        "servers": {"server": []},
        "anti_affinity": "yes",
    },
)
PRICES: Document = {
    "currency": "EUR",
    "zone": [
        {
            "name": zone["id"],
            **{f"server_plan_{name}": {"amount": 1, "price": price} for name, price in CENTS},
        }
        for zone in ZONES
    ],
}
