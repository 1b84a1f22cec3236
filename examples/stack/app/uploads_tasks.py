"""The Celery application: one task, which works on an upload and records what came out.

It may be delivered more than once, and twice at the same time: Celery and RabbitMQ promise at least once. What it
leaves behind is there once, by the id of the upload. What never happens here: an acknowledgement before the result is
on disk.
"""

import hashlib
import os
import time
from pathlib import Path

from celery import Celery
from uploads_store import Store

BROKER_URL_FILE = "UPLOADS_BROKER_URL_FILE"
"""Names the file with the broker's URL, for the web application. Workers are told by CELERY_BROKER_URL."""
PUBLISHERS = 16
"""Threads of an application process that may talk to the broker at once, each over a connection of its own."""

store = Store(Path(os.environ.get("UPLOADS_DIRECTORY", "uploads")))

app = Celery("uploads")
app.conf.update(
    task_default_queue="uploads",
    task_ignore_result=True,
    # A task is acknowledged when it is done: one whose worker dies is delivered again.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # A message counts as sent when the broker says that it has it.
    broker_transport_options={"confirm_publish": True},
    broker_connection_timeout=2.0,
    broker_pool_limit=PUBLISHERS,
)
if BROKER_URL_FILE in os.environ:
    app.conf.broker_url = Path(os.environ[BROKER_URL_FILE]).read_text(encoding="utf-8").strip()


@app.task(name="uploads.process")
def process(upload: str, name: str) -> None:
    """Work on an upload, and record the result unless another delivery of the same task has."""
    node = os.environ.get("AUTOSCALER_NODE", "a-worker")
    if store.result(upload) is not None:
        store.note(upload, "again", node)
        return
    content = store.content(upload)
    time.sleep(float(os.environ.get("UPLOADS_WORK_S", "0")))  # as real work would hold the slot
    result = {
        "upload": upload,
        "name": name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "worker": node,
    }
    store.note(upload, "recorded" if store.record(upload, result) else "again", node)
