"""A daemon's loop on real parts in this process, and what it counts and keeps, served as Prometheus asks for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from autoscaler import telemetry, wiring
from autoscaler.clock import SystemClock
from autoscaler.config import Settings, load
from autoscaler.core.facts import Memory
from autoscaler.core.model import OfferName
from autoscaler.core.reports import Boots, Phase
from autoscaler.journal import Journal, open_journal
from autoscaler.journal.contract import TickRecord
from autoscaler.metering import Metered
from autoscaler.meters import Tally
from autoscaler.views import measures, standing
from autoscaler.web import metrics
from tests.integration.stage import Stage

CLOCK = SystemClock()


@dataclass(slots=True)
class Run:
    """A daemon's loop that ticks until it is told to stop, and its answer to `GET /metrics`."""

    settings: Settings
    journal: Journal
    reader: Journal
    tally: Tally
    loop: Metered
    stopping: threading.Event

    def tick_on(self) -> None:
        """Tick at the configured pace."""
        while not self.stopping.wait(self.settings.loop.tick_s):
            self.loop.tick()

    def answer(self) -> bytes:
        """As the daemon's page gives it."""
        at = CLOCK.now()
        found = measures.look(self.reader, self.settings, standing.look(self.reader, self.settings, at))
        return metrics.exposition(found, self.tally.read(), at=at, version="test")


@contextmanager
def running(stage: Stage, offer: OfferName) -> Iterator[tuple[Run, int]]:
    """The loop over the stage's broker and machines, and the port at which it is scraped.

    Machines of the provider `local` boot in no phases, so the journal begins with what others told of their boots.
    """
    settings = load(stage.config, stage.environment)
    journal, reader = open_journal(stage.journal, make=True), open_journal(stage.journal, read_only=True)
    tally, stopping = Tally(CLOCK), threading.Event()
    journal.claim("test")
    boots = Boots(took_s={Phase.BOOTED: (9.0,), Phase.WORKER: (3.0,)}, whole_s=(20.0, 25.0))
    journal.commit(TickRecord(at=CLOCK.now(), memory=Memory(phases={offer: boots})))
    log = telemetry.open_log(level="warning", form="json", counted=tally)
    works = wiring.open_works(settings, clock=CLOCK, may_act=journal.may_act, ticks=True, counted=tally)
    works.workers.start()
    loop = Metered(works.loop(journal, clock=CLOCK, log=log), tally)
    run = Run(settings, journal, reader, tally, loop, stopping)
    ticking = threading.Thread(target=run.tick_on, name="ticks")
    ticking.start()
    try:
        with _served(run) as port:
            yield run, port
    finally:
        stopping.set()
        ticking.join(60)
        works.executor.stop(10.0)
        works.close()
        journal.close()
        reader.close()


@contextmanager
def _served(run: Run) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = run.answer()
            self.send_response(200)
            self.send_header("Content-Type", metrics.CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, name="metrics")
    serving.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        serving.join(10)
        server.server_close()
