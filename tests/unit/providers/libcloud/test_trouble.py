"""What the libcloud adapter makes of an EC2 in trouble: one send an order, the right next move, no secret told."""

from __future__ import annotations

import base64
import html
import socket
import traceback
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from autoscaler.clock import SystemClock
from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceId,
    InstanceSpec,
    ListingUnavailable,
    NodeName,
    OutcomeUnknown,
    ProviderError,
    Purchase,
    QuotaRefused,
    RequestRejected,
    Throttled,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from tests.unit.providers import ec2_stub
from tests.unit.providers.ec2_stub import Reply, Stub, answer, listing, machine, refusal

PASSWORD = "broker-password-of-the-fleet"
USER_DATA = f"#cloud-config\n# {PASSWORD}\n".encode()
KEY, SECRET = "AKIATESTING", "wJalrXUtnFEMI/K7MDENG"
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="t3.micro",
    image="ami-1",
    location="",
    user_data=USER_DATA,
)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with ec2_stub.running() as server:
        yield server


@pytest.fixture
def cloud(stub: Stub) -> Iterator[LibcloudProvider]:
    provider = open_at(stub.port)
    yield provider
    provider.close()


def open_at(port: int) -> LibcloudProvider:
    options = {
        "driver": "ec2", "key": KEY, "secret": SECRET, "region": "eu-north-1",
        "host": "127.0.0.1", "port": port, "secure": False,
    }  # fmt: skip
    return open_libcloud(name="aws", fleet="production", options=options, clock=SystemClock())


def create(cloud: LibcloudProvider, timeout_s: float = 10.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        cloud.create(SPEC, timeout_s=timeout_s)
    return caught.value


UNANSWERED: dict[str, Any] = {
    "silence": lambda stub: stub.silence,
    "a byte at a time": lambda stub: stub.drip,
    "a head a byte at a time": lambda stub: stub.drip_head,
    "cut before the answer": lambda _: ec2_stub.cut,
    "cut within the answer": lambda _: ec2_stub.cut_in_the_body,
    "a proxy's 502": lambda _: answer(502, HTML, {"Content-Type": "text/html"}),
    "a proxy's 504": lambda _: answer(504, ""),
    "an internal error": lambda _: refusal(500, "InternalError"),
    "unavailable": lambda _: refusal(503, "Unavailable"),
    "a success that is no XML": lambda _: answer(200, "OK"),
    "a success without a machine": lambda _: answer(200, "<RunInstancesResponse/>"),
    "a redirect": lambda stub: answer(307, "", {"Location": f"http://127.0.0.1:{stub.port}/elsewhere"}),
    "a token used before": lambda _: refusal(400, "IdempotentParameterMismatch"),
}


@pytest.mark.parametrize("trouble", UNANSWERED)
def test_an_unanswered_create_is_sent_once_and_its_outcome_unknown(
    stub: Stub, cloud: LibcloudProvider, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the answer is lost: exactly one RunInstances arrives, even where libcloud was told to retry."""
    # Set after opening, and in both of the places where libcloud looks.
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "1")
    monkeypatch.setattr("libcloud.common.base.RETRY_FAILED_HTTP_REQUESTS", True)
    stub.script["RunInstances"] = UNANSWERED[trouble](stub)
    began_at = SystemClock().monotonic()

    error = create(cloud, timeout_s=1.0)

    assert isinstance(error, OutcomeUnknown), error
    assert 1 == stub.count("RunInstances")
    assert SystemClock().monotonic() - began_at < 5.0


REFUSED: dict[str, tuple[int, str, type[ProviderError]]] = {
    "no stock": (500, "InsufficientInstanceCapacity", CapacityRefused),
    "too many instances": (400, "InstanceLimitExceeded", QuotaRefused),
    "too many processors": (400, "VcpuLimitExceeded", QuotaRefused),
    "no addresses": (400, "InsufficientFreeAddressesInSubnet", CapacityRefused),
    "unknown image": (400, "InvalidAMIID.NotFound", RequestRejected),
    "malformed image": (400, "InvalidAMIID.Malformed", RequestRejected),
    "wrong value": (400, "InvalidParameterValue", RequestRejected),
    "unknown size": (400, "InvalidInstanceType", RequestRejected),
    "unknown key pair": (400, "InvalidKeyPair.NotFound", RequestRejected),
    "wrong credentials": (401, "AuthFailure", RequestRejected),
    "not allowed": (403, "UnauthorizedOperation", RequestRejected),
    "a code nobody knows": (400, "SomethingNew", RequestRejected),
    "too many requests": (503, "RequestLimitExceeded", Throttled),
    "throttling": (400, "Throttling", Throttled),
    "slow down": (503, "SlowDown", Throttled),
    "plain 429": (429, "Whatever", Throttled),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_a_refused_create_names_the_next_move(stub: Stub, cloud: LibcloudProvider, refused: str) -> None:
    """Stock and quota, our fault, and not now are told apart, whatever the status; the code is in the message."""
    status, code, means = REFUSED[refused]
    stub.script["RunInstances"] = refusal(status, code)

    error = create(cloud)

    assert means is type(error)
    assert "images-1" in str(error)
    assert code in str(error)
    assert 1 == stub.count("RunInstances")


def test_a_throttled_create_is_not_repeated_by_libcloud(
    stub: Stub, cloud: LibcloudProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 is what libcloud's own retry waits for; the adapter outranks it, however it was turned on."""
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "1")
    stub.script["RunInstances"] = refusal(429, "Throttling")

    assert isinstance(create(cloud, timeout_s=5.0), Throttled)
    assert 1 == stub.count("RunInstances")


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("junk", None), ("-5", 0.0), ("nan", None), ("1e9", 900.0)]
)
def test_throttling_tells_how_long_to_wait(
    stub: Stub, cloud: LibcloudProvider, header: str, seconds: float | None
) -> None:
    """`Retry-After` is read, bounded, and never a crash."""
    stub.script["RunInstances"] = refusal(429, "Throttling", headers={"Retry-After": header})

    error = create(cloud)

    assert isinstance(error, Throttled)
    assert seconds == error.retry_after_s


