"""DigitalOcean, API v2."""

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
    RateLimit,
    Shape,
    UserData,
)
from providers.dialects.looks import Ask, Looks, Meter, Named, Pages, Price, Quota, Reading, Turning

COUNTRIES: Mapping[str, str] = {
    "nyc1": "US", "nyc2": "US", "nyc3": "US", "sfo1": "US", "sfo2": "US", "sfo3": "US", "atl1": "US", "ric1": "US",
    "ams2": "NL", "ams3": "NL", "sgp1": "SG", "lon1": "GB", "fra1": "DE", "tor1": "CA", "blr1": "IN", "syd1": "AU",
}  # fmt: skip
"""DigitalOcean, "Regional availability". A prefix such as `nyc`, which the API takes too, is none of them."""

LOOKS = Looks(
    pages=Pages(turning=Turning.NUMBER, param="page", size_param="per_page", size=200),
    quota=Quota(
        meters=(
            Meter(
                of="droplets",
                limit=Reading(ask=Ask(path="/v2/account", paged=False), at="account.droplet_limit"),
                used=Reading(
                    ask=Ask(path="/v2/droplets", params={"per_page": "1"}, paged=False), at="meta.total"
                ),
            ),
        )
    ),
    price=Price(currency="USD", of="an hour, without tax"),
    named={
        "vpc": Named(
            ask=Ask(path="/v2/vpcs", rows="vpcs"),
            key="id",
            called="name",
            stands="region",
            unsaid="the region's default VPC",
        ),
        "ssh_keys": Named(
            ask=Ask(path="/v2/account/keys", rows="ssh_keys"),
            key="fingerprint",
            also="id",
            called="name",
            subject="keys",
        ),
    },
    rights="`account:read`, `vpc:read` and `ssh_key:read`",
)

DIALECT = Dialect(
    driver="digitalocean",
    title="DigitalOcean (API v2)",
    # The name that libcloud registers chooses this class by the class it is called on, which ours is not.
    driver_class="libcloud.compute.drivers.digitalocean:DigitalOcean_v2_NodeDriver",
    # The driver passes on only what it knows of the request's fields.
    members={
        "EX_CREATE_ATTRIBUTES": ["backups", "ipv6", "tags", "ssh_keys", "vpc_uuid", "monitoring"],
    },
    options={
        "token": Option(
            argument="key",
            means="A personal access token. It needs droplet:create, droplet:read, droplet:delete, tag:create and "
            "tag:read, and for `check --online` the read scopes of image, region and sizes; those of account, vpc and "
            "ssh_key are optional there.",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
        ),
        "vpc": Option(
            argument="ex_create_attr.vpc_uuid",
            means="The UUID of the VPC network of new machines; without it the region's default one.",
        ),
        "ssh_keys": Option(
            argument="ex_create_attr.ssh_keys",
            means="Fingerprints of SSH keys put on new machines; without any DigitalOcean mails a password. For "
            "people, the daemon never logs in.",
            shape=Shape.TEXTS,
        ),
        "ipv6": Option(
            argument="ex_create_attr.ipv6", means="Whether new machines get IPv6 as well.", shape=Shape.FLAG
        ),
        "monitoring": Option(
            argument="ex_create_attr.monitoring",
            means="Whether DigitalOcean's own agent is put on new machines.",
            shape=Shape.FLAG,
        ),
        "tags": Option(
            argument="ex_create_attr.tags",
            means="Further tags of new machines: a firewall of DigitalOcean's holds for a tag.",
            shape=Shape.TEXTS,
        ),
    },
    user_data=UserData(
        argument="ex_user_data",
        # "It must be plain text and may not exceed 64 KiB in size."
        limit_bytes=65_536,
        carriage=Carriage.TEXT,
        gzip=False,
    ),
    mark=Mark(
        shape=MarkShape.TEXTS,
        argument="ex_create_attr.tags",
        found_in="tags",
        # "Tags may contain letters, numbers, colons, dashes, and underscores. There is a limit of 255 characters."
        value=r"[A-Za-z0-9:_-]{1,255}",
    ),
    names=Names(pattern=r"[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]", longest=255),
    location=Location(required=True, countries=COUNTRIES),
    listing=Listing(
        # Pages of 200, which the driver asks for by itself, and counts: it looks once how many there are.
        reads=Json(rows="droplets", row="droplet", total="meta.total", numbered=True, path=r"/v2/droplets\?"),
        filter=Filter(place=Place.QUERY, fleet={"tag_name": "{mark}"}),
        only_for={"per_page": r"/v2/(droplets|sizes|regions|images|vpcs|account/keys)"},
    ),
    fields=Fields(state="status", location="region.slug", size="size_slug"),
    states={
        "new": InstanceState.PENDING,
        "active": InstanceState.RUNNING,
        "off": InstanceState.STOPPED,
        # No longer running, and billed until it is destroyed: "archive" is what an image was made of.
        "archive": InstanceState.STOPPED,
    },
    # Tags are "applied to the Droplet after it is created", and listings are asked for by tag. How late that may be is
    # not documented: two minutes is many times what is usual, and costs only that a ceiling is freed later.
    settle_s=120.0,
    errors=Errors(
        code=r'"id"\s*:\s*"([^"]+)"',
        text=r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            # The API has one status, 422, for stock, quota and faults of ours; only its sentences tell them apart.
            ErrorRule(
                text=r"droplet limit|limit (has been )?(reached|exceeded)", asked=r"^POST", means=QuotaRefused
            ),
            ErrorRule(
                text=r"not available in|is unavailable|out of stock|sold out|capacity|region is not available"
                r"|currently restricted|insufficient resources",
                asked=r"^POST",
                means=CapacityRefused,
            ),
            ErrorRule(codes="too_many_requests", means=Throttled),
            ErrorRule(status=404, asked=r"^DELETE", means=InstanceAbsent),
            ErrorRule(codes="server_error", means=OutcomeUnknown),
        ),
    ),
    looks=LOOKS,
    sizes_of_location=True,
    images_listed=True,
    images_named_by=("id", "slug"),
    rate_limit=RateLimit(
        limit="ratelimit-limit",
        remaining="ratelimit-remaining",
        reset="ratelimit-reset",
        # "each request contributes toward the ratelimit-remaining count for one complete hour after the request is
        # made", and the reset is "the time when the oldest request will expire".
        counts_for_s=3600.0,
        documented="5,000 requests an hour and 250 a minute for a token",
    ),
    left_over="Nothing that we make: a droplet's disk ends with it. Volumes, reserved addresses and snapshots that "
    "people add are theirs, and stay billed.",
    proof="Over the wire against a strict server on loopback that follows DigitalOcean's published OpenAPI "
    "description; not yet against an account.",
)
