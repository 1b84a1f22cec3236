"""What is written is what a real nginx reads: a pool of nobody, every kind of address, and whatever providers say."""

from __future__ import annotations

import http.client
import subprocess
import time
from pathlib import Path

import pytest

from autoscaler.core import upstream
from autoscaler.core.upstream import Server, Upstream
from providers.contract import NodeName
from testbed.ports import free_port
from tests.integration.web_tier.tier import command_of, configure, serving
from tests.unit.core.builders import a_pool

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

RULES = Upstream(pool=a_pool(), file="", port=8000, address="private", max_fails=3, fail_timeout_s=5.0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    configure(tmp_path, tmp_path / "web.conf", free_port())
    return tmp_path


def refused(place: Path, text: str) -> str:
    """What `nginx -t` says against this file; empty where it takes it."""
    (place / "web.conf").write_text(text)
    said = subprocess.run([*command_of(place), "-t"], capture_output=True, text=True, timeout=30, check=False)
    return said.stderr if said.returncode else ""


def test_an_upstream_without_a_server_is_refused_and_ours_never_is(place: Path) -> None:
    """The reason for the server that is down."""
    assert "no servers are inside upstream" in refused(place, "# nobody\n")
    assert "" == refused(place, upstream.text((), RULES))


def test_nobody_is_an_answer_at_once(place: Path) -> None:
    """502 and no wait for a connection."""
    (place / "web.conf").write_text(upstream.text((), RULES))
    port = int((place / "site.conf").read_text().partition("listen 127.0.0.1:")[2].partition(";")[0])
    with serving(place):
        began = time.monotonic()
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        link.request("GET", "/")
        status = link.getresponse().status
        link.close()
        took_s = time.monotonic() - began

    assert 502 == status
    assert took_s < 0.9


def test_every_kind_of_line_is_taken(place: Path) -> None:
    """IPv4, IPv6, weights; and nothing is taken that nginx would not have refused otherwise."""
    standing = (
        Server(node=NodeName("n1"), address="10.0.0.1"),
        Server(node=NodeName("n2"), address="fd00::2", weight=16),
        Server(node=NodeName("n3"), address="8.8.8.8", weight=2),
    )

    assert "" == refused(place, upstream.text(standing, RULES))
    assert "invalid parameter" in refused(place, upstream.text(standing, RULES).replace("weight", "wait"))


def test_an_address_with_words_of_nginx_in_it_is_none(place: Path) -> None:
    """As it is told nginx would take it, and send requests to somebody else; read here it is no address."""
    hostile = "10.0.0.1:80; server 203.0.113.66"

    assert "" == refused(place, f"server {hostile}:8000;\n")
    assert upstream.address_of((hostile,), "private") is None
    assert "10.0.0.7" == upstream.address_of((hostile, "10.0.0.7"), "private")
