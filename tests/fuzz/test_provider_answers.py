"""Whatever a cloud answers: one of the contract's errors, or machines that bear our mark; complete only if it is."""

from __future__ import annotations

import copy
import html
import math
import os
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoscaler.clock import SystemClock
from providers.contract import (
    Instance,
    InstanceId,
    InstanceSpec,
    NodeName,
    OutcomeUnknown,
    ProviderError,
)
from providers.libcloud.adapter import LibcloudProvider, open_libcloud
from providers.local import processes
from providers.local.provider import open_local
from tests.fuzz import odd
from tests.unit.providers import ec2_stub
from tests.unit.providers.ec2_stub import NAMESPACE, Exchange, Reply, Stub, machine

SECRET = "wJalrXUtnFEMI/K7MDENG"
SPEC = InstanceSpec(
    name=NodeName("images-1"), fleet="production", pool="images", size="t3.micro", image="ami-1", location="",
    user_data=b"#cloud-config\n",
)  # fmt: skip
ROWS = "".join(
    f"<item><instancesSet><item>{each}</item></instancesSet></item>"
    for each in (
        machine("i-1", name="images-1"),
        machine("i-2", name="images-2", state="pending"),
        machine("i-3", name="theirs", fleet="staging"),
        machine("i-4", name="images-4", state="terminated"),
    )
)
WHOLE_ROWS = {
    "i-1": machine("i-1", name="images-1").encode(),
    "i-2": machine("i-2", name="images-2", state="pending").encode(),
}
LISTED = (
    f'<DescribeInstancesResponse xmlns="{NAMESPACE}"><reservationSet>{ROWS}</reservationSet>'
    "</DescribeInstancesResponse>"
)
MADE = (
    f'<RunInstancesResponse xmlns="{NAMESPACE}"><instancesSet><item>{machine("i-9", name="images-1")}</item>'
    "</instancesSet></RunInstancesResponse>"
)
ENDED = f'<TerminateInstancesResponse xmlns="{NAMESPACE}"><instancesSet/></TerminateInstancesResponse>'
ET.register_namespace("", NAMESPACE)
tags = st.sampled_from(
    ["item", "key", "value", "tagSet", "instanceId", "instanceState", "name", "launchTime", "x"]
)
texts = st.sampled_from(
    ["", " ", "production", "staging", "autoscaler-fleet", "i-1", "i-2", "i-7", "running", "terminated", "exploded",
     "0001-01-01T00:00:00.000Z", "9999-99-99T99:99:99Z", "2026-01-02T03:04:05.000+99:99", "1e999",
     "NaN", "\u202e", "9" * 5_000]
)  # fmt: skip


@st.composite
def documents(draw: st.DrawFn, good: str) -> bytes:
    """The answer with up to three of its elements spoiled, sometimes torn as well."""
    root = ET.fromstring(good)
    for _ in range(draw(st.integers(0, 3))):
        pairs = [(parent, child) for parent in root.iter() for child in parent]
        if not pairs:
            break
        parent, child = pairs[draw(st.integers(0, len(pairs) - 1))]
        match draw(st.sampled_from(["text", "text", "drop", "rename", "repeat", "empty", "other namespace"])):
            case "text":
                child.text = draw(texts)
            case "drop":
                parent.remove(child)
            case "rename":
                child.tag = f"{{{NAMESPACE}}}{draw(tags)}"
            case "repeat":
                parent.append(copy.deepcopy(child))
            case "empty":
                child.clear()
            case _:
                child.tag = child.tag.rpartition("}")[2]
    body = ET.tostring(root)
    return draw(st.sampled_from([body, body, body]) | odd.broken(body))


def ours_in(body: bytes) -> set[str]:
    """Ids that stand in one element with our fleet's mark, however the rest looks."""
    text = re.sub(r"<(/?)\w+:", r"<\1", body.decode(errors="replace"))
    found = set()
    for row in re.findall(r"<instancesSet>.*?</instancesSet>", text, re.DOTALL):
        if re.search(r"autoscaler-fleet\s*</[^>]*>.*?production", row, re.DOTALL):
            found |= {html.unescape(key) for key in re.findall(r"<instanceId[^>]*>([^<]*)<", row)}
    return found


def raw(status: int, body: bytes) -> Reply:
    def reply(exchange: Exchange) -> None:
        exchange.send_response(status)
        exchange.send_header("Content-Length", str(len(body)))
        exchange.end_headers()
        exchange.wfile.write(body)

    return reply


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with ec2_stub.running() as server:
        yield server


@pytest.fixture(scope="module")
def cloud(stub: Stub) -> Iterator[LibcloudProvider]:
    options = {
        "driver": "ec2", "key": "AKIATESTING", "secret": SECRET, "region": "eu-north-1", "host": "127.0.0.1",
        "port": stub.port, "secure": False,
    }  # fmt: skip
    provider = open_libcloud(name="aws", fleet="production", options=options, clock=SystemClock())
    yield provider
    provider.close()


def check_told(error: ProviderError) -> None:
    assert 0 < len(str(error)) < 1_000
    assert SECRET not in f"{error} {error.__cause__}"


statuses = st.sampled_from([200, 200, 200, 200, 200, 400, 404, 429, 500, 503])


