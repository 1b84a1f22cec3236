"""Scaleway Instances, API v1: one zone of a project, tags as marks, a create of several requests.

After the API's reference (scaleway.com/en/developers/api/instances) as of 2026; libcloud's driver speaks to hosts that
are gone and has no user data, so this one is ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceState,
    OutcomeUnknown,
    QuotaRefused,
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
    Shape,
    UserData,
)
from providers.dialects.leaving import Leaves
from providers.dialects.looks import Ask, Looks, Named, Pages, Price, Quota, Turning
from providers.dialects.times import Times

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
COUNTRIES: Mapping[str, str] = {
    "fr-par-1": "FR", "fr-par-2": "FR", "fr-par-3": "FR", "nl-ams-1": "NL", "nl-ams-2": "NL", "nl-ams-3": "NL",
    "pl-waw-1": "PL", "pl-waw-2": "PL", "pl-waw-3": "PL", "it-mil-1": "IT",
}  # fmt: skip
"""The zones that sell Instances. Each stands in the country that its name begins with."""

HERE = "/instance/v1/zones/{zone}"
LOOKS = Looks(
    pages=Pages(turning=Turning.NUMBER, param="page", size_param="per_page", size=100),
    quota=Quota(
        untold="the Instances API does not tell it: the console does (Organization, Quotas), and `quotas_exceeded` to "
        "an order"
    ),
    price=Price(currency="EUR", of="an hour, without tax, disk and address"),
    named={
        "security_group": Named(
            ask=Ask(path=f"{HERE}/security_groups", params={"project": "{project}"}, rows="security_groups"),
            key="id",
            called="name",
            unsaid="the project's default security group",
        ),
        "placement_group": Named(
            ask=Ask(
                path=f"{HERE}/placement_groups", params={"project": "{project}"}, rows="placement_groups"
            ),
            key="id",
            called="name",
            subject="group",
        ),
    },
)

DIALECT = Dialect(
    driver="scaleway",
    title="Scaleway Instances, API v1",
    driver_class="providers.libcloud.drivers.scaleway:ScalewayNodeDriver",
    options={
        "secret_key": Option(
            argument="key",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
            means="The secret of an API key whose application may manage Instances, and block storage, of one project.",
        ),
        "project": Option(
            argument="project",
            to=Goes.ACCOUNT,
            required=True,
            means="The UUID of the project; give the fleet one of its own.",
        ),
        "zone": Option(
            argument="zone",
            to=Goes.ACCOUNT,
            required=True,
            choices=tuple(COUNTRIES),
            means="The zone, such as fr-par-1. It has servers and images of its own: another zone is another section.",
        ),
        "public": Option(
            argument="ex_public",
            shape=Shape.FLAG,
            means="Whether new machines get a public IPv4 address for as long as they run; without this key they do.",
        ),
        "security_group": Option(
            argument="ex_security_group",
            means="The UUID of the security group of new machines; without it the project's default one.",
        ),
        "placement_group": Option(
            argument="ex_placement_group",
            means="The UUID of a placement group that new machines are part of.",
        ),
        "tags": Option(argument="ex_tags", means="Further tags of new machines.", shape=Shape.TEXTS),
    },
    user_data=UserData(
        argument="ex_userdata",
        # No limit is documented; what every cloud with one bears is not refused here either.
        limit_bytes=16 * 1024,
        carriage=Carriage.TEXT,
        gzip=False,
    ),
    mark=Mark(
        shape=MarkShape.TEXTS,
        argument="ex_tags",
        found_in="tags",
        # A comma joins tags in a filter.
        value=r"[A-Za-z0-9:._-]{1,127}",
    ),
    names=Names(pattern=r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?", longest=63),
    location=Location(required=True, countries=COUNTRIES),
    listing=Listing(
        reads=Json(
            rows="servers",
            row="server",
            id_pattern=UUID,
            total_header="x-total-count",
            numbered=True,
            newest_first=True,
        ),
        filter=Filter(place=Place.QUERY, fleet={"tags": "{mark}"}),
    ),
    # The first request buys a stopped server with its disk; user data and start follow it.
    order_sign=r"^(POST \S*/servers(/[^/ ]+/action)?$|DELETE )",
    follow_sign=r"^(PATCH \S*/servers/[^/ ]+/user_data/|POST \S*/servers/[^/ ]+/action$)",
    fields=Fields(state="state", location="zone", size="commercial_type"),
    states={
        "starting": InstanceState.PENDING,
        "running": InstanceState.RUNNING,
        # Its disk is billed: a create that broke off, or one that somebody switched off.
        "stopped": InstanceState.STOPPED,
        "stopped in place": InstanceState.STOPPED,
        "locked": InstanceState.STOPPED,
        # On its way out, or switched off by somebody: then it is seen as stopped afterwards, and asked again.
        "stopping": InstanceState.ENDING,
    },
    # No lag of listings is documented or known; two minutes outlast a replica that fell behind.
    settle_s=120.0,
    errors=Errors(
        code=r'"type"\s*:\s*"([a-z_]+)"',
        text=r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            ErrorRule(codes=r"quotas_exceeded", means=QuotaRefused),
            ErrorRule(codes=r"out_of_stock", means=CapacityRefused),
            # An older form of the same, under `invalid_request_error`.
            ErrorRule(text=r"quota exceeded", asked=r"^POST", means=QuotaRefused),
            ErrorRule(text=r"out of stock", asked=r"^POST", means=CapacityRefused),
            # A definite no while something else is done to it: nothing was done, ask again.
            ErrorRule(codes=r"transient_state|too_many_requests", means=Throttled),
            ErrorRule(
                codes=r"not_found|unknown_resource",
                asked=r"^(DELETE|POST) \S*/servers/[^/ ]+(/action)?$",
                means=InstanceAbsent,
            ),
            ErrorRule(codes=r"internal_error|internal", means=OutcomeUnknown),
        ),
    ),
    looks=LOOKS,
    sizes_of_location=True,
    # Four requests, one after the other: the server with its disk, its user data, its start, and a look.
    times=Times(create_s=40.0),
    leaves=Leaves(
        listings={
            "local volume": Listing(
                reads=Json(
                    rows="volumes",
                    id_pattern=UUID,
                    total_header="x-total-count",
                    numbered=True,
                    path=r"^GET \S*/instance/v1/zones/[^/]+/volumes\?",
                ),
                filter=Filter(place=Place.QUERY, fleet={"tags": "{mark}"}),
            ),
            "block volume": Listing(
                reads=Json(
                    rows="volumes",
                    id_pattern=UUID,
                    total="total_count",
                    numbered=True,
                    path=r"^GET \S*/block/v1/zones/[^/]+/volumes\?",
                ),
                arguments={"ex_block": True},
                filter=Filter(place=Place.QUERY, fleet={"tags": "{mark}"}),
            ),
        },
        mark=Mark(shape=MarkShape.TEXTS, found_in="tags"),
        attached="attached",
        state="state",
        free=frozenset({"available"}),
        created="created",
        location="zone",
        ends_break_off=True,
    ),
    left_over="Nothing, as a rule: local volumes end with a machine that runs. One with block volumes is switched off "
    "first, and deleted with its volumes after it, one by one. Where that fails midway they bear the fleet's tags, and "
    "are ended when the end is asked for again, or swept. Volumes that people attach are deleted with it; flexible IPs "
    "of theirs stay and are billed.",
    proof="the contract suite and the driver's tests, against a project on loopback that follows a published "
    "description of the API from 2022; not yet against a real one",
)
