"""What a machine may do at the broker: RabbitMQ's three patterns for its user, made of names that are taken literally.

A node's name, its pool's queues and Celery's exchanges go in, patterns come out, anchored and escaped whatever the
names hold. What never happens here: I/O, or a pattern that a name could widen.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

REPORTS = "autoscaler.enrolment"
"""The topic exchange that machines report to, with their fleet's name as the routing key."""
HASHING = "rabbit_password_hashing_sha256"
"""RabbitMQ's own name of the algorithm that `hashed` follows; its default since 3.6."""
SALT_BYTES = 4
"""Fixed by RabbitMQ's format."""

_PREFIX = "autoscaler"
_DEFAULT_EXCHANGE = "amq.default"
"""What RabbitMQ calls the nameless exchange where rights are concerned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Patterns as RabbitMQ takes them; an empty one matches nothing."""

    configure: str = ""
    write: str = ""
    read: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Celery:
    """How a pool's workers use the broker."""

    queues: tuple[str, ...]
    """Those that they consume. Celery declares an exchange of the same name for each."""
    control_exchange: str = "celery"
    event_exchange: str = "celeryev"
    publishes: bool = True
    """Whether tasks may be sent by Celery's usual way, the nameless exchange. It leads to every queue of the vhost."""


def user_prefix(fleet: str) -> str:
    """How the users of that fleet's machines begin, and no other's: there is no dot in the name of a fleet or node."""
    return f"{_PREFIX}.{fleet}."


def user_of(fleet: str, node: str) -> str:
    """The user of that machine."""
    return f"{user_prefix(fleet)}{node}"


def node_of(fleet: str, user: str) -> str | None:
    """The machine whose user this is; None for one that is not of that fleet.

    Its name begins with the fleet's, as each that we order does: somebody may call the daemon's own user, or one that
    workers share, `autoscaler.FLEET.daemon`.
    """
    prefix = user_prefix(fleet)
    node = user.removeprefix(prefix)
    return node if user.startswith(f"{prefix}{fleet}-") and "." not in node else None


def mailbox_of(node: str) -> str:
    """The queue in which a machine finds what it wanted of its fleet. The daemon makes and ends it."""
    return f"{_PREFIX}.node.{node}"


def voice_of(fleet: str) -> str:
    """The fanout exchange in which the daemon of that fleet is heard."""
    return f"{_PREFIX}.fleet.{fleet}"


def ear_of(fleet: str, node: str) -> str:
    """The queue through which a machine hears its fleet. The machine makes it."""
    return f"{voice_of(fleet)}.{node}"


def enrolling(node: str) -> Rights:
    """What the user in a machine's user data may do: report, and find the answer. Nothing that belongs to anybody
    else can be seen or changed with it."""
    return Rights(write=_any_of(REPORTS), read=_any_of(mailbox_of(node)))


def working(fleet: str, node: str, celery: Celery) -> Rights:
    """What a worker needs, each found by taking it away from a real one (decision 0043).

    It may not write to the control exchange: who can, can stop every worker. Declaring again what is there asks for
    `configure`, binding for `write` on the queue and `read` on the exchange.
    """
    requests, replies = f"{celery.control_exchange}.pidbox", f"reply.{celery.control_exchange}.pidbox"
    control, ear = f"celery@{node}.{requests}", ear_of(fleet, node)
    own = (*celery.queues, control, ear)
    return Rights(
        configure=_any_of(*own, requests, replies, celery.event_exchange),
        write=_any_of(
            *own,
            replies,
            celery.event_exchange,
            REPORTS,
            *((_DEFAULT_EXCHANGE,) if celery.publishes else ()),
        ),
        read=_any_of(*own, requests, voice_of(fleet), mailbox_of(node)),
    )


def reporting(fleet: str) -> Rights:
    """The routing keys that may be used at the exchange of reports: the own fleet's alone."""
    return Rights(write=_any_of(fleet))


def hashed(password: str, salt: bytes) -> str:
    """A password in the form in which RabbitMQ keeps it, so that the password itself is not sent."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _any_of(*names: str) -> str:
    """A pattern of exactly these names; `$` would match before a line end, too."""
    return rf"\A(?:{'|'.join(map(re.escape, _each_once(names)))})\z"


def _each_once(names: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(names)
