"""Linode (Akamai Cloud), API v4."""

from __future__ import annotations

from collections.abc import Mapping

from providers.contract import CapacityRefused, InstanceAbsent, InstanceState, QuotaRefused, Throttled
from providers.dialects.contract import (
    FLEET_KEY,
    POOL_KEY,
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
    before_base64,
)
from providers.dialects.looks import Ask, Looks, Named, Pages, Price, Quota, Reading, Turning

COUNTRIES: Mapping[str, str] = {
    "us-central": "US", "us-west": "US", "us-southeast": "US", "us-east": "US", "us-iad": "US", "us-ord": "US",
    "us-sea": "US", "us-mia": "US", "us-lax": "US", "ca-central": "CA", "eu-west": "GB", "eu-central": "DE",
    "ap-west": "IN", "ap-southeast": "AU", "ap-south": "SG", "ap-northeast": "JP", "fr-par": "FR", "br-gru": "BR",
    "nl-ams": "NL", "se-sto": "SE", "es-mad": "ES", "in-maa": "IN", "jp-osa": "JP", "it-mil": "IT", "id-cgk": "ID",
    "gb-lon": "GB", "au-mel": "AU", "in-bom-2": "IN", "de-fra-2": "DE", "sg-sin-2": "SG", "jp-tyo-3": "JP",
}  # fmt: skip
"""As `GET /v4/regions` says of its core regions; of a region that came later the country is not known here."""

LOOKS = Looks(
    pages=Pages(turning=Turning.NUMBER, param="page", size_param="page_size", size=500),
    quota=Quota(
        untold='Linode\'s API does not tell it: support does, and "Account Limit reached" to an order too many'
    ),
    price=Price(
        currency="USD",
        of="an hour, without tax",
        readings=tuple(
            Reading(ask=Ask(path="/v4/linode/types", paged=False), at=f"data[id={{size}}].{at}")
            for at in ("region_prices[id={location}].hourly", "price.hourly")
        ),
    ),
    network="a public address; `private_ip` adds one of the data center's network",
    named={
        "authorized_users": Named(
            ask=Ask(path="/v4/account/users", rows="data"), key="username", subject="keys"
        ),
    },
    rights="read access to the account",
)

DIALECT = Dialect(
    driver="linode",
    title="Linode (Akamai Cloud, API v4)",
    driver_class="libcloud.compute.drivers.linode:LinodeNodeDriverV4",
    # `busy` and `billing_suspension`, which are documented, would make the whole listing fail.
    state_map="LINODE_STATES",
    raises=("libcloud.common.linode:LinodeExceptionV4",),
    options={
        "token": Option(
            argument="key",
            means="A personal access token with read and write access to Linodes; for `check --online` also read "
            "access to images, and if you like to the account, for its users.",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
        ),
        "authorized_users": Option(
            argument="ex_authorized_users",
            means="Users of the account whose SSH keys are put on new machines. For people, the daemon never logs in.",
            shape=Shape.TEXTS,
        ),
        "private_ip": Option(
            argument="ex_private_ip",
            means="Whether new machines get an address in the data center's private network as well.",
            shape=Shape.FLAG,
        ),
        "tags": Option(argument="ex_tags", means="Further tags of new machines.", shape=Shape.TEXTS),
    },
    # The API asks for a password with an image, though people come by keys.
    password_argument="root_pass",  # noqa: S106 - the argument's name
    user_data=UserData(
        argument="ex_userdata",
        # "Unencoded data must not exceed 65535 bytes, or about 16kb encoded", which contradicts itself: the smaller.
        limit_bytes=before_base64(16_384),
        # The driver encodes, whatever its documentation says; and it encodes text only.
        carriage=Carriage.TEXT,
        gzip=False,
    ),
    mark=Mark(
        shape=MarkShape.TEXTS,
        argument="ex_tags",
        found_in="tags",
        # A tag has 3 to 50 letters, too few for our longest names: a machine's label is its name.
        bears=(FLEET_KEY, POOL_KEY),
        value=r".{3,50}",
    ),
    names=Names(
        pattern=r"(?=.{3})[a-zA-Z]((?!--|__|\.\.)[a-zA-Z0-9\-_.])+",
        longest=64,
        # Two hyphens in a row are refused, and no name of ours has an underscore.
        respell=(("--", "-_"),),
        # "Label must be unique among your linodes."
        unique=True,
    ),
    location=Location(required=True, countries=COUNTRIES),
    listing=Listing(
        reads=Json(rows="data", total="results", numbered=True, path=r"/v4/linode/instances\?"),
        filter=Filter(place=Place.HEADER, key="X-Filter", fleet={"tags": "{mark}"}),
        params={"page_size": "500"},
        only_for={"page_size": r"/v4/(linode/instances|images|account/users)"},
    ),
    fields=Fields(state="status", location="region", size="type"),
    states={
        "provisioning": InstanceState.PENDING,
        "booting": InstanceState.PENDING,
        "cloning": InstanceState.PENDING,
        "restoring": InstanceState.PENDING,
        "running": InstanceState.RUNNING,
        "busy": InstanceState.RUNNING,
        "rebooting": InstanceState.RUNNING,
        "migrating": InstanceState.RUNNING,
        "rebuilding": InstanceState.RUNNING,
        "resizing": InstanceState.RUNNING,
        "shutting_down": InstanceState.STOPPED,
        "offline": InstanceState.STOPPED,
        "stopped": InstanceState.STOPPED,
        "billing_suspension": InstanceState.STOPPED,
        "deleting": InstanceState.ENDING,
    },
    # How late listings may be is not documented; two minutes cost only that a ceiling is freed later.
    settle_s=120.0,
    errors=Errors(
        code=r'"field"\s*:\s*"([^"]+)"',
        text=r'"reason"\s*:\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            ErrorRule(text=r"limit reached", asked=r"^POST", means=QuotaRefused),
            ErrorRule(
                text=r"no open slots|not available in|no longer available|currently unavailable|insufficient"
                r"|out of capacity|at capacity|sold out",
                asked=r"^POST",
                means=CapacityRefused,
            ),
            ErrorRule(status=404, asked=r"^DELETE", means=InstanceAbsent),
            ErrorRule(text=r"^Too many requests|rate limit", means=Throttled),
        ),
    ),
    looks=LOOKS,
    images_listed=True,
    images_named_by=("id",),
    rate_limit=RateLimit(
        limit="x-ratelimit-limit",
        remaining="x-ratelimit-remaining",
        reset="x-ratelimit-reset",
        documented="for each operation by itself: 10 creates in 30 s, 100 listings a minute, 800 of others",
    ),
    left_over="Nothing that we make: a Linode's disks end with it. Volumes that people attach are detached, and stay "
    "billed.",
    proof="Over the wire against a strict server on loopback that follows Linode's published OpenAPI description "
    "(4.189); not yet against an account.",
)
