"""`python -m benchmarks.scale`: ticks of fleets of many sizes over one real RabbitMQ, and how their cost grows.

Each size is a process of its own, so that memory is of that size alone. Load changes as the ticks go on: messages come
to some queues and are taken from others. What is measured goes to build/scale.json; a table and the fitted growth go to
the terminal; it fails above the limits, which are of the largest fleet. What never happens here: a real machine.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pika

from benchmarks.scale.fleet import MESSAGES_PER_NODE, TICK_S, Size
from testbed.rabbitmq import PrivateRabbitMQ

LARGEST = Size(pools=1_000, nodes=10_000, queues=10_000)
SIZES = (
    Size(pools=1, nodes=100, queues=1_000),
    Size(pools=10, nodes=100, queues=1_000),
    Size(pools=100, nodes=100, queues=1_000),
    Size(pools=1_000, nodes=100, queues=1_000),
    Size(pools=10, nodes=10, queues=10),
    Size(pools=10, nodes=1_000, queues=10),
    Size(pools=10, nodes=10_000, queues=10),
    Size(pools=10, nodes=10, queues=1_000),
    Size(pools=10, nodes=10, queues=10_000),
    LARGEST,
)
MOST_CPU_S, MOST_WALL_S, MOST_MB, MOST_BYTES_A_DAY = 1.0, 3.0, 400.0, 50e6
"""Of the largest fleet: of a tick at the 99th percentile, resident, and of a journal."""
HOUR = round(3_600 / TICK_S)
OUT = Path("build/scale.json")
_BROKER_MB = 6_000
_CHANGED_A_SECOND = 0.01
"""So large a share of the queues has other numbers a second later."""
_FULL_EVERY = 20
"""One change of so many is enough messages for two more workers."""
_SETTLE_S = 6.0
"""The broker's statistics interval, and one more."""


class Load:
    """What waits at the broker: first what a fleet is made for, then changes as long as the block lasts."""

    def __init__(self, broker: PrivateRabbitMQ) -> None:
        self._broker = broker
        self._ends = threading.Event()

    def lay(self, messages: Mapping[str, int]) -> None:
        """Make exactly these queues, with so many messages each."""
        connection = pika.BlockingConnection(pika.URLParameters(self._broker.amqp_url))
        try:
            channel = connection.channel()
            for name, count in messages.items():
                channel.queue_declare(name)
                channel.queue_purge(name)
                for _ in range(count):
                    channel.basic_publish("", name, b"x")
        finally:
            connection.close()

    @contextmanager
    def changing(self, queues: Sequence[str]) -> Iterator[None]:
        """Messages come and go in some of them, second by second."""
        self._ends.clear()
        thread = threading.Thread(target=self._change, args=(queues,), name="load")
        thread.start()
        try:
            yield
        finally:
            self._ends.set()
            thread.join()

    def _change(self, queues: Sequence[str]) -> None:
        dice, extra = random.Random(0), dict.fromkeys(queues, 0)  # noqa: S311 - load, not secrets
        connection = pika.BlockingConnection(pika.URLParameters(self._broker.amqp_url))
        try:
            channel = connection.channel()
            while not self._ends.wait(1.0):
                for name in dice.sample(queues, max(1, math.ceil(_CHANGED_A_SECOND * len(queues)))):
                    for _ in range(extra[name]):
                        channel.basic_get(name, auto_ack=True)
                    full = dice.randrange(_FULL_EVERY) == 0
                    extra[name] = 0 if extra[name] else (2 * MESSAGES_PER_NODE + 2 if full else 1)
                    for _ in range(extra[name]):
                        channel.basic_publish("", name, b"x")
                connection.process_data_events(0)
        finally:
            connection.close()


