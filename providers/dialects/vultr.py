"""Vultr, API v2."""

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
    Goes,
    Json,
    Listing,
    Location,
    Mark,
    MarkShape,
    Names,
    Option,
    RateLimit,
    Shape,
    UserData,
    before_base64,
)
from providers.dialects.looks import Ask, Looks, Named, Pages, Price, Quota, Turning

COUNTRIES: Mapping[str, str] = {
    "ams": "NL", "atl": "US", "blr": "IN", "bom": "IN", "cdg": "FR", "del": "IN", "dfw": "US", "ewr": "US",
    "fra": "DE", "hnl": "US", "icn": "KR", "itm": "JP", "jnb": "ZA", "lax": "US", "lhr": "GB", "mad": "ES",
    "man": "GB", "mel": "AU", "mex": "MX", "mia": "US", "nrt": "JP", "ord": "US", "sao": "BR", "scl": "CL",
    "sea": "US", "sgp": "SG", "sjc": "US", "sto": "SE", "syd": "AU", "tlv": "IL", "waw": "PL", "yto": "CA",
}  # fmt: skip
"""As `GET /v2/regions` says."""

LOOKS = Looks(
    pages=Pages(
        turning=Turning.CURSOR, param="cursor", size_param="per_page", size=500, next="meta.links.next"
    ),
    quota=Quota(
        untold="Vultr limits the monthly fee, which its API does not tell: the console does, and a refused order"
    ),
    # An hour is that part of a month that has 672 hours or, by newer words, 730.
    price=Price(currency="USD", of="a month at most, without tax", hours=(672.0, 730.0)),
    named={
        "vpcs": Named(
            ask=Ask(path="/v2/vpcs", rows="vpcs"),
            key="id",
            called="description",
            stands="region",
            unsaid="no VPC network",
        ),
        "firewall_group": Named(
            ask=Ask(path="/v2/firewalls", rows="firewall_groups"), key="id", called="description"
        ),
        "ssh_keys": Named(
            ask=Ask(path="/v2/ssh-keys", rows="ssh_keys"), key="id", called="name", subject="keys"
        ),
    },
)

DIALECT = Dialect(
    driver="vultr",
    title="Vultr (API v2)",
    # libcloud's sends one tag in a field that the API has dropped, and reads no machine that lacks it.
    driver_class="providers.libcloud.drivers.vultr:VultrNodeDriver",
    raises=("libcloud.common.vultr:VultrException",),
    options={
        "token": Option(
            argument="key",
            means="The API key. It reaches all of its account or sub-account; the daemon's address must be in its "
            "access control list.",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
        ),
        "ssh_keys": Option(
            argument="ex_ssh_key_ids",
            means="Ids of SSH keys put on new machines; for people, the daemon never logs in.",
            shape=Shape.TEXTS,
        ),
        "vpcs": Option(
            argument="ex_vpc_ids", means="Ids of the VPC networks of new machines.", shape=Shape.TEXTS
        ),
        "firewall_group": Option(
            argument="ex_firewall_group_id", means="The id of the firewall group that new machines stand in."
        ),
        "ipv6": Option(
            argument="ex_enable_ipv6", means="Whether new machines get IPv6 as well.", shape=Shape.FLAG
        ),
        "no_public_ipv4": Option(
            argument="ex_disable_public_ipv4",
            means="Whether new machines have no public IPv4 address; with `ipv6 = true`.",
            shape=Shape.FLAG,
            needs="ipv6",
        ),
        "tags": Option(argument="ex_tags", means="Further tags of new machines.", shape=Shape.TEXTS),
    },
    user_data=UserData(
        argument="ex_userdata",
        # No limit is documented; this is the smallest that any cloud in use has for cloud-init.
        limit_bytes=before_base64(16_384),
        carriage=Carriage.BYTES,
        # Whether bytes that are no text come out as they went in is not documented.
        gzip=False,
    ),
    # What letters a tag may have is not documented: these are in use.
    mark=Mark(shape=MarkShape.TEXTS, argument="ex_tags", found_in="tags", value=r"[A-Za-z0-9:._-]{1,128}"),
    names=Names(pattern=r"[A-Za-z0-9._-]+", longest=128),
    location=Location(required=True, countries=COUNTRIES),
    listing=Listing(
        # The parameters `tag` and `label` are older than the list of tags: a filter that finds nothing would make
        # a fleet look empty, so the whole account is listed. Pages tell the total and are chained by a cursor, of which
        # nothing is documented: it may be a count of rows.
        reads=Json(
            rows="instances", row="instance", total="meta.total", numbered=True, path=r"/v2/instances\?"
        ),
        arguments={"ex_list_bare_metals": False},
        only_for={"per_page": r"/v2/(instances|plans|os|regions|snapshots|vpcs|firewalls|ssh-keys)"},
    ),
    fields=Fields(state="status", location="region", size="plan"),
    states={
        "pending": InstanceState.PENDING,
        "active": InstanceState.RUNNING,
        "resizing": InstanceState.RUNNING,
        "suspended": InstanceState.STOPPED,
    },
    # How late listings may be is not documented; two minutes cost only that a ceiling is freed later.
    settle_s=120.0,
    errors=Errors(
        # There are none: a refusal has a sentence, and its status once more.
        code=r'"code"\s*:\s*"([^"]+)"',
        text=r'"error"\s*:\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            ErrorRule(text=r"rate limit|too many requests", means=Throttled),
            # One status, 400, for stock, limits and faults of ours; only the sentences tell them apart. That a service
            # is unavailable comes with others, and leaves open what was done.
            ErrorRule(
                status=400,
                text=r"monthly fee limit|(instance|server|account|subscription)s? limit|maximum (number|amount) of"
                r"|limit (has been )?(reached|exceeded)|reached the (maximum|limit)",
                asked=r"^POST",
                means=QuotaRefused,
            ),
            ErrorRule(
                status=400,
                text=r"not available in|unavailable|no longer available|capacity|out of stock|sold out",
                asked=r"^POST",
                means=CapacityRefused,
            ),
            ErrorRule(status=404, asked=r"^DELETE", means=InstanceAbsent),
            # "Server is currently locked", while it is installed: asked again it will be ended.
            ErrorRule(text=r"locked|in progress", asked=r"^DELETE", means=OutcomeUnknown),
        ),
    ),
    looks=LOOKS,
    sizes_of_location=True,
    images_listed=True,
    images_named_by=("id",),
    rate_limit=RateLimit(documented="30 requests a second for an address"),
    left_over="Nothing that we make: a machine's disk and addresses go with it. Block storage, reserved addresses and "
    "snapshots that people add stay, and are billed.",
    proof="Over the wire against a strict server on loopback that follows Vultr's client govultr 3 and libcloud's "
    "fixtures, as no description was at hand; not yet against an account.",
)
