"""The alerts in `deploy/`: `promtool` takes them, each fires for its reason alone, and says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).parents[3] / "deploy" / "prometheus-rules.yml"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
NAMES = [rule["alert"] for rule in ALERTS]
Series = Mapping[str, str]
OF = 'job="j",instance="i"'
POOL = f'pool="images",{OF}'
CALL = 'autoscaler_provider_call_seconds_count{provider="north",'


def event(name: str, level: str) -> str:
    return f'autoscaler_events_total{{event="{name}",level="{level}",{OF}}}'


LASTS = "xLASTS"
NOW = f"0+60{LASTS}"
"""With a sample a minute: what `time()` is."""
WELL: Series = {
    f"autoscaler_last_tick_timestamp_seconds{{{OF}}}": NOW,
    f"autoscaler_tick_interval_seconds{{{OF}}}": f"5{LASTS}",
    f"autoscaler_lease_taken_timestamp_seconds{{{OF}}}": f"7{LASTS}",
    f"autoscaler_waiting_orders{{{OF}}}": f"0{LASTS}",
    f'autoscaler_tick_seconds_count{{outcome="failed",{OF}}}': f"0{LASTS}",
    f'autoscaler_tick_seconds_bucket{{outcome="done",le="1",{OF}}}': f"0+12{LASTS}",
    f'autoscaler_tick_seconds_bucket{{outcome="done",le="+Inf",{OF}}}': f"0+12{LASTS}",
    event("configuration.kept", "error"): f"0{LASTS}",
    event("boot.failed", "warning"): f"0{LASTS}",
    event("leftover.seen", "warning"): f"0{LASTS}",
    f'autoscaler_pool_fact_seen{{fact="demand",{POOL}}}': f"1{LASTS}",
    f'autoscaler_broker_request_seconds_count{{method="GET",outcome="done",{OF}}}': f"0+12{LASTS}",
    f'autoscaler_broker_request_seconds_count{{method="GET",outcome="unreachable",{OF}}}': f"0+1{LASTS}",
    f'autoscaler_broker_request_seconds_count{{method="GET",outcome="refused",{OF}}}': f"0{LASTS}",
    f"autoscaler_broker_link_losses_total{{{OF}}}": f"0{LASTS}",
    f'autoscaler_account_seen{{provider="north",{OF}}}': f"1{LASTS}",
    f'{CALL}call="list",outcome="failed",{OF}}}': f"0+1{LASTS}",
    f'{CALL}call="create",outcome="done",{OF}}}': f"0+5{LASTS}",
    f'{CALL}call="create",outcome="throttled",{OF}}}': f"0+1{LASTS}",
    f"autoscaler_pool_oldest_message_seconds{{{POOL}}}": f"40{LASTS}",
    f"autoscaler_pool_wait_target_seconds{{{POOL}}}": f"30{LASTS}",
    f"autoscaler_pool_wanted_workers{{{POOL}}}": f"4{LASTS}",
    f'autoscaler_pool_workers{{state="serving",{POOL}}}': f"3{LASTS}",
    f'autoscaler_pool_workers{{state="arriving",{POOL}}}': f"1{LASTS}",
    f'autoscaler_pool_workers{{state="lost",{POOL}}}': f"9{LASTS}",
    f"autoscaler_pool_waiting_messages{{{POOL}}}": f"12{LASTS}",
    f"autoscaler_pool_cost_per_hour{{{POOL}}}": f"0.5{LASTS}",
    f"autoscaler_pool_cost_limit_per_hour{{{POOL}}}": f"1{LASTS}",
    f'autoscaler_holds{{kind="refused",{OF}}}': f"0{LASTS}",
    f'autoscaler_holds{{kind="canary",{OF}}}': f"1{LASTS}",
    f"autoscaler_pool_paused{{{POOL}}}": f"0{LASTS}",
    f"autoscaler_pool_overdue_machines{{{POOL}}}": f"0{LASTS}",
    f'autoscaler_orphan_machines{{provider="north",{OF}}}': f"0{LASTS}",
    f'autoscaler_misplaced_machines{{provider="north",{OF}}}': f"0{LASTS}",
    f"autoscaler_pool_publishing_troubled{{{POOL}}}": f"0{LASTS}",
    f"autoscaler_month_projected{{{OF}}}": f"90{LASTS}",
    f"autoscaler_month_spent{{{OF}}}": f"40{LASTS}",
    f"autoscaler_month_limit{{{OF}}}": f"100{LASTS}",
    f"autoscaler_pool_month_projected{{{POOL}}}": f"90{LASTS}",
    f"autoscaler_pool_month_spent{{{POOL}}}": f"40{LASTS}",
    f"autoscaler_pool_month_limit{{{POOL}}}": f"100{LASTS}",
    f"autoscaler_pool_serving_machine_seconds_total{{{POOL}}}": f"0+180{LASTS}",
    f"autoscaler_pool_idle_machine_seconds_total{{{POOL}}}": f"0+60{LASTS}",
}
ILL: Mapping[str, Series] = {
    "AutoscalerAbsent": {f"autoscaler_last_tick_timestamp_seconds{{{OF}}}": "_" + LASTS},
    "AutoscalerNotTicking": {f"autoscaler_last_tick_timestamp_seconds{{{OF}}}": f"60{LASTS}"},
    "AutoscalerTicksFail": {f'autoscaler_tick_seconds_count{{outcome="failed",{OF}}}': f"0+1{LASTS}"},
    "AutoscalerTicksSlow": {f'autoscaler_tick_seconds_bucket{{outcome="done",le="1",{OF}}}': f"0+1{LASTS}",
                            f'autoscaler_tick_seconds_bucket{{outcome="done",le="10",{OF}}}': f"0+12{LASTS}"},
    "AutoscalerErrors": {event("plan.refused", "error"): f"0+1{LASTS}"},
    "AutoscalerLeadChanges": {f"autoscaler_lease_taken_timestamp_seconds{{{OF}}}": f"7+600{LASTS}"},
    "AutoscalerConfigurationKept": {event("configuration.kept", "error"): f"0+1{LASTS}"},
    "AutoscalerOrdersWait": {f"autoscaler_waiting_orders{{{OF}}}": f"1{LASTS}"},
    "AutoscalerBlind": {f'autoscaler_pool_fact_seen{{fact="demand",{POOL}}}': f"0{LASTS}"},
    "AutoscalerBrokerUnreachable": {
        f'autoscaler_broker_request_seconds_count{{method="GET",outcome="done",{OF}}}': f"12{LASTS}"
    },
    "AutoscalerBrokerRefuses": {
        f'autoscaler_broker_request_seconds_count{{method="GET",outcome="refused",{OF}}}': f"0+12{LASTS}"
    },
    "AutoscalerBrokerLinkUnsteady": {f"autoscaler_broker_link_losses_total{{{OF}}}": f"0+1{LASTS}"},
    "AutoscalerAccountUnseen": {f'autoscaler_account_seen{{provider="north",{OF}}}': f"0{LASTS}"},
    "AutoscalerCallsFail": {
        f'{CALL}call="create",outcome="throttled",{OF}}}': f"0+6{LASTS}"
    },
    "AutoscalerWorkWaits": {f"autoscaler_pool_oldest_message_seconds{{{POOL}}}": f"61{LASTS}"},
    "AutoscalerTooFewWorkers": {f'autoscaler_pool_workers{{state="arriving",{POOL}}}': f"0{LASTS}"},
    "AutoscalerAtCeiling": {f'autoscaler_pool_rule_applied{{rule="ceiling",{POOL}}}': f"1{LASTS}"},
    "AutoscalerAtBudget": {f"autoscaler_pool_cost_per_hour{{{POOL}}}": f"0.95{LASTS}"},
    "AutoscalerHeldBack": {f'autoscaler_holds{{kind="refused",{OF}}}': f"1{LASTS}"},
    "AutoscalerPausedLong": {f"autoscaler_pool_paused{{{POOL}}}": f"1{LASTS}"},
    "AutoscalerMachineOverdue": {f"autoscaler_pool_overdue_machines{{{POOL}}}": f"1{LASTS}"},
    "AutoscalerOrphans": {f'autoscaler_orphan_machines{{provider="north",{OF}}}': f"1{LASTS}"},
    "AutoscalerLeftOvers": {event("leftover.seen", "warning"): f"0+1{LASTS}"},
    "AutoscalerMisplaced": {f'autoscaler_misplaced_machines{{provider="north",{OF}}}': f"1{LASTS}"},
    "AutoscalerBootsFail": {event("boot.failed", "warning"): f"0+1{LASTS}"},
    "AutoscalerUpstreamTroubled": {f"autoscaler_pool_publishing_troubled{{{POOL}}}": f"1{LASTS}"},
    "AutoscalerMonthTooDear": {f"autoscaler_month_projected{{{OF}}}": f"101{LASTS}"},
    "AutoscalerPoolMonthTooDear": {f"autoscaler_pool_month_spent{{{POOL}}}": f"101{LASTS}"},
    "AutoscalerPaysForNothing": {f"autoscaler_pool_idle_machine_seconds_total{{{POOL}}}": f"0+170{LASTS}"},
}  # fmt: skip
"""What makes each fire, and nothing else, where all else is well."""
SLOW = {"AutoscalerPausedLong": 1_500, "AutoscalerPaysForNothing": 480}
"""Minutes until these fire; the others do within two hours."""
ALONG = {"AutoscalerConfigurationKept": {"AutoscalerErrors"}}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool, of the Debian package prometheus"
)


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, timeout=240)


def case(changed: Series, firing: set[str], minutes: int = 120) -> dict[str, Any]:
    """So long with a sample a minute, and who speaks at its end."""
    series = {**WELL, **changed}
    return {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": values.replace("LASTS", str(minutes + 1))}
            for name, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minutes}m",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(firing)],
            }
        ],
    }


@needs_promtool
def test_promtool_takes_the_rules() -> None:
    """Every one of them."""
    done = promtool("check", "rules", str(RULES))

    assert 0 == done.returncode, done.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in done.stdout


@needs_promtool
@pytest.mark.timeout(300)
def test_each_alert_fires_for_its_reason_and_none_where_all_is_well(tmp_path: Path) -> None:
    """Played by promtool, with a sample a minute."""
    played = tmp_path / "played.yml"
    tests = [case({}, set(), minutes) for minutes in (120, *SLOW.values())]
    tests += [
        case(changed, {name} | ALONG.get(name, set()), SLOW.get(name, 120)) for name, changed in ILL.items()
    ]
    played.write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests})
    )
    done = promtool("test", "rules", str(played))

    assert 0 == done.returncode, done.stdout + done.stderr


def test_every_alert_is_played() -> None:
    """One that nobody saw fire may never."""
    assert set(NAMES) == set(ILL)


@pytest.mark.parametrize("rule", ALERTS, ids=NAMES)
def test_every_alert_says_how_grave_it_is_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    """In whole sentences; a name is unique and says whose it is."""
    assert rule["alert"].startswith("Autoscaler")
    assert 1 == NAMES.count(rule["alert"])
    assert rule["labels"]["severity"] in {"page", "warning", "info"}
    assert {"summary", "next_step"} == set(rule["annotations"])
    assert all(re.search(r"[.)]$", words) for words in rule["annotations"].values())
