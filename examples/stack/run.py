"""The whole stack on this computer, which `make stack` starts, and the load that `make stack-load` puts on it.

nginx, two application processes, a private RabbitMQ, the daemon and its workers are the real ones; they end in order,
the graph is drawn, and a run that was killed is cleaned up by the next one. What never happens here: anything outside
its directory, its own processes and `build/`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # for the testbed, which is never installed

import evidence  # noqa: E402 - the testbed can be found only now
import ground  # noqa: E402
import judge  # noqa: E402
import parts  # noqa: E402
from fill import CannotFill  # noqa: E402
from ground import CEILING, POOL, Ground  # noqa: E402
from judge import Sample  # noqa: E402
from parts import AUTOSCALER, Parts, StackFailed  # noqa: E402
from picture import picture  # noqa: E402

from autoscaler import config  # noqa: E402
from autoscaler.cli import opened, output  # noqa: E402
from autoscaler.cli.exits import CommandFailed  # noqa: E402
from autoscaler.journal import Journal, JournalUnavailable  # noqa: E402
from autoscaler.plots.contract import PlotsUnavailable  # noqa: E402
from autoscaler.plots.image import png  # noqa: E402
from autoscaler.views import standing  # noqa: E402
from policies.phrases import count, duration  # noqa: E402
from testbed.asked import Asked  # noqa: E402
from testbed.news import News  # noqa: E402
from testbed.rabbitmq import RabbitMQFailed  # noqa: E402

FAILED, TAKEN = 1, 75
_PAUSE_S = 0.1
_LOOK_EVERY_S = 1.0
_SAY_EVERY_S = 10.0
_DRAIN_WITHIN_S = 300.0
"""After a load, for the last task to be done and the last worker to be gone."""


class Stack:
    """One run: its parts, and what is seen of the pool each second."""

    def __init__(self, where: Ground, started: Parts, asked: Asked, everything: ExitStack) -> None:
        self.samples: list[Sample] = []
        self.began_at = 0.0
        self.kills: list[dict[str, object]] = []
        self._ground = where
        self._parts = started
        self._asked = asked
        self._everything = everything
        self._journal: Journal | None = None
        self._news = News(where.log)
        self._next_look_s = self._said_s = 0.0

    def start(self, port: int | None) -> None:
        """All parts. Raises what `main` translates."""
        self._parts.start(port)
        self.began_at = time.time()
        self._settings = config.load(self._ground.config, os.environ)

    def watch(self, seconds: float | None) -> None:
        """Tell what happens until asked to end, or for so many seconds."""
        end_s = None if seconds is None else time.monotonic() + seconds
        while not self._asked.times and (end_s is None or time.monotonic() < end_s):
            self._step()

    def put_load(self, given: argparse.Namespace) -> judge.Load | None:
        """The load, and the pool's whole course from nothing to nothing. None where somebody asked for the end."""
        while not self._asked.times and not self._is_idle():
            self._step()
        if self._asked.times:
            return None
        say(f"The load begins: {given.rate:g} uploads a second for {duration(given.seconds)}.")
        client, began_s = self._start_client(given), time.monotonic()
        kill_after_s = given.seconds / 2
        while not self._asked.times and client.poll() is None:
            self._step()
            if not self.kills and time.monotonic() - began_s >= kill_after_s:
                pid = self._parts.kill_node(1)
                self.kills.append({"node": 1, "at_s": round(time.time() - self.began_at, 1)})
                say(f"Killed the process of application node 1 ({pid}), with SIGKILL.")
        if client.returncode and not self._asked.times:
            raise StackFailed(f"the load's client ended with {client.returncode}")
        say("The load has ended; what is left is worked off.")
        taken = sum(answer.get("status") == 202 for answer in evidence.answers(self._ground))
        end_s = time.monotonic() + _DRAIN_WITHIN_S
        while not self._asked.times and not (self._is_done(taken) and self._is_idle()):
            if time.monotonic() > end_s:
                say(
                    f"After {duration(_DRAIN_WITHIN_S)} there is still work or a worker; it is judged as it is."
                )
                break
            self._step()
        return None if self._asked.times else self._load(given)

    def draw(self, file: Path) -> None:
        """The graph of all that was seen. Nothing was uploaded: nothing is drawn."""
        lines = evidence.requests_seen(self._ground)
        if not any(line["method"] == "POST" for line in lines):
            return
        killed = "; ".join(
            f"application process {kill['node']} killed at {kill['at_s']} s" for kill in self.kills
        )
        drawn = picture(
            lines,
            self.samples,
            began_at=self.began_at,
            ceiling=CEILING,
            note=f"nginx, two application processes, RabbitMQ, up to {CEILING} workers on one computer"
            + (f"; {killed}" if killed else ""),
        )
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png(drawn))
        say(f"The graph is {file}.")

    def _start_client(self, given: argparse.Namespace) -> subprocess.Popen[bytes]:
        client = subprocess.Popen(
            [
                self._ground.python, Path(__file__).with_name("load.py"),
                "--url", self._parts.url, "--ca", self._ground.authority,
                "--rate", str(given.rate), "--seconds", str(given.seconds), "--answers", self._ground.answers,
            ],
            env={**os.environ, ground.MARK: str(self._ground.directory)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self._everything.callback(_end_client, client)
        return client

    def _load(self, given: argparse.Namespace) -> judge.Load:
        return judge.Load(
            rate_per_s=given.rate,
            seconds=given.seconds,
            answers=evidence.answers(self._ground),
            results=evidence.results(self._ground),
            acts=evidence.acts(self._ground),
            handed_on=evidence.handed_on(evidence.requests_seen(self._ground)),
            samples=self.samples,
            ceiling=CEILING,
            kills=self.kills,
        )

    def _is_idle(self) -> bool:
        last = self.samples[-1] if self.samples else None
        return last is not None and last.machines == 0 and last.waiting == 0 and last.in_progress == 0

    def _is_done(self, taken: int) -> bool:
        done = sum(1 for _ in (self._ground.store / "results").glob("*/*"))
        return done >= taken

    def _step(self) -> None:
        """A pause, and a look where it is time for one."""
        time.sleep(_PAUSE_S)
        self._parts.check()
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + _LOOK_EVERY_S
        for sentence in self._news.fresh():
            say(sentence)
        if self._journal is None:
            with contextlib.suppress(CommandFailed, JournalUnavailable):  # the daemon has not made it yet
                self._journal = self._everything.enter_context(opened.journal(self._settings))
        if self._journal is None:
            return
        # A journal that cannot be read just now is read again in a second; the daemon's log says if it matters.
        with contextlib.suppress(JournalUnavailable):
            self._sample(standing.look(self._journal, self._settings, time.time()), now_s)

    def _sample(self, now: standing.Standing, now_s: float) -> None:
        pool = next((pool for pool in now.pools if pool.pool == POOL), None)
        if pool is None or pool.decided_at is None:
            return
        sample = Sample(
            at_s=now.at - self.began_at,
            waiting=pool.waiting,
            in_progress=pool.in_progress,
            serving=pool.serving,
            arriving=pool.arriving,
            leaving=pool.leaving,
            lost=pool.lost,
        )
        self.samples.append(sample)
        if now_s - self._said_s >= _SAY_EVERY_S and (sample.machines or sample.waiting):
            self._said_s = now_s
            waiting = "an unknown number of" if sample.waiting is None else sample.waiting
            say(
                f"          {waiting} waiting, {count(sample.serving, 'worker')} at work, {sample.arriving} arriving"
            )


def say(sentence: str) -> None:
    """Print a line. Nobody listening is no trouble."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


def _end_client(client: subprocess.Popen[bytes]) -> None:
    if client.poll() is None:
        client.kill()
    client.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The whole stack on this computer, on real parts.")
    parser.add_argument(
        "--directory", type=Path, default=ROOT / ".run" / "stack", help="for its files (.run/stack)"
    )
    parser.add_argument(
        "--python", type=Path, default=ROOT / ".venv-stack" / "bin" / "python", help="of the application"
    )
    parser.add_argument("--port", type=int, help="where nginx listens (a free one)")
    parser.add_argument(
        "--seconds", type=float, help="end by itself after so many seconds; with --load, of load (120)"
    )
    parser.add_argument("--load", action="store_true", help="put a load on it, judge what it showed, and end")
    parser.add_argument("--rate", type=float, default=200.0, help="of the load, uploads a second (200)")
    parser.add_argument(
        "--work", type=float, default=0.08, help="seconds that the work on an upload takes (0.08)"
    )
    parser.add_argument(
        "--build", type=Path, default=ROOT / "build", help="for stack.json and stack.png (build)"
    )
    return parser.parse_args()


def _judge(load: judge.Load, file: Path) -> int:
    """Write the figures, print them as the last lines, and return the exit code."""
    record, failures = judge.record(load), judge.failures(load)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({**record, "failures": failures}, indent=2) + "\n", encoding="utf-8")
    for name, value in record.items():
        say(f"{name:18} {value if isinstance(value, int | float) else json.dumps(value)}")
    for failure in failures:
        say(f"Not as promised: {failure}.")
    say(f"All of it is in {file}." if failures else f"All as promised. The figures are in {file}.")
    return FAILED if failures else 0


def _run(given: argparse.Namespace, where: Ground, asked: Asked) -> int:
    load = None
    with ExitStack() as everything, contextlib.suppress(KeyboardInterrupt):
        started = Parts(where, asked, everything, say)
        stack = Stack(where, started, asked, everything)
        stack.start(given.port)
        _welcome(started, where)
        if given.load:
            given.seconds = given.seconds or 120.0
            load = stack.put_load(given)
        else:
            stack.watch(given.seconds)
        with contextlib.suppress(PlotsUnavailable):
            stack.draw(given.build / "stack.png")
    say(f"Nothing is left running. The files stay in {where.directory} until the next run.")
    if load is not None:
        return _judge(load, given.build / "stack.json")
    return FAILED if given.load else 0


def _welcome(started: Parts, where: Ground) -> None:
    say(f"Uploads are taken at {started.url}/uploads. Ctrl-C ends all of it. Try in a second terminal:")
    say(
        f"  curl -i --cacert '{where.authority}' --data-binary @README.md '{started.url}/uploads?name=README.md'"
    )
    say(f"  '{AUTOSCALER}' -c '{where.config}' why {POOL}")


def main() -> int:
    """Run the stack and return its exit code."""
    given = _options()
    logging.disable(logging.CRITICAL)  # libraries' words; what matters is in the daemon's log
    asked = Asked()
    asked.listen()
    try:
        where = ground.take(given.directory, python=given.python.absolute(), work_s=given.work)
        cleaned = parts.clean(where)
        if cleaned:
            say(cleaned)
        return _run(given, where, asked)
    except ground.GroundTaken as error:
        output.complain(str(error))
        return TAKEN
    except (StackFailed, RabbitMQFailed, CannotFill, config.ConfigError) as error:
        output.complain(str(error))
        return FAILED
    except OSError as error:
        output.complain(f"The stack cannot use {given.directory}: {error}")
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
