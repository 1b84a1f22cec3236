"""A stage whose daemon serves the web, and what asks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import requests

from testbed.waiting import wait_until
from tests.integration.stage import Stage

TOKEN = "tok-7f3e9c"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
KEYS = 'token = { env = "WEB_TOKEN" }\npaas_price_per_month = 25.0'


def serving(
    set_stage: Callable[..., Stage], *, before: Callable[[Stage], None] = lambda _: None, **settings: Any
) -> Stage:
    """A stage whose daemon has started, listens, and has ticked. `before` puts something there to begin with."""
    secrets = {"WEB_TOKEN": TOKEN, **settings.pop("secrets", {})}
    stage = set_stage(**{"listen": "127.0.0.1:0", "web": KEYS, "secrets": secrets, **settings})
    before(stage)
    stage.start_daemon()
    stage.wait_until_said("web.opened")
    wait_until(lambda: get(stage, "/readyz").ok, 30, "the first tick")
    return stage


def url(stage: Stage, path: str) -> str:
    """An address of that daemon's."""
    return urljoin(stage.said("web.opened")[-1]["url"], path)


def get(stage: Stage, path: str, **how: Any) -> requests.Response:
    """What it answers."""
    return requests.get(url(stage, path), timeout=10, **how)


def order(stage: Stage, wish: dict[str, Any], **how: Any) -> requests.Response:
    """What it answers to an order, which bears the token unless told otherwise."""
    return requests.post(url(stage, "/api/v1/orders"), json=wish, timeout=10, **{"headers": BEARER, **how})
