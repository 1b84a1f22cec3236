"""Orders by HTTP: who may give them, what they look like, and their way into the journal.

In go a request's parts, out comes an order's number or the reason why not. What never happens here: the deed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated, Literal

from fastapi import HTTPException
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from autoscaler import wanted
from autoscaler.config import Settings
from autoscaler.config.values import DURATION, seconds
from autoscaler.core.model import OrderKind
from autoscaler.journal import Journal
from autoscaler.wanted import Wanted

_NO_TOKEN = "Orders are not taken here: the configuration names no [web] token."  # noqa: S105 - words
_WRONG_TOKEN = "Orders need the token: `Authorization: Bearer TOKEN`, as [web] token has it."  # noqa: S105 - words
_NO_NAME_HAS = r"()\uff08\uff09\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
"""Behind a name stands `(web, ADDRESS)`: none may look as if it had one of its own, or turn it around."""
_LONGEST_S = 366 * 86_400.0


class _Wish(BaseModel):
    """What every order has."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    by: Annotated[str, Field(max_length=60, pattern=f"^[^{_NO_NAME_HAS}]*$")] | None = None
    """Who orders it, for the record: no parentheses, and nothing that cannot be seen."""


_Target = Annotated[str, Field(min_length=1, max_length=300)]


class Simple(_Wish):
    """`target`: a node to drain, undrain or forget; a pool to pause or resume; a pool, an account, an offer or `*` to
    wake. A reload is none of them: it rests on a file that only this computer's users can see."""

    kind: Literal["drain", "undrain", "forget", "pause", "resume", "wake"]
    target: _Target


def _whole(number: object) -> object:
    """JSON knows no integers: 2.0 is one."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


class Hold(_Wish):
    """Fix a pool's number of workers for a while."""

    model_config = ConfigDict(validate_by_name=True)

    kind: Literal["hold"]
    target: _Target
    workers: Annotated[int, Field(ge=0, le=100_000), BeforeValidator(_whole)]
    for_: Annotated[str, Field(alias="for", max_length=20, pattern=f"^{DURATION.pattern}$")]
    """A duration with its unit: 30m, 2h, 1d."""


class Forceful(_Wish):
    """End a machine; or replace one, or those of a pool that are outdated. `force`: with work in hand; all of them."""

    kind: Literal["destroy", "replace"]
    target: _Target
    force: bool = False


class Sweep(_Wish):
    """Drain or end every machine of ours without a record, and what machines left behind."""

    kind: Literal["sweep"]
    target: Literal["*"] = "*"


Wish = Annotated[Simple | Hold | Forceful | Sweep, Field(discriminator="kind")]


def may_order(authorization: str | None, settings: Settings) -> None:
    """Raise HTTPException unless that is the token. Takes as long for a wrong one as for the right one."""
    token = settings.web.token
    if token is None:
        raise HTTPException(403, _NO_TOKEN)
    kind, _, shown = (authorization or "").partition(" ")
    # Of equal length, whatever was sent.
    digests = [hashlib.sha256(each.encode("utf-8", "replace")).digest() for each in (shown, token.reveal())]
    if not hmac.compare_digest(*digests) or kind.lower() != "bearer":
        raise HTTPException(401, _WRONG_TOKEN, headers={"WWW-Authenticate": "Bearer"})


def give(
    wish: Wish,
    *,
    client: str,
    settings: Settings,
    writing: Callable[[], AbstractContextManager[Journal]],
    now: float,
) -> tuple[int, Wanted]:
    """Write it down. Its number, and with its target's own name. Raises HTTPException, JournalUnavailable."""
    asked = Wanted(
        kind=OrderKind(wish.kind),
        target=wish.target,
        workers=wish.workers if isinstance(wish, Hold) else None,
        until_at=now + _span_s(wish.for_) if isinstance(wish, Hold) else None,
        force=isinstance(wish, Forceful) and wish.force,
    )
    with writing() as journal:
        try:
            order = wanted.checked(asked, settings, journal)
        except wanted.TooMany as error:
            raise HTTPException(409, str(error)) from None
        except wanted.NotOnRecord as error:
            raise HTTPException(404, str(error)) from None
        return order.give(journal, by=_by(wish, client), at=now), order


def _by(wish: _Wish, client: str) -> str:
    name = (wish.by or "").strip()
    return f"{name} (web, {client})" if name else f"web, {client}"


def _span_s(text: str) -> float:
    taken_s = seconds(text)
    if not 0.0 < taken_s <= _LONGEST_S:
        raise HTTPException(409, "A hold lasts longer than nothing, and a year at most.")
    return taken_s
