"""`python -m benchmarks.live`: what it costs the daemon that fifty browsers keep the overview open.

A process of its own serves a journal of 200 pools and 2,000 machines, into which this one writes a tick every few
seconds, as a daemon does. Fifty clients hold the stream of events and fetch the page again after each, as the page's
script does. Counted are the seconds of a processor that the serving process takes, whoever else is at work meanwhile.
The figures go to build/web.json; it fails above the limit. What never happens here: a broker, a worker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter

import psutil

from autoscaler.clock import SystemClock
from autoscaler.journal import open_journal
from autoscaler.web import live
from autoscaler.web.app import application
from autoscaler.web.reader import Reader
from autoscaler.web.server import serve
from autoscaler.web.trials import Trials
from benchmarks import overview

MOST_PERCENT = 5.0
BROWSERS = 50
_TICKS_S = (10.0, 5.0)
_WARM_TICKS, _TICKS = 1, 6
_OUT = Path("build/web.json")
_START_S, _ANSWER_S = 60.0, 30.0
_HEAD = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip, deflate\r\nAccept: {accept}\r\n"
    "Connection: keep-alive\r\n\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured with one time between ticks."""

    pools: int
    nodes: int
    browsers: int
    tick_s: float
    percent_of_a_core: float
    """Of the serving process, while all of them look."""
    percent_without_browsers: float
    renewed: int
    """Pages that were fetched in that time."""
    renewed_after_s: float
    """Median, from the commit of a tick until a browser had its page."""
    sent_bytes: int
    """Of one page, as it goes over the wire."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """What all browsers saw together."""

    committed_at: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    sent_bytes: int = 0


def _serve(file: Path, tick_s: float, ready: Connection) -> None:
    """The whole of the serving process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configured = overview.settings(file, overview.POOLS, tick_s)
    journal = open_journal(f"sqlite:///{file}")
    reader = Reader(journal, lambda: configured, SystemClock())
    trials = Trials(file, SystemClock().monotonic)
    app = application(
        reader,
        lambda: closing(open_journal(f"sqlite:///{file}")),
        trials,
        counted=dict,
        version="0",
        secure=False,
    )
    server = serve(app, ("127.0.0.1", 0), streams=(live.PATH,), ends=trials.close)
    ready.send(server.url)
    ready.recv()  # until it is told to end
    server.stop()
    journal.close()


@contextmanager
def _serving(file: Path, tick_s: float) -> Iterator[tuple[int, psutil.Process]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(file, tick_s, theirs))
    process.start()
    try:
        if not ours.poll(_START_S):
            raise TimeoutError("the server did not start")
        yield int(ours.recv().rsplit(":", 1)[1].strip("/")), psutil.Process(process.pid)
    finally:
        ours.send("end")
        process.join(_START_S)
        process.kill()


async def _browse(port: int, seen: Seen) -> None:
    """One browser, for as long as it is let."""
    await _fetch(port, seen)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_HEAD.format(path=live.PATH, accept="text/event-stream").encode())
        told = b""
        while line := await reader.readline():
            if not line.startswith(b"data:"):
                continue
            if told:  # the first word tells of the tick that the page is of already
                await _fetch(port, seen)
                seen.delays_s.append(perf_counter() - seen.committed_at)
            told = line
        raise ConnectionError("the stream ended")
    finally:
        writer.close()


async def _fetch(port: int, seen: Seen) -> None:
    """The page, by a connection of its own: the server ends one that has been idle since the tick before."""
    async with asyncio.timeout(_ANSWER_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(_HEAD.format(path="/", accept="text/html").encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            if not head.startswith("http/1.1 200"):
                raise ConnectionError(head)
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            seen.sent_bytes = int(headers["content-length"])
            await reader.readexactly(seen.sent_bytes)
        finally:
            writer.close()


async def _measured(file: Path, tick_s: float, browsers: int) -> tuple[float, Seen]:
    """Percent of a core that serving took, and what browsers saw."""
    configured = overview.settings(file, overview.POOLS, tick_s)
    journal = open_journal(f"sqlite:///{file}")
    journal.claim("benchmark")
    seen, clock = Seen(), SystemClock()
    number = 0

    async def ticks(count: int) -> None:
        nonlocal number
        for _ in range(count):
            began, number = perf_counter(), number + 1
            await asyncio.to_thread(
                overview.tick, journal, configured, overview.NODES, clock.now(), number=number
            )
            seen.committed_at = perf_counter()
            await asyncio.sleep(began + tick_s - perf_counter())

    try:
        with _serving(file, tick_s) as (port, process):
            await ticks(1)
            looking = [asyncio.create_task(_browse(port, seen)) for _ in range(browsers)]
            await ticks(_WARM_TICKS)
            seen.delays_s.clear()
            began, before = perf_counter(), process.cpu_times()
            await ticks(_TICKS)
            after, took = process.cpu_times(), perf_counter() - began
            for one in looking:
                one.cancel()
            ended = await asyncio.gather(*looking, return_exceptions=True)
            lost = [each for each in ended if not isinstance(each, asyncio.CancelledError)]
            if lost:
                raise ConnectionError(f"{len(lost)} browsers lost the page: {lost[0]!r}")
    finally:
        journal.close()
    spent = sum(getattr(after, name) - getattr(before, name) for name in ("user", "system"))
    return 100.0 * spent / took, seen


def measure(tick_s: float, browsers: int = BROWSERS) -> Figures:
    """A journal, a server, ticks, and browsers; then the same without them."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "journal.db")
        journal = open_journal(f"sqlite:///{file}")
        configured = overview.settings(file, overview.POOLS, tick_s)
        overview.fill(journal, configured, overview.NODES, SystemClock().now())
        journal.close()
        alone, _ = asyncio.run(_measured(file, tick_s, 0))
        percent, seen = asyncio.run(_measured(file, tick_s, browsers))
    return Figures(
        pools=overview.POOLS,
        nodes=overview.NODES,
        browsers=browsers,
        tick_s=tick_s,
        percent_of_a_core=round(percent, 2),
        percent_without_browsers=round(alone, 2),
        renewed=len(seen.delays_s),
        renewed_after_s=round(statistics.median(seen.delays_s), 2),
        sent_bytes=seen.sent_bytes,
    )


def main() -> int:
    """Measure, write it down beside the overview's figures, tell it; 1 above the limit."""
    parser = argparse.ArgumentParser(prog="benchmarks.live")
    parser.add_argument("--browsers", type=int, default=BROWSERS)
    parser.add_argument("--tick", type=float, action="append", help="seconds; may be given again")
    asked = parser.parse_args()
    found = [measure(tick_s, asked.browsers) for tick_s in asked.tick or _TICKS_S]
    record = {"live": [asdict(each) for each in found], "limit_percent_of_a_core": MOST_PERCENT}
    if overview.OUT.exists():
        record["overview"] = json.loads(overview.OUT.read_text(encoding="utf-8"))
    _OUT.parent.mkdir(exist_ok=True)
    _OUT.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for each in found:
        sys.stdout.write(
            f"{each.browsers} open browsers, a tick each {each.tick_s:g} s: {each.percent_of_a_core:.1f} % of a core "
            f"(limit {MOST_PERCENT:g}; {each.percent_without_browsers:.1f} without them), {each.renewed} pages of "
            f"{each.sent_bytes / 1000:.0f} kB, each {each.renewed_after_s:.1f} s after its tick\n"
        )
    expected = asked.browsers * _TICKS * 0.9
    return 0 if all(e.percent_of_a_core < MOST_PERCENT and e.renewed >= expected for e in found) else 1


if __name__ == "__main__":
    sys.exit(main())
