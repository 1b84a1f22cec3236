"""A Celery application that says nothing about its broker: all it knows of it is in its environment."""

from pathlib import Path

from celery import Celery

app = Celery("tls_tasks")
app.conf.update(task_default_queue="tls", worker_hijack_root_logger=False)


@app.task(name="touch")
def touch(path: str) -> None:
    """Leave a trace."""
    Path(path).touch()
