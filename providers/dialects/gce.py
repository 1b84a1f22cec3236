"""Google Compute Engine, API v1: a service account, labels as marks, orders that are taken and may be given back."""

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
from providers.dialects.looks import Ask, Looks, Meter, Named, Pages, Price, Quota, Reading, Turning
from providers.dialects.times import Times

REGIONS: Mapping[str, str] = {
    "africa-south1": "ZA", "asia-east1": "TW", "asia-east2": "HK", "asia-northeast1": "JP", "asia-northeast2": "JP",
    "asia-northeast3": "KR", "asia-south1": "IN", "asia-south2": "IN", "asia-southeast1": "SG",
    "asia-southeast2": "ID", "australia-southeast1": "AU", "australia-southeast2": "AU", "europe-central2": "PL",
    "europe-north1": "FI", "europe-north2": "SE", "europe-southwest1": "ES", "europe-west1": "BE",
    "europe-west2": "GB", "europe-west3": "DE", "europe-west4": "NL", "europe-west6": "CH", "europe-west8": "IT",
    "europe-west9": "FR", "europe-west10": "DE", "europe-west12": "IT", "me-central1": "QA", "me-central2": "SA",
    "me-west1": "IL", "northamerica-northeast1": "CA", "northamerica-northeast2": "CA", "northamerica-south1": "MX",
    "southamerica-east1": "BR", "southamerica-west1": "CL", "us-central1": "US", "us-east1": "US", "us-east4": "US",
    "us-east5": "US", "us-south1": "US", "us-west1": "US", "us-west2": "US", "us-west3": "US", "us-west4": "US",
}  # fmt: skip
"""Google, "Regions and zones". A zone is a region's name and a letter."""

REGION = Ask(path="regions/{region}", paged=False)
EVERYWHERE = Ask(paged=False)
LOOKS = Looks(
    pages=Pages(
        turning=Turning.CURSOR, param="pageToken", size_param="maxResults", size=500, next="nextPageToken"
    ),
    quota=Quota(
        meters=tuple(
            Meter(
                of=of,
                limit=Reading(ask=ask, at=f"quotas[metric={metric}].limit"),
                used=Reading(ask=ask, at=f"quotas[metric={metric}].usage"),
                takes=takes,
                sizes=sizes,
            )
            for of, ask, metric, takes, sizes in (
                ("instances of the region", REGION, "INSTANCES", "", ""),
                ("cores of all regions", EVERYWHERE, "CPUS_ALL_REGIONS", "cpus", ""),
                # Each family counts by itself; of the newest the Cloud Quotas API alone tells.
                ("cores of the region", REGION, "CPUS", "cpus", "(e2|f1|g1|n1)-.*"),
                ("N2 cores of the region", REGION, "N2_CPUS", "cpus", "n2-.*"),
                ("N2D cores of the region", REGION, "N2D_CPUS", "cpus", "n2d-.*"),
                ("C2 cores of the region", REGION, "C2_CPUS", "cpus", "c2-.*"),
                ("C2D cores of the region", REGION, "C2D_CPUS", "cpus", "c2d-.*"),
                ("T2D cores of the region", REGION, "T2D_CPUS", "cpus", "t2d-.*"),
            )
        )
    ),
    price=Price(untold="Compute Engine's API does not tell it: the price list does"),
    named={
        "network": Named(
            ask=Ask(path="global/networks", rows="items", left_out=True),
            key="selfLink",
            keeps=r"/projects/[^/]+/(global/networks/[^/]+)$",
            others=r"(https:|projects/)",
            default="global/networks/default",
            unsaid="the network `default`",
            instead="subnetwork",
        ),
        "subnetwork": Named(
            ask=Ask(path="aggregated/subnetworks", rows="items.*.subnetworks", left_out=True),
            key="selfLink",
            keeps=r"/projects/[^/]+/(regions/.*)$",
            others=r"(https:|projects/)",
            stands="region",
            place="{region}",
        ),
    },
    rights="`compute.regions.get`, `compute.projects.get`, `compute.networks.list` and `compute.subnetworks.list`, "
    "which Compute Instance Admin (v1) has",
)

