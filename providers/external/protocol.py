"""What is said to an operator's program, and what its exit says back: protocol 1 of docs/providers/external.md.

Calls go in, JSON documents come out; an exit code goes in, the error that it means comes out. What never happens here:
a process, or a look at the document that the program answered.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType

from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    InstanceId,
    InstanceSpec,
    ListingUnavailable,
    OutcomeUnknown,
    ProviderError,
    Purchase,
    QuotaRefused,
    RequestRejected,
    Throttled,
)

VERSION = 1


class Verb(StrEnum):
    """What a program is asked for."""

    CREATE = "create"
    DESTROY = "destroy"
    LIST = "list"
    CHECK = "check"


class Exit(IntEnum):
    """How a program ends. A definite no must be said on purpose: none of these numbers is left behind by accident.

    1 and 2 are a script that failed or was called wrongly; up to 133 are curl's, sysexits.h's, the shell's and errno's
    numbers, up to 192 what a shell makes of signals, from 200 on systemd's.
    """

    DONE = 0
    CAPACITY = 193
    REJECTED = 194
    THROTTLED = 195
    ABSENT = 196
    UNSEEN = 197
    UNKNOWN = 198
    QUOTA = 199


IGNORANCE: Mapping[Verb, type[ProviderError]] = MappingProxyType(
    {
        Verb.CREATE: OutcomeUnknown,
        Verb.DESTROY: OutcomeUnknown,
        Verb.LIST: ListingUnavailable,
        Verb.CHECK: ListingUnavailable,
    }
)
"""What stands for all that cannot be understood."""

_MEANS: Mapping[Verb, Mapping[int, type[ProviderError]]] = MappingProxyType(
    {
        Verb.CREATE: {
            Exit.CAPACITY: CapacityRefused,
            Exit.QUOTA: QuotaRefused,
            Exit.REJECTED: RequestRejected,
            Exit.THROTTLED: Throttled,
        },
        Verb.DESTROY: {
            Exit.REJECTED: RequestRejected,
            Exit.THROTTLED: Throttled,
            Exit.ABSENT: InstanceAbsent,
        },
        Verb.LIST: {Exit.THROTTLED: Throttled},
        Verb.CHECK: {
            Exit.CAPACITY: CapacityRefused,
            Exit.QUOTA: QuotaRefused,
            Exit.REJECTED: RequestRejected,
            Exit.THROTTLED: Throttled,
        },
    }
)


def meaning_of(verb: Verb, code: int) -> type[ProviderError]:
    """The error that an exit other than 0 means; one that this call does not know admits ignorance."""
    return _MEANS[verb].get(code, IGNORANCE[verb])


def create(spec: InstanceSpec) -> Mapping[str, object]:
    """The machine that is ordered. The user data is base64, because it may be compressed."""
    return {
        "name": spec.name,
        "pool": spec.pool,
        "size": spec.size,
        "image": spec.image,
        "location": spec.location,
        "user_data_base64": base64.b64encode(spec.user_data).decode(),
    }


def destroy(name: str, instance_id: InstanceId) -> Mapping[str, object]:
    """The machine that is to end; it was seen under our mark just before."""
    return {"name": name, "id": instance_id}


def check(purchase: Purchase) -> Mapping[str, object]:
    """What an offer would buy."""
    return {
        "size": purchase.size,
        "image": purchase.image,
        "location": purchase.location,
        "user_data_bytes": purchase.user_data_bytes,
    }


def document(
    verb: Verb,
    body: Mapping[str, object],
    *,
    fleet: str,
    timeout_s: float,
    settings: Mapping[str, object],
    secrets: Mapping[str, object],
) -> bytes:
    """One request as it is written to the program: one line of JSON, ASCII only."""
    whole: dict[str, object] = {
        "protocol": VERSION,
        "verb": verb.value,
        "fleet": fleet,
        "timeout_s": round(timeout_s, 3),
        "settings": settings,
        "secrets": secrets,
    }
    if body:
        whole[verb.value] = body
    return json.dumps(whole).encode() + b"\n"
