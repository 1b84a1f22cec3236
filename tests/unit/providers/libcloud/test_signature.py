"""How an order leaves: in the body of a form, under a signature that AWS's own code comes to as well."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from autoscaler.clock import SystemClock
from providers.contract import InstanceSpec, NodeName, RequestRejected
from providers.libcloud.adapter import open_libcloud
from tests.unit.providers import ec2_stub

KEY, SECRET = "AKIATESTING", "wJalrXUtnFEMI/K7MDENG"
USER_DATA = bytes(range(256)) + "a=b&c d+æ".encode()
SPEC = InstanceSpec(
    name=NodeName("images-1"),
    fleet="production",
    pool="images",
    size="t3.micro",
    image="ami-1",
    location="eu-north-1a",
    user_data=USER_DATA,
)


def test_parameters_travel_in_the_body_under_the_signature_aws_expects() -> None:
    """The URL is bare, user data is intact, and botocore signs the form as it arrived the same way."""
    with ec2_stub.running() as stub:
        options = {
            "driver": "ec2", "key": KEY, "secret": SECRET, "region": "eu-north-1",
            "host": "127.0.0.1", "port": stub.port, "secure": False,
        }  # fmt: skip
        cloud = open_libcloud(name="aws", fleet="production", options=options, clock=SystemClock())
        stub.script["RunInstances"] = ec2_stub.refusal(400, "InvalidParameterValue")
        with pytest.raises(RequestRejected):
            cloud.create(SPEC, timeout_s=5.0)
        cloud.close()
    (asked,) = [each for each in stub.asked if each.action == "RunInstances"]

    assert ("POST", "/") == (asked.method, asked.url)
    assert USER_DATA == base64.b64decode(asked.parameters["UserData"])
    assert "2016-11-15" == asked.parameters["Version"]
    signed = re.search(r"SignedHeaders=([^,]+), Signature=(\w+)", asked.headers["Authorization"])
    assert signed is not None
    assert signed[2] == aws_signature(asked, signed[1].split(";"))


def aws_signature(asked: ec2_stub.Asked, header_names: list[str]) -> str:
    """Botocore's signature of a request as it arrived, over the headers the sender says it signed."""

    class OverTheseHeaders(SigV4Auth):
        def headers_to_sign(self, request: Any) -> Any:
            return {name: value for name, value in super_headers.items() if name in header_names}

        def canonical_headers(self, headers_to_sign: Any) -> str:
            return "\n".join(f"{name}:{headers_to_sign[name].strip()}" for name in sorted(headers_to_sign))

    super_headers = {name.lower(): value for name, value in asked.headers.items()}
    auth = OverTheseHeaders(Credentials(KEY, SECRET), "ec2", "eu-north-1")
    request = AWSRequest(method=asked.method, url="http://127.0.0.1/", headers=asked.headers, data=asked.body)
    # The driver's own sum of the body is not taken on trust.
    del request.headers["X-AMZ-Content-SHA256"]
    request.context["timestamp"] = super_headers["x-amz-date"]
    return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))
