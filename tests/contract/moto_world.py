"""A private EC2 of other people's making: `moto_server` as a process of its own on a free loopback port.

In comes nothing, out comes a `Moto` that knows its port, an image and how to read back what a machine was started with.
Nothing of it is in this process: what reaches it went over the wire.
"""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import boto3

SIZE = "t3.micro"
REGION = "eu-north-1"
START_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moto:
    """One running server. Its account holds nothing of ours until a test makes it."""

    port: int
    image: str

    def options(self, **more: object) -> Mapping[str, object]:
        """What an operator would write under `[providers.NAME]` to reach it."""
        return {
            "driver": "ec2", "key": "AKIATESTING", "secret": "testing-secret", "region": REGION,
            "host": "127.0.0.1", "port": self.port, "secure": False, **more,
        }  # fmt: skip

    def client(self, service: str = "ec2") -> Any:
        """AWS's own client: what we did is read back by a stranger's hand."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="AKIATESTING",
            aws_secret_access_key="testing-secret",
        )

    def user_data(self, instance_id: str) -> bytes:
        answer = self.client().describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
        return base64.b64decode(answer["UserData"]["Value"])

    def reset(self) -> None:
        """Forget every machine, and demand no credentials again."""
        self._post("/moto-api/reset", b"")
        self.demand_credentials_after(10**9)

    def demand_credentials_after(self, actions: int) -> None:
        self._post("/moto-api/reset-auth", str(actions).encode())

    def _post(self, path: str, body: bytes) -> None:
        url, plain = f"http://127.0.0.1:{self.port}{path}", {"Content-Type": "text/plain"}
        with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=plain), timeout=10):
            pass


@contextmanager
def running() -> Iterator[Moto]:
    """Start a server, wait until it answers, and end that very process afterwards."""
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_ENABLE_AMI_VALIDATION": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Moto(port=port, image=_first_image(port, process))
    finally:
        # It keeps nothing that would need a clean end, and its own waits for whoever still talks to it.
        process.kill()
        process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_image(port: int, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + START_S
    query = urllib.parse.urlencode({"Action": "DescribeImages", "Version": "2016-11-15"}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/",
        data=query,
        headers={"Authorization": f"AWS4-HMAC-SHA256 Credential=A/20260101/{REGION}/ec2/aws4_request"},
    )
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                image = ET.fromstring(answer.read()).findtext(".//{*}imageId")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
            continue
        assert image, "moto knows no image"
        return image
    raise AssertionError(f"moto did not answer within {START_S} s (exit status {process.poll()})")
