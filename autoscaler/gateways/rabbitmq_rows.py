"""One row of the management API, read with suspicion: absent is not zero, and nonsense is not a number.

Decoded JSON goes in; counts, counters and names come out, or `FactUnavailable` with what was wrong. What never happens
here: I/O, or a default for something the broker did not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.rabbitmq_counters import Counters
from policies.contract import QueueDemand

COLUMNS = (
    "name,messages_ready,messages_unacknowledged,consumers,arguments,message_stats.publish,message_stats.ack,"
    "message_stats.deliver_no_ack,message_stats.get_no_ack,message_stats.redeliver,"
    "message_stats.deliver_get"
)
"""All that is asked of a queue: whole rows of a big vhost are megabytes."""
_COUNTED = ("ack", "deliver_no_ack", "get_no_ack", "publish", "redeliver", "deliver_get")
_PLAUSIBLE = 10**12


def as_object(value: object, what: str) -> Mapping[str, Any]:
    """The value, if it is a JSON object. Raises FactUnavailable."""
    if not isinstance(value, dict):
        raise FactUnavailable(f"the broker answered {what} with something that is not an object")
    return value


def named(value: object, name: str) -> Mapping[str, Any]:
    """The row of the queue that was asked for. Raises FactUnavailable for anything else."""
    row = as_object(value, f"the queue {name!r}")
    if row.get("name") != name:
        raise FactUnavailable(f"the broker answered the queue {name!r} with something else")
    return row


def name_of(row: Mapping[str, Any]) -> str:
    """The queue that a row of a listing is about. Raises FactUnavailable: a row without a name may be one of ours."""
    name = row.get("name")
    if not isinstance(name, str):
        raise FactUnavailable("the broker lists a queue without a name")
    return name


def count(row: Mapping[str, Any], key: str, where: str) -> int:
    """A count of messages. Raises FactUnavailable."""
    value = row.get(key)
    if type(value) is int and 0 <= value <= _PLAUSIBLE:  # and not by `isinstance`: True is an instance of int
        return value
    if value is None:
        raise FactUnavailable(
            f"the broker gives no {key} for {where!r}: "
            "its statistics are not there yet, or are off (rates_mode, disable_stats)"
        )
    raise FactUnavailable(
        f"the broker gives {str(value)[:40]!r} as {key} of {where!r}: not a plausible count"
    )


def queue_demand(row: Mapping[str, Any], name: str, before: QueueDemand | None = None) -> QueueDemand:
    """The counts of one queue: those `before`, where they are the same. Raises FactUnavailable."""
    backlog = count(row, "messages_ready", name)
    in_progress = count(row, "messages_unacknowledged", name)
    consumers = count(row, "consumers", name)
    if before is not None and (before.backlog, before.in_progress, before.consumers, before.missing) == (
        backlog, in_progress, consumers, False,
    ):  # fmt: skip
        return before
    return QueueDemand(name=name, backlog=backlog, in_progress=in_progress, consumers=consumers)


def counters(row: Mapping[str, Any], name: str, at: float) -> Counters | None:
    """The cumulative counters of one queue; None where the broker keeps none. Raises FactUnavailable.

    RabbitMQ leaves out the counter of what never happened, so within counters that are there, absent is zero.
    """
    stats = row.get("message_stats")
    if not isinstance(stats, dict) or not stats:
        return None
    acknowledged, unasked, got, published, redelivered, delivered = [
        count(stats, key, name) if key in stats else 0 for key in _COUNTED
    ]
    return Counters(at, published, acknowledged + unasked + got, redelivered, delivered)


def is_fifo(row: Mapping[str, Any]) -> bool:
    """Whether a queue serves in the order of publishing."""
    arguments = row.get("arguments")
    return not (isinstance(arguments, dict) and "x-max-priority" in arguments)


def connection_of(row: Mapping[str, Any], whose: str) -> str:
    """The connection that consumes or owns a queue, if the broker names exactly one. Raises FactUnavailable.

    A consumer whose connection cannot be read may be on another one: then what is known of the first proves nothing.
    """
    consumers, owner = row.get("consumer_details", []), row.get("owner_pid_details")
    names = [_name_in(consumer) for consumer in consumers] if isinstance(consumers, list) else [None]
    # A queue that is not exclusive has no owner, for which brokers have several words.
    names += [owner["name"]] if isinstance(owner, dict) and "name" in owner else []
    known = {name for name in names if isinstance(name, str) and name}
    unread = sum(not isinstance(name, str) or not name for name in names)
    if len(known) != 1 or unread:
        besides = f" and {unread} that cannot be read" if unread else ""
        raise FactUnavailable(
            f"the broker names {len(known)} connections of {whose}{besides}; one was expected"
        )
    return known.pop()


def _name_in(consumer: object) -> object:
    details = consumer.get("channel_details") if isinstance(consumer, dict) else None
    return details.get("connection_name") if isinstance(details, dict) else None
