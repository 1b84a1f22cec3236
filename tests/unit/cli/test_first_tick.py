"""What `run` leaves for later, so that its first tick is over soon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.unit.web.fleets import CONFIG

_AFTER_THE_FIRST_TICK = (
    "apscheduler", "autoscaler.web.serving", "fastapi", "jinja2", "libcloud", "numpy", "starlette", "uvicorn",
)  # fmt: skip
_ONE_TICK = """
import gc, json, sys
from autoscaler.cli import main, service

class Daemon(service.Daemon):
    def run(self):
        self.loop.tick()
        told = {"imported": sorted(sys.modules), "threshold_before": gc.get_threshold()[0]}
        self.begun()
        told["threshold_after"] = gc.get_threshold()[0]
        sys.stdout.write(json.dumps(told))
        return 0

service.Daemon = Daemon
service._FIRST_SIGHT_S, service._UNSERVED_S = 0.0, 3600.0
service.opening.Opening.now = lambda self: None
main()
"""
"""The first tick of the real loop, over a broker that cannot be reached. Neither a clock nor its end opens the web."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What was imported by the end of the first tick, and after how many objects garbage is looked for then and
    later."""

    imported: list[str]
    threshold_before: int
    threshold_after: int


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """A daemon that ticks once and ends."""
    tmp_path = tmp_path_factory.mktemp("first-tick")
    config = tmp_path / "config.toml"
    config.write_text(
        f'{CONFIG}\n[web]\nlisten = "127.0.0.1:0"\n[journal]\nurl = "sqlite:///{tmp_path}/journal.db"\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", _ONE_TICK, "run", "--config", str(config)],
        env=os.environ | {"SECRET": "x"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return Begun(**json.loads(done.stdout))


def test_a_first_tick_needs_neither_the_web_nor_what_paces_the_next_ones(begun: Begun) -> None:
    """Half a second of a processor would go by in which nobody looks after the fleet."""
    assert {"autoscaler.loop", "autoscaler.web.opening"} <= set(begun.imported)
    assert set() == set(begun.imported) & set(_AFTER_THE_FIRST_TICK)


def test_garbage_is_looked_for_seldom_until_the_first_tick_is_over(begun: Begun) -> None:
    """Ten thousand machines are none, and are not looked through over and over while they are read."""
    assert begun.threshold_before >= 40_000 > begun.threshold_after
