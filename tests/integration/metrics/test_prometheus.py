"""A real Prometheus scrapes a real daemon: it has data for every query of the dashboard, and can judge every alert."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.core.facts import Memory
from autoscaler.core.model import OfferName
from autoscaler.core.reports import Boots, Phase
from autoscaler.journal import open_journal
from autoscaler.journal.contract import TickRecord
from testbed import ports
from testbed.prometheus import PrivatePrometheus
from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.unit.web import queries

pytestmark = [pytest.mark.integration, pytest.mark.timeout(500)]

TASKS = 120
LIMITS = "max_cost_per_hour = 5.0\nmax_cost_per_month = 500.0\n\n"
LAST_TICK = re.compile(r"^autoscaler_last_tick_timestamp_seconds (.+)$", re.MULTILINE)
Numbers = dict[tuple[str, str, str], float]
SECOND_POOL = """
[pools.quick]
queues = ["quick"]
slots = 1

[pools.quick.limits]
max_workers = 1

[[pools.quick.policies]]
kind = "wait"
target_wait = "30s"

[[pools.quick.offers]]
provider = "here"
price_per_hour = 0.01

[pools.quick.bootstrap]
app = "flood_tasks"
source = "image"
python = "/usr/bin/python3"
directory = "/tmp"
"""


def a_stage(set_stage: Callable[..., Stage], port: int) -> Stage:
    """Served at that port; with budgets, so that their limits are told; and a pool with a target."""
    stage = set_stage(more_pools=SECOND_POOL, scale_in_window="20s", listen=f"127.0.0.1:{port}")
    text = stage.config.read_text()
    stage.config.write_text(text.replace("[loop]", LIMITS + "[loop]"))
    return stage


def has_data(prometheus: PrivatePrometheus, query: str, since_at: float) -> bool:
    """Whether it comes to a number at any time of the run."""
    found = prometheus.ask("query_range", query=query, start=since_at, end=time.time(), step=1)["result"]
    return any(math.isfinite(float(value)) for series in found for _, value in series["values"])


def numbers(answer: str) -> Numbers:
    """By name, pool and state, of those that bear a pool."""
    return {
        (sample.name, sample.labels["pool"], sample.labels.get("state", "")): sample.value
        for family in text_string_to_metric_families(answer)
        for sample in family.samples
        if "pool" in sample.labels and not {"le", "offer", "percentile"} & set(sample.labels)
    }


def of_status(document: dict[str, Any]) -> Numbers:
    """The numbers of `status --json` by the names that metrics have for them."""
    found = {}
    for pool in document["pools"]:
        for name, key in (
            ("waiting_messages", "waiting"),
            ("in_progress_messages", "in_progress"),
            ("oldest_message_seconds", "oldest_s"),
            ("wanted_workers", "wanted"),
            ("cost_per_hour", "cost_per_h"),
        ):
            if pool[key] is not None:
                found[f"autoscaler_pool_{name}", pool["pool"], ""] = pool[key]
        for state in ("serving", "arriving", "leaving", "lost"):
            found["autoscaler_pool_workers", pool["pool"], state] = pool[state]
    return found


def remember_boots(stage: Stage) -> None:
    """Machines of the provider `local` boot in no phases, so the journal begins with what others told of theirs."""
    boots = Boots(took_s={Phase.BOOTED: (9.0,), Phase.WORKER: (3.0,)}, whole_s=(20.0, 25.0))
    journal = open_journal(stage.journal, make=True)
    journal.commit(TickRecord(at=time.time(), memory=Memory(phases={OfferName("here/// for flood"): boots})))
    journal.close()


def of_one_tick(base: str) -> tuple[Numbers, Numbers]:
    """What metrics and the document of `status --json` told, of one and the same tick."""

    def look() -> tuple[Numbers, Numbers] | None:
        status = requests.get(f"{base}/api/v1/status", timeout=10).json()
        answer = requests.get(f"{base}/metrics", timeout=10).text
        found = LAST_TICK.search(answer)
        same = found is not None and float(found.group(1)) == status["daemon"]["last_tick_at"]
        return (numbers(answer), of_status(status)) if same else None

    return wait_until(look, 60, "metrics and status of one tick")


def test_every_query_has_data_from_a_real_daemon_and_the_numbers_are_those_of_status(
    set_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    """Real broker, real workers, the daemon as operators run it; a wrong name, label or function shows here."""
    port = ports.free_port()
    stage, began_at = a_stage(set_stage, port), time.time()
    remember_boots(stage)
    stage.start_daemon()
    rules = (queries.DEPLOY / "prometheus-rules.yml",)
    with PrivatePrometheus(tmp_path / "prometheus", target=f"127.0.0.1:{port}", rules=rules) as prometheus:
        stage.send(dict.fromkeys(range(TASKS), 0.3))
        stage.wait_until_ended(TASKS, 120)
        for panel, query in queries.of_dashboard():
            wait_until(
                lambda query=query: has_data(prometheus, query, began_at),  # type: ignore[misc]
                60,
                lambda panel=panel, query=query: f"data for {panel}: {query}\n{prometheus.tail()}",  # type: ignore[misc]
                pause_s=1.0,
            )
        for _, query in queries.of_rules():
            prometheus.ask("query", query=query)
        judged = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    told, status = of_one_tick(f"http://127.0.0.1:{port}")

    assert {"ok"} == {rule["health"] for rule in judged}
    assert len(list(queries.of_rules())) == len(judged)
    assert set() == {rule["name"] for rule in judged if rule["state"] == "firing"}
    assert status == {key: told[key] for key in status}
