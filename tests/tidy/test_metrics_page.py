"""docs/metrics.md tells every metric there is, and nothing else."""

from __future__ import annotations

from autoscaler.meters import METERS
from autoscaler.web import metrics_page
from autoscaler.web.gauges import GAUGES
from tests.tidy.repository import ROOT


def test_the_page_of_metrics_is_what_the_tables_say() -> None:
    """Renew it with `make pages`."""
    assert metrics_page.render() == (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_every_metric_is_on_the_page_once() -> None:
    """In a row of its own, so that a link to it can be found."""
    page = metrics_page.render()

    for name in (*(gauge.name for gauge in GAUGES), *(meter.name for meter in METERS)):
        assert 1 == page.count(f"| `{name}` |"), name
