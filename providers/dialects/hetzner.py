"""Hetzner Cloud: a project's token, labels as marks, names that are unique by themselves, user data as plain text.

After the API's reference (docs.hetzner.cloud/reference/cloud) as of 2026; libcloud has no driver for it, so it is ours.
"""

from __future__ import annotations

from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceState,
    OutcomeUnknown,
    QuotaRefused,
    RequestRejected,
    Throttled,
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
    Mark,
    MarkShape,
    Names,
    Option,
    Place,
    RateLimit,
    Shape,
    UserData,
)
from providers.dialects.looks import Ask, Looks, Named, Pages, Price, Quota, Reading, Turning

LOOKS = Looks(
    pages=Pages(turning=Turning.NUMBER, param="page", size_param="per_page", size=50),
    quota=Quota(
        untold="Hetzner's API does not tell it: the console does (Limits), and `resource_limit_exceeded` to an order"
    ),
    price=Price(
        # "currency of the project's owner" (server types, prices)
        currency=Reading(ask=Ask(path="/v1/pricing", paged=False), at="pricing.currency"),
        of="an hour, without tax and without an IPv4 address",
    ),
    named={
        "networks": Named(
            ask=Ask(path="/v1/networks", rows="networks"),
            key="id",
            called="name",
            stands="subnets[*].network_zone",
            place_of=Reading(
                ask=Ask(path="/v1/locations", rows="locations"), at="locations[name={location}].network_zone"
            ),
            unsaid="no private network",
        ),
        "firewalls": Named(ask=Ask(path="/v1/firewalls", rows="firewalls"), key="id", called="name"),
        "placement_group": Named(
            ask=Ask(path="/v1/placement_groups", rows="placement_groups"),
            key="id",
            called="name",
            subject="group",
        ),
        "ssh_keys": Named(
            ask=Ask(path="/v1/ssh_keys", rows="ssh_keys"), key="name", also="id", subject="keys"
        ),
    },
)

DIALECT = Dialect(
    driver="hetzner",
    title="Hetzner Cloud, API v1",
    driver_class="providers.libcloud.drivers.hetzner:HetznerNodeDriver",
    options={
        "token": Option(
            argument="key",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
            means="A token of the project, for reading and writing. It can delete all that is in the project: give the "
            "fleet one of its own.",
        ),
        "ssh_keys": Option(
            argument="ex_ssh_keys",
            shape=Shape.TEXTS,
            means="Names of the project's SSH keys put on new machines; without any a root password is made up.",
        ),
        "networks": Option(
            argument="ex_networks",
            shape=Shape.TEXTS,
            means="Ids of private networks new machines are part of.",
        ),
        "firewalls": Option(
            argument="ex_firewalls", shape=Shape.TEXTS, means="Ids of firewalls put before new machines."
        ),
        "placement_group": Option(
            argument="ex_placement_group",
            means="The id of a placement group that spreads machines over hosts; it holds ten at most.",
        ),
        "ipv4": Option(
            argument="ex_enable_ipv4",
            shape=Shape.FLAG,
            means="Whether new machines get a public IPv4 address, billed by itself; without this key they do.",
        ),
        "ipv6": Option(
            argument="ex_enable_ipv6",
            shape=Shape.FLAG,
            means="Whether new machines get a public IPv6 network; without this key they do.",
        ),
    },
    user_data=UserData(
        argument="ex_userdata",
        # "This field is limited to 32KiB." (create a server, user_data)
        limit_bytes=32 * 1024,
        carriage=Carriage.TEXT,
        # A JSON text cannot hold compressed bytes.
        gzip=False,
    ),
    mark=Mark(
        shape=MarkShape.DICT,
        argument="ex_labels",
        found_in="labels",
        value=r"[a-z0-9A-Z]([a-z0-9A-Z._-]{0,61}[a-z0-9A-Z])?",
    ),
    # A server's name is a host name of one label here: ours hold no dots. A second create of a name is refused.
    names=Names(pattern=r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?", longest=63, unique=True),
    location=Location(
        # The API says the countries too (`GET /locations`), and `check --online` holds these against it.
        countries={"fsn1": "DE", "nbg1": "DE", "hel1": "FI", "ash": "US", "hil": "US", "sin": "SG"},
    ),
    listing=Listing(
        reads=Json(
            rows="servers",
            row="server",
            total="meta.pagination.total_entries",
            numbered=True,
            newest_first=True,
        ),
        # By the fleet alone: a name in a selector would have to be one that labels can bear.
        filter=Filter(place=Place.QUERY, fleet={"label_selector": "autoscaler-fleet=={fleet}"}),
    ),
    fields=Fields(state="status", location="location.name", size="server_type.name"),
    states={
        "initializing": InstanceState.PENDING,
        "starting": InstanceState.PENDING,
        "rebuilding": InstanceState.PENDING,
        "running": InstanceState.RUNNING,
        "migrating": InstanceState.RUNNING,
        "stopping": InstanceState.STOPPED,
        "off": InstanceState.STOPPED,
        "deleting": InstanceState.ENDING,
        "unknown": InstanceState.UNKNOWN,
    },
    # No lag of listings is documented or known; two minutes outlast a replica that fell behind.
    settle_s=120.0,
    errors=Errors(
        code=r'"code"\s*:\s*"([a-z0-9_]+)"',
        text=r'"message"\s*:\s*"([^"]*)"',
        rules=(
            ErrorRule(
                # A full placement group says `placement_error` too, and another offer may have another group.
                codes=r"resource_unavailable|placement_error|no_space_left_in_location|no_subnet_available"
                r"|ip_not_available|maintenance",
                means=CapacityRefused,
            ),
            ErrorRule(codes="resource_limit_exceeded", means=QuotaRefused),
            # Nothing was done, "please retry": somebody else's action holds a thing that this one needs.
            ErrorRule(codes=r"rate_limit_exceeded|locked|conflict", means=Throttled),
            ErrorRule(codes=r"not_found", asked=r"^(DELETE|GET) \S*/servers/\d+", means=InstanceAbsent),
            # `service_error` comes with 422, as if the request were wrong, but it is "an error within a service".
            ErrorRule(
                codes=r"server_error|service_error|unavailable|timeout|bad_gateway|unknown_error",
                means=OutcomeUnknown,
            ),
            # With 409, which by itself would leave open whether it was done.
            ErrorRule(codes=r"uniqueness_error", means=RequestRejected),
        ),
    ),
    looks=LOOKS,
    sizes_of_location=True,
    images_listed=True,
    rate_limit=RateLimit(
        limit="ratelimit-limit",
        remaining="ratelimit-remaining",
        reset="ratelimit-reset",
        refills=True,
        documented="3600 requests an hour and project, of which one comes back each second",
    ),
    left_over=(
        "Nothing that this program orders: the addresses that come with a server go with it, and so do its backups. "
        "Volumes, floating IPs and primary IPs that people attached to it are detached, stay and are billed."
    ),
    proof="the contract suite and the driver's tests, against a project on loopback that follows the API's description",
)
