"""The quickstart, which `make run` starts: real parts on this computer, a bursty load, and what happens for all to see.

It starts a private RabbitMQ, the daemon with the `local` provider and a sample Celery application, and ends them in
order: load, daemon, machines, broker. A run that was killed is cleaned up by the next one. What never happens here:
anything outside its directory and its own processes.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # for the testbed, which is never installed

import place  # noqa: E402 - the testbed can be found only now
import screen  # noqa: E402
from kombu.exceptions import OperationalError  # noqa: E402
from load import Load  # noqa: E402
from place import Place  # noqa: E402

from autoscaler import config  # noqa: E402
from autoscaler.cli import opened, output  # noqa: E402
from autoscaler.cli.exits import CommandFailed  # noqa: E402
from autoscaler.config import Settings  # noqa: E402
from autoscaler.core.model import Node  # noqa: E402
from autoscaler.journal import Journal, JournalUnavailable  # noqa: E402
from autoscaler.views import standing  # noqa: E402
from policies.phrases import count  # noqa: E402
from testbed import running  # noqa: E402
from testbed.asked import Asked  # noqa: E402
from testbed.news import News  # noqa: E402
from testbed.rabbitmq import PrivateRabbitMQ, RabbitMQFailed  # noqa: E402

AUTOSCALER = Path(sys.executable).parent / "autoscaler"
FAILED, TAKEN = 1, 75
_MARK = "AUTOSCALER_QUICKSTART"
"""Environment variable of the daemon: the directory of its quickstart."""
_PAUSE_S = 0.25
_LOOK_EVERY_S = 1.0
_DAEMON_END_S = 25.0
"""The daemon lets calls under way finish, for 10 s, and then leaves them to the journal."""
_BROKER_END_S = 20.0
_TAIL_LINES = 15


class QuickstartFailed(Exception):
    """A part of it ended that should not have. The message shows what it said last."""


class Quickstart:
    """One run. What `start` and its parts open is ended by `everything`, last opened first."""

    def __init__(self, where: Place, asked: Asked, everything: ExitStack) -> None:
        self._place = where
        self._asked = asked
        self._everything = everything

    def run(self, seconds: float | None) -> None:
        """Start all parts and show them until asked to end, or for so many seconds. Raises what `main` translates."""
        self._everything.callback(_end_processes, self._place)  # whatever the orderly ends leave
        broker = self._start_broker()
        self._place.write_config(broker)
        settings = config.load(self._place.config, os.environ)
        self._everything.callback(self._end_machines)
        daemon = self._start_daemon()
        load = Load(broker)
        self._everything.callback(self._summarize, load)
        with screen.open_screen(AUTOSCALER, self._place.config) as shown:
            self._watch(shown, load, daemon, settings, seconds)

    def _watch(
        self,
        shown: screen.Screen,
        load: Load,
        daemon: subprocess.Popen[bytes],
        settings: Settings,
        seconds: float | None,
    ) -> None:
        began_s = next_look_s = time.monotonic()
        news = News(self._place.log)
        journal: Journal | None = None
        while not self._asked.times:
            now_s = time.monotonic()
            if seconds is not None and now_s - began_s >= seconds:
                return
            if daemon.poll() is not None:
                raise QuickstartFailed(
                    f"The daemon ended with {daemon.returncode}. It said last:\n{self._tail()}"
                )
            if now_s >= next_look_s:
                next_look_s = now_s + _LOOK_EVERY_S
                journal = journal or self._open_journal(settings)
                self._renew(shown, load, news, journal, settings, now_s - began_s)
            time.sleep(_PAUSE_S)

    def _renew(
        self,
        shown: screen.Screen,
        load: Load,
        news: News,
        journal: Journal | None,
        settings: Settings,
        seconds: float,
    ) -> None:
        done = self._done()
        now, nodes = None, tuple[Node, ...]()
        if journal is not None:
            # A journal that cannot be read just now is read again in a second; the daemon's log says if it matters.
            with contextlib.suppress(JournalUnavailable):
                now = standing.look(journal, settings, time.time())
                nodes = journal.live_nodes()
        if load.is_due(seconds, done=done, machines=len(nodes)):
            try:
                shown.tell(f"{time.strftime('%H:%M:%S')}  {load.send(seconds)}")
            except (OSError, OperationalError) as error:
                shown.tell(f"{time.strftime('%H:%M:%S')}  the burst could not be sent: {error}")
        for sentence in news.fresh():
            shown.tell(sentence)
        shown.show(
            screen.Picture(seconds=seconds, happening=load.tell(seconds, done, now), now=now, nodes=nodes)
        )

    def _start_broker(self) -> PrivateRabbitMQ:
        screen.say("Starting a private RabbitMQ (some 10 s) …")
        broker = PrivateRabbitMQ(self._place.rabbitmq, statistics_interval_s=1.0)
        with self._asked.interrupting():
            broker.start()
        self._everything.callback(self._end_broker, broker)
        return broker

    def _start_daemon(self) -> subprocess.Popen[bytes]:
        screen.say("Starting the daemon …")
        with self._place.log.open("ab") as log:
            daemon = subprocess.Popen(
                [AUTOSCALER, "--config", self._place.config, "run"],
                env={**os.environ, _MARK: str(self._place.directory)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, and we end it when its turn comes
            )
        self._everything.callback(self._end_daemon, daemon)
        return daemon

    def _open_journal(self, settings: Settings) -> Journal | None:
        """The daemon's journal, once it has made it."""
        try:
            return self._everything.enter_context(opened.journal(settings))
        except (CommandFailed, JournalUnavailable):
            return None

    def _done(self) -> int:
        try:
            return self._place.receipts.read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    def _tail(self) -> str:
        return "\n".join(self._place.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    def _summarize(self, load: Load) -> None:
        sent = f"{count(load.bursts, 'burst')}, {count(load.sent, 'task')} sent"
        screen.say(f"{sent}, {self._done()} done.")

    def _end_daemon(self, daemon: subprocess.Popen[bytes]) -> None:
        screen.say("Ending the daemon …")
        if daemon.poll() is None:
            daemon.terminate()
            self._asked.wait_for(lambda: daemon.poll() is not None, _DAEMON_END_S)
        if daemon.poll() is None:
            daemon.kill()
        daemon.wait()

    def _end_machines(self) -> None:
        ended = running.end_machines(place.FLEET, self._place.machines)
        if ended:
            screen.say(f"Ended {count(ended, 'worker')} still standing.")

    def _end_broker(self, broker: PrivateRabbitMQ) -> None:
        screen.say("Ending RabbitMQ …")
        if broker.running:
            os.kill(broker.pid, signal.SIGTERM)
            self._asked.wait_for(lambda: not broker.running, _BROKER_END_S)
        broker.kill()


def main() -> int:
    """Run the quickstart and return its exit code."""
    parser = argparse.ArgumentParser(description="The quickstart of autoscaler, on real parts.")
    parser.add_argument(
        "--directory", type=Path, default=ROOT / ".run", help="where it keeps its files (.run)"
    )
    parser.add_argument("--seconds", type=float, help="end by itself after so many seconds")
    given = parser.parse_args()
    logging.disable(
        logging.CRITICAL
    )  # libraries' words would tear the page; what matters is in the daemon's log
    asked = Asked()
    asked.listen()
    try:
        where = place.take(given.directory)
        _clean(where)
        with ExitStack() as everything, contextlib.suppress(KeyboardInterrupt):
            Quickstart(where, asked, everything).run(given.seconds)
    except place.PlaceTaken as error:
        output.complain(str(error))
        return TAKEN
    except (QuickstartFailed, RabbitMQFailed, config.ConfigError) as error:
        output.complain(str(error))
        return FAILED
    except OSError as error:
        output.complain(f"The quickstart cannot use {given.directory}: {error}")
        return FAILED
    screen.say(
        f"Nothing is left running. The daemon's log and journal stay in {where.directory} until the next run."
    )
    return 0


def _end_processes(where: Place) -> int:
    return running.end_processes((_MARK, str(where.directory)), (where.rabbitmq,))


def _clean(where: Place) -> None:
    """End and take away what an earlier run left behind, one that was killed included."""
    processes = _end_processes(where)
    machines = running.end_machines(place.FLEET, where.machines)
    if processes or machines:
        screen.say(
            f"An earlier run was killed: ended {processes} processes and {count(machines, 'worker')} of it."
        )
    where.clear()


if __name__ == "__main__":
    sys.exit(main())
