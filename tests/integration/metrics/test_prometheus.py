"""A real Prometheus scrapes a real run: it has data for every query of the dashboard, and can judge every alert."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.core.model import OfferName
from testbed.prometheus import PrivatePrometheus
from testbed.waiting import wait_until
from tests.integration.metrics import scraped
from tests.integration.stage import Stage
from tests.unit.web import queries

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TASKS = 120
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


def a_stage(set_stage: Callable[..., Stage]) -> Stage:
    """With budgets, so that their limits are told; and a pool with a target."""
    stage = set_stage(more_pools=SECOND_POOL, scale_in_window="20s")
    text = stage.config.read_text()
    stage.config.write_text(
        text.replace("[loop]", "max_cost_per_hour = 5.0\nmax_cost_per_month = 500.0\n\n[loop]")
    )
    return stage


def has_data(prometheus: PrivatePrometheus, query: str, since_at: float) -> bool:
    """Whether it comes to a number at any time of the run."""
    found = prometheus.ask("query_range", query=query, start=since_at, end=time.time(), step=1)["result"]
    return any(math.isfinite(float(value)) for series in found for _, value in series["values"])


def numbers(answer: bytes) -> dict[tuple[str, str, str], float]:
    """By name, pool and state, of those that bear a pool."""
    return {
        (sample.name, sample.labels["pool"], sample.labels.get("state", "")): sample.value
        for family in text_string_to_metric_families(answer.decode())
        for sample in family.samples
        if "pool" in sample.labels and not {"le", "offer", "percentile"} & set(sample.labels)
    }


def of_status(document: dict[str, Any]) -> dict[tuple[str, str, str], float]:
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


def test_every_query_has_data_from_a_real_run_and_the_numbers_are_those_of_status(
    set_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    """Real broker, real workers, the production loop; a name, a label or a function that is wrong shows here."""
    stage = a_stage(set_stage)
    began_at = time.time()
    with scraped.running(stage, OfferName("here/// for flood")) as (run, port):
        rules = (queries.DEPLOY / "prometheus-rules.yml",)
        with PrivatePrometheus(
            tmp_path / "prometheus", target=f"127.0.0.1:{port}", rules=rules
        ) as prometheus:
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
            firing = {rule["name"] for rule in judged if rule["state"] == "firing"}
        run.stopping.set()
        wait_until(
            lambda: stage.asked("status")["daemon"]["last_tick_at"] < time.time() - 3, 30, "ticks to end"
        )
        told, status = numbers(run.answer()), of_status(stage.asked("status"))

    assert {"ok"} == {rule["health"] for rule in judged}
    assert len(list(queries.of_rules())) == len(judged)
    assert set() == firing
    assert status == {key: told[key] for key in status}
