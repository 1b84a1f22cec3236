"""What `run` does not do before its first tick is over, and what it does without after that, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.unit.web.fleets import CONFIG

_AFTER_THE_FIRST_TICK = ("autoscaler.web.serving", "fastapi", "jinja2", "starlette", "uvicorn")
_TOLD_WHAT_A_TICK_NEEDED = """
import gc, json, sys
from autoscaler.cli import main, service

class Daemon(service.Daemon):
    def run(self):
        self.loop.tick()
        sys.stderr.write(json.dumps([sorted(sys.modules), gc.get_threshold()]))
        return 0

service.Daemon = Daemon
service._FIRST_SIGHT_S, service._UNSERVED_S = 0.0, 3600.0
main()
"""
"""The first tick of the real loop, over a broker that cannot be reached. No clock ends the web's patience."""


@pytest.fixture(scope="module")
def needed(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], list[int]]:
    """The modules that were imported, and how often garbage is looked for."""
    tmp_path = tmp_path_factory.mktemp("first-tick")
    config = tmp_path / "config.toml"
    config.write_text(
        f'{CONFIG}\n[web]\nlisten = "127.0.0.1:0"\n[journal]\nurl = "sqlite:///{tmp_path}/journal.db"\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", _TOLD_WHAT_A_TICK_NEEDED, "run", "--config", str(config)],
        env=os.environ | {"SECRET": "x"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    imported, thresholds = json.loads(done.stderr[done.stderr.rindex("[[") :])
    return set(imported), thresholds


def test_a_first_tick_needs_nothing_of_the_web(needed: tuple[set[str], list[int]]) -> None:
    """Half a second of a processor would go by in which nobody looks after the fleet."""
    imported, _ = needed

    assert {"autoscaler.loop", "autoscaler.web.opening"} <= imported
    assert set() == imported & set(_AFTER_THE_FIRST_TICK)


def test_garbage_is_looked_for_more_seldom_than_by_default(needed: tuple[set[str], list[int]]) -> None:
    """Ten thousand machines are none, and are not looked through ten times while they are read."""
    _, thresholds = needed

    assert thresholds[0] >= 10_000
