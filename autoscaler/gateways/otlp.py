"""Traces of ticks for an OpenTelemetry collector, by OTLP over HTTP.

What is timed goes in, as it does where it is counted; spans go out, on a thread of their own, bounded in number: a
collector that is away costs memory for some of them and no tick a moment. What never happens here: a machine's name in
a span, a redirect, or a proxy that the configuration does not name.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import requests
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from autoscaler import meters
from autoscaler.meters import Meter, Meters, Timing

_PATH = "/v1/traces"
_TIMEOUT_S = 5.0
"""For one answer of the collector, its repeats included."""
_MOST_SPANS = 2_048
"""That wait to be sent; what comes then is dropped."""
_AT_ONCE = 512
_EVERY_MS = 2_000
_CLOSING_S = 2.0
"""At the end of the daemon; what is not sent by then is dropped."""
_NAMES = {
    meter.name: meter.name.removeprefix("autoscaler_").removesuffix("_seconds") for meter in meters.METERS
}

Told = Callable[[bool], None]
"""Told after each try to send whether it succeeded, on the thread that sends."""


class Traced:
    """Counts as another does, and makes a span of all that is timed: children of the tick in which it began."""

    def __init__(self, counted: Meters, provider: TracerProvider) -> None:
        self._counted = counted
        self._provider = provider
        self._tracer = provider.get_tracer("autoscaler")
        self._tick: Context | None = None

    def count(self, meter: Meter, *labels: str, by: float = 1.0) -> None:
        """As it is counted."""
        self._counted.count(meter, *labels, by=by)

    @contextmanager
    def timed(self, meter: Meter, *labels: str) -> Iterator[Timing]:
        """Timed as it is counted, and a span."""
        named = dict(zip(meter.labels, labels, strict=False))
        # A thread that is in no span of ours carries out, or looks, for the last tick that began.
        parent = None if trace.get_current_span().get_span_context().is_valid else self._tick
        name = " ".join((_NAMES[meter.name], *labels)) if meter is not meters.STAGE else labels[0]
        with (
            self._tracer.start_as_current_span(name, context=parent, attributes=named) as span,
            self._counted.timed(meter, *labels) as timing,
        ):
            if meter is meters.TICK:
                self._tick = context.get_current()
            try:
                yield timing
            finally:
                span.set_attribute("outcome", timing.outcome)

    def close(self) -> None:
        """Send what waits, for a moment."""
        # It has no time-out of its own, and the collector may be away.
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_CLOSING_S)


class Once:
    """Told each time, it tells when that changes; at first all is well."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._well = True

    def __call__(self, well: bool) -> None:
        """How this try ended."""
        if well != self._well:
            self._well = well
            self._told(well)


class _Exporter(SpanExporter):
    """Tells how each try to send ended."""

    def __init__(self, sends: SpanExporter, told: Told) -> None:
        self._sends = sends
        self._told = told

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._sends.export(spans)
        self._told(result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._sends.shutdown()


def open_traces(counted: Meters, *, address: str, fleet: str, version: str, told: Told) -> Traced:
    """Spans for that collector; connects when there are some."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `told` says so, once
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource.create(
            {"service.name": "autoscaler", "service.namespace": fleet, "service.version": version}
        ),
        shutdown_on_exit=False,
    )
    sends = OTLPSpanExporter(
        endpoint=address + _PATH, timeout=_TIMEOUT_S, session=session, compression=Compression.NoCompression
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            _Exporter(sends, told),
            max_queue_size=_MOST_SPANS,
            max_export_batch_size=_AT_ONCE,
            schedule_delay_millis=_EVERY_MS,
        )
    )
    return Traced(counted, provider)