def measure(size: Size, ticks: int) -> dict[str, Any]:
    """That fleet's figures, over a broker that has its queues and no others."""
    with (
        tempfile.TemporaryDirectory() as directory,
        PrivateRabbitMQ(Path(directory), memory_mb=_BROKER_MB) as broker,
    ):
        load, messages = Load(broker), size.messages()
        load.lay(messages)
        threading.Event().wait(_SETTLE_S)
        door = {"management_url": broker.management_url, "user": broker.user, "password": broker.password}
        told = json.dumps({"size": asdict(size), "door": door, "ticks": ticks})
        with load.changing(list(messages)):
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.scale.ticks"],
                input=told,
                capture_output=True,
                text=True,
                check=False,
            )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return asdict(size) | found


def exponent(rows: Sequence[Mapping[str, Any]], of: str) -> float:
    """By which power of `of` a tick's processor seconds grow, fitted by least squares over logarithms: 1 is linear, 0
    is not at all."""
    points = [(math.log(row[of]), math.log(row["cpu_s"]["tick"]["p50"])) for row in rows]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def series(rows: Sequence[Mapping[str, Any]], of: str) -> list[Mapping[str, Any]]:
    """The longest run of sizes in which that alone differs."""
    others = [name for name in ("pools", "nodes", "queues") if name != of]
    alike: dict[tuple[int, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        alike.setdefault(tuple(row[name] for name in others), []).append(row)
    return max(alike.values(), key=len)


def line(row: Mapping[str, Any]) -> str:
    """A row of the table."""
    cpu, wall = row["cpu_s"], row["wall_s"]
    stages = " ".join(f"{cpu[stage]['p50'] * 1000:7.0f}" for stage in ("observe", "think", "commit"))
    return (
        f"{row['pools']:6,} {row['nodes']:7,} {row['queues']:7,} {stages} {cpu['tick']['p50']:8.3f} "
        f"{cpu['tick']['p99']:7.3f} {wall['tick']['p50']:8.3f} {wall['tick']['p99']:7.3f} "
        f"{row['requests_per_tick']:8.1f} {row['journal_bytes_per_tick'] / 1000:8.1f} "
        f"{row['journal_a_day']['sum'] / 1e6:6.1f} "
        f"{row['most_resident_mb']:6.0f} {row['threads']:4} {row['bought']:6}"
    )


_TITLE = (
    " pools   nodes  queues observe   think  commit  CPU p50     p99 wall p50     p99 requests  journal   kept     MB "
    "thr bought\n"
    "                             ms      ms      ms        s       s        s       s a tick    kB/tick MB/day"
)


def over(row: Mapping[str, Any]) -> list[str]:
    """What of the largest fleet is above a limit."""
    figures = (
        ("seconds of a processor", row["cpu_s"]["tick"]["p99"], MOST_CPU_S),
        ("seconds by the clock", row["wall_s"]["tick"]["p99"], MOST_WALL_S),
        ("MB resident", row["most_resident_mb"], MOST_MB),
        ("bytes of journal that a day leaves", row["journal_a_day"]["sum"], MOST_BYTES_A_DAY),
    )
    return [f"{what}: {of:,.2f}, limit {most:,.2f}" for what, of, most in figures if of > most]


def main() -> int:
    """All sizes or one; 1 above the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=HOUR, help="of each size; an hour's worth by itself")
    parser.add_argument("--size", metavar="POOLS,NODES,QUEUES", help="this one alone")
    given = parser.parse_args()
    sizes: Sequence[Size] = SIZES
    if given.size:
        pools, nodes, queues = map(int, given.size.split(","))
        sizes = (Size(pools=pools, nodes=nodes, queues=queues),)
    rows: list[dict[str, Any]] = []
    sys.stdout.write(_TITLE + "\n")
    for size in sizes:
        rows.append(measure(size, given.ticks))
        sys.stdout.write(line(rows[-1]) + "\n")
        sys.stdout.flush()
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for of in ("pools", "nodes", "queues") if len(rows) > 1 else ():
        sys.stdout.write(
            f"with {of} a tick's processor time grows by the power {exponent(series(rows, of), of):.2f}\n"
        )
    largest = asdict(LARGEST)
    wrong = [says for row in rows if largest.items() <= row.items() for says in over(row)]
    sys.stdout.writelines(f"ABOVE THE LIMIT {says}\n" for says in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
