"""OpenStack: Nova's API 2.1, with a login at Keystone v3."""

from __future__ import annotations

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
    LocationShape,
    Mark,
    MarkShape,
    Names,
    Option,
    Shape,
    UserData,
    before_base64,
)
from providers.dialects.looks import Ask, Looks, Meter, Named, Price, Quota, Reading

LIMITS = Ask(path="/limits")
LOOKS = Looks(
    quota=Quota(
        meters=tuple(
            Meter(
                of=of,
                limit=Reading(ask=LIMITS, at=f"limits.absolute.{limit}"),
                used=Reading(ask=LIMITS, at=f"limits.absolute.{used}"),
                takes=takes,
                unlimited=("-1",),
            )
            for of, limit, used, takes in (
                ("instances", "maxTotalInstances", "totalInstancesUsed", ""),
                ("cores", "maxTotalCores", "totalCoresUsed", "vcpus"),
                ("MiB of memory", "maxTotalRAMSize", "totalRAMUsed", "ram"),
            )
        )
    ),
    price=Price(untold="OpenStack knows no prices: the provider's list does"),
    named={
        "networks": Named(
            ask=Ask(path="/v2.0/networks", rows="networks", over="network_connection"),
            key="id",
            called="name",
            unsaid="the project's only network; where it has several, Nova refuses",
        ),
        "security_groups": Named(
            ask=Ask(path="/v2.0/security-groups", rows="security_groups", over="network_connection"),
            key="name",
            also="id",
            unsaid="the security group `default`",
        ),
        "keypair": Named(ask=Ask(path="/os-keypairs", rows="keypairs"), key="keypair.name", subject="keys"),
    },
)