@given(statuses, documents(LISTED))
@example(200, LISTED.replace("2026-01-02", "0001-01-01").encode())
@example(
    200, LISTED.replace("<instanceState>", "<state>", 1).replace("</instanceState>", "</state>", 1).encode()
)
@example(
    200,
    LISTED.replace("<item><instancesSet>", "<key><instancesSet>", 1)
    .replace("</instancesSet></item>", "</instancesSet></key>", 1)
    .replace("<instanceState><code>16</code><name>terminated</name></instanceState>", "")
    .encode(),
)
def test_a_listing_holds_only_our_machines_and_is_complete_only_if_it_surely_is(
    stub: Stub, cloud: LibcloudProvider, status: int, body: bytes
) -> None:
    """A row that cannot be read, a page that may be missing: presence at most, never absence."""
    stub.script["DescribeInstances"] = raw(status, body)
    try:
        found = cloud.list_instances(timeout_s=5)
    except ProviderError as error:
        check_told(error)
        return

    assert 200 == status
    listed = {instance.instance_id for instance in found.instances}
    assert listed <= ours_in(body)
    for instance in found.instances:
        assert instance.instance_id
        assert instance.name
        assert instance.created_at is None or math.isfinite(instance.created_at)
    if found.complete:
        assert body.count(b"instanceState>") // 2 >= len(found.instances)
        # Rows that are as they were before anything was spoiled; one whose mark cannot be read is nobody's to us.
        assert {i for i, row in WHOLE_ROWS.items() if row in body} <= listed


@odd.fewer(2)
@given(documents(LISTED), st.sampled_from(["i-1", "i-2", "i-3", "i-7", None]))
def test_only_a_machine_seen_under_our_mark_is_ever_ended(
    stub: Stub, cloud: LibcloudProvider, body: bytes, wanted: str | None
) -> None:
    """Whatever the filter let through."""
    stub.asked.clear()
    stub.script |= {"DescribeInstances": raw(200, body), "TerminateInstances": raw(200, ENDED.encode())}
    try:
        cloud.destroy("images-1", InstanceId(wanted) if wanted else None, timeout_s=5)
    except ProviderError as error:
        check_told(error)

    for asked in stub.asked:
        if asked.action == "TerminateInstances":
            ended = asked.parameters["InstanceId.1"]
            assert ended in ours_in(body)
            assert wanted in {ended, None}


@odd.fewer(2)
@given(statuses, documents(MADE))
def test_a_create_that_was_answered_oddly_is_never_called_refused(
    stub: Stub, cloud: LibcloudProvider, status: int, body: bytes
) -> None:
    """A refusal says that nothing was made; where a success cannot be read, something may have been."""
    stub.asked.clear()
    stub.script["RunInstances"] = raw(status, body)
    made: Instance | None = None
    try:
        made = cloud.create(SPEC, timeout_s=5)
    except ProviderError as error:
        check_told(error)
        unknown = isinstance(error, OutcomeUnknown)
    else:
        unknown = False
    assert made is not None or unknown or 400 <= status < 500
    if made is not None:
        assert 200 == status
        assert made.instance_id
    assert 1 == len([asked for asked in stub.asked if asked.action == "RunInstances"])


class Running:
    """Stands for a process that says of itself what a test says."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.pid = os.getpid()
        self._environment = environment

    def environ(self) -> dict[str, str]:
        return self._environment

    def status(self) -> str:
        return psutil.STATUS_RUNNING


marks = st.fixed_dictionaries(
    {},
    optional={
        processes.FLEET: st.sampled_from(["production", "production", "staging", ""]),
        processes.NODE: st.sampled_from(
            ["images-1", "../images", "\udcff", "a" * 64, "A", "images-1\n", "", "ø"]
        ),
        processes.POOL: st.sampled_from(["images", "", "\udcff"]),
        processes.CREATED_AT: st.sampled_from(["1.7e9", "nan", "inf", "-1e999", "now", "", "9" * 5_000]),
        processes.DIRECTORY: st.sampled_from(["", "/elsewhere", "\0", "here"]),
    },
)


@given(st.lists(marks, max_size=4))
@example([{processes.FLEET: "production", processes.NODE: "\udcff", processes.DIRECTORY: "here"}])
@example(
    [
        {
            processes.FLEET: "production",
            processes.NODE: "a",
            processes.DIRECTORY: "here",
            processes.CREATED_AT: "nan",
        }
    ]
)
def test_a_process_with_an_odd_mark_is_no_machine_of_ours(
    tmp_path_factory: pytest.TempPathFactory, environments: list[dict[str, str]]
) -> None:
    """Names we could not have given are nobody's; a birth that is no time is not known."""
    here = tmp_path_factory.getbasetemp()
    provider = open_local(
        name="here", fleet="production", options={"directory": str(here)}, clock=SystemClock()
    )
    place = str(here / "production")
    said: list[Any] = [
        Running({key: place if value == "here" else value for key, value in each.items()})
        for each in environments
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes.psutil, "process_iter", lambda: iter(said))
        found = provider.list_instances(timeout_s=5)
        with pytest.raises(ProviderError):
            provider.destroy("../images", None, timeout_s=0.1)

    for instance in found.instances:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", instance.name)
        assert instance.created_at is None or math.isfinite(instance.created_at)
        mine = [e for e in environments if e.get(processes.NODE) == instance.name]
        assert any(
            e.get(processes.FLEET) == "production" and e.get(processes.DIRECTORY) == "here" for e in mine
        )


def test_the_good_answers_are_believed(stub: Stub, cloud: LibcloudProvider) -> None:
    """Else every law above would hold of an adapter that refuses everything."""
    stub.script |= {"DescribeInstances": raw(200, LISTED.encode()), "RunInstances": raw(200, MADE.encode())}
    found = cloud.list_instances(timeout_s=5)

    assert found.complete
    assert ["i-1", "i-2"] == [instance.instance_id for instance in found.instances]
    assert "i-9" == cloud.create(SPEC, timeout_s=5).instance_id
