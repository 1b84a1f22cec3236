"""A broker and a browser for all tests of a process, and for each module a daemon that serves its page."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from testbed.rabbitmq import PrivateRabbitMQ
from tests.browser.looking import Visitor
from tests.browser.shown import Shown, show

_FLAGS = [
    "--no-sandbox",  # tests may run as root, and look at nothing but our own pages
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    """A RabbitMQ that runs whenever a test begins."""
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq"), statistics_interval_s=1.0) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's own Chromium, with a profile that is made for it and removed."""
    program = shutil.which("chromium")
    assert program is not None, "Debian's package chromium is not installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shown(
    request: pytest.FixtureRequest, broker: PrivateRabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shown]:
    """A fleet at work and its page. A module's `STAGE` says what is other than usual."""
    fleet = f"shop-{secrets.token_hex(3)}"
    broker.add_vhost(fleet)
    stage = show(broker, tmp_path_factory.mktemp(fleet), fleet, **getattr(request.module, "STAGE", {}))
    yield stage
    stage.stage.close()


@pytest.fixture
def visitor(chromium: Browser, shown: Shown) -> Iterator[Visitor]:
    """Somebody who looks at it, and whose browser complains of nothing."""
    with Visitor(chromium, shown) as someone:
        yield someone