DIALECT = Dialect(
    driver="openstack",
    title="OpenStack (Nova API 2.1, Keystone v3)",
    driver_class="libcloud.compute.drivers.openstack:OpenStack_2_NodeDriver",
    options={
        "auth_url": Option(
            argument="ex_force_auth_url",
            means="Keystone's address, without `/v3` at its end, such as https://auth.cloud.example:5000.",
            pattern=r"https?://[^\s/]+\S*(?<!/v3)(?<!/v3/)",
            to=Goes.ACCOUNT,
            required=True,
        ),
        "user": Option(
            argument="key",
            means="The user's name, or the id of an application credential.",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
        ),
        "password": Option(
            argument="secret",
            means="The user's password, or the application credential's secret.",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
        ),
        "login": Option(
            argument="ex_force_auth_version",
            means="`3.x_password`, or `3.x_appcred` for an application credential, which can be kept to one project "
            "and ended by itself.",
            to=Goes.ACCOUNT,
            choices=("3.x_password", "3.x_appcred"),
            default="3.x_password",
        ),
        "project": Option(
            argument="ex_tenant_name",
            means="The project's name. An application credential knows its own; the driver wants one all the same.",
            to=Goes.ACCOUNT,
            required=True,
        ),
        "user_domain": Option(
            argument="ex_domain_name",
            means="The name of the user's domain; without it `Default`.",
            to=Goes.ACCOUNT,
        ),
        "project_domain": Option(
            argument="ex_tenant_domain_id",
            means="The id of the project's domain; without it `default`.",
            to=Goes.ACCOUNT,
        ),
        "region": Option(
            argument="ex_force_service_region",
            means="The region, as the service catalogue writes it.",
            to=Goes.ACCOUNT,
            required=True,
        ),
        "service_name": Option(
            argument="ex_force_service_name",
            means="What the service catalogue calls the compute service; without it `nova`.",
            to=Goes.ACCOUNT,
        ),
        "networks": Option(
            argument="networks",
            means="Ids of the networks of new machines; without any the project's only one.",
            shape=Shape.REFERENCES,
        ),
        "security_groups": Option(
            argument="ex_security_groups",
            means="Names of the security groups of new machines; without any `default`.",
            shape=Shape.NAMED,
        ),
        "keypair": Option(
            argument="ex_keyname",
            means="The name of the SSH key pair put on new machines; for people, the daemon never logs in.",
        ),
        "config_drive": Option(
            argument="ex_config_drive",
            means="Whether user data is handed to machines on a disk, where there is no metadata service.",
            shape=Shape.FLAG,
        ),
    },
    # The address of every service is in the catalogue that a login gives.
    endpoint=False,
    # Making a machine is followed by a look at it; both go out in one `create_node`.
    order_sign=r"^(POST|DELETE) \S*/servers\b",
    user_data=UserData(
        argument="ex_userdata",
        # "Must be Base64 encoded. Restricted to 65535 bytes."
        limit_bytes=before_base64(65_535),
        carriage=Carriage.BYTES,
        gzip=True,
    ),
    # "The maximum size of the metadata key and value is 255 bytes each."
    mark=Mark(shape=MarkShape.DICT, argument="ex_metadata", found_in="metadata"),
    names=Names(pattern=r"\S.*\S|\S", longest=255),
    # What one cloud calls its zones another calls otherwise: whose countries they are, no file here can know.
    location=Location(
        argument="ex_availability_zone",
        shape=LocationShape.TEXT,
        known_by="",
        look=("/os-availability-zone", "availabilityZoneInfo", "zoneName"),
    ),
    listing=Listing(
        # Pages are chained by the id of their last machine, so nothing falls between two of them.
        reads=Json(rows="servers", row="server", path=r"/servers/detail\b"),
    ),
    fields=Fields(state="status", location="OS-EXT-AZ:availability_zone", size="flavor.id"),
    states={
        "BUILD": InstanceState.PENDING,
        "REBUILD": InstanceState.PENDING,
        "ACTIVE": InstanceState.RUNNING,
        "REBOOT": InstanceState.RUNNING,
        "HARD_REBOOT": InstanceState.RUNNING,
        "PASSWORD": InstanceState.RUNNING,
        "MIGRATING": InstanceState.RUNNING,
        "RESIZE": InstanceState.RUNNING,
        "REVERT_RESIZE": InstanceState.RUNNING,
        "VERIFY_RESIZE": InstanceState.RUNNING,
        "RESCUE": InstanceState.STOPPED,
        "PAUSED": InstanceState.STOPPED,
        "SUSPENDED": InstanceState.STOPPED,
        "SHUTOFF": InstanceState.STOPPED,
        "SHELVED": InstanceState.STOPPED,
        "SHELVED_OFFLOADED": InstanceState.STOPPED,
        # No host was found, or the boot failed: it stands in the books, and in the quota, until it is ended.
        "ERROR": InstanceState.STOPPED,
        # Ended, and kept for as long as its cloud lets people change their mind.
        "SOFT_DELETED": InstanceState.ENDING,
        "DELETED": None,
    },
    # Nova answers from its database; behind cells, and in an order that a queue carries out, seconds may pass.
    settle_s=60.0,
    errors=Errors(
        code=r'"(\w+)"\s*:\s*\{\s*"(?:code|message|title)"',
        text=r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            # Of cores, memory and ports as well: a smaller machine may fit, but not another of what was asked for.
            ErrorRule(text=r"quota|maximum number of", asked=r"^POST \S*/servers\b", means=QuotaRefused),
            ErrorRule(
                text=r"no valid host|not enough hosts|no available host|no more (ip )?addresses"
                r"|is out of capacity",
                asked=r"^POST \S*/servers\b",
                means=CapacityRefused,
            ),
            # A token that ended before its time; the next request logs in anew. A wrong password is refused there.
            ErrorRule(status=401, asked=r"^(?!POST \S*/auth/tokens)", means=Throttled),
            ErrorRule(status=413, means=Throttled),
            ErrorRule(codes="overLimit", means=Throttled),
            # "Multiple possible networks found": nothing is made until one is named.
            ErrorRule(status=409, text=r"network", asked=r"^POST \S*/servers\b", means=RequestRejected),
            ErrorRule(status=404, asked=r"^DELETE", means=InstanceAbsent),
        ),
    ),
    looks=LOOKS,
    left_over="Nothing that we make: a machine stands on its flavor's own disk. An image that was made of a machine on "
    "volumes brings volumes that stay, and bear no mark: choose another. Floating addresses that people add stay, and "
    "are billed.",
    proof="Over the wire against a strict server on loopback that follows the published descriptions of Nova 2.1, "
    "Keystone v3 and Glance v2; not yet against an account.",
)
