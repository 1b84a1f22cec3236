"""`make soak-real`: hours of the real daemon in real time; do memory, handles, threads and connections stay flat?

A private RabbitMQ, the daemon as a process, `local` workers of three pools. Load comes in waves and goes, so that
machines come and go with it; the web is looked at, the configuration reloaded, workers killed, the broker restarted. A
sample every 15 s goes to build/soak-real.jsonl at once, so a run that is cut still tells; what comes of it to
build/soak-real.json. Exits 1 if a figure of BOUNDS is not flat at rest, a task was lost, or the daemon ended.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import psutil

from testbed import steady
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.steady import Bound, Sample
from tests.integration.longrun import sampling
from tests.integration.longrun.happening import Happening
from tests.integration.stage import APP, Stage

BOUNDS = {
    "rss_mib": Bound(share=0.05, more=3.0),
    "uss_mib": Bound(share=0.05, more=3.0),
    "handles": Bound(),
    "threads": Bound(),
    "children": Bound(),
    "to_amqp": Bound(),
    "to_management": Bound(),
    "broker_connections": Bound(),
    "broker_channels": Bound(),
    "broker_queues": Bound(),
    "broker_exclusive_queues": Bound(),
    "broker_consumers": Bound(),
    "wal_mib": Bound(more=4.0),
}
"""At rest. The journal's own growth is told and not bounded: it holds 30 days, and two hours are no share of that."""
EVERY_S = 15.0
_PAUSE_S = 0.5
_OUT, _SAMPLES = Path("build/soak-real.json"), Path("build/soak-real.jsonl")
_LOG = Path("build/soak-real.log")
_EMPTY_S = 240.0
_SLOTS = 4
_POOL = """
[pools.{name}]
queues = [{queues}]
slots = {slots}

[pools.{name}.limits]
max_workers = {most}

[[pools.{name}.policies]]
{policy}

[pools.{name}.stabilize]
scale_in_window = "5s"
scale_in_cooldown = "0s"

[pools.{name}.timeouts]
create = "15s"
enrol = "60s"
silence = "30s"
stop = "10s"

[[pools.{name}.offers]]
provider = "here"
price_per_hour = 0.02

[pools.{name}.bootstrap]
app = "flood_tasks"
source = "image"
python = "{python}"
directory = "{app}"

[pools.{name}.bootstrap.environment]
FLOOD_LEDGER = "{directory}/ledger"
FLOOD_ACKS_LATE = "1"
FLOOD_PREFETCH = "1"
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak-real", description="The real daemon for hours, in real time.")
    parser.add_argument("--hours", type=float, default=2.0)
    whole_s = parser.parse_args().hours * 3600
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing we started outlives us
    _OUT.parent.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="soak-real-", ignore_cleanup_errors=True) as directory,
        _stage(Path(directory)) as stage,
    ):
        told = _run(stage, whole_s)
    _OUT.write_text(json.dumps(told, indent=2) + "\n")
    _say(told)
    return 0 if told["passed"] else 1


@contextlib.contextmanager
def _stage(directory: Path) -> Iterator[Stage]:
    """Three pools of six workers at most, on one account."""
    with PrivateRabbitMQ(directory / "rabbitmq", statistics_interval_s=1.0) as broker:
        fleet = f"soak-{secrets.token_hex(3)}"
        broker.add_vhost(fleet)
        place = directory / fleet
        stage = Stage(
            directory=place,
            broker=broker,
            fleet=fleet,
            vhost=fleet,
            tick="2s",
            scale_in_window="5s",
            listen="127.0.0.1:0",
            more_pools=_pool("wide", '"wide-a", "wide-b"', 2, 'kind = "wait"\ntarget_wait = "20s"', place)
            + _pool("small", '"small"', 1, 'kind = "backlog"\nmessages_per_worker = 10', place),
        )
        try:
            yield stage
        finally:
            stage.close()


def _pool(name: str, queues: str, most: int, policy: str, place: Path) -> str:
    return _POOL.format(
        name=name,
        queues=queues,
        most=most,
        policy=policy,
        python=sys.executable,
        app=APP,
        directory=place,
        slots=_SLOTS,
    )


def _run(stage: Stage, whole_s: float) -> dict[str, Any]:
    """The whole course, and what it came to."""
    daemon = stage.start_daemon()
    stage.wait_until_said("web.opened")
    course = Happening(stage=stage, daemon=daemon, whole_s=whole_s)
    began, began_at = time.monotonic(), time.time()
    samples: list[Sample] = []
    problems: list[str] = []
    try:
        with _SAMPLES.open("w") as file:
            _live_through(course, samples, file, began)
        problems += _ended(course)
    except Exception as error:  # noqa: BLE001 - what was seen until then is told all the same
        problems.append(f"{type(error).__name__}: {error}")
    finally:
        course.close()
        shutil.copy(stage.directory / "daemon.log", _LOG)
    verdicts = steady.judged(samples, BOUNDS, whole_s)
    problems += [f"{each.figure} is not flat" for each in verdicts if not each.flat]
    return {
        "hours": whole_s / 3600,
        "began_at": began_at,
        "took_s": time.monotonic() - began,
        "passed": not problems,
        "problems": problems,
        "verdicts": [asdict(each) for each in verdicts],
        "happened": course.counted,
        "web_failed": course.failed,
        "machines": len({each["node"] for each in stage.said("node.moved")}),
        "told": Counter(_grave(stage)),
        "last": samples[-1].figures if samples else {},
        "samples": len(samples),
    }


def _live_through(course: Happening, samples: list[Sample], file: TextIO, began: float) -> None:
    """Until the time is over. Raises what ends a run early."""
    process, next_s = psutil.Process(course.daemon.pid), 0.0
    while (now_s := time.monotonic() - began) < course.whole_s:
        if course.daemon.poll() is not None:
            raise RuntimeError(f"the daemon ended with {course.daemon.returncode}\n{course.stage.tail()}")
        course.happen(now_s)
        watched = course.watched(now_s)
        if now_s >= next_s:
            next_s = max(next_s + EVERY_S, now_s)
            figures = sampling.taken(course.stage, process, course.sent)
            samples.append(
                Sample(at_s=now_s, rest=sampling.is_rest(figures, watched=watched), figures=figures)
            )
            file.write(json.dumps({**asdict(samples[-1]), "at": time.time()}) + "\n")
            file.flush()
        time.sleep(_PAUSE_S)


def _ended(course: Happening) -> list[str]:
    """What is wrong with the end: tasks that were lost, or done twice without a reason, or something that stays."""
    stage = course.stage
    stage.wait_until_ended(course.sent, _EMPTY_S)
    stage.wait_until_empty(_EMPTY_S)
    problems = (
        [] if stage.asked("nodes", "--cloud")["agree"] else ["the journal and the account do not agree"]
    )
    code = stage.stop_daemon()
    problems += [f"the daemon ended with {code}"] if code else []
    ended = stage.noted("ended")
    lost, twice = set(range(course.sent)) - set(ended), [each for each, times in ended.items() if times > 1]
    problems += [f"{len(lost)} tasks were lost"] if lost else []
    # A worker that was killed, or a broker that went, may have been told of work that nobody knows to be done.
    excused = _SLOTS * (course.counted.get("kill", 0) + 6 * course.counted.get("restart of the broker", 0))
    problems += [f"{len(twice)} tasks were done twice"] if len(twice) > excused else []
    problems += [f"{len(stage.processes())} processes stay"] if stage.processes() else []
    return problems


def _grave(stage: Stage) -> Iterator[str]:
    """The names of all warnings and errors that the daemon told."""
    for line in (stage.directory / "daemon.log").read_text().splitlines():
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if told.get("level") in {"warning", "error"}:
                yield told["event"]


def _say(told: dict[str, Any]) -> None:
    for each in told["verdicts"]:
        word = "flat" if each["flat"] else "NOT FLAT"
        print(
            f"{each['figure']:<24} {_shown(each['first'])} -> {_shown(each['last'])}"
            f"  slope comes to {_shown(each['grows'])}  may {each['allowed']:.2f}  {each['samples']} looks  {word}"
        )
    print(f"happened: {told['happened']}, {told['machines']} machines; {told['last']}")
    for problem in told["problems"]:
        print(f"NOT PASSED: {problem}")
    print(f"records in {_OUT}, samples in {_SAMPLES}")


def _shown(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    raise SystemExit(main())
