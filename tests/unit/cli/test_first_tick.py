"""What `run` does not do before its first tick is over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.unit.web.fleets import CONFIG

_AFTER_THE_FIRST_TICK = ("autoscaler.web.serving", "fastapi", "jinja2", "starlette", "uvicorn")
_TOLD_WHAT_A_TICK_NEEDED = """
import json, sys
from autoscaler.cli import main, service

class Daemon(service.Daemon):
    def run(self):
        self.loop.tick()
        sys.stderr.write(json.dumps(sorted(sys.modules)))
        return 0

service.Daemon = Daemon
service._FIRST_SIGHT_S, service._UNSERVED_S = 0.0, 3600.0
main()
"""
"""The first tick of the real loop, over a broker that cannot be reached. No clock ends the web's patience."""


def test_a_first_tick_needs_nothing_of_the_web(tmp_path: Path) -> None:
    """Half a second of a processor would go by in which nobody looks after the fleet."""
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
    imported = set(json.loads(done.stderr[done.stderr.rindex("[") :]))

    assert {"autoscaler.loop", "autoscaler.web.opening"} <= imported
    assert set() == imported & set(_AFTER_THE_FIRST_TICK)
