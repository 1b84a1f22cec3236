"""What each cloud on loopback has, for the tests of what `check --online` finds: right, misspelt, and elsewhere.

One row a dialect that has a world on loopback. A value is as an operator writes it under `[providers.NAME]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from testbed.clouds import (
    brightbox,
    cloudscale,
    cloudstack,
    digitalocean,
    outscale,
    scaleway,
    upcloud_goods,
    vultr,
)
from testbed.clouds import openstack as nova

Slips = Mapping[str, tuple[object, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One cloud."""

    right: Mapping[str, object]
    """Options that name what there is."""
    wrong: Slips
    """The same with a slip each, and what is told of it."""
    elsewhere: Slips = field(default_factory=dict)
    """The same with what is there and does not stand where the offer does, and what is told of it."""
    limit: str = ""
    """What of the server's `api` limits machines; empty: the cloud does not tell."""
    takes: int = 1
    """How much of it one machine takes."""
    zero_is_none: bool = False
    """Whether a limit of 0 means that there is none."""
    price: str = ""
    """What is told of the price where the configuration says the same; empty: the cloud does not tell."""
    price_per_h: float = 0.0
    currency: str = "USD"


CASES: Mapping[str, Case] = {
    "brightbox": Case(
        right={"server_groups": [brightbox.GROUP]},
        wrong={"server_groups": (["default"], "'default' is not there; nearest: grp-sda44 (default)")},
        limit="ram_limit",
        takes=2048,
    ),
    "cloudscale": Case(
        right={"server_groups": [cloudscale.GROUP]},
        wrong={"server_groups": (["spread"], f"nearest: {cloudscale.GROUP} (spread)")},
        elsewhere={"server_groups": ([cloudscale.GROUP_ELSEWHERE], "is in lpg1, and the offer in rma1")},
    ),
    "cloudstack": Case(
        right={"networks": [cloudstack.NETWORK], "security_groups": ["default"], "keypair": "ops"},
        wrong={
            "networks": (["worker"], f"'worker' is not there; nearest: {cloudstack.NETWORK} (workers)"),
            "security_groups": (["defaults"], "'defaults' is not there; nearest: default"),
            "affinity_groups": (["spread"], "'spread' is not there; there are none"),
            "keypair": ("oops", "'oops' is not there; nearest: ops"),
        },
        elsewhere={
            "networks": (
                [cloudstack.NETWORK_ELSEWHERE],
                f"is in {cloudstack.OTHER_ZONE}, and the offer in {cloudstack.ZONE}",
            )
        },
        limit="limit",
    ),
    "digitalocean": Case(
        right={"vpc": digitalocean.DEFAULT_VPC, "ssh_keys": [digitalocean.FINGERPRINT]},
        wrong={
            "vpc": ("default", f"'default' is not there; nearest: {digitalocean.DEFAULT_VPC} (default-fra1)"),
            "ssh_keys": (["ops"], f"'ops' is not there; nearest: {digitalocean.FINGERPRINT} (ops)"),
        },
        elsewhere={"vpc": (digitalocean.NEW_YORK_VPC, "is in nyc3, and the offer in fra1")},
        limit="droplet_limit",
        price="0.00893 USD an hour, without tax",
        price_per_h=0.0089,
    ),
    "gce": Case(
        right={"subnetwork": "regions/europe-west1/subnetworks/default"},
        wrong={
            "network": ("global/networks/worker", "is not there; nearest: global/networks/workers"),
            "subnetwork": ("regions/europe-west1/subnetworks/defaults", "nearest: regions/europe-west1/"),
        },
        elsewhere={
            "subnetwork": (
                "regions/us-central1/subnetworks/default",
                "is in us-central1, and the offer in europe-west1",
            )
        },
        limit="instances",
    ),
    "hetzner": Case(
        right={
            "networks": ["7654321"], "firewalls": ["1234567"], "placement_group": "424242", "ssh_keys": ["ops"],
        },
        wrong={
            "networks": (["workers"], "'workers' is not there; nearest: 7654321 (workers), 7654322 (workers-us)"),
            "firewalls": (["1", "2"], "'1', '2' are not there; there are: 1234567 (closed)"),
            "placement_group": ("424243", "'424243' is not there; nearest: 424242 (spread)"),
            "ssh_keys": (["opps"], "'opps' is not there; nearest: ops"),
        },
        elsewhere={"networks": (["7654322"], "7654322 is in us-east, and the offer in eu-central")},
        price="0.0056 EUR an hour, without tax and without an IPv4 address",
        price_per_h=0.0056,
        currency="EUR",
    ),
    "linode": Case(
        right={"authorized_users": ["ops"]},
        wrong={"authorized_users": (["opss"], "'opss' is not there; nearest: ops")},
        price="0.0075 USD an hour, without tax",
        price_per_h=0.0075,
    ),
    "openstack": Case(
        right={"networks": [nova.NETWORK], "security_groups": ["workers"], "keypair": "ops"},
        wrong={
            "networks": (["workers"], f"'workers' is not there; nearest: {nova.NETWORK} (workers)"),
            "security_groups": (["worker"], "'worker' is not there; nearest: workers"),
            "keypair": ("oops", "'oops' is not there; nearest: ops"),
        },
        limit="instances",
    ),
    "outscale": Case(
        right={"subnet": outscale.SUBNET, "security_groups": [outscale.SECURITY_GROUP], "keypair": "ops"},
        wrong={
            "subnet": ("subnet-12345679", "'subnet-12345679' is not there; nearest: subnet-12345678"),
            "security_groups": (["workers"], f"nearest: {outscale.SECURITY_GROUP} (workers)"),
            "keypair": ("oops", "'oops' is not there; nearest: ops"),
        },
        elsewhere={"subnet": (outscale.SUBNET_ELSEWHERE, "is in eu-west-2b, and the offer in eu-west-2a")},
        limit="vm_limit",
        zero_is_none=True,
    ),
    "scaleway": Case(
        right={"security_group": scaleway.GROUP, "placement_group": scaleway.SPREAD},
        wrong={
            "security_group": ("workers", f"'workers' is not there; nearest: {scaleway.GROUP} (workers)"),
            "placement_group": ("spraed", f"'spraed' is not there; nearest: {scaleway.SPREAD} (spread)"),
        },
        price="0.0088 EUR an hour, without tax, disk and address",
        price_per_h=0.0088,
        currency="EUR",
    ),
    "upcloud": Case(
        right={"networks": [upcloud_goods.NETWORK], "server_group": upcloud_goods.SERVER_GROUP},
        wrong={
            "networks": (["workers"], f"'workers' is not there; nearest: {upcloud_goods.NETWORK} (workers)"),
            "server_group": ("spread", f"'spread' is not there; nearest: {upcloud_goods.SERVER_GROUP} (spread)"),
        },
        elsewhere={"networks": ([upcloud_goods.NETWORK_ELSEWHERE], "is in de-fra1, and the offer in fi-hel1")},
        limit="core_limit",
        price="0.01488 EUR an hour, without tax and what the plan does not include",
        price_per_h=0.0149,
        currency="EUR",
    ),
    "vultr": Case(
        right={"vpcs": [vultr.VPC], "firewall_group": vultr.FIREWALL, "ssh_keys": [vultr.KEY]},
        wrong={
            "vpcs": (["workers"], f"'workers' is not there; nearest: {vultr.VPC} (workers)"),
            "firewall_group": ("closed", f"'closed' is not there; nearest: {vultr.FIREWALL} (closed)"),
            "ssh_keys": (["ops"], f"'ops' is not there; nearest: {vultr.KEY} (ops)"),
        },
        elsewhere={"vpcs": ([vultr.VPC_ELSEWHERE], "is in ams, and the offer in fra")},
        price="5 USD a month at most, without tax, which is 0.0068 to 0.0074 an hour",
        price_per_h=0.007,
    ),
}  # fmt: skip