DIALECT = Dialect(
    driver="gce",
    title="Google Compute Engine (API v1)",
    # libcloud's own takes a listing without a zone for a whole one, and logs in past its connection.
    driver_class="providers.libcloud.drivers.gce:GceNodeDriver",
    options={
        "service_account": Option(
            argument="key",
            means="The JSON of a service account's key, on one line (`jq -c . key.json`). The account needs the role "
            "Compute Instance Admin (v1) in the project. Needs the extra `gce`.",
            to=Goes.ACCOUNT,
            required=True,
            secret=True,
        ),
        "project": Option(argument="project", means="The project's id.", to=Goes.ACCOUNT, required=True),
        "network": Option(
            argument="ex_network",
            means="The path of the network of new machines; without it `global/networks/default`.",
        ),
        "subnetwork": Option(
            argument="ex_subnetwork",
            means="The path of the subnetwork of new machines (`regions/REGION/subnetworks/NAME`), in place of a "
            "network.",
        ),
        "tags": Option(
            argument="ex_tags",
            means="Network tags of new machines: firewall rules hold for a tag.",
            shape=Shape.TEXTS,
        ),
        "public_ip": Option(
            argument="ex_public_ip",
            means="Whether new machines get a public address; without it they do.",
            shape=Shape.FLAG,
        ),
        "disk_type": Option(
            argument="ex_disk_type",
            means="The kind of boot disk.",
            choices=("pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"),
        ),
    },
    order_sign=r"^(POST \S*/instances(\?|$)|DELETE \S*/instances/)",
    given_back=r"^POST \S*/operations/[^/]+/wait$",
    # Remembered for an hour at least; beyond it names tell, which are unique in a zone.
    once_argument="ex_request_id",
    user_data=UserData(
        argument="ex_user_data",
        # A metadata entry's value is at most 256 KB.
        limit_bytes=256 * 1024,
        carriage=Carriage.TEXT,
        gzip=False,
    ),
    mark=Mark(shape=MarkShape.DICT, argument="ex_labels", found_in="labels", value=r"[a-z0-9_-]{1,63}"),
    names=Names(pattern=r"[a-z]([-a-z0-9]*[a-z0-9])?", longest=63),
    location=Location(
        required=True,
        countries={
            f"{region}-{letter}": country for region, country in REGIONS.items() for letter in "abcdf"
        },
    ),
    listing=Listing(
        # All zones at once, in chained pages; a zone that was not reached is only a warning in them.
        reads=Json(
            rows="items.*.instances",
            path=r"/aggregated/instances\?",
            doubt=r'"code"\s*:\s*"(UNREACHABLE|PARTIAL_SUCCESS|LARGE_DEPLOYMENT_WARNING)"|"unreachables"\s*:\s*\[\s*"',
            left_out=True,
        ),
        filter=Filter(place=Place.ARGUMENT, key="ex_filters", fleet={"labels.autoscaler-fleet": "{fleet}"}),
    ),
    fields=Fields(state="status", location="zone", size="machineType", tails=True),
    states={
        "PENDING": InstanceState.PENDING,
        "PROVISIONING": InstanceState.PENDING,
        "STAGING": InstanceState.PENDING,
        "RUNNING": InstanceState.RUNNING,
        # On its way to an end or to a stop: nobody can tell, and asked for twice an end does no harm.
        "PENDING_STOP": InstanceState.STOPPED,
        "STOPPING": InstanceState.STOPPED,
        "SUSPENDING": InstanceState.STOPPED,
        "SUSPENDED": InstanceState.STOPPED,
        "REPAIRING": InstanceState.STOPPED,
        # Stopped, with its disk billed: what is ended is in no listing.
        "TERMINATED": InstanceState.STOPPED,
        "DEPROVISIONING": InstanceState.ENDING,
    },
    # An instance that was ordered may be listed, vanish for want of stock, and so may one that ends.
    settle_s=180.0,
    errors=Errors(
        code=r'"(?:reason|code|error)"\s*:\s*"([^"]+)"',
        text=r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"',
        rules=(
            # Before the operation is made, and in it when it is done. One quota is of all regions and of every machine,
            # and its name stands in the sentence.
            ErrorRule(
                codes=r"quotaExceeded|QUOTA_EXCEEDED",
                text=r"\bCPUS_ALL_REGIONS\b",
                asked=r"^POST \S*/(instances(\?|$)|operations/)",
                means=QuotaRefused,
            ),
            # The others are a region's or of one kind of goods: the offer rests, and not all that the account may have.
            ErrorRule(
                codes=r"quotaExceeded|QUOTA_EXCEEDED|LIMIT_EXCEEDED|limitExceeded|STOCKOUT"
                r"|ZONE_RESOURCE_POOL_EXHAUSTED\w*|RESOURCE_POOL_EXHAUSTED\w*|IP_SPACE_EXHAUSTED\w*",
                asked=r"^POST \S*/(instances(\?|$)|operations/)",
                means=CapacityRefused,
            ),
            # Some of them with 403.
            ErrorRule(
                codes=r"rateLimitExceeded|userRateLimitExceeded|RATE_LIMIT_EXCEEDED|concurrentLimitExceeded"
                r"|RESOURCE_OPERATION_RATE_EXCEEDED|operationRateExceeded",
                means=Throttled,
            ),
            # A token that ended before its time; the next request logs in anew. A wrong key is refused there.
            ErrorRule(status=401, asked=r"\S*/compute/v1/", means=Throttled),
            # With 409, which by itself would leave open whether it was done.
            ErrorRule(codes=r"alreadyExists", asked=r"^POST \S*/instances(\?|$)", means=RequestRejected),
            ErrorRule(status=404, asked=r"^DELETE", means=InstanceAbsent),
        ),
    ),
    looks=LOOKS,
    sizes_of_location=True,
    # An operation's `wait` "waits for no more than the default deadline (2 minutes)" and is asked within the create;
    # its answer tells whether there was stock, within half a minute as a rule, which no document promises.
    times=Times(answer_s=130.0, create_s=60.0),
    left_over="Nothing that we make: the boot disk ends with its machine, and so does an address. Disks, static "
    "addresses and snapshots that people add are theirs, and stay billed.",
    proof="Over the wire against a strict server on loopback that checks tokens' signatures and follows the API's "
    "reference and libcloud's recorded answers; not held against a description, and not yet against an account.",
)
