"""From what came over the wire to the error that names the caller's next move.

In goes the kind of call, the notes of its wire and the exception libcloud made of it; out comes one `ProviderError` in
words fit for a log. What decides is whether anything was sent and what was answered, not which of libcloud's exceptions
that became: these differ from driver to driver. Pure: nothing is sent, slept or logged here.
"""

from __future__ import annotations

import html
import math
import re
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TypeGuard

from providers import rate_limits, words
from providers.contract import (
    CapacityRefused,
    InstanceAbsent,
    ListingUnavailable,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    QuotaRefused,
    RequestRejected,
    Throttled,
)
from providers.dialects.contract import Dialect
from providers.libcloud.wire import Answer, LinkBroken, Wire, Withheld

UNREACHABLE_RETRY_S = 10.0
"""Nothing was sent because nobody could be reached: soon enough to notice a network's return, too slow to hammer."""
RETRY_AFTER_MAX_S = 900.0
"""A server that asks for more than a quarter of an hour is asked again after that."""


class Call(Enum):
    """A kind of call: which errors its contract allows, and which one stands for all that is not understood."""

    CREATE = (
        frozenset({CapacityRefused, QuotaRefused, RequestRejected, Throttled, NotSent, OutcomeUnknown}),
        OutcomeUnknown,
    )
    DESTROY = (
        frozenset({InstanceAbsent, RequestRejected, Throttled, NotSent, OutcomeUnknown}),
        OutcomeUnknown,
    )
    LOOK = (frozenset({Throttled, ListingUnavailable}), ListingUnavailable)
    CHECK = (frozenset({RequestRejected, Throttled, ListingUnavailable}), ListingUnavailable)

    def __init__(self, allowed: frozenset[type[ProviderError]], otherwise: type[ProviderError]) -> None:
        self.allowed = allowed
        self.otherwise = otherwise

    def error(
        self, means: type[ProviderError], says: str, *, retry_after_s: float | None = None
    ) -> ProviderError:
        """That error, or the one which admits ignorance where this call's contract does not know it."""
        if means is Throttled:
            return Throttled(says, retry_after_s=retry_after_s)
        return (means if means in self.allowed else self.otherwise)(says)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What was tried, where and when, for an error to be told by. `secrets` are kept out of the telling."""

    call: Call
    about: str
    dialect: Dialect
    now: float
    secrets: tuple[str, ...] = field(repr=False)


class Foreign(Exception):
    """The cause of our error in its own words, cleaned. Its original may hold user data and is let go."""


def translate(trouble: BaseException, *, scene: Scene, wire: Wire) -> ProviderError:
    """The caller's next move after `trouble`, with its cause in clean words."""
    error = _judge(trouble, scene, wire)
    error.__cause__ = Foreign(f"{type(trouble).__name__}: {words.clean(text_of(trouble), scene.secrets)}")
    return error


def _judge(trouble: BaseException, scene: Scene, wire: Wire) -> ProviderError:
    call, about = scene.call, scene.about
    if call in {Call.CREATE, Call.DESTROY} and wire.accepted:
        return _judge_what_came_after(trouble, scene, wire)
    if isinstance(trouble, Withheld):
        # Of several ends of one name the first may have gone out.
        means = call.otherwise if wire.orders else NotSent
        return call.error(means, f"{about}: not sent: {trouble}")
    if call is Call.CREATE and wire.sends and not wire.orders:
        return _judge_what_came_before(trouble, scene, wire)
    if wire.answer is not None:
        return _judge_answer(wire.answer, scene)
    if isinstance(trouble, LinkBroken):
        if trouble.reached:
            return call.error(call.otherwise, f"{about}: no answer: {trouble}")
        # Nothing was made, and repeating it soon may work: for an order that is the meaning of Throttled.
        means = call.otherwise if call.otherwise is ListingUnavailable else Throttled
        says = f"{about}: could not be reached, nothing was sent: {trouble}"
        return call.error(means, says, retry_after_s=UNREACHABLE_RETRY_S)
    if wire.sends == 0:
        says = (
            f"{about}: the driver refused it before sending: {words.clean(text_of(trouble), scene.secrets)}"
        )
        return call.error(RequestRejected, says)
    return call.error(call.otherwise, f"{about}: no answer: {type(trouble).__name__}")


def _judge_what_came_after(trouble: BaseException, scene: Scene, wire: Wire) -> ProviderError:
    """A call that failed after an order of it was taken: nobody knows, unless the cloud says that it gave it back.

    So with an end in several requests, or of several machines: what was refused later is no refusal of the whole.
    """
    if scene.call is Call.CREATE and _is_given_back(wire.answer, scene.dialect):
        return _judge_answer(wire.answer, scene)
    says = f"{scene.about}: the order was taken, and then: {_last_words(trouble, scene, wire)}"
    return scene.call.error(OutcomeUnknown, says)


