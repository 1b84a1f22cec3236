"""The application of the machines: a shop's background work, which knows nothing of autoscaler.

Each task tells over HTTP that it began and that it ended (`SHOP_RECEIPTS` says where), and is acknowledged after that:
one whose worker dies is delivered again.
"""

import os
import time
import urllib.request

from celery import Celery

app = Celery("shop")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


@app.task(name="shop.work")  # type: ignore[untyped-decorator] # Celery has no annotations
def work(number: int, seconds: float) -> None:
    """Hold a slot for so long, as the real work would."""
    _tell("began", number)
    time.sleep(seconds)
    _tell("ended", number)


def _tell(what: str, number: int, attempts: int = 5) -> None:
    text = f"{what} {number} {os.environ.get('AUTOSCALER_NODE', 'nobody')}"
    for left in reversed(range(attempts)):
        try:
            with urllib.request.urlopen(os.environ["SHOP_RECEIPTS"], data=text.encode(), timeout=30):
                return
        except OSError:
            if not left:
                raise
            time.sleep(1)
