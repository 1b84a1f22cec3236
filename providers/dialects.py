"""How clouds differ behind libcloud's one face, as data: argument names, marks, state words, limits, error codes.

In goes the name of a libcloud driver, out comes its `Dialect`. Adding a cloud means adding one entry here and its world
to the contract tests. Nothing here calls, imports libcloud or decides; this is the only place where a provider's own
words are matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceState,
    OutcomeUnknown,
    ProviderError,
    RequestRejected,
    Throttled,
)

FLEET_KEY = "autoscaler-fleet"
POOL_KEY = "autoscaler-pool"
NODE_KEY = "autoscaler-node"
"""The keys of our mark. A machine without `autoscaler-fleet` under our fleet's name is never listed and never ended."""


class Shape(StrEnum):
    """What an operator writes for an option, and what the driver wants in its place."""

    TEXT = "text"
    TEXTS = "list of texts"
    FLAG = "true or false"
    REFERENCE = "id"
    """A text; the driver wants an object with that `id`."""


class LocationShape(StrEnum):
    """What the driver reads from the location object it is given."""

    ID = "id"
    ZONE = "zone"
    """EC2's driver ignores the id and reads `availability_zone.name` and `.region_name`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """One option of `[providers.NAME]` that is handed to `create_node` as `argument`."""

    argument: str
    shape: Shape = Shape.TEXT
    needs: str = ""
    """Another option without which the driver refuses this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """An answer with this code (a pattern for the whole code; empty: any) and status (None: any) means that error."""

    means: type[ProviderError]
    codes: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How a listing is walked when the driver itself reads one page only."""

    size_param: str
    size: int
    cursor_param: str
    next_cursor: str
    """Pattern whose first group is the cursor of the next page; no match or an empty one is the last page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One cloud. Names of arguments are those of libcloud's driver; patterns are matched against the raw answer."""

    driver: str
    """libcloud's name for the driver, and what an operator writes as `driver = …`."""
    constructor: Mapping[str, object] = field(default_factory=dict)
    """Arguments every driver object is made with."""
    default_region: str = ""
    forms: bool = False
    """Send requests as POST forms instead of GET: parameters (and so user data) stay out of every URL."""

    user_data_argument: str
    user_data_limit_bytes: int
    """Of the raw bytes, before the encoding that the driver does itself."""
    user_data_gzip: bool
    once_argument: str = ""
    """Takes a key that makes a repeated create return the first machine. At most 64 characters. Empty: has none."""
    always: Mapping[str, object] = field(default_factory=dict)
    extras: Mapping[str, Extra] = field(default_factory=dict)
    location_shape: LocationShape = LocationShape.ID

    mark_argument: str
    tags_key: str
    """Where `Node.extra` holds the marks."""
    filter_argument: str
    tag_filter: str
    """The filter's name for a mark, with `{key}`."""
    id_filter: str
    address_lookup: str = ""
    """A method that `list_nodes` calls once more over the wire for addresses we have no use for."""
    paging: Paging | None = None
    """None: the driver walks all pages itself."""
    listing_sign: str
    """Pattern that the body of every honest listing bears; without it an empty one proves nothing."""
    row_sign: str
    """Pattern that a listing's body bears once a machine: a driver may skip what it cannot read and say nothing."""
    respell: tuple[str, str] = ("", "")
    """Pattern, and what its first match in an answer is replaced by before the driver reads it."""

    state_key: str
    states: Mapping[str, InstanceState | None]
    """The provider's state words; None: it is no more, and is left out of listings."""
    location_key: str
    size_key: str

    settle_s: float
    error_code: str
    """Pattern whose first group is an error code, found in the body of a refused request."""
    error_text: str
    errors: tuple[ErrorRule, ...]
    """First match wins."""

    size_look: Mapping[str, str] = field(default_factory=dict)
    """Parameters of a request for one `{size}`, where the driver's own list of sizes is as old as its release."""
    size_sign: str = ""
    """What its answer bears, with `{size}`, if the size is known."""
    kept_volume: tuple[str, str, str] = ("", "", "")
    """Where an image says that a volume outlives its machine: key in `extra`, key of the volume, key of the flag."""


