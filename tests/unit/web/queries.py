"""Every query of the dashboard and of the alerts, as Prometheus is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
RULES: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text())
METRIC = re.compile(r"\bautoscaler_[a-z_]+\b")


def of_dashboard() -> Iterator[tuple[str, str]]:
    """The title of the panel, and the query as Grafana would send it with all pools chosen."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$pool", ".*").replace("$__rate_interval", "30s")


def of_rules() -> Iterator[tuple[str, str]]:
    """The name of the alert, and its condition."""
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def names() -> set[str]:
    """Every metric that any of them names."""
    more = json.dumps(DASHBOARD["templating"]) + json.dumps(DASHBOARD["annotations"])
    text = "\n".join([more, *(query for _, query in (*of_dashboard(), *of_rules()))])
    return set(METRIC.findall(text))
