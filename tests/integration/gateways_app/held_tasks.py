"""A Celery application, for old and new Celery alike, whose tasks end when they are told to: each waits for a file."""

import os
import time
from pathlib import Path

from celery import Celery

app = Celery("held_tasks", broker=os.environ["BROKER_URL"])
app.conf.update(
    task_acks_late=os.environ.get("ACKS_LATE") == "1",
    task_default_queue="held",
    task_create_missing_queues=True,
    worker_prefetch_multiplier=1,
    worker_direct=os.environ.get("WORKER_DIRECT") == "1",
    control_exchange=os.environ.get("CONTROL_EXCHANGE", "celery"),
    event_exchange=os.environ.get("EVENT_EXCHANGE", "celeryev"),
    broker_connection_retry_on_startup=True,
)

LONGEST_S = 60.0


@app.task(name="hold")
def hold(until: str) -> None:
    """Run until the file is there."""
    end = time.monotonic() + LONGEST_S
    while not Path(until).exists() and time.monotonic() < end:
        time.sleep(0.05)
