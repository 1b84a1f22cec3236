"""Amazon EC2 (Query API 2016-11-15), and every other cloud that speaks it."""

from __future__ import annotations

from collections.abc import Mapping

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
    FLEET_KEY,
    NODE_KEY,
    POOL_KEY,
    Carriage,
    Cursor,
    Dialect,
    ErrorRule,
    Errors,
    Fields,
    Filter,
    Goes,
    Listing,
    Location,
    LocationShape,
    Mark,
    MarkShape,
    Option,
    Place,
    Shape,
    UserData,
    Xml,
)
from providers.dialects.leaving import Devices, Leaves
from providers.dialects.looks import Ask, Looks, Named, Pages, Price, Quota, Turning
from providers.dialects.times import Times

COUNTRIES: Mapping[str, str] = {
    "af-south-1": "ZA", "ap-east-1": "HK", "ap-east-2": "TW", "ap-northeast-1": "JP", "ap-northeast-2": "KR",
    "ap-northeast-3": "JP", "ap-south-1": "IN", "ap-south-2": "IN", "ap-southeast-1": "SG", "ap-southeast-2": "AU",
    "ap-southeast-3": "ID", "ap-southeast-4": "AU", "ap-southeast-5": "MY", "ap-southeast-6": "NZ",
    "ap-southeast-7": "TH", "ca-central-1": "CA", "ca-west-1": "CA", "cn-north-1": "CN", "cn-northwest-1": "CN",
    "eu-central-1": "DE", "eu-central-2": "CH", "eu-north-1": "SE", "eu-south-1": "IT", "eu-south-2": "ES",
    "eu-west-1": "IE", "eu-west-2": "GB", "eu-west-3": "FR", "il-central-1": "IL", "me-central-1": "AE",
    "me-south-1": "BH", "mx-central-1": "MX", "sa-east-1": "BR", "us-east-1": "US", "us-east-2": "US",
    "us-gov-east-1": "US", "us-gov-west-1": "US", "us-west-1": "US", "us-west-2": "US",
}  # fmt: skip
"""AWS, "Regions and Availability Zones". Local zones stand elsewhere, some of them in other countries: not known."""

LOOKS = Looks(
    pages=Pages(
        turning=Turning.CURSOR, param="NextToken", size_param="MaxResults", size=1000, next="nextToken"
    ),
    quota=Quota(
        untold="EC2's API does not tell it any more: Service Quotas does, in vCPUs of a family of sizes"
    ),
    price=Price(untold="EC2's API does not tell it: the price list does"),
    named={
        "subnet": Named(
            ask=Ask(params={"Action": "DescribeSubnets"}, rows="subnetSet"),
            key="subnetId",
            stands="availabilityZone",
            unsaid="the region's default VPC",
            relies_on=Ask(
                params={
                    "Action": "DescribeVpcs",
                    "Filter.1.Name": "isDefault",
                    "Filter.1.Value.1": "true",
                },
                rows="vpcSet",
                paged=False,
            ),
        ),
        "security_groups": Named(
            ask=Ask(params={"Action": "DescribeSecurityGroups"}, rows="securityGroupInfo"),
            key="groupName",
            # "The parameter groupName cannot be used with the parameter subnet"
            never_with=("subnet", "security_group_ids"),
        ),
        "security_group_ids": Named(
            ask=Ask(params={"Action": "DescribeSecurityGroups"}, rows="securityGroupInfo"),
            key="groupId",
            called="groupName",
        ),
        "keypair": Named(
            ask=Ask(params={"Action": "DescribeKeyPairs"}, rows="keySet", paged=False),
            key="keyName",
            subject="keys",
        ),
        "iam_profile": Named(subject="iam profile", unsaid="IAM alone tells whether it is there"),
    },
    rights="`ec2:DescribeVpcs`, `ec2:DescribeSubnets`, `ec2:DescribeSecurityGroups` and `ec2:DescribeKeyPairs`",
)
NAMESPACE = (
    r'xmlns="http://ec2\.amazonaws\.com/doc/[^"]*"',
    'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"',
)
NEXT = r"<nextToken>([^<]*)</nextToken>"

