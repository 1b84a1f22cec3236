"""The web of a daemon that stands by, and of one whose address another has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from autoscaler.clock import SystemClock
from autoscaler.config import parse
from autoscaler.journal import Journal, open_journal
from autoscaler.web.opening import Opening, SaidOnce
from autoscaler.web.server import Server
from autoscaler.web.serving import open_web
from testbed import ports
from tests.unit.journal.records import a_tick
from tests.unit.stand_ins import Heard, wait_for
from tests.unit.web.fleets import CONFIG

FLEET = "autoscaler_last_tick_timestamp_seconds "


@dataclass
class _Daemon:
    """One, as far as its web goes."""

    directory: Path
    journal: Journal
    heard: Heard
    leads: bool = False

    def __post_init__(self) -> None:
        self.log = SaidOnce(self.heard)

    def open(self, port: int) -> Server | None:
        settings = parse(f'{CONFIG}\n[web]\nlisten = "127.0.0.1:{port}"\n', {"SECRET": "x"}, source="test")
        return open_web(
            lambda: settings,
            self.journal,
            lambda: nullcontext(self.journal),
            config=self.directory,
            counted=dict,
            version="0",
            clock=SystemClock(),
            log=self.log,
            leads=lambda: self.leads,
        )


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[_Daemon]:
    journal = open_journal(f"sqlite:///{tmp_path}/journal.db")
    yield _Daemon(tmp_path, journal, Heard())
    journal.close()


@pytest.fixture
def serving() -> Iterator[Callable[[Server | None], str]]:
    """Where that server is; it is stopped at the end."""
    servers: list[Server] = []

    def url(server: Server | None) -> str:
        assert server is not None
        servers.append(server)
        return server.url

    yield url
    for server in servers:
        server.stop()


def test_one_that_stands_by_is_well_and_not_ready(
    daemon: _Daemon, serving: Callable[[Server | None], str]
) -> None:
    """Whoever looks after it must not restart it, and a proxy must not take it for the leader; it says who that is."""
    daemon.journal.claim("the-leader")
    daemon.journal.commit(a_tick(time.time()))
    url = serving(daemon.open(0))

    def asked() -> list[tuple[str, int]]:
        answers = [(path, requests.get(url + path, timeout=10)) for path in ("healthz", "readyz")]
        assert all("the-leader" in answer.text for _, answer in answers)
        assert {not daemon.leads} == {answer.text.startswith("stands by: ") for _, answer in answers}
        return [(path, answer.status_code) for path, answer in answers]

    assert [("healthz", 200), ("readyz", 503)] == asked()
    daemon.leads = True
    assert [("healthz", 200), ("readyz", 200)] == asked()


def test_one_that_stands_by_is_well_though_nobody_leads(
    daemon: _Daemon, serving: Callable[[Server | None], str]
) -> None:
    """What is amiss is the leader's; a restart of this one would leave nobody to take over."""
    url = serving(daemon.open(0))

    assert 200 == requests.get(f"{url}healthz", timeout=10).status_code
    daemon.leads = True
    assert 503 == requests.get(f"{url}healthz", timeout=10).status_code


def test_of_a_pair_the_leader_alone_tells_prometheus_of_the_fleet(
    daemon: _Daemon, serving: Callable[[Server | None], str]
) -> None:
    """Both read one journal: a sum over the two would count each machine twice. Pages are shown by both."""
    daemon.journal.commit(a_tick(time.time()))
    url = serving(daemon.open(0))

    told = requests.get(f"{url}metrics", timeout=10).text
    assert ("autoscaler_build_info{" in told, f"\n{FLEET}" in told) == (True, False)
    assert 200 == requests.get(url, timeout=10).status_code
    daemon.leads = True
    assert f"\n{FLEET}" in requests.get(f"{url}metrics", timeout=10).text


def test_an_address_that_is_taken_is_said_once_and_served_at_once_it_is_free(daemon: _Daemon) -> None:
    """Two daemons on one computer: the second waits for the first one's end without a word more."""
    port = ports.free_port()
    first = daemon.open(port)
    assert first is not None
    tries: list[Server | None] = []

    def open_it() -> Server | None:
        tries.append(daemon.open(port))
        return tries[-1]

    opening = Opening(open_it, within_s=0.0, again_s=0.05)
    try:
        wait_for(lambda: len(tries) > 3, "some tries")
        assert [None] * 3 == tries[:3]
        first.stop()
        wait_for(lambda: tries[-1], "the address")
        assert 200 == requests.get(f"http://127.0.0.1:{port}/", timeout=10).status_code
    finally:
        first.stop()
        opening.stop()

    assert ["web.opened", "web.failed", "web.opened"] == daemon.heard.names()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/", timeout=10)


class _Page:
    """What is opened, and how often that was asked for."""

    def __init__(self) -> None:
        self.opened = self.stopped = 0

    def open(self) -> _Page:
        self.opened += 1
        return self

    def stop(self) -> None:
        self.stopped += 1


def test_the_web_is_opened_once_it_is_told_to() -> None:
    """The first tick is over then; until that nothing is loaded for it."""
    page = _Page()
    opening = Opening(page.open, within_s=3600.0)
    assert 0 == page.opened
    opening.now()
    wait_for(lambda: page.opened, "the web")
    opening.now()
    opening.stop()

    assert (1, 1) == (page.opened, page.stopped)


def test_the_web_is_opened_in_time_though_nobody_says_so() -> None:
    """One that stands by never ticks, and a first tick may hang: both are looked at."""
    page = _Page()
    opening = Opening(page.open, within_s=0.01)
    wait_for(lambda: page.opened, "the web")
    opening.stop()

    assert 1 == page.stopped


def test_a_daemon_that_ends_before_its_first_tick_opens_nothing() -> None:
    """An end waits for no page that nobody will see."""
    page = _Page()
    opening = Opening(page.open, within_s=3600.0)
    opening.stop()

    assert (0, 0) == (page.opened, page.stopped)
