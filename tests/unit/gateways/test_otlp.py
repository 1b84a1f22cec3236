"""Traces of ticks: what a collector is sent, and what a collector that is away costs."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from autoscaler import meters
from autoscaler.clock import SystemClock
from autoscaler.config import ConfigError, parse
from autoscaler.config import telemetry as section
from autoscaler.execute import Executor
from autoscaler.gateways import otlp
from autoscaler.gateways.otlp import Traced
from autoscaler.metering import Metered
from autoscaler.meters import Tally
from testbed import ports
from tests.unit.core.builders import CLOUD
from tests.unit.stand_ins import Scripted, ScriptedWorkers, wait_for
from tests.unit.test_execute import a_create, rendered
from tests.unit.test_loop import Stage
from tests.unit.web.fleets import CONFIG


class Collector:
    """What was sent to it, decoded."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: list[str] = []

    def spans(self) -> dict[str, list[Span]]:
        found: dict[str, list[Span]] = {}
        for request in self.requests:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found.setdefault(span.name, []).append(span)
        return found


@contextmanager
def collecting(*, silent_s: float = 0.0, status: int = 200) -> Iterator[tuple[Collector, str]]:
    """A collector on a loopback port, and its address."""
    collector, ending = Collector(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            ending.wait(silent_s)
            collector.paths.append(self.path)
            collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((ports.LOOPBACK, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector, f"http://{ports.LOOPBACK}:{server.server_address[1]}"
    finally:
        ending.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def opened(address: str, tally: Tally, told: otlp.Told = lambda _: None) -> Traced:
    return otlp.open_traces(tally, address=address, fleet="shop", version="1.2", told=told)


def ticking(traced: Traced) -> Metered:
    stage = Stage()
    stage.names = map(str, itertools.count())
    stage.loop._meters = traced
    return Metered(stage.loop, traced)


def test_a_tick_is_a_span_with_its_parts_and_calls_as_children() -> None:
    """A call that goes out on a thread of its own belongs to the tick in which it began."""
    tally = Tally(SystemClock())
    with collecting() as (collector, address):
        traced = opened(address, tally)
        ticking(traced).tick()
        calls = Executor(
            providers={CLOUD: Scripted()},
            workers=ScriptedWorkers(),
            render=rendered,
            clock=SystemClock(),
            max_calls=2,
            counted=traced,
        )
        calls.dispatch((a_create("shop-images-secret-name"),))
        wait_for(lambda: not calls.in_flight(), "the call to end")
        calls.stop(1.0)
        traced.close()

    spans = collector.spans()
    (tick,) = spans["tick"]
    children = {name: span for name, (span,) in spans.items() if span.parent_span_id == tick.span_id}
    assert {"observe", "think", "commit", "dispatch", "provider_call cloud create"} == set(children)
    assert {tick.trace_id} == {span.trace_id for span in children.values()}
    assert all(span.start_time_unix_nano >= tick.start_time_unix_nano for span in children.values())
    assert {"/v1/traces"} == set(collector.paths)
    (named,) = {
        (attribute.key, attribute.value.string_value)
        for request in collector.requests
        for attribute in request.resource_spans[0].resource.attributes
        if attribute.key == "service.namespace"
    }
    assert ("service.namespace", "shop") == named


def test_no_span_names_a_machine() -> None:
    """Whoever reads traces reads no more of the fleet than whoever reads metrics."""
    with collecting() as (collector, address):
        traced = opened(address, Tally(SystemClock()))
        ticking(traced).tick()
        traced.close()

    text = str(collector.requests)
    assert "observe" in text
    assert "shop-images" not in text


def test_what_is_traced_is_counted_all_the_same() -> None:
    """By the tally that it would be counted by without."""
    tally = Tally(SystemClock())
    with collecting() as (_, address):
        traced = opened(address, tally)
        ticking(traced).tick()
        traced.count(meters.EVENT, "node.moved", by=2.0)
        with pytest.raises(KeyError), traced.timed(meters.BROKER_REQUEST, "GET"):
            raise KeyError
        traced.close()
    found = {(name, each.labels): each for name, series in tally.read().items() for each in series}

    assert 1 == sum(found[meters.TICK.name, ("done",)].times)
    assert 2.0 == found[meters.EVENT.name, ("node.moved",)].total
    assert 1 == sum(found[meters.BROKER_REQUEST.name, ("GET", "failed")].times)


@pytest.mark.parametrize("silent", [True, False])
def test_a_collector_that_is_away_delays_no_tick_and_no_end(
    monkeypatch: pytest.MonkeyPatch, *, silent: bool
) -> None:
    """Whether nobody listens, or somebody takes the spans and says nothing."""
    told: list[bool] = []
    monkeypatch.setattr(otlp, "_MOST_SPANS", 64)
    monkeypatch.setattr(otlp, "_AT_ONCE", 32)
    with collecting(silent_s=30.0) as (_, address):
        away = address if silent else f"http://{ports.LOOPBACK}:{ports.free_port()}"
        traced = opened(away, Tally(SystemClock()), told.append)
        loop = ticking(traced)
        slowest_s = 0.0
        for _ in range(40):  # more spans than may wait
            began = time.monotonic()
            loop.tick()
            slowest_s = max(slowest_s, time.monotonic() - began)
        began = time.monotonic()
        traced.close()
        closing_s = time.monotonic() - began

    assert slowest_s < 3.0  # an answer is waited for 5 s, on another thread
    assert closing_s < 4.0  # without a bound: as long as the answer is waited for, batch by batch


def test_a_collector_that_refuses_is_told_of_once_and_its_recovery_too() -> None:
    """Every two seconds the same word would hide the others."""
    told: list[bool] = []
    once = otlp.Once(told.append)
    for well in (True, False, False, True, True, False):
        once(well)

    assert [False, True, False] == told


def test_a_refusal_reaches_whoever_is_told() -> None:
    """By the exporter itself, which says it in no log."""
    told: list[bool] = []
    with collecting(status=400) as (_, address):
        traced = opened(address, Tally(SystemClock()), told.append)
        ticking(traced).tick()
        traced.close()
        wait_for(lambda: told, "the refusal")

    assert [False] == told[:1]


def test_traces_without_what_sends_them_are_a_problem_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Told by `check`, before anything starts; it says what to install."""
    monkeypatch.setattr(section, "find_spec", lambda _: None)
    text = CONFIG + '\n[telemetry]\ntraces = "http://127.0.0.1:4318"\n'
    with pytest.raises(
        ConfigError, match=r"telemetry\.traces: found .*`traces` to be installed.*pip install"
    ):
        parse(text, {"SECRET": "x"}, source="test")


@pytest.mark.parametrize("address", ["http://u:p@127.0.0.1:4318", "127.0.0.1:4318", "ftp://127.0.0.1"])
def test_an_address_of_a_collector_is_a_bare_one(address: str) -> None:
    """A password would stand in the log."""
    with pytest.raises(ConfigError, match="an address"):
        parse(CONFIG + f'\n[telemetry]\ntraces = "{address}"\n', {"SECRET": "x"}, source="test")
