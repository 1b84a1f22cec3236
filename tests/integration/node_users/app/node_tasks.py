"""An ordinary Celery application: it retries, sends tasks and waits for files, with nothing set but its queue."""

import os
import time
from pathlib import Path

from celery import Celery, Task
from kombu import Exchange, Queue

QUEUE = os.environ["NODE_QUEUE"]

app = Celery("node_tasks")
app.conf.update(
    task_default_queue=QUEUE,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)
if os.environ.get("NODE_EXCHANGE_TYPE"):
    exchange = Exchange(QUEUE, type=os.environ["NODE_EXCHANGE_TYPE"])
    app.conf.task_queues = [Queue(QUEUE, exchange, routing_key=QUEUE)]
    app.conf.task_default_routing_key = QUEUE
LEDGER = Path(os.environ["NODE_LEDGER"])
LONGEST_S = 60.0


def note(*words: object) -> None:
    with LEDGER.open("a") as ledger:
        ledger.write(" ".join(map(str, words)) + "\n")


@app.task(name="plain")
def plain(name: str) -> None:
    note("plain", name)


@app.task(name="again", bind=True, max_retries=2)
def again(self: Task, name: str) -> None:
    """Fails once, and is tried again."""
    note("again", name, self.request.retries)
    if not self.request.retries:
        raise self.retry(countdown=0.1)


@app.task(name="onward")
def onward(name: str) -> None:
    """Sends another task."""
    plain.delay(name)


@app.task(name="hold")
def hold(until: str) -> None:
    """Run until the file is there."""
    note("held", until)
    end = time.monotonic() + LONGEST_S
    while not Path(until).exists() and time.monotonic() < end:
        time.sleep(0.05)
    note("let go", until)
