"""The sample application: a small web shop's background work, as any Celery application has it.

It knows nothing of autoscaler. Each finished task writes a line to the file that `SHOP_RECEIPTS` names, by one write,
so lines of many processes never mix; the quickstart counts them.
"""

import os
import time

from celery import Celery

app = Celery("shop")
app.conf.update(
    task_default_queue="shop",
    task_ignore_result=True,
    # A task is acknowledged when it is done: one whose worker dies is delivered again.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


@app.task(name="shop.make_thumbnail")
def make_thumbnail(picture: str, seconds: float) -> None:
    """Hold a slot for so long, as the real work would."""
    time.sleep(seconds)
    _write_receipt(f"thumbnail of {picture}")


@app.task(name="shop.send_receipt")
def send_receipt(order: str, seconds: float) -> None:
    """Hold a slot for so long, as the real work would."""
    time.sleep(seconds)
    _write_receipt(f"receipt for {order}")


def _write_receipt(what: str) -> None:
    line = f"{what} by {os.environ.get('AUTOSCALER_NODE', 'a worker')}\n"
    file = os.open(os.environ["SHOP_RECEIPTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
