"""The dashboard in `deploy/`: it names metrics there are, stands in no other's place, and can be imported as it is."""

from __future__ import annotations

import itertools

from autoscaler.meters import METERS
from autoscaler.web import metrics
from autoscaler.web.gauges import GAUGES
from tests.unit.web import queries

PARTS = ("_bucket", "_sum", "_count")
OF_PROCESS = {"autoscaler_process_cpu_seconds_total", "autoscaler_process_resident_memory_bytes"}


def test_every_metric_that_a_query_names_exists() -> None:
    """In the dashboard and in the alerts; a panel of a metric that was renamed would stay empty for ever."""
    known = {gauge.name for gauge in GAUGES} | set(metrics.OF_ITSELF) | OF_PROCESS
    for meter in METERS:
        known |= {meter.name + part for part in PARTS} if meter.bounds else {meter.name}

    assert set() == queries.names() - known


def test_panels_have_names_of_their_own_and_do_not_overlap() -> None:
    """Each says what it shows and in which unit."""
    panels = [panel for panel in queries.DASHBOARD["panels"] if panel["type"] != "row"]
    for panel in panels:
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
    assert len(panels) == len({(panel["title"], panel["type"]) for panel in panels})
    assert len(queries.DASHBOARD["panels"]) == len({panel["id"] for panel in queries.DASHBOARD["panels"]})
    for one, other in itertools.combinations(queries.DASHBOARD["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (one["title"], other["title"])


def test_the_store_and_the_pools_are_chosen_in_grafana() -> None:
    """No panel is tied to one installation's data source."""
    chosen = {variable["name"] for variable in queries.DASHBOARD["templating"]["list"]}
    sources = {panel["datasource"]["uid"] for panel in queries.DASHBOARD["panels"] if panel["type"] != "row"}

    assert {"datasource", "pool"} == chosen
    assert {"${datasource}"} == sources
