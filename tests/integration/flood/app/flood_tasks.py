"""The Celery application of the floods: every task writes down that it began and that it ended.

The ledger is a file to which each line is appended by one write, so lines of many processes never mix.
"""

import os
import time

from celery import Celery

app = Celery("flood")
app.conf.update(
    task_acks_late=os.environ.get("FLOOD_ACKS_LATE") == "1",
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_default_queue="flood",
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=int(os.environ.get("FLOOD_PREFETCH", "1")),
)


@app.task(name="flood.work")
def work(number: int, seconds: float) -> None:
    """Hold a slot for so long."""
    _note("began", number)
    time.sleep(seconds)
    _note("ended", number)


def _note(what: str, number: int) -> None:
    line = f"{what} {number} {os.environ['AUTOSCALER_NODE']} {time.time():.3f}\n"
    ledger = os.open(os.environ["FLOOD_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, line.encode())
    finally:
        os.close(ledger)
