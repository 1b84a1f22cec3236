"""3DS OUTSCALE (France), OUTSCALE API 1: an access key, and client tokens that are name, mark and key at once."""

from __future__ import annotations

from collections.abc import Mapping

from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceState,
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
    before_base64,
)
from providers.dialects.leaving import Devices
from providers.dialects.looks import Ask, Looks, Meter, Named, Pages, Price, Quota, Reading, Turning

COUNTRIES: Mapping[str, str] = {
    "eu-west-2": "FR", "cloudgouv-eu-west-1": "FR", "us-east-2": "US", "us-west-1": "US", "ap-northeast-1": "JP",
}  # fmt: skip
"""OUTSCALE, "About Regions and Subregions". Subregions are a region's name and a letter."""

LIMIT = "QuotaTypes[QuotaType=global].Quotas[Name=vm_limit]"
QUOTAS = Ask(path="ReadQuotas", params={"Filters": {"QuotaNames": ["vm_limit"]}}, paged=False)
LOOKS = Looks(
    pages=Pages(
        turning=Turning.CURSOR,
        param="NextPageToken",
        size_param="ResultsPerPage",
        size=1000,
        next="NextPageToken",
    ),
    quota=Quota(
        meters=(
            Meter(
                of="VMs",
                limit=Reading(ask=QUOTAS, at=f"{LIMIT}.MaxValue"),
                used=Reading(ask=QUOTAS, at=f"{LIMIT}.UsedValue"),
                # "if there is no limit, `0`"
                unlimited=("0",),
            ),
        )
    ),
    price=Price(untold="it is put together from cores, memory and performance: the price list tells it"),
    named={
        "subnet": Named(
            ask=Ask(path="ReadSubnets", rows="Subnets"),
            key="SubnetId",
            stands="SubregionName",
            unsaid="the public cloud",
        ),
        "security_groups": Named(
            ask=Ask(path="ReadSecurityGroups", rows="SecurityGroups"),
            key="SecurityGroupId",
            called="SecurityGroupName",
            unsaid="the security group `default`",
        ),
        "keypair": Named(ask=Ask(path="ReadKeypairs", rows="Keypairs"), key="KeypairName", subject="keys"),
    },
    rights="`ReadQuotas`, `ReadSubnets`, `ReadSecurityGroups` and `ReadKeypairs`",
)

DIALECT = Dialect(
    driver="outscale",
    title="3DS OUTSCALE (OUTSCALE API 1.40)",
    # libcloud's own calls `requests` past its connection.
    driver_class="providers.libcloud.drivers.outscale:OutscaleNodeDriver",
    options={
        "access_key": Option(
            argument="key",
            means="An access key of a user (EIM) that may read VMs, VM types, subregions and images, and create and "
            "delete VMs.",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
        ),
        "secret_key": Option(
            argument="secret", means="Its secret key.", to=Goes.ACCOUNT, required=True, secret=True
        ),
        "region": Option(
            argument="region",
            means="The region.",
            to=Goes.ACCOUNT,
            required=True,
            choices=tuple(COUNTRIES),
        ),
        "subnet": Option(
            argument="ex_subnet_id",
            means="The id of the subnet of new machines, which stands in one subregion; without it the public cloud.",
        ),
        "security_groups": Option(
            argument="ex_security_group_ids",
            means="Ids of the security groups of new machines; without any `default`.",
            shape=Shape.TEXTS,
        ),
        "keypair": Option(
            argument="ex_keypair_name",
            means="The name of the key pair put on new machines; for people, the daemon never logs in.",
        ),
        "performance": Option(
            argument="ex_performance",
            means="How fast processors are where a size does not say it.",
            choices=("medium", "high", "highest"),
        ),
    },
    # Everything is a POST.
    order_sign=r"^POST \S*/(CreateVms|DeleteVms)$",
    user_data=UserData(
        argument="ex_user_data",
        # Of base64: "limited to 500 kibibytes".
        limit_bytes=before_base64(500 * 1024),
        carriage=Carriage.BASE64,
        gzip=True,
    ),
    # Tags come by a second request, and a machine whose creator died before it would be nobody's. The client token is
    # part of the order, is told by every listing, and the name is what the driver puts there.
    mark=Mark(shape=MarkShape.NAME),
    names=Names(
        # Its length is not documented; 64 ASCII letters are what the interface takes that this one is made after.
        pattern=r"[A-Za-z0-9-]+",
        longest=64,
        once=True,
    ),
    location=Location(countries=COUNTRIES, zoned=True, decided_by="subnet"),
    listing=Listing(
        # Pages are chained by tokens. Filters take no beginning of a client token, so all of the account is listed.
        reads=Json(rows="Vms", row="Vms.0", id="VmId", path=r"/ReadVms$"),
        filter=Filter(place=Place.ARGUMENT, key="ex_filters", by_id={"VmIds": "{id}"}),
    ),
    fields=Fields(state="State", location="Placement.SubregionName", size="VmType", created="CreationDate"),
    states={
        "pending": InstanceState.PENDING,
        "running": InstanceState.RUNNING,
        "stopping": InstanceState.STOPPED,
        "stopped": InstanceState.STOPPED,
        # Taken out of service by OUTSCALE, and not gone.
        "quarantine": InstanceState.STOPPED,
        "shutting-down": InstanceState.ENDING,
        # "a terminated VM may appear in the response" for an hour
        "terminated": None,
    },
    # How late a listing is is not documented; the interface that this one is made after is "eventually consistent".
    settle_s=300.0,
    errors=Errors(
        code=r'"(?:Code|Type)"\s*:\s*"([^"]+)"',
        text=r'"Details"\s*:\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            # 400, as mistakes have it.
            ErrorRule(codes=r"TooManyResources.*|.*Quota.*", asked=r"/CreateVms$", means=QuotaRefused),
            ErrorRule(codes=r"InsufficientCapacity.*|10\d{3}", asked=r"/CreateVms$", means=CapacityRefused),
            ErrorRule(codes=r".*Throttl.*|RequestLimitExceeded|TooManyRequests|SlowDown", means=Throttled),
            ErrorRule(codes=r"InvalidResource", asked=r"/DeleteVms$", means=InstanceAbsent),
        ),
    ),
    looks=LOOKS,
    sizes_composed=r"tinav\d+\.c\d+r\d+(p[123])?",
    kept_volume=("BlockDeviceMappings", "Bsu", "DeleteOnVmDeletion"),
    devices=Devices(
        argument="ex_block_device_mappings",
        name="DeviceName",
        ordered=("DeviceName", "Bsu", "DeleteOnVmDeletion"),
        # "If not specified in the request, a `standard` volume is created"; speed "only if you create an `io1` volume".
        carried={"VolumeSize": "VolumeSize", "VolumeType": "VolumeType", "Iops": "Iops"},
        only_with={"Iops": ("VolumeType", "io1")},
        # The first one is made of the image in any case; a snapshot that belongs to somebody else may not be named.
        root="RootDeviceName",
        carried_beside_root={"SnapshotId": "SnapshotId"},
    ),
    left_over="Nothing that we order: volumes that the image itself keeps (`DeleteOnVmDeletion` false) are ordered as "
    "ones that end. Volumes and public IPs that people link stay theirs and billed.",
    proof="Over the wire against a strict server on loopback that checks signatures and follows OUTSCALE's published "
    "OpenAPI description (1.40.1); not yet against an account.",
)