DIALECT = Dialect(
    driver="ec2",
    title="Amazon EC2 (Query API 2016-11-15), and others with its interface",
    driver_class="libcloud.compute.drivers.ec2:EC2NodeDriver",
    # Version 2 signs GET only; every region of AWS takes version 4.
    constructor={"signature_version": "4"},
    options={
        "key": Option(
            argument="key", means="The access key's id.", to=Goes.ACCOUNT, required=True, secret=True
        ),
        "secret": Option(
            argument="secret", means="The access key's secret.", to=Goes.ACCOUNT, required=True, secret=True
        ),
        "token": Option(
            argument="token",
            means="The session token of temporary credentials.",
            to=Goes.ACCOUNT,
            secret=True,
        ),
        "region": Option(
            argument="region",
            means="The region; without it the driver's own default, us-east-1.",
            to=Goes.ACCOUNT,
            default="us-east-1",
        ),
        "subnet": Option(
            argument="ex_subnet",
            means="The id of the subnet new machines stand in.",
            shape=Shape.REFERENCE,
        ),
        "security_groups": Option(
            argument="ex_security_groups",
            means="Names of the security groups (firewalls) of new machines.",
            shape=Shape.TEXTS,
        ),
        "security_group_ids": Option(
            argument="ex_security_group_ids",
            means="The same by id, which a subnet asks for.",
            shape=Shape.TEXTS,
            needs="subnet",
        ),
        "keypair": Option(
            argument="ex_keyname",
            means="The name of the SSH key pair put on new machines; for people, the daemon never logs in.",
        ),
        "public_ip": Option(
            argument="ex_assign_public_ip",
            means="Whether new machines get a public address; without it, as the subnet says.",
            shape=Shape.FLAG,
        ),
        "iam_profile": Option(argument="ex_iamprofile", means="The instance profile of new machines."),
    },
    forms=True,
    # A machine that powers itself off is ended, not left to be billed as stopped.
    always={"ex_terminate_on_shutdown": True},
    once_argument="ex_clienttoken",
    user_data=UserData(
        argument="ex_userdata",
        # "User data is limited to 16 KB, in raw form, before it is base64-encoded" (EC2 user guide, user data).
        limit_bytes=16_384,
        carriage=Carriage.BYTES,
        gzip=True,
    ),
    mark=Mark(shape=MarkShape.DICT, argument="ex_metadata", found_in="tags"),
    location=Location(
        shape=LocationShape.ZONE,
        known_by="name",
        zoned=True,
        # A subnet is in a zone of its own, and that may be a local one.
        decided_by="subnet",
        countries=COUNTRIES,
    ),
    listing=Listing(
        reads=Xml(
            sign=r"<DescribeInstancesResponse\b[\s\S]*<reservationSet\b",
            row_sign=r"<instanceState>",
            # The driver finds nothing at all, and says nothing, under a namespace that differs from its own in one
            # letter; other dates and spellings are in use where EC2 is spoken outside AWS.
            respell=NAMESPACE,
        ),
        filter=Filter(
            place=Place.ARGUMENT,
            key="ex_filters",
            fleet={"tag:autoscaler-fleet": "{fleet}"},
            by_id={"instance-id": "{id}"},
            by_name={"tag:autoscaler-node": "{name}"},
        ),
        cursor=Cursor(
            size_param="MaxResults",
            size=1000,  # the largest DescribeInstances takes
            cursor_param="NextToken",
            next_cursor=NEXT,
        ),
        address_lookup="ex_describe_addresses",
    ),
    fields=Fields(state="status", location="availability", size="instance_type"),
    states={
        "pending": InstanceState.PENDING,
        "running": InstanceState.RUNNING,
        "stopping": InstanceState.STOPPED,
        "stopped": InstanceState.STOPPED,
        "shutting-down": InstanceState.ENDING,
        "terminated": None,
    },
    # "gradually increasing up to five minutes" is how long AWS advises to keep looking for what was just made (EC2 API,
    # eventual consistency).
    settle_s=300.0,
    errors=Errors(
        code=r"<Code>([^<]+)</Code>",
        text=r"<Message>([^<]+)</Message>",
        rules=(
            # AWS answers 500 and 503 to some of these, so codes come before statuses.
            ErrorRule(
                codes=r"InstanceLimitExceeded|VcpuLimitExceeded|MaxSpotInstanceCountExceeded|AddressLimitExceeded"
                r"|VolumeLimitExceeded|NetworkInterfaceLimitExceeded",
                means=QuotaRefused,
            ),
            ErrorRule(
                codes=r"Insufficient\w*Capacity|InsufficientAddressCapacity|InsufficientFreeAddressesInSubnet"
                # A size that this zone does not sell, which comes and goes where the zone is left to AWS.
                r"|UnfulfillableCapacity|Unsupported",
                means=CapacityRefused,
            ),
            ErrorRule(
                codes=r"RequestLimitExceeded|Throttling\w*|ThrottledException|TooManyRequests\w*|SlowDown"
                r"|EC2ThrottledException|RequestThrottled\w*",
                means=Throttled,
            ),
            ErrorRule(codes=r"Invalid(InstanceID|Volume)\.NotFound", means=InstanceAbsent),
            # The token was used before with other parameters: a machine of that name may stand already.
            ErrorRule(
                codes=r"IdempotentParameterMismatch|IdempotentInstanceTerminated", means=OutcomeUnknown
            ),
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
    ),
    looks=LOOKS,
    size_look={
        "Action": "DescribeInstanceTypes",
        # A filter that finds nothing is no error, so a refused look is never taken for an unknown size.
        "Filter.1.Name": "instance-type",
        "Filter.1.Value.1": "{size}",
    },
    size_sign=r"<instanceType>{size}</instanceType>",
    kept_volume=("block_device_mapping", "ebs", "delete"),
    # In bad hours an order is answered late: EC2's own clients wait 60 s for one answer. Half of that is enough as a
    # rule.
    times=Times(create_s=30.0),
    devices=Devices(
        argument="ex_blockdevicemappings",
        name="device_name",
        ordered=("DeviceName", "Ebs", "DeleteOnTermination"),
        value="true",
        # All else is the image's unless it is said.
        carried={"volume_size": "VolumeSize"},
    ),
    also_marked={
        "TagSpecification.2.ResourceType": "volume",
        "TagSpecification.2.Tag.1.Key": FLEET_KEY,
        "TagSpecification.2.Tag.1.Value": "{fleet}",
        "TagSpecification.2.Tag.2.Key": POOL_KEY,
        "TagSpecification.2.Tag.2.Value": "{pool}",
        "TagSpecification.2.Tag.3.Key": NODE_KEY,
        "TagSpecification.2.Tag.3.Value": "{name}",
    },
    leaves=Leaves(
        listings={
            "volume": Listing(
                reads=Xml(
                    sign=r"<DescribeVolumesResponse\b[\s\S]*<volumeSet\b",
                    row_sign=r"<createTime>",
                    respell=NAMESPACE,
                ),
                filter=Filter(
                    place=Place.ARGUMENT, key="ex_filters", fleet={"tag:autoscaler-fleet": "{fleet}"}
                ),
                cursor=Cursor(size_param="MaxResults", size=500, cursor_param="NextToken", next_cursor=NEXT),
            )
        },
        mark=Mark(shape=MarkShape.DICT, found_in="tags"),
        attached="instance_id",
        state="state",
        free=frozenset({"available"}),
        created="create_time",
        location="zone",
    ),
    left_over="Nothing that we order: volumes that the image itself keeps (`DeleteOnTermination` false) are ordered as "
    "ones that end. Volumes bear the fleet's tag, so that one which stays all the same is found and swept. Volumes and "
    "addresses that people add stay, and are billed.",
    proof="Over the wire against `moto` 5 (a server of other people's making, strict about images and credentials); "
    "refusals, throttling, cut links and silence against a stub; signatures held against botocore's.",
)
