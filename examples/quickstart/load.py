"""The load: bursts of short tasks with quiet between them, sent as any Celery client sends them.

A burst is sent when the last one is done and its workers are gone, so that each shows the whole way from nothing to the
ceiling and back; or after a while in any case, for whoever holds or pauses the pool. What never happens here: a wait.
"""

from __future__ import annotations

import random
from itertools import cycle

from celery import Celery
from place import POOL, QUEUE

from autoscaler.views.standing import Standing
from policies.phrases import count, duration
from testbed.rabbitmq import PrivateRabbitMQ

_SIZES = (120, 80, 150)
"""Each asks for more workers than the ceiling allows, and keeps them busy for some 10 to 25 s."""
_SHORTEST_S, _LONGEST_S = 0.5, 2.0
_QUIET_S = 10.0
_PATIENCE_S = 90.0
"""After so long the next burst comes, even if workers still stand."""


class Load:
    """Sends bursts and tells how far the current one is. `done` is counted by whoever reads the receipts."""

    def __init__(self, broker: PrivateRabbitMQ) -> None:
        self.sent = 0
        self.bursts = 0
        self.burst = 0
        """Tasks in the current burst."""
        self._broker = broker
        self._sizes = cycle(_SIZES)
        self._dice = random.Random()
        self._sent_at_s = 0.0
        self._empty_since_s: float | None = None

    def is_due(self, now_s: float, *, done: int, machines: int) -> bool:
        """Whether the next burst should be sent now, on a clock that never steps."""
        if self.bursts == 0 or now_s - self._sent_at_s > _PATIENCE_S:
            return True
        if done < self.sent or machines:
            self._empty_since_s = None
            return False
        if self._empty_since_s is None:
            self._empty_since_s = now_s
        return now_s - self._empty_since_s >= _QUIET_S

    def send(self, now_s: float) -> str:
        """Send a burst and say so. Raises OSError or kombu's OperationalError when the broker is not there."""
        size = next(self._sizes)
        with Celery(broker=self._broker.amqp_url) as app:
            app.conf.broker_connection_timeout = 4.0
            for number in range(self.sent, self.sent + size):
                name, of = self._dice.choice(
                    (("shop.make_thumbnail", f"picture {number}"), ("shop.send_receipt", f"order {number}"))
                )
                seconds = round(self._dice.uniform(_SHORTEST_S, _LONGEST_S), 2)
                app.send_task(name, args=(of, seconds), queue=QUEUE, retry=False, ignore_result=True)
        self.sent += size
        self.bursts += 1
        self.burst, self._sent_at_s, self._empty_since_s = size, now_s, None
        return f"burst {self.bursts}: {size} tasks of {_SHORTEST_S:g} to {_LONGEST_S:g} s are sent to the queue {QUEUE}"

    def tell(self, now_s: float, done: int, now: Standing | None) -> str:
        """What is happening, in words."""
        if self._empty_since_s is not None:
            left_s = self._empty_since_s + _QUIET_S - now_s
            return f"Quiet. All work is done and no worker is paid for. The next burst comes in {duration(left_s)}."
        pool = next((pool for pool in now.pools if pool.pool == POOL), None) if now else None
        if pool is None:
            return "The daemon takes its first look."
        standing, leaving = pool.serving + pool.arriving + pool.lost, pool.leaving
        open_tasks = self.sent - done
        if open_tasks <= 0 and standing:
            return f"All {self.burst} tasks are done. {_workers(standing)} kept for a while, in case work comes back."
        if open_tasks <= 0:
            return f"All {self.burst} tasks are done, and no work came back. {_workers(leaving)} given back."
        progress = f"Burst {self.bursts}: {max(self.burst - open_tasks, 0)} of {self.burst} tasks are done"
        if not pool.serving:
            return f"{progress}. The backlog asks for workers, and they are on their way."
        return (
            f"{progress}, {count(pool.serving, 'worker')} at work. (RabbitMQ's figures are up to 5 s behind.)"
        )


def _workers(number: int) -> str:
    return f"{count(number, 'worker')} {'is' if number == 1 else 'are'}"
