"""Brightbox, API 1.0."""

from __future__ import annotations

from collections.abc import Mapping

from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceState,
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
    Goes,
    Json,
    Listing,
    Location,
    Mark,
    MarkShape,
    Names,
    Option,
    Shape,
    UserData,
    before_base64,
)
from providers.dialects.looks import Ask, Looks, Meter, Named, Price, Quota, Reading

COUNTRIES: Mapping[str, str] = {"zon-6mxqw": "GB", "zon-remk1": "GB"}
"""`gb1-a` and `gb1-b`, the zones of the region gb1; both stand in Manchester."""

ORDERED = r"^POST \S*/servers\b"
FULL = r"limit (has been )?(reached|exceeded)"
NONE_LEFT = r"capacity|insufficient|out of stock|no .*available"

ACCOUNT = Ask(path="/1.0/account", paged=False)
LOOKS = Looks(
    quota=Quota(
        meters=(
            Meter(
                of="MiB of memory",
                limit=Reading(ask=ACCOUNT, at="ram_limit"),
                used=Reading(ask=ACCOUNT, at="ram_used"),
                takes="ram",
            ),
        )
    ),
    price=Price(untold="Brightbox's API does not tell it: the price list does"),
    named={
        "server_groups": Named(
            ask=Ask(path="/1.0/server_groups"),
            key="id",
            called="name",
            unsaid="the server group `default`",
        ),
    },
)

DIALECT = Dialect(
    driver="brightbox",
    title="Brightbox (API 1.0)",
    # libcloud's cannot log in: it reads a status of None.
    driver_class="providers.libcloud.drivers.brightbox:BrightboxLoginDriver",
    state_map="NODE_STATE_MAP",
    options={
        "client": Option(
            argument="key",
            means="The id of an API client, `cli-` and five letters.",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
        ),
        "secret": Option(
            argument="secret", means="The API client's secret.", to=Goes.ACCOUNT, required=True, secret=True
        ),
        "server_groups": Option(
            argument="ex_servergroup",
            means="Ids of the server groups of new machines, for which firewall policies hold; without any `default`.",
            shape=Shape.TEXTS,
        ),
    },
    # A login is a POST as well, and makes nothing.
    order_sign=r"^(POST|DELETE) \S*/servers\b",
    user_data=UserData(
        argument="ex_userdata",
        # Brightbox's own command line refuses more than 16k of base64.
        limit_bytes=before_base64(16_384),
        carriage=Carriage.BYTES,
        # Whether bytes that are no text come out as they went in is not documented.
        gzip=False,
    ),
    # There are no tags; groups carry firewalls and would have to be made first.
    mark=Mark(shape=MarkShape.NAME),
    names=Names(pattern=r"[A-Za-z0-9._-]+", longest=255),
    location=Location(countries=COUNTRIES),
    # One answer with all servers: there are no pages, and no total.
    listing=Listing(reads=Json(rows="", path=r"^GET \S*/servers(\?|$)")),
    fields=Fields(state="status", location="zone.id", size="server_type.id"),
    states={
        "creating": InstanceState.PENDING,
        "active": InstanceState.RUNNING,
        # Shut down, and billed until it is deleted.
        "inactive": InstanceState.STOPPED,
        "deleting": InstanceState.ENDING,
        "deleted": None,
        # It came to nothing, and stands in the books until it is deleted.
        "failed": InstanceState.STOPPED,
        "unavailable": InstanceState.UNKNOWN,
    },
    # How late listings may be is not documented; two minutes cost only that a ceiling is freed later.
    settle_s=120.0,
    errors=Errors(
        code=r'"error(?:_name)?"\s*:\s*"([^"]+)"',
        text=r'"errors"\s*:\s*\[\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            # "Account limit reached, please contact support for more information". How a full zone is worded, and with
            # which status, is not known: never with one that leaves open what was done.
            ErrorRule(status=403, text=FULL, asked=ORDERED, means=QuotaRefused),
            ErrorRule(status=422, text=FULL, asked=ORDERED, means=QuotaRefused),
            ErrorRule(status=403, text=NONE_LEFT, asked=ORDERED, means=CapacityRefused),
            ErrorRule(status=422, text=NONE_LEFT, asked=ORDERED, means=CapacityRefused),
            ErrorRule(codes=r"invalid_client|unauthorized_client|access_denied", means=RequestRejected),
            # A token lasts for two hours; the next request logs in anew. Wrong credentials are refused there.
            ErrorRule(status=401, asked=r"^(?!POST \S*/token)", means=Throttled),
            ErrorRule(status=404, asked=r"^DELETE", means=InstanceAbsent),
        ),
    ),
    looks=LOOKS,
    images_listed=True,
    images_named_by=("id",),
    left_over="Nothing that we make: a server of a type with local storage ends with its disk. Cloud IPs, volumes and "
    "snapshots that people add stay, and are billed.",
    proof="Over the wire against a strict server on loopback that follows Brightbox's client gobrightbox and its "
    "published test data, as no description was at hand; not yet against an account.",
)