def test_what_could_not_be_sent_was_not_made() -> None:
    """A refused connection is a definite no for now: nothing to look for afterwards, and the account rests a little."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    cloud = open_at(port)

    error = create(cloud)

    assert isinstance(error, Throttled)
    assert error.retry_after_s == 10.0
    assert "nothing was ordered" in str(error)
    with pytest.raises(ListingUnavailable):
        cloud.list_instances(timeout_s=5.0)


def test_user_data_past_the_limit_is_refused_unsent(stub: Stub, cloud: LibcloudProvider) -> None:
    """16,384 bytes is what EC2 takes; more is told without asking."""
    with pytest.raises(RequestRejected, match="16385 bytes"):
        cloud.create(
            InstanceSpec(
                name=SPEC.name, fleet=SPEC.fleet, pool=SPEC.pool, size="s", image="i", location="",
                user_data=b"x" * 16_385,
            ),
            timeout_s=5.0,
        )  # fmt: skip

    assert [] == stub.asked


def everything_said(error: BaseException) -> str:
    """All a log could print of an error: its text, its repr, and its traceback with causes and contexts."""
    return "".join([str(error), repr(error), *traceback.format_exception(error)])


@pytest.mark.parametrize("trouble", [*UNANSWERED, "an echo of what was sent", "an echo in the clear"])
def test_no_error_holds_user_data_or_the_secret(stub: Stub, cloud: LibcloudProvider, trouble: str) -> None:
    """Neither in the clear nor encoded, not even where the provider says back what it was sent."""
    encoded = base64.b64encode(USER_DATA).decode()
    told = USER_DATA.decode() if trouble == "an echo in the clear" else encoded
    echo = refusal(400, "InvalidUserData.Malformed", html.escape(f"cannot read {told} signed with {SECRET}"))
    stub.script["RunInstances"] = UNANSWERED.get(trouble, lambda _: echo)(stub)

    said = everything_said(create(cloud, timeout_s=0.5))

    assert "images-1" in said
    assert [] == [secret for secret in (PASSWORD, encoded, SECRET, "UserData=") if secret in said]


UNSEEN: dict[str, Reply] = {
    "a proxy's 502": answer(502, HTML),
    "an internal error": refusal(500, "InternalError"),
    "wrong credentials": refusal(401, "AuthFailure"),
    "cut": ec2_stub.cut,
    "no XML": answer(200, "OK"),
    "XML of another kind": answer(200, "<html/>"),
    "an empty envelope": answer(200, f'<DescribeInstancesResponse xmlns="{ec2_stub.NAMESPACE}"/>'),
    "a machine the driver cannot read": listing(
        machine("i-1", name="images-1").replace("2026-01-02T", "yesterday")
    ),
    "machines the driver does not see": answer(
        200,
        '<DescribeInstancesResponse xmlns="urn:other"><reservationSet><item><instancesSet><item>'
        f"{machine('i-1', name='images-1')}"
        "</item></instancesSet></item></reservationSet></DescribeInstancesResponse>",
    ),
    "a second page that fails": ec2_stub.pages(
        listing(machine("i-1", name="images-1"), next_token="2"), refusal(500, "InternalError")
    ),
}


@pytest.mark.parametrize("unseen", UNSEEN)
def test_what_could_not_be_seen_is_never_an_empty_listing(
    stub: Stub, cloud: LibcloudProvider, unseen: str
) -> None:
    """A listing that failed, or that was not understood, says so; it does not say that nothing is there."""
    stub.script["DescribeInstances"] = UNSEEN[unseen]

    with pytest.raises(ListingUnavailable):
        cloud.list_instances(timeout_s=5.0)


def test_a_throttled_listing_says_so(stub: Stub, cloud: LibcloudProvider) -> None:
    """So that all calls to the account slow down."""
    stub.script["DescribeInstances"] = refusal(503, "RequestLimitExceeded")

    with pytest.raises(Throttled):
        cloud.list_instances(timeout_s=5.0)


def test_an_empty_listing_is_complete(stub: Stub, cloud: LibcloudProvider) -> None:
    """Looked, and saw nothing: that is knowledge."""
    stub.script["DescribeInstances"] = listing()

    seen = cloud.list_instances(timeout_s=5.0)

    assert ((), True) == (seen.instances, seen.complete)


def test_pages_that_lead_in_a_circle_are_not_believed(stub: Stub, cloud: LibcloudProvider) -> None:
    """What was seen is told, and that it may not be all."""
    stub.script["DescribeInstances"] = listing(machine("i-1", name="images-1"), next_token="again")

    seen = cloud.list_instances(timeout_s=5.0)

    assert (["images-1"], False) == ([each.name for each in seen.instances], seen.complete)
    assert "page" in seen.why_incomplete


def test_what_the_filter_lets_through_is_looked_at_again(stub: Stub, cloud: LibcloudProvider) -> None:
    """A provider that ignores filters cannot make a stranger's machine ours."""
    stub.script["DescribeInstances"] = listing(
        machine("i-1", name="images-1"),
        machine("i-2", name="images-1", fleet="staging"),
        machine("i-3", name="images-3"),
    )
    stub.script["TerminateInstances"] = answer(200, "<TerminateInstancesResponse/>")

    seen = cloud.list_instances(timeout_s=5.0)
    cloud.destroy("images-1", None, timeout_s=5.0)
    with pytest.raises(InstanceAbsent):
        cloud.destroy("images-9", InstanceId("i-2"), timeout_s=5.0)

    assert {"i-1", "i-3"} == {each.instance_id for each in seen.instances}
    assert ["i-1"] == [
        each.parameters["InstanceId.1"] for each in stub.asked if each.action == "TerminateInstances"
    ]


