"""How Celery is started on any machine: its command and its environment.

In goes a `WorkerSpec`, out come an argument list without secrets and variables that may hold some. Both formats of user
data stand on these two, so a worker of the `local` provider is the worker a rented machine would run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bootstrap.contract import Credentials, WorkerSpec

BROKER_CA = "/usr/local/lib/autoscaler/broker-ca.pem"
"""Beside the programs that everybody may read: the worker's user must read it too, and a certificate is no secret."""
MODULES = "/usr/local/lib/autoscaler/python"
CELERY = ("-m", "celery")
RUN_CELERY = f"{MODULES}/run-celery"
"""Celery as ever, but for a mark while the daemon drains it: a worker that dies then is not started again."""
TLS_MODULE = "autoscaler_broker_tls"
"""Found in MODULES by the interpreter that runs the worker."""


def argv(spec: WorkerSpec, *, python: str, celery: tuple[str, ...] = CELERY) -> tuple[str, ...]:
    """`python -m celery … worker …`. The pool's own arguments come last, so theirs is the last word where it may be.

    Gossip is off: with it every worker hears every other's events, n² messages every two seconds, and this fleet has a
    daemon that hears them once. Mingling stays on: it costs a second at the start, and without it a newly bought worker
    would run tasks that were revoked before its time. Only a worker with a user of its own does without: asking the
    others takes the right to give them orders. Heartbeats are on by default and must stay so.
    """
    return (
        python,
        *celery,
        f"--app={spec.app}",
        "worker",
        f"--hostname={spec.worker_name}",
        f"--queues={','.join(spec.queues)}",
        f"--concurrency={spec.slots}",
        *_options(spec),
        "--loglevel=INFO",
        "--without-gossip",
        *(("--without-mingle",) if spec.credentials is Credentials.NODE else ()),
        *spec.worker_args,
    )


def _options(spec: WorkerSpec) -> Iterator[str]:
    """Those of the settings that are set; without one the app's own configuration holds."""
    given: dict[str, str | float | None] = {
        "pool": spec.worker_pool,
        "prefetch-multiplier": spec.prefetch_multiplier,
        "time-limit": spec.time_limit_s,
        "soft-time-limit": spec.soft_time_limit_s,
        "max-tasks-per-child": spec.max_tasks_per_child,
        "max-memory-per-child": spec.max_memory_per_child_kib,
        # Imported before the worker connects, and wherever a task publishes.
        "include": TLS_MODULE if spec.broker_ca else None,
    }
    for option, value in given.items():
        if value is not None:
            yield f"--{option}={int(value) if isinstance(value, float) and value.is_integer() else value}"


def environment(spec: WorkerSpec) -> dict[str, str]:
    """The worker's variables. What the operator sets wins over what we would set, the broker's URL included."""
    tls = broker_tls(spec.environment) if spec.broker_ca else {}
    return {**own_environment(spec), **spec.environment, **tls}


def own_environment(spec: WorkerSpec) -> dict[str, str]:
    """What we would set ourselves."""
    broker = {"CELERY_BROKER_URL": spec.broker_url} if spec.broker_url else {}
    return {
        # A line in the log is worth most when it is there before the crash.
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "AUTOSCALER_FLEET": spec.fleet,
        "AUTOSCALER_POOL": spec.pool,
        "AUTOSCALER_NODE": spec.node,
        **broker,
    }


def broker_tls(environment: Mapping[str, str]) -> dict[str, str]:
    """How the worker's interpreter finds our module, and that module the certificates. An operator's own path stays."""
    path = environment.get("PYTHONPATH")
    return {"AUTOSCALER_BROKER_CA": BROKER_CA, "PYTHONPATH": f"{MODULES}:{path}" if path else MODULES}
