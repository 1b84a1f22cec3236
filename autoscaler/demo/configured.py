"""The demo's configuration: the text that is packaged, and what it means to the played world.

In goes the directory in which the journal lies, out come settings as the ordinary loader makes them, and a fleet of the
simulation's. What never happens here: a value that does not stand in the configuration, but for how the world behaves.
"""

from __future__ import annotations

import json
import secrets
from importlib import resources
from pathlib import Path

from autoscaler import pool_rules, whereabouts
from autoscaler.config import Settings
from autoscaler.core.model import PoolName
from autoscaler.simulate.fleet import Fleet
from autoscaler.simulate.workers import Habits
from providers.contract import ProviderName

FILE = "config.toml"
"""What the copy beside the journal is called."""
_UNASKED_FILE, TOKEN_FILE = "password", "token"
LISTEN = "127.0.0.1:8480"
"""Where the page is, as everybody's is who says nothing."""
BOOT_S = 70.0
_TASK_S = {"images": 20.0, "mails": 3.0, "reports": 90.0}
"""Seconds that a task of each pool takes on average."""


def write(directory: Path, *, listen: str = LISTEN) -> Path:
    """Put the configuration into that directory, which is its journal's too, with a token for orders; its path."""
    text = resources.files("autoscaler.demo").joinpath("demo.toml").read_text("utf-8")
    # A path may hold what ends a string in TOML, and JSON's way to write it is one of TOML's.
    for sign, given in (("@DIRECTORY@", str(directory)), ("@LISTEN@", listen)):
        text = text.replace(sign, json.dumps(given)[1:-1])
    for name, secret in ((_UNASKED_FILE, "nobody asks for it"), (TOKEN_FILE, secrets.token_urlsafe(12))):
        (directory / name).write_text(f"{secret}\n", "utf-8")
    path = directory / FILE
    path.write_text(text, "utf-8")
    return path


def task_s(pool: PoolName) -> float:
    """How long a task of that pool takes on average."""
    return _TASK_S[pool]


def fleet(settings: Settings, *, begins_at: float) -> Fleet:
    """As the simulation knows it."""
    rules = {PoolName(name): pool_rules.of(name, pool) for name, pool in settings.pools.items()}
    return Fleet(
        name=settings.fleet.name,
        accounts=tuple(map(ProviderName, settings.providers)),
        rules=rules,
        workers={name: Habits(slots=pool.slots, prefetch=1, early_ack=False) for name, pool in rules.items()},
        task_s={name: task_s(name) for name in rules},
        boot_s=BOOT_S,
        calls_per_minute={
            ProviderName(name): each.calls_per_minute for name, each in settings.providers.items()
        },
        begins_at=begins_at,
        residency=settings.fleet.residency or (),
        places=whereabouts.places(settings, {}),
    )
