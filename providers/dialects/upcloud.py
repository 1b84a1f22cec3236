"""UpCloud, API 1.3: labels as marks, user data as plain text, an end in two steps.

After the API's reference (developers.upcloud.com/1.3) as of 2026; libcloud's driver speaks 1.2, so this one is ours.
"""

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
from providers.dialects.looks import Ask, Looks, Meter, Named, Pages, Price, Quota, Reading, Turning
from providers.dialects.times import Times

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
COUNTRIES: Mapping[str, str] = {
    "fi-hel1": "FI", "fi-hel2": "FI", "de-fra1": "DE", "nl-ams1": "NL", "se-sto1": "SE", "uk-lon1": "GB",
    "es-mad1": "ES", "pl-waw1": "PL", "dk-cph1": "DK", "no-svg1": "NO", "us-chi1": "US", "us-nyc1": "US",
    "us-sjo1": "US", "sg-sin1": "SG", "au-syd1": "AU",
}  # fmt: skip
"""The public zones. A private cloud's zone has a name of its own, and its country is not known here."""

ACCOUNT = Ask(path="/1.3/account", paged=False)
SERVERS = Ask(path="/1.3/server", rows="servers.server")
PRICES = Ask(path="/1.3/price", paged=False)
LOOKS = Looks(
    pages=Pages(turning=Turning.OFFSET, param="offset", size_param="limit", size=100),
    quota=Quota(
        # The account's own: what a subaccount may not see, its servers use all the same.
        meters=(
            Meter(
                of="cores",
                limit=Reading(ask=ACCOUNT, at="account.resource_limits.cores"),
                used=Reading(ask=SERVERS, at="core_number", summed=True),
                takes="vcpus",
            ),
            Meter(
                of="MiB of memory",
                limit=Reading(ask=ACCOUNT, at="account.resource_limits.memory"),
                used=Reading(ask=SERVERS, at="memory_amount", summed=True),
                takes="ram",
            ),
        )
    ),
    price=Price(
        # In hundredths, whatever the currency.
        readings=(Reading(ask=PRICES, at="prices.zone[name={location}].server_plan_{size}.price"),),
        unit=0.01,
        currency=Reading(ask=PRICES, at="prices.currency"),
        of="an hour, without tax and what the plan does not include",
    ),
    named={
        "networks": Named(
            ask=Ask(path="/1.3/network", rows="networks.network", paged=False),
            key="uuid",
            called="name",
            stands="zone",
            unsaid="no private network",
        ),
        "server_group": Named(
            ask=Ask(path="/1.3/server-group", rows="server_groups.server_group", paged=False),
            key="uuid",
            called="title",
            subject="group",
        ),
    },
    rights="to see the networks and server groups that it shall use",
)

