"""Apache CloudStack's user API, from 4.4 on."""

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
from providers.dialects.looks import Ask, Looks, Meter, Named, Pages, Price, Quota, Reading, Turning

ORDERED = r"command=deployVirtualMachine\b"
ENDED = r"command=destroyVirtualMachine\b"

WITHOUT = Ask(path="listAccounts", paged=False)
WITHIN = Ask(path="listProjects", params={"id": "{project}"}, paged=False)
COUNTED = (("machines", "vm", ""), ("cores", "cpu", "cpu"), ("MiB of memory", "memory", "ram"))
LOOKS = Looks(
    pages=Pages(turning=Turning.NUMBER, param="page", size_param="pagesize", size=500),
    quota=Quota(
        meters=tuple(
            Meter(
                of=of,
                limit=Reading(ask=ask, at=f"{row}.0.{name}limit"),
                used=Reading(ask=ask, at=f"{row}.0.{name}total"),
                takes=takes,
                option=option,
                without=without,
                unlimited=("Unlimited", "-1"),
            )
            for ask, row, option, without in (
                (WITHOUT, "account", "", "project"),
                (WITHIN, "project", "project", ""),
            )
            for of, name, takes in COUNTED
        )
    ),
    price=Price(untold="CloudStack knows no prices: the provider's list does"),
    named={
        "networks": Named(
            ask=Ask(path="listNetworks", rows="network", left_out=True),
            key="id",
            called="name",
            stands="zoneid",
            unsaid="the zone's default network, where it has one",
        ),
        "security_groups": Named(
            ask=Ask(path="listSecurityGroups", rows="securitygroup", left_out=True), key="name"
        ),
        "affinity_groups": Named(
            ask=Ask(path="listAffinityGroups", rows="affinitygroup", left_out=True),
            key="id",
            called="name",
            subject="group",
        ),
        "keypair": Named(
            ask=Ask(path="listSSHKeyPairs", rows="sshkeypair", left_out=True), key="name", subject="keys"
        ),
    },
    rights="the commands `listAccounts` (or `listProjects`), `listNetworks`, `listSecurityGroups`, "
    "`listAffinityGroups` and `listSSHKeyPairs`, which every user has by default",
)