def _is_given_back(answer: Answer | None, dialect: Dialect) -> TypeGuard[Answer]:
    """Whether that is the cloud's word on what became of an order that it took. A refused look is none."""
    if not dialect.given_back or answer is None or answer.status != 200:
        return False
    return re.search(dialect.given_back, answer.asked) is not None


def _judge_what_came_before(trouble: BaseException, scene: Scene, wire: Wire) -> ProviderError:
    """A create that failed while the driver logged in or looked something up: nothing was made, whatever was said."""
    answer = wire.answer
    says = f"{scene.about}: nothing was ordered: {_last_words(trouble, scene, wire)}"
    if answer is not None and answer.status < 400:
        return scene.call.error(RequestRejected, says)
    means = _meaning(answer, scene.dialect) if answer is not None else OutcomeUnknown
    wait_s = _wait_s(answer, scene) if answer is not None else None
    if means is OutcomeUnknown:
        return scene.call.error(Throttled, says, retry_after_s=wait_s or UNREACHABLE_RETRY_S)
    return scene.call.error(means, says, retry_after_s=wait_s)


def _last_words(trouble: BaseException, scene: Scene, wire: Wire) -> str:
    """What is known of a failure, fit for a log."""
    if wire.answer is not None and wire.answer.status >= 400:
        return _told(wire.answer, scene)
    return words.clean(f"{type(trouble).__name__}: {text_of(trouble)}", scene.secrets)


def _judge_answer(answer: Answer, scene: Scene) -> ProviderError:
    return scene.call.error(
        _meaning(answer, scene.dialect),
        f"{scene.about}: {_told(answer, scene)}",
        retry_after_s=_wait_s(answer, scene),
    )


def _wait_s(answer: Answer, scene: Scene) -> float | None:
    """How long to leave the account in peace, as the answer says or as follows from its rate limit; None: unsaid."""
    told_s = retry_after_s(answer.headers.get("retry-after", ""), scene.now)
    limit = rate_limits.read(answer.headers, scene.dialect.rate_limit, scene.now)
    if told_s is not None or limit is None or limit.remaining >= 1:
        return told_s
    return min(rate_limits.rest_s(limit, scene.now), RETRY_AFTER_MAX_S)


def _told(answer: Answer, scene: Scene) -> str:
    """An answer in words."""
    codes, sentence = _said(answer.body, scene.dialect)
    said = ": ".join(filter(None, (", ".join(codes), sentence)))
    detail = words.clean(html.unescape(said), scene.secrets) or "with a body that is none of this API"
    return f"answered {answer.status} {detail}"


def _said(body: str, dialect: Dialect) -> tuple[list[str], str]:
    """The error codes in a body, and its sentences."""
    return re.findall(dialect.errors.code, body), " ".join(re.findall(dialect.errors.text, body))


def _meaning(answer: Answer, dialect: Dialect) -> type[ProviderError]:
    codes, sentence = _said(answer.body, dialect)
    return meaning_of(answer.status, codes, dialect, sentence=sentence, asked=answer.asked)


def meaning_of(
    status: int, codes: list[str], dialect: Dialect, *, sentence: str = "", asked: str = ""
) -> type[ProviderError]:
    """What an answer means to a caller, before its call's contract is asked whether it knows that error."""
    for rule in dialect.errors.rules:
        # A sentence about a limit may be about requests: that one was asked too often is never a want of stock.
        if status == 429 and not rule.codes and rule.status is None:
            continue
        # Nor is a server's own trouble a refusal, whatever its sentence: it may have been carried out.
        vague = _may_be_done(status) and not rule.codes and rule.status is None
        if vague and rule.means is not OutcomeUnknown:
            continue
        said = any(re.fullmatch(rule.codes, code) for code in codes) if rule.codes else True
        said = said and re.search(rule.text, sentence, re.IGNORECASE) is not None
        if said and rule.status in {None, status} and re.search(rule.asked, asked):
            return rule.means
    if status == 429:
        return Throttled
    if 400 <= status < 500 and not _may_be_done(status):
        return RequestRejected
    # A server's own trouble, or a success nobody can read.
    return OutcomeUnknown


def _may_be_done(status: int) -> bool:
    """Whether what was asked may have been carried out all the same: 408 is a proxy that lost patience, 409 a quarrel
    with an earlier request, 5xx a server's own trouble."""
    return status >= 500 or status in {408, 409}


def retry_after_s(header: str, now: float) -> float | None:
    """Seconds from a `Retry-After` header, which holds seconds or a date (RFC 9110, 10.2.3); None: neither."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            at = parsedate_to_datetime(header)
        except (ValueError, TypeError):
            return None
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S) if math.isfinite(seconds) else None


def text_of(trouble: BaseException) -> str:
    """Its words; drivers make errors of what was answered, and some of these fail when they are to be read.

    An answer that nobody could read is not quoted: it may be a login's.
    """
    if type(trouble).__name__ == "MalformedResponseError":  # libcloud's own, which is not known here
        return "an answer that cannot be read"
    try:
        return str(trouble)
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
        return "without words"