DIALECT = Dialect(
    driver="upcloud",
    title="UpCloud, API 1.3",
    driver_class="providers.libcloud.drivers.upcloud:UpCloudNodeDriver",
    options={
        "token": Option(
            argument="token",
            to=Goes.ACCOUNT,
            secret=True,
            means="An API token; or leave it out and give `username` and `password`. It can delete all that its user "
            "can: give the fleet a subaccount of its own.",
        ),
        "username": Option(
            argument="key",
            to=Goes.ACCOUNT,
            needs="password",
            means="An API user, where there is no token. The main account's user is seldom right.",
        ),
        "password": Option(
            argument="secret", to=Goes.ACCOUNT, secret=True, needs="username", means="That user's password."
        ),
        "ssh_keys": Option(
            argument="ex_ssh_keys",
            shape=Shape.TEXTS,
            means="Public SSH keys, written out, for the root user of new machines. For people, the daemon never logs "
            "in.",
        ),
        "networks": Option(
            argument="ex_networks",
            shape=Shape.TEXTS,
            means="UUIDs of private networks that new machines are part of, besides what else they get.",
        ),
        "public": Option(
            argument="ex_public",
            shape=Shape.FLAG,
            means="Whether new machines get public addresses; without this key they do.",
        ),
        "disk_size": Option(
            argument="ex_disk_size",
            pattern="[1-9][0-9]{0,3}",
            means="Size of a machine's disk in GiB, such as \"25\"; without it the template's own.",
        ),
        "disk_tier": Option(
            argument="ex_disk_tier",
            choices=("maxiops", "standard", "hdd"),
            means="Which kind of disk; it must be the one that the plan includes, or it is billed by itself.",
        ),
        "server_group": Option(
            argument="ex_server_group",
            means="The UUID of a server group, such as one that spreads its machines over hosts.",
        ),
    },
    user_data=UserData(
        argument="ex_userdata",
        # No limit is documented; what every cloud with one bears is not refused here either.
        limit_bytes=16 * 1024,
        carriage=Carriage.TEXT,
        gzip=False,
    ),
    mark=Mark(
        shape=MarkShape.DICT,
        argument="ex_labels",
        found_in="labels.label",
        pairs=("key", "value"),
        # A filter joins key and value by "="; a comma or quote in it is somebody else's syntax.
        value=r"[A-Za-z0-9._-]{1,255}",
    ),
    # A host name of one label.
    names=Names(pattern=r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?", longest=63),
    location=Location(required=True, countries=COUNTRIES),
    listing=Listing(
        reads=Json(
            rows="servers.server",
            row="server",
            id="uuid",
            id_pattern=UUID,
            numbered=True,
            overlapping=True,
        ),
        filter=Filter(place=Place.QUERY, fleet={"label": "autoscaler-fleet={fleet}"}),
    ),
    fields=Fields(state="state", location="zone", size="plan"),
    states={
        # Being made, or being stopped or resized; nothing can be done to it until that is over.
        "maintenance": InstanceState.PENDING,
        "started": InstanceState.RUNNING,
        # Billed for its disk, and without an hourly plan for the rest too.
        "stopped": InstanceState.STOPPED,
        "error": InstanceState.STOPPED,
        "pending_delete": InstanceState.ENDING,
    },
    # No lag of listings is documented or known; two minutes outlast a replica that fell behind.
    settle_s=120.0,
    errors=Errors(
        code=r'"(?:error_)?code"\s*:\s*"([A-Z0-9_]+)"',
        text=r'"(?:error_)?message"\s*:\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            ErrorRule(codes=r"\w+_LIMIT_REACHED", means=QuotaRefused),
            ErrorRule(codes=r"\w+_RESOURCES_UNAVAILABLE", means=CapacityRefused),
            # "Payment required": the credits are used up, and may be filled again.
            ErrorRule(codes=r"INSUFFICIENT_CREDITS", means=CapacityRefused),
            ErrorRule(status=402, means=CapacityRefused),
            # A definite no while something else is done to the server or template: nothing was done, ask again.
            ErrorRule(
                codes=r"(SERVER|STORAGE)_STATE_ILLEGAL|RATE_LIMITED|RATE_LIMIT_EXCEEDED", means=Throttled
            ),
            ErrorRule(
                codes=r"SERVER_NOT_FOUND", asked=r"^(DELETE|POST) \S*/1\.3/server/\S", means=InstanceAbsent
            ),
            # With 409 too, which by itself would leave open whether it was done.
            ErrorRule(codes=r"\w+_INVALID|\w+_MISSING|\w+_FORBIDDEN|\w+_NOT_FOUND", means=RequestRejected),
        ),
    ),
    looks=LOOKS,
    images_listed=True,
    images_named_by=("id",),
    # The answer to an order comes once a disk is chosen; how long that takes is not documented.
    times=Times(create_s=30.0),
    leaves=Leaves(
        listings={
            "disk": Listing(
                reads=Json(
                    rows="storages.storage",
                    id="uuid",
                    id_pattern=UUID,
                    numbered=True,
                    overlapping=True,
                    path=r"^GET \S*/1\.3/storage\?",
                ),
                filter=Filter(place=Place.QUERY, fleet={"label": "autoscaler-fleet={fleet}"}),
            )
        },
        mark=Mark(shape=MarkShape.DICT, found_in="labels", pairs=("key", "value")),
        attached_look="ex_servers_of",
        state="state",
        free=frozenset({"normal online"}),
        created="created",
        location="zone",
    ),
    left_over="Nothing that this program ends: a server is deleted with its disks and their backups, and until then "
    "it is billed. Disks bear the fleet's labels: one that stays because somebody else deleted its server is found and "
    "swept. Disks that people attach are deleted with it too; floating addresses stay and are billed.",
    proof="the contract suite and the driver's tests, against an account on loopback that follows the API's "
    "description; not yet against a real one",
)