DIALECT = Dialect(
    driver="cloudstack",
    title="Apache CloudStack (user API, 4.4 and later), and providers that are one",
    # libcloud's puts user data into URLs, reads one page, and sleeps until the job of an order is done.
    driver_class="providers.libcloud.drivers.cloudstack:CloudStackFormDriver",
    state_map="NODE_STATE_MAP",
    options={
        "url": Option(
            argument="url",
            means="The API's address, such as https://cloud.example/client/api; without a path /client/api.",
            pattern=r"https?://[^\s/?#]+(/[^\s?#]*)?",
            to=Goes.ACCOUNT,
            required=True,
        ),
        "key": Option(argument="key", means="The API key.", to=Goes.ACCOUNT, required=True, secret=True),
        "secret": Option(
            argument="secret", means="The secret key.", to=Goes.ACCOUNT, required=True, secret=True
        ),
        "project": Option(
            argument="project",
            means="The id of the project of new machines, whose machines alone are listed then.",
            to=Goes.ACCOUNT,
        ),
        "expunge": Option(
            argument="expunge",
            means="Whether machines are expunged as they are destroyed, which the account must be allowed to do; else "
            "CloudStack keeps them for its own delay, a day as a rule.",
            shape=Shape.FLAG,
            to=Goes.ACCOUNT,
        ),
        "networks": Option(
            argument="networks",
            means="Ids of the networks of new machines; in an advanced zone at least one.",
            shape=Shape.REFERENCES,
        ),
        "security_groups": Option(
            argument="ex_security_groups",
            means="Names of the security groups of new machines, where the zone has such.",
            shape=Shape.TEXTS,
        ),
        "affinity_groups": Option(
            argument="ex_affinity_groups", means="Ids of affinity groups of new machines.", shape=Shape.TEXTS
        ),
        "keypair": Option(
            argument="ex_keyname",
            means="The name of the SSH key pair put on new machines; for people, the daemon never logs in.",
        ),
        "root_disk_gb": Option(
            argument="ex_rootdisksize",
            means="The size of new machines' root disks in GB, in quotes; without it the template's.",
            pattern=r"[1-9]\d{0,4}",
        ),
    },
    # The URL of the API is an option.
    endpoint=False,
    order_sign=rf"{ORDERED}|{ENDED}",
    user_data=UserData(
        argument="ex_userdata",
        # "Using HTTP POST (via POST body), you can send up to 32K of data after base64 encoding"; more in later ones.
        limit_bytes=before_base64(32_768),
        carriage=Carriage.BYTES,
        gzip=True,
    ),
    # Tags are put on by a second request, before which a crash would leave a machine that is nobody's.
    mark=Mark(shape=MarkShape.NAME),
    # "The name can contain ASCII letters 'a' through 'z', the digits '0' through '9', and the hyphen ('-')", of at most
    # 63 letters, and neither begins nor ends with a hyphen nor begins with a digit.
    names=Names(pattern=r"[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?", longest=63),
    # Zones have ids of each cloud's own: whose countries they are, no file here can know.
    location=Location(required=True),
    listing=Listing(
        reads=Json(
            rows="listvirtualmachinesresponse.virtualmachine",
            row="deployvirtualmachineresponse",
            total="listvirtualmachinesresponse.count",
            numbered=True,
            path=r"command=listVirtualMachines\b",
            left_out=True,
        ),
    ),
    fields=Fields(state="state", location="zoneid", size="serviceofferingid"),
    states={
        # The answer to an order holds an id and no state.
        "": InstanceState.PENDING,
        "Starting": InstanceState.PENDING,
        "Running": InstanceState.RUNNING,
        "Migrating": InstanceState.RUNNING,
        "Restoring": InstanceState.STOPPED,
        "Stopping": InstanceState.STOPPED,
        "Stopped": InstanceState.STOPPED,
        "Shutdown": InstanceState.STOPPED,
        # No host was found, or the start failed: it stands in the books, and in the quota, until it is ended.
        "Error": InstanceState.STOPPED,
        "Unknown": InstanceState.UNKNOWN,
        # Kept with its disks until the operator's delay is over; people with the right can take it back.
        "Destroyed": InstanceState.ENDING,
        "Expunging": InstanceState.ENDING,
    },
    # Answers come from its database; an order is carried out by a queue.
    settle_s=60.0,
    errors=Errors(
        code=r'"errorcode"\s*:\s*"?(\d+)',
        text=r'"errortext"\s*:\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            # ACCOUNT_RESOURCE_LIMIT, INSUFFICIENT_CAPACITY, RESOURCE_ALLOCATION: told before anything is made.
            ErrorRule(codes=r"532", asked=ORDERED, means=QuotaRefused),
            ErrorRule(codes=r"533|535", asked=ORDERED, means=CapacityRefused),
            ErrorRule(codes=r"429", means=Throttled),
            # "... due to incorrect long value format, or entity does not exist ..."
            ErrorRule(
                text=r"entity does not exist|unable to find a virtual machine",
                asked=ENDED,
                means=InstanceAbsent,
            ),
            # PERMISSION and the like, INTERNAL and whatever else.
            ErrorRule(codes=r"531|537", means=RequestRejected),
            ErrorRule(codes=r"530|534|536", means=OutcomeUnknown),
        ),
    ),
    looks=LOOKS,
    images_listed=True,
    images_named_by=("id",),
    rate_limit=RateLimit(documented="as each cloud's operator sets it, often none"),
    left_over="Without `expunge` a destroyed machine's disk stays until the operator's delay is over, billed or not as "
    "the provider says; it is listed as ending until then. A template's data disks, and disks, addresses and snapshots "
    "that people add, stay.",
    proof="Over the wire against a strict server on loopback that follows CloudStack's own source (commands, error "
    "codes, signatures) and libcloud's fixtures; not yet against a cloud.",
)
