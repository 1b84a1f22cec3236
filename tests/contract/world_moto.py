"""The libcloud adapter's world: moto as the cloud, and between the two a link that cuts, refuses and falls silent.

What stands in the cloud is read by AWS's own client past that link. Troubles queue for the calls they concern.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from autoscaler.clock import SystemClock
from providers.contract import InstanceSpec, MayAct, NodeName, Provider, Purchase, always
from providers.libcloud.adapter import open_libcloud
from tests.contract import moto_world
from tests.contract.moto_world import Moto
from tests.contract.worlds import Trouble
from tests.unit.providers import ec2_stub
from tests.unit.providers.ec2_stub import Exchange, Reply, Stub

CREATE, LIST, IMAGES = "RunInstances", "DescribeInstances", "DescribeImages"
ANY = ""
REFUSALS: Mapping[Trouble, tuple[int, str]] = {
    Trouble.CAPACITY: (500, "InsufficientInstanceCapacity"),
    Trouble.QUOTA: (400, "VcpuLimitExceeded"),
    Trouble.REJECTED: (400, "InvalidParameterValue"),
    Trouble.THROTTLED: (503, "RequestLimitExceeded"),
}


class MotoWorld:
    """One account at moto, reached over a link that we can disturb."""

    troubles = frozenset(Trouble) - {Trouble.LISTING_CUT}
    lists_within_s = 2.0

    def __init__(self, moto: Moto, link: Stub, closing: ExitStack) -> None:
        self._moto = moto
        self._link = link
        self._closing = closing
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, Reply]] = []
        link.otherwise = self._pass_on
        link.script.clear()

    def open(self, fleet: str, *, may_act: MayAct = always) -> Provider:
        options = self._moto.options(port=self._link.port)
        provider = open_libcloud(
            name="moto", fleet=fleet, options=options, clock=SystemClock(), may_act=may_act
        )
        self._closing.callback(provider.close)
        return provider

    def spec(self, *, name: str, fleet: str, pool: str, user_data: bytes | None = None) -> InstanceSpec:
        return InstanceSpec(
            name=NodeName(name),
            fleet=fleet,
            pool=pool,
            size=moto_world.SIZE,
            image=self._moto.image,
            location=f"{moto_world.REGION}a",
            user_data=b"#cloud-config\n" if user_data is None else user_data,
        )

    def purchase(self) -> Purchase:
        return Purchase(size=moto_world.SIZE, image=self._moto.image, location="", user_data_bytes=100)

    def user_data_of(self, *, name: str, fleet: str) -> bytes:
        found = [each for each in self._standing(fleet) if name == each[0]]
        if not found:
            raise KeyError(name)
        return self._moto.user_data(found[0][1])

    def machines_of(self, *, fleet: str) -> tuple[str, ...]:
        return tuple(name for name, _ in self._standing(fleet))

    def billed(self) -> tuple[str, ...]:
        volumes = self._moto.client().describe_volumes()["Volumes"]
        addresses = self._moto.client().describe_addresses()["Addresses"]
        loose = [each["VolumeId"] for each in volumes if not each["Attachments"]]
        return (*loose, *(each["AllocationId"] for each in addresses))

    def meet(self, trouble: Trouble, *, times: int = 1) -> None:
        with self._lock:
            self._waiting += [self._reply(trouble)] * times

    def calm(self) -> None:
        with self._lock:
            self._waiting.clear()
        # Those who wait in an old silence are let go; a new silence waits on a new event.
        self._link.released.set()
        self._link.released = threading.Event()

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def _reply(self, trouble: Trouble) -> tuple[str, Reply]:
        """The action that a trouble concerns, and what becomes of it."""
        match trouble:
            case Trouble.CAPACITY | Trouble.QUOTA | Trouble.REJECTED | Trouble.THROTTLED:
                return CREATE, ec2_stub.refusal(*REFUSALS[trouble])
            case Trouble.ANSWER_LOST:
                return CREATE, self._carry_out_and_cut
            case Trouble.REQUEST_LOST:
                return CREATE, ec2_stub.cut
            case Trouble.LISTING_FAILS:
                return LIST, ec2_stub.answer(502, "<html>Bad Gateway</html>")
            case Trouble.SILENCE:
                return ANY, self._link.silence
            case Trouble.LISTING_CUT:
                raise NotImplementedError("EC2 has no listing that tells of its own gaps")

    def _pass_on(self, exchange: Exchange) -> None:
        with self._lock:
            # An order is preceded by a look at its image, which no trouble is meant for.
            wanted = {exchange.asked.action} | ({ANY} if exchange.asked.action != IMAGES else set())
            met = next((each for each in self._waiting if each[0] in wanted), None)
            if met:
                self._waiting.remove(met)
        if met:
            met[1](exchange)
        else:
            ec2_stub.answer(*self._forward(exchange))(exchange)

    def _carry_out_and_cut(self, exchange: Exchange) -> None:
        self._forward(exchange)
        ec2_stub.cut(exchange)

    def _forward(self, exchange: Exchange) -> tuple[int, str]:
        asked = exchange.asked
        behind = http.client.HTTPConnection("127.0.0.1", self._moto.port, timeout=20)
        headers = {**asked.headers, "Accept-Encoding": "identity"}
        behind.request(asked.method, asked.url, body=asked.body, headers=headers)
        response = behind.getresponse()
        status, body = response.status, response.read().decode()
        behind.close()
        return status, body

    def _standing(self, fleet: str) -> list[tuple[str, str]]:
        """Name and id of every machine under this mark that is not ended, as AWS's own client sees it."""
        filters = [
            {"Name": "tag:autoscaler-fleet", "Values": [fleet]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
        ]
        pages = self._moto.client().get_paginator("describe_instances").paginate(Filters=filters)
        machines = [each for page in pages for row in page["Reservations"] for each in row["Instances"]]
        return [
            (tag["Value"], each["InstanceId"])
            for each in machines
            for tag in each["Tags"]
            if "autoscaler-node" == tag["Key"]
        ]


@contextmanager
def open_world(directory: Path) -> Iterator[MotoWorld]:
    """Start moto and the link before it; end both, and close what was opened."""
    with moto_world.running() as moto, ec2_stub.running() as link, ExitStack() as closing:
        yield MotoWorld(moto, link, closing)