def test_a_listing_is_one_request(stub: Stub, cloud: LibcloudProvider) -> None:
    """Its filter is our mark; the driver's second request, for elastic addresses, is not made."""
    stub.script["DescribeInstances"] = listing(machine("i-1", name="images-1"))

    cloud.list_instances(timeout_s=5.0)

    (asked,) = stub.asked
    assert ("tag:autoscaler-fleet", "production") == (
        asked.parameters["Filter.1.Name"],
        asked.parameters["Filter.1.Value.1"],
    )


@pytest.mark.parametrize(
    ("reply", "means"),
    [
        (refusal(400, "InvalidInstanceID.NotFound"), InstanceAbsent),
        (refusal(400, "OperationNotPermitted"), RequestRejected),
        (refusal(503, "RequestLimitExceeded"), Throttled),
        (refusal(500, "InternalError"), OutcomeUnknown),
        (refusal(500, "InsufficientInstanceCapacity"), OutcomeUnknown),
        (ec2_stub.cut, OutcomeUnknown),
    ],
)
def test_a_refused_destroy_names_the_next_move(
    stub: Stub, cloud: LibcloudProvider, reply: Reply, means: type[ProviderError]
) -> None:
    """Gone, our fault, not now, or unknown: never a word that its contract does not hold."""
    stub.script["DescribeInstances"] = listing(machine("i-1", name="images-1"))
    stub.script["TerminateInstances"] = reply

    with pytest.raises(ProviderError) as caught:
        cloud.destroy("images-1", InstanceId("i-1"), timeout_s=5.0)

    assert means is type(caught.value)


