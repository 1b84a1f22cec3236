"""cloudscale.ch (Switzerland), API v1: a project's token, tags as marks, user data as plain text."""

from __future__ import annotations

from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceState,
    QuotaRefused,
)
from providers.dialects.contract import (
    Carriage,
    Dialect,
    ErrorRule,
    Errors,
    Fields,
    Filter,
    Goes,
    Json,
    Listing,
    Location,
    LocationShape,
    Mark,
    MarkShape,
    Names,
    Option,
    Place,
    RateLimit,
    Shape,
    UserData,
    before_base64,
)
from providers.dialects.looks import Ask, Looks, Named, Price, Quota

LOOKS = Looks(
    quota=Quota(untold="cloudscale.ch's API does not tell it: support does, and a refused order"),
    price=Price(untold="cloudscale.ch's API does not tell it: the price list does"),
    network="a public address, and with `private_network` the project's network of the zone",
    named={
        "server_groups": Named(
            ask=Ask(path="/v1/server-groups"), key="uuid", called="name", subject="group", stands="zone.slug"
        ),
    },
)

DIALECT = Dialect(
    driver="cloudscale",
    title="cloudscale.ch (API v1)",
    driver_class="libcloud.compute.drivers.cloudscale:CloudscaleNodeDriver",
    options={
        "token": Option(
            argument="key",
            means="An API token of the project, for reading and writing. It can delete all that is in the project: "
            "give the fleet one of its own.",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
        ),
        "ssh_keys": Option(
            argument="ex_create_attr.ssh_keys",
            means="SSH public keys, each written out whole, put on new machines: cloudscale.ch wants one where no "
            "password is set. For people, the daemon never logs in.",
            shape=Shape.TEXTS,
            required=True,
        ),
        "private_network": Option(
            argument="ex_create_attr.use_private_network",
            means="Whether new machines are in the project's private network of their zone as well.",
            shape=Shape.FLAG,
        ),
        "public_network": Option(
            argument="ex_create_attr.use_public_network",
            means="Whether new machines get a public address; without it they do.",
            shape=Shape.FLAG,
        ),
        "ipv6": Option(
            argument="ex_create_attr.use_ipv6",
            means="Whether the public address comes with one of IPv6; without it it does.",
            shape=Shape.FLAG,
        ),
        "server_groups": Option(
            argument="ex_create_attr.server_groups",
            means="UUIDs of the server groups of new machines, which keep them on different hosts.",
            shape=Shape.TEXTS,
        ),
    },
    user_data=UserData(
        argument="ex_create_attr.user_data",
        # Not documented. OpenStack, which is beneath it, takes so many letters of base64; less is refused unmade.
        limit_bytes=before_base64(65_535),
        carriage=Carriage.TEXT,
        gzip=False,
    ),
    # What a tag's value may hold is not documented either: this is what no API of this kind refuses.
    mark=Mark(
        shape=MarkShape.DICT,
        argument="ex_create_attr.tags",
        found_in="tags",
        value=r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}",
    ),
    # A name becomes the machine's host name.
    names=Names(pattern=r"[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?", longest=63),
    # The driver knows of no zones, and hands over what stands among a create's attributes.
    location=Location(
        argument="ex_create_attr.zone",
        shape=LocationShape.TEXT,
        # Without one the project's default zone is taken, which only the project knows.
        required=True,
        known_by="",
        look=("/v1/regions", "", "zones[*].slug"),
        # Rümlang and Lupfig.
        countries={"rma1": "CH", "lpg1": "CH"},
    ),
    listing=Listing(
        # One answer that holds all.
        reads=Json(rows="", id="uuid", path=r"^GET \S*/v1/servers(\?|$)"),
        filter=Filter(place=Place.QUERY, fleet={"tag:autoscaler-fleet": "{fleet}"}),
    ),
    fields=Fields(state="status", location="zone.slug", size="flavor.slug", created="created_at"),
    states={
        # On its way to any of the others, its first start included.
        "changing": InstanceState.PENDING,
        "running": InstanceState.RUNNING,
        "stopped": InstanceState.STOPPED,
        "paused": InstanceState.STOPPED,
    },
    # How late a listing may be is not documented: a minute is many times what a database needs.
    settle_s=60.0,
    errors=Errors(
        # A refusal is one field with its sentences, or `detail`.
        code=r'"(\w+)"\s*:\s*(?:\[\s*)?"',
        text=r':\s*(?:\[\s*)?"((?:[^"\\]|\\.)*)"',
        rules=(
            ErrorRule(
                text=r"quota|limit of|limit (has been )?(reached|exceeded)",
                asked=r"^POST",
                means=QuotaRefused,
            ),
            ErrorRule(
                text=r"not enough|out of (stock|capacity)"
                r"|no capacity|capacity (is )?(reached|exceeded)|insufficient|currently (un|not )available",
                asked=r"^POST",
                means=CapacityRefused,
            ),
            ErrorRule(status=404, asked=r"^DELETE", means=InstanceAbsent),
        ),
    ),
    looks=LOOKS,
    images_listed=True,
    images_named_by=("id",),
    rate_limit=RateLimit(),
    left_over="Nothing that we make: the root volume goes with its server. Volumes and floating IPs that people add "
    "are theirs, and stay billed.",
    proof="Over the wire against a strict server on loopback that follows the API's reference and cloudscale.ch's own "
    "client libraries; there is no description to hold it against, and not yet an account.",
)
