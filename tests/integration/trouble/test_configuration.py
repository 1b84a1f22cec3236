"""A wrong configuration ends the daemon before it begins: exit 78, all in one report, and no secret in it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.integration.stage import AUTOSCALER, Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

SLIPS = {
    'tick = "1s"': 'tick = "1 fortnight"',
    "max_workers = 3": "max_wrokers = 3",
    'password = { env = "FLOOD_PASSWORD" }': 'password = { env = "NOT_SET" }',
    'app = "flood_tasks"': 'app = "flood_tasks"\nbroker_url = "amqp://worker:in-the-clear@127.0.0.1/"',
}


def test_every_slip_is_in_one_report_and_nothing_starts(set_stage: Callable[..., Stage]) -> None:
    """Unknown key, wrong unit, missing secret, secret in the clear: each by path and line, with what was expected."""
    stage = set_stage()
    text = stage.config.read_text()
    for right, wrong in SLIPS.items():
        assert 1 == text.count(right)
        text = text.replace(right, wrong)
    stage.config.write_text(text)

    done = stage.run("run")

    assert 78 == done.returncode
    for path in (
        "loop.tick",
        "pools.flood.limits.max_wrokers",
        "broker.password",
        "pools.flood.bootstrap.broker_url",
    ):
        assert path in done.stderr
    assert "max_workers" in done.stderr
    assert "NOT_SET" in done.stderr
    assert "in-the-clear" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert {stage.config} == set(stage.directory.iterdir())
    assert [] == stage.processes()


def test_a_provider_that_cannot_use_its_options_ends_the_daemon_before_its_first_tick(
    set_stage: Callable[..., Stage],
) -> None:
    """What only the provider can judge is judged before anything is bought."""
    stage = set_stage()
    stage.config.write_text(stage.config.read_text().replace('kind = "local"', 'kind = "elsewhere"'))

    done = subprocess.run(
        [AUTOSCALER, "run"], env=stage.environment, capture_output=True, text=True, timeout=30, check=False
    )

    assert 78 == done.returncode
    assert "elsewhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == stage.processes()