def test_a_machine_on_its_way_out_is_not_asked_again(stub: Stub, cloud: LibcloudProvider) -> None:
    """The wish was taken; asking once more would only spend requests."""
    stub.script["DescribeInstances"] = listing(machine("i-1", name="images-1", state="shutting-down"))

    cloud.destroy("images-1", InstanceId("i-1"), timeout_s=5.0)

    assert 0 == stub.count("TerminateInstances")


def test_a_check_never_raises(stub: Stub, cloud: LibcloudProvider) -> None:
    """Trouble is a finding, and ends with the time given."""
    stub.script["DescribeInstances"] = stub.silence
    began_at = SystemClock().monotonic()

    findings = cloud.check(Purchase(size="t3.micro", image="ami-1", location=""), timeout_s=0.5)

    assert [("credentials", False), ("user data", True)] == [(each.subject, each.ok) for each in findings]
    assert SystemClock().monotonic() - began_at < 5.0


def test_a_closed_account_keeps_no_connection(stub: Stub) -> None:
    """What close finds idle is closed, and what comes back later is not kept."""
    cloud = open_at(stub.port)
    stub.script["DescribeInstances"] = listing()
    cloud.list_instances(timeout_s=5.0)

    cloud.close()
    cloud.list_instances(timeout_s=5.0)

    assert [] == cloud._idle


def test_time_is_counted_over_all_requests_of_a_call(stub: Stub) -> None:
    """Pages that each come in time do not make a call that never ends."""
    ticking = iter(range(10_000))  # a second each time it is asked, which is some times a page
    clock = SimpleNamespace(now=SystemClock().now, monotonic=lambda: float(next(ticking)))
    cloud = open_libcloud(
        name="aws",
        fleet="production",
        options={
            "driver": "ec2",
            "key": KEY,
            "secret": SECRET,
            "host": "127.0.0.1",
            "port": stub.port,
            "secure": False,
        },
        clock=clock,
    )
    stub.script["DescribeInstances"] = ec2_stub.pages(*(listing(next_token=str(page)) for page in range(50)))

    with pytest.raises(ListingUnavailable, match=r"(?i)time"):  # before a request, or within its answer
        cloud.list_instances(timeout_s=30.0)

    assert 1 < stub.count("DescribeInstances") < 10
