"""`make soak-real`: hours of the real daemon in real time; do memory, handles, threads and connections stay flat?

A private RabbitMQ, the daemon as a process, `local` workers of three pools. Load comes in waves and goes, so that
machines come and go with it; the web is looked at, the configuration reloaded, workers killed, the broker restarted. A
sample every 15 s goes to build/soak-real.jsonl at once, so a run that is cut still tells; what comes of it to
build/soak-real.json. Exits 1 if a bounded figure is not flat at rest, a task was lost, or the daemon ended.
"""

from __future__ import annotations

import argparse
import contextlib
import json
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

from testbed.steady import Sample, Verdict
from tests.integration.longrun import parts, sampling, telling
from tests.integration.longrun.happening import Happening
from tests.integration.stage import SLOTS, Stage

EVERY_S = 15.0
_PAUSE_S = 0.5
_OUT, _SAMPLES = Path("build/soak-real.json"), Path("build/soak-real.jsonl")
_LOG, _PLOT = Path("build/soak-real.log"), Path("build/soak-real.png")
_EMPTY_S = 240.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak-real", description="The real daemon for hours, in real time.")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument(
        "--of", type=Path, help="judge the samples of that file instead, of a run that was cut"
    )
    given = parser.parse_args()
    if given.of:
        return _of(given.of)
    whole_s = given.hours * 3600
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing we started outlives us
    _OUT.parent.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="soak-real-", ignore_cleanup_errors=True) as directory,
        parts.opened(Path(directory)) as stage,
    ):
        told = _run(stage, whole_s)
    _OUT.write_text(json.dumps(told, indent=2) + "\n")
    print(f"happened: {told['happened']}, {told['machines']} machines")
    print(f"last sample: {told['last']}")
    for problem in told["problems"]:
        print(f"NOT PASSED: {problem}")
    print(f"records in {_OUT}, samples in {_SAMPLES}, the daemon's log in {_LOG}, a plot in {_PLOT}")
    return 0 if told["passed"] else 1


def _of(file: Path) -> int:
    """What samples tell up to where they end."""
    samples = telling.read(file)
    return 0 if all(each.flat for each in _judged(samples, samples[-1].at_s)) else 1


def _judged(samples: list[Sample], whole_s: float) -> tuple[Verdict, ...]:
    """The verdicts, shown and drawn."""
    found = telling.verdicts(samples, whole_s)
    for verdict in found:
        print(telling.sentence(verdict))
    telling.draw(samples, whole_s, _PLOT)
    return found


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
    verdicts = _judged(samples, whole_s)
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
    excused = SLOTS * (
        course.counted.get("kill", 0) + parts.WORKERS * course.counted.get("restart of the broker", 0)
    )
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


if __name__ == "__main__":
    raise SystemExit(main())
