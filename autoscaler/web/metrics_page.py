"""The metrics as a page for people: `docs/metrics.md`, written from the tables that the answer is made from.

`make pages` renews it; a test holds them together. What never happens here: a metric that is not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autoscaler.meters import METERS
from autoscaler.web.gauges import GAUGES
from autoscaler.web.metrics import AGE, BUILD, OF_ITSELF

_HEAD = """\
# Metrics

Generated from `autoscaler/web/gauges.py` and `autoscaler/meters.py` by `make pages`; change it there.

`GET /metrics` of the daemon's page ([`web.listen`](configuration.md)) answers in Prometheus's text format. What it
tells of the fleet is read from the journal by the same code as `status --json` and the page, so their numbers are equal
at the same tick; what it tells of the daemon itself was counted where it happened, from the start of the process on. No
label is the name of a machine: labels are names of pools, accounts, offers and policies as configured, and words
of short lists.

## Scrape it

On the daemon's own computer, or through a tunnel or a proxy of yours:

```yaml
scrape_configs:
  - job_name: autoscaler
    scrape_interval: 15s
    static_configs:
      - targets: ["127.0.0.1:8480"]
rule_files:
  - /etc/prometheus/autoscaler-rules.yml
```

`deploy/prometheus-rules.yml` has an alert for each thing that an operator should be woken or told for, with what to do
next; copy it to where `rule_files` looks. `deploy/grafana-dashboard.json` is a dashboard for Grafana: *Dashboards*,
*New*, *Import*, and choose the Prometheus that scrapes the daemon. Of a pair of daemons scrape both:
the one that stands by tells of itself alone, and of the fleet once it leads, so that no sum counts it twice.

## Trace a tick

With the extra `traces` (`pip install 'vps-autoscaler[traces]'`) and `telemetry.traces = "http://127.0.0.1:4318"` each
tick is a trace for an OpenTelemetry collector (OTLP over HTTP): a span `tick` with the children `observe`, `think`,
`commit` and `dispatch`, and below it each call to a provider or a worker and each request to the broker that began
meanwhile. They bear what the metrics have as labels, and no machine's name. They are sent beside the ticks: where the
collector is away they are dropped, `traces.missed` says so once, and nothing waits.

## What is told

Durations and intervals are in seconds, instants in seconds since 1970 (UTC). Counters begin at 0 with each start of the
daemon: read them through `rate()` or `increase()`. A number that is not known has no series, and never stands as 0.
"""
_OF_PROCESS = """\
`autoscaler_process_…` are what `prometheus_client` tells of any process: CPU and resident memory, open files, when it
was started.
"""


def render() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *_gauges(), *_meters()])


def _gauges() -> Iterator[str]:
    yield from ("## The fleet, by the journal", "", "All are gauges.", "")
    yield from _table("Unit", ((g.name, g.unit, g.labels, g.means) for g in GAUGES))


def _meters() -> Iterator[str]:
    yield from (
        "## The daemon itself",
        "",
        "A histogram has `_bucket`, `_sum` and `_count`; what took longest stands in the bucket `+Inf`.",
        "",
    )
    rows = [(AGE, "gauge, seconds", (), OF_ITSELF[AGE]), (BUILD, "gauge, 1", ("version",), OF_ITSELF[BUILD])]
    for meter in METERS:
        kind = "histogram, seconds" if meter.bounds else "counter"
        labels = (*meter.labels, "level") if meter.name == "autoscaler_events_total" else meter.labels
        rows.append((meter.name, kind, labels, meter.means))
    yield from _table("Type, unit", rows)
    yield _OF_PROCESS


def _table(kind: str, rows: Iterable[tuple[str, str, tuple[str, ...], str]]) -> Iterator[str]:
    yield from (f"| Metric | {kind} | Labels | Means |", "|---|---|---|---|")
    for name, unit, labels, means in rows:
        yield f"| `{name}` | {unit} | {', '.join(f'`{label}`' for label in labels) or '–'} | {means} |"
    yield ""
