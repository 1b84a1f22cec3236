"""The daemon as operators run it sends a trace of each tick, and goes on where its collector goes away."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.unit.gateways.test_otlp import collecting

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_a_real_daemons_ticks_are_traces_and_a_collector_that_goes_away_is_told_of_once(
    set_stage: Callable[..., Stage],
) -> None:
    """Its looks at accounts and at the broker are children of the tick in which they began."""
    stage = set_stage()
    with collecting() as (collector, address):
        text = stage.config.read_text()
        stage.config.write_text(text.replace("[loop]", f'[telemetry]\ntraces = "{address}"\n\n[loop]'))
        stage.start_daemon()
        wait_until(
            lambda: len(collector.spans().get("commit", ())) >= 3,
            90,
            lambda: f"traces\n{stage.tail()}",
        )
        spans = collector.spans()
    stage.wait_until_said("traces.missed", deadline_s=90)
    code = stage.stop_daemon()

    ticks = {span.span_id for span in spans["tick"]}
    for part in ("observe", "think", "commit", "dispatch", "provider_call here list", "broker_request GET"):
        assert any(span.parent_span_id in ticks for span in spans[part]), part
    assert 1 == len(stage.said("traces.missed"))
    assert 0 == code
