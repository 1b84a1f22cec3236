"""How Celery is started on any machine: its command and its environment.

In goes a `WorkerSpec`, out come an argument list without secrets and variables that may hold some. Both formats of user
data stand on these two, so a worker of the `local` provider is the worker a rented machine would run.
"""

from __future__ import annotations

from bootstrap.contract import WorkerSpec


def argv(spec: WorkerSpec, *, python: str) -> tuple[str, ...]:
    """`python -m celery … worker …`. The pool's own arguments come last, so theirs is the last word where it may be.

    Gossip is off: with it every worker hears every other's events, n² messages every two seconds, and this fleet has a
    daemon that hears them once. Mingling stays on: it costs a second at the start, and without it a newly bought worker
    would run tasks that were revoked before its time. Heartbeats are on by default and must stay so.
    """
    prefetch = (
        () if spec.prefetch_multiplier is None else (f"--prefetch-multiplier={spec.prefetch_multiplier}",)
    )
    return (
        python,
        "-m",
        "celery",
        f"--app={spec.app}",
        "worker",
        f"--hostname={spec.worker_name}",
        f"--queues={','.join(spec.queues)}",
        f"--concurrency={spec.slots}",
        *prefetch,
        "--loglevel=INFO",
        "--without-gossip",
        *spec.worker_args,
    )


def environment(spec: WorkerSpec) -> dict[str, str]:
    """The worker's variables. What the operator sets wins over what we would set, the broker's URL included."""
    broker = {"CELERY_BROKER_URL": spec.broker_url} if spec.broker_url else {}
    return {
        # A line in the log is worth most when it is there before the crash.
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "AUTOSCALER_FLEET": spec.fleet,
        "AUTOSCALER_POOL": spec.pool,
        "AUTOSCALER_NODE": spec.node,
        **broker,
        **spec.environment,
    }