EC2 = Dialect(
    driver="ec2",
    # Version 2 signs GET only; every region of AWS takes version 4.
    constructor={"signature_version": "4"},
    default_region="us-east-1",
    forms=True,
    user_data_argument="ex_userdata",
    # "User data is limited to 16 KB, in raw form, before it is base64-encoded" (EC2 user guide, instance user data).
    user_data_limit_bytes=16_384,
    user_data_gzip=True,
    once_argument="ex_clienttoken",
    # A machine that powers itself off is ended, not left to be billed as stopped.
    always={"ex_terminate_on_shutdown": True},
    extras={
        "keypair": Extra(argument="ex_keyname"),
        "subnet": Extra(argument="ex_subnet", shape=Shape.REFERENCE),
        "security_groups": Extra(argument="ex_security_groups", shape=Shape.TEXTS),
        "security_group_ids": Extra(argument="ex_security_group_ids", shape=Shape.TEXTS, needs="subnet"),
        "public_ip": Extra(argument="ex_assign_public_ip", shape=Shape.FLAG),
        "iam_profile": Extra(argument="ex_iamprofile"),
    },
    location_shape=LocationShape.ZONE,
    mark_argument="ex_metadata",
    tags_key="tags",
    filter_argument="ex_filters",
    tag_filter="tag:{key}",
    id_filter="instance-id",
    address_lookup="ex_describe_addresses",
    paging=Paging(
        size_param="MaxResults",
        size=1000,  # the largest DescribeInstances takes
        cursor_param="NextToken",
        next_cursor=r"<nextToken>([^<]*)</nextToken>",
    ),
    row_sign=r"<instanceState>",
    # The driver finds nothing at all, and says nothing, under a namespace that differs from its own in one letter;
    # other dates and spellings are in use where EC2 is spoken outside AWS.
    respell=(
        r'xmlns="http://ec2\.amazonaws\.com/doc/[^"]*"',
        'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"',
    ),
    listing_sign=r"<DescribeInstancesResponse\b[\s\S]*<reservationSet\b",
    state_key="status",
    states={
        "pending": InstanceState.PENDING,
        "running": InstanceState.RUNNING,
        "stopping": InstanceState.STOPPED,
        "stopped": InstanceState.STOPPED,
        "shutting-down": InstanceState.ENDING,
        "terminated": None,
    },
    location_key="availability",
    size_key="instance_type",
    # "gradually increasing up to five minutes" is how long AWS advises to keep looking for what was just made (EC2 API,
    # eventual consistency).
    settle_s=300.0,
    error_code=r"<Code>([^<]+)</Code>",
    error_text=r"<Message>([^<]+)</Message>",
    errors=(
        # AWS answers 500 and 503 to some of these, so codes come before statuses.
        ErrorRule(
            codes=r"Insufficient\w*Capacity|InsufficientAddressCapacity|InsufficientFreeAddressesInSubnet"
            r"|InstanceLimitExceeded|VcpuLimitExceeded|MaxSpotInstanceCountExceeded|UnfulfillableCapacity"
            # A size that this zone does not sell, which comes and goes where the zone is left to AWS.
            r"|AddressLimitExceeded|VolumeLimitExceeded|NetworkInterfaceLimitExceeded|Unsupported",
            means=CapacityRefused,
        ),
        ErrorRule(
            codes=r"RequestLimitExceeded|Throttling\w*|ThrottledException|TooManyRequests\w*|SlowDown"
            r"|EC2ThrottledException|RequestThrottled\w*",
            means=Throttled,
        ),
        ErrorRule(codes=r"InvalidInstanceID\.NotFound", means=InstanceAbsent),
        # The token was used before with other parameters: a machine of that name may stand already.
        ErrorRule(codes=r"IdempotentParameterMismatch|IdempotentInstanceTerminated", means=OutcomeUnknown),
        ErrorRule(
            codes=r"InternalError|InternalFailure|Unavailable|ServiceUnavailable", means=OutcomeUnknown
        ),
        ErrorRule(
            codes=r"Invalid\w+(\.\w+)*|AuthFailure|UnauthorizedOperation|OptInRequired|SignatureDoesNotMatch"
            r"|MissingParameter|MalformedQueryString|OperationNotPermitted|PendingVerification|Blocked"
            r"|RequestExpired|IncompleteSignature|MissingAuthenticationToken|VPCIdNotSpecified",
            means=RequestRejected,
        ),
    ),
    size_look={
        "Action": "DescribeInstanceTypes",
        # A filter that finds nothing is no error, so a refused look is never taken for an unknown size.
        "Filter.1.Name": "instance-type",
        "Filter.1.Value.1": "{size}",
    },
    size_sign=r"<instanceType>{size}</instanceType>",
    kept_volume=("block_device_mapping", "ebs", "delete"),
)

DIALECTS: Mapping[str, Dialect] = {dialect.driver: dialect for dialect in (EC2,)}
