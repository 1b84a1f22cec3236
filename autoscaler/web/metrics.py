"""The answer to `GET /metrics`: what `views` found and what the daemon counted, in Prometheus's text format.

In go a `Measures` and a reading of the tally, out come bytes. A registry of its own is made for each answer, so nothing
is shared and nothing outlives it. What never happens here: a look at the journal, a number made up, a machine's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from autoscaler import telemetry
from autoscaler.meters import EVENT, METERS, Meter, Reading, Series
from autoscaler.views.measures import Measures
from autoscaler.web.gauges import GAUGES, Gauge

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUILD = "autoscaler_build_info"
AGE = "autoscaler_tick_age_seconds"
OF_ITSELF = {
    BUILD: "The daemon's version.",
    AGE: "How long ago the last tick was written down, by the daemon's own clock, when this was asked for.",
}
"""What is told without the journal, so that it is there when nothing else is."""


def exposition(found: Measures | None, counted: Reading, *, at: float, version: str) -> bytes:
    """The whole answer. `found`: None where the journal cannot be read; what the daemon counted is told all the same.

    `at` is now: `found` may be of an earlier instant, and the age of the last tick grows on.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(found, counted, at, version))
    ProcessCollector(namespace="autoscaler", registry=registry)
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)
class _Told(Collector):
    found: Measures | None
    counted: Reading
    at: float
    version: str

    def collect(self) -> Iterator[Metric]:
        """Every metric there is: those without a number have their name and meaning all the same."""
        build = GaugeMetricFamily(BUILD, OF_ITSELF[BUILD], labels=("version",))
        build.add_metric((self.version,), 1.0)
        yield build
        yield _age(self.found, self.at)
        for gauge in GAUGES:
            yield _gauge(gauge, self.found)
        for meter in METERS:
            yield _meter(meter, self.counted.get(meter.name, ()))


def _age(found: Measures | None, at: float) -> Metric:
    family = GaugeMetricFamily(AGE, OF_ITSELF[AGE])
    last_at = found.standing.daemon.last_tick_at if found is not None else None
    if last_at is not None:
        family.add_metric((), max(0.0, at - last_at))
    return family


def _gauge(gauge: Gauge, found: Measures | None) -> Metric:
    family = GaugeMetricFamily(gauge.name, gauge.means, labels=gauge.labels)
    for labels, number in gauge.read(found) if found is not None else ():
        if number is not None:
            family.add_metric(labels, float(number))
    return family


def _meter(meter: Meter, series: Iterable[Series]) -> Metric:
    if meter is EVENT:
        return _events(series)
    if not meter.bounds:
        counter = CounterMetricFamily(meter.name, meter.means, labels=meter.labels)
        for each in series:
            counter.add_metric(each.labels, each.total)
        return counter
    histogram = HistogramMetricFamily(meter.name, meter.means, labels=meter.labels)
    bounds = (*(f"{bound:g}" for bound in meter.bounds), "+Inf")
    for each in series:
        buckets = list(zip(bounds, map(float, accumulate(each.times)), strict=True))
        histogram.add_metric(each.labels, buckets=buckets, sum_value=each.total)
    return histogram


def _events(series: Iterable[Series]) -> Metric:
    """Of the whole catalogue, each with its level: what was never said is there with 0."""
    said = {each.labels[0]: each.total for each in series}
    counter = CounterMetricFamily(EVENT.name, EVENT.means, labels=(*EVENT.labels, "level"))
    for name, kind in telemetry.EVENTS.items():
        counter.add_metric((name, kind.level), said.get(name, 0.0))
    return counter
