"""Which arguments of `celery worker` a pool may add to ours, read as Celery's own parser (click) would read them.

In go the arguments of a pool, out come sentences about those it may not give. What never happens here: the value of an
argument in a sentence, because a password may stand in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from bootstrap import addresses

_NAME = "the daemon knows the worker by its name"
_QUEUES = "the queues are the pool's"
_SLOTS = "the concurrency is the pool's slots"
_HEARTBEAT = "the daemon knows by the heartbeats, every 2 s, that the worker lives"
_DETACHED = "supervisord would lose the worker"
_BEAT = "every worker of the pool would send the periodic tasks again; run one `celery beat` elsewhere"
_PURGE = "every new worker would empty the queues"
_BROKER = (
    "its password would stand in a command line, and another broker's workers are not heard; "
    "set bootstrap.broker_url"
)
_SETTING = (
    "a setting is no argument: it belongs into the Celery app, the broker's address into bootstrap.broker_url"
)

_KEYS = {
    "-P": "worker_pool",
    "--pool": "worker_pool",
    "--prefetch-multiplier": "prefetch_multiplier",
    "--time-limit": "time_limit",
    "--soft-time-limit": "soft_time_limit",
    "--max-tasks-per-child": "max_tasks_per_child",
    "--max-memory-per-child": "max_memory_per_child",
}
"""What is said in one place only: two words for the same thing would leave open which holds."""

_RESERVED = {
    **{option: f"it is a setting of its own, bootstrap.{key}" for option, key in _KEYS.items()},
    "-n": _NAME,
    "--hostname": _NAME,
    "-Q": _QUEUES,
    "--queues": _QUEUES,
    "-X": _QUEUES,
    "--exclude-queues": _QUEUES,
    "-c": _SLOTS,
    "--concurrency": _SLOTS,
    "--autoscale": _SLOTS,
    "--without-heartbeat": _HEARTBEAT,
    "--heartbeat-interval": _HEARTBEAT,
    "-D": _DETACHED,
    "--detach": _DETACHED,
    "-B": _BEAT,
    "--beat": _BEAT,
    "--purge": _PURGE,
    "--discard": _PURGE,
    "-b": _BROKER,
    "--broker": _BROKER,
    "--": _SETTING,
}

_POOL = frozenset({"-P", "--pool"})

FLAGS = frozenset(
    {"-B", "-D", "-E", "--", "--beat", "--detach", "--disable-prefetch", "--discard", "--events", "--help"}
    | {"--purge", "--task-events", "--without-gossip", "--without-heartbeat", "--without-mingle"}
)
"""Options of `celery worker` that take no value."""

VALUED = frozenset(
    {"-A", "-I", "-O", "-P", "-Q", "-S", "-X", "-b", "-c", "-f", "-l", "-n", "-s"}
    | {"--autoscale", "--broker", "--concurrency", "--exclude-queues", "--executable", "--gid"}
    | {"--heartbeat-interval", "--hostname", "--include", "--logfile", "--loglevel", "--max-memory-per-child"}
    | {"--max-tasks-per-child", "--optimization", "--pidfile", "--pool", "--pool-start-method"}
    | {"--prefetch-multiplier", "--queues", "--schedule", "--schedule-filename", "--scheduler"}
    | {"--soft-time-limit", "--statedb", "--time-limit", "--uid", "--umask"}
)
"""Options of `celery worker` that take one, with `-A` and `-b`, which belong to `celery` and stand there by mistake."""


def problems(arguments: tuple[str, ...]) -> Iterator[str]:
    """Why `arguments` cannot be given: one sentence for each option, without its value."""
    refused = tuple(
        dict.fromkeys(filter(None, (_why_refused(option, value) for option, value in _given(arguments))))
    )
    yield from refused
    if not refused and any(map(addresses.holds_credentials, arguments)):
        yield (
            "an address with credentials (not shown), which everybody on the machine could read; "
            "give it to the worker in bootstrap.environment"
        )


def _why_refused(option: str, value: str) -> str | None:
    if option in _POOL and value.removeprefix("=").lower() == "solo":
        return (
            f"{option} solo sends no heartbeat while a task runs, so the worker would count as lost; "
            "expected another bootstrap.worker_pool"
        )
    if reason := _RESERVED.get(option):
        return f"{option} is not yours to give: {reason}"
    return None if option else f"a word that belongs to no option: {_SETTING}"


def _given(arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each option with its value, which may be empty; a word that belongs to none has an empty option."""
    words = deque(arguments)
    while words:
        word = words.popleft()
        if word.startswith("--"):
            option, has_value, value = word.partition("=")
            yield option, value if has_value else _value_behind(option, words)
        elif word.startswith("-") and word != "-":
            yield from _of_cluster(word, words)
        else:
            yield "", word


def _of_cluster(word: str, words: deque[str]) -> Iterator[tuple[str, str]]:
    """The options in `-EB` or `-Eldebug`: letters up to the first that takes a value; the rest is its value."""
    for end, letter in enumerate(word[1:], start=2):
        option, rest = f"-{letter}", word[end:]
        if option in VALUED and rest:
            yield option, rest
            return
        yield option, "" if rest else _value_behind(option, words)


def _value_behind(option: str, words: deque[str]) -> str:
    """Takes the value of `option` off `words`. Of an option we do not know, the app's own, another option is none."""
    takes = option in VALUED or (option not in FLAGS and bool(words) and not words[0].startswith("-"))
    return words.popleft() if takes and words else ""
