"""A daemon of one fleet at the journal of another, by a slip in its configuration: it never leads there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.stage import AUTOSCALER, Stage
from tests.integration.standby.pair import FIRST, SECOND

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_who_waited_at_another_fleets_journal_does_not_lead_it(set_pair: Callable[..., Stage]) -> None:
    """It sees none of the machines there in its listings, and would take them for gone while they are paid."""
    stage = set_pair()
    slip = stage.directory / "slip.toml"
    slip.write_text(stage.config.read_text().replace(f'name = "{stage.fleet}"', 'name = "elsewhere"', 1))
    command = ("env", f"AUTOSCALER_CONFIG={slip}", str(AUTOSCALER), "run")
    first = stage.start_daemon(log=FIRST)
    stage.wait_until_said("daemon.started")
    second = stage.start_daemon(*command, log=SECOND)
    stage.wait_until_said("lease.awaited", log=SECOND)
    assert 0 == stage.run("hold", "flood", "1", "--for", "1h").returncode
    stage.wait_until_serving(1)
    first.kill()
    first.wait()

    assert 78 == second.wait(timeout=60)
    assert [] == stage.said("daemon.started", SECOND)
    assert "is another fleet's" in (stage.directory / SECOND).read_text()
    assert 78 == stage.start_daemon(*command, log="third.log").wait(timeout=60)
    assert [1] == list(stage.machines().values())
