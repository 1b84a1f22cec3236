"""The `external` provider: every call is one run of an operator's program, as docs/providers/external.md tells it.

The program keeps the panel's ways, this keeps the contract: one run an order, an end only of what was just seen under
our mark, and ignorance wherever the program did not say in so many words how it went. What never happens here: a second
run of a create, a secret in an argument, or trust in what a program says of machines that are not ours.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from providers import words
from providers.contract import (
    Finding,
    Instance,
    InstanceAbsent,
    InstanceId,
    InstanceSpec,
    InstanceState,
    Listing,
    ListingUnavailable,
    MayAct,
    NotSent,
    Options,
    OutcomeUnknown,
    ProviderError,
    ProviderOptionsWrong,
    ProviderTraits,
    Purchase,
    RequestRejected,
    Throttled,
    always,
)
from providers.external import answers, program, protocol
from providers.external.account import Account, read
from providers.external.answers import Unreadable
from providers.external.program import Ended
from providers.external.protocol import IGNORANCE, Exit, Verb

RETRY_AFTER_MAX_S = 900.0
"""A program that asks for more than a quarter of an hour is run again after that."""
NOT_STARTED_RETRY_S = 10.0
"""Nothing ran, for a want that passes: soon enough to go on, too slow to hammer."""
_ORDERS = frozenset({Verb.CREATE, Verb.DESTROY})
_WISHED = ("price", "quota", "network")
"""Subjects of a check that people look for: of one on which a program is silent that is told."""


class Clock(Protocol):
    """How long a call may take."""

    def monotonic(self) -> float: ...


def open_external(
    *, name: str, fleet: str, options: Options, clock: Clock, may_act: MayAct = always
) -> ExternalProvider:
    """Open one account; nothing is run yet. Options: `command` (a list, an absolute path first), `directory`,
    `environment`, `settings`, `secrets` (tables), `at_once`, `settle_s`, `user_data_limit_bytes`, `user_data_gzip`,
    `names_unique`."""
    if not fleet or not fleet.isprintable():
        raise ProviderOptionsWrong(f"providers.{name}: a fleet's name marks its machines; found {fleet!r}")
    return ExternalProvider(name=name, fleet=fleet, account=read(name, options), clock=clock, may_act=may_act)


class ExternalProvider:
    """One account behind one program."""

    def __init__(self, *, name: str, fleet: str, account: Account, clock: Clock, may_act: MayAct) -> None:
        self._name = name
        self._fleet = fleet
        self._account = account
        self._clock = clock
        self._may_act = may_act
        self._turns = threading.BoundedSemaphore(account.at_once)

    @property
    def traits(self) -> ProviderTraits:
        return self._account.traits

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        """Order one machine: one run. What is killed or cannot be understood may have made it."""
        about = f"{self._name}: create {spec.name}"
        limit = self.traits.user_data_limit_bytes
        if len(spec.user_data) > limit:
            raise RequestRejected(
                f"{about}: user data of {len(spec.user_data)} bytes; expected at most {limit}"
            )
        if spec.fleet != self._fleet:
            raise RequestRejected(f"{about}: is of fleet {spec.fleet!r}; expected {self._fleet!r}")
        unspoken = words.secrets_in(spec.user_data)
        answer = self._done(Verb.CREATE, protocol.create(spec), about, timeout_s, unspoken)
        with _understood(Verb.CREATE, about):
            return answers.machine(answer, fleet=self._fleet, name=spec.name)

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        """Look, then ask for the end of what is seen under our mark: by id, else of every machine of that name."""
        about = f"{self._name}: destroy {name}"
        until = self._clock.monotonic() + timeout_s
        try:
            listing = self.list_instances(timeout_s=timeout_s)
        except ListingUnavailable as error:
            raise OutcomeUnknown(f"{about}: nothing was asked: {error}") from error
        found = [
            each
            for each in listing.instances
            if (each.instance_id == instance_id if instance_id is not None else each.name == name)
        ]
        if not found and listing.complete:
            by = "name" if instance_id is None else "id"
            raise InstanceAbsent(f"{about}: fleet {self._fleet} has no machine of this {by}")
        if not found:
            raise OutcomeUnknown(f"{about}: nothing was asked: not listed, {listing.why_incomplete}")
        asked = 0
        for each in found:
            if each.state is InstanceState.ENDING:
                continue
            body = protocol.destroy(each.name, each.instance_id)
            try:
                answer = self._done(Verb.DESTROY, body, about, until - self._clock.monotonic())
            except NotSent as error:
                # Of several ends of one name the first may have been asked for.
                raise OutcomeUnknown(str(error)) if asked else error from None
            with _understood(Verb.DESTROY, about):
                answers.taken(answer)
            asked += 1

    def list_instances(self, *, timeout_s: float) -> Listing:
        """What the program lists under our mark."""
        about = f"{self._name}: list"
        answer = self._done(Verb.LIST, {}, about, timeout_s)
        with _understood(Verb.LIST, about):
            found = answers.listing(answer, fleet=self._fleet)
        return Listing(
            instances=found.instances,
            complete=found.complete,
            why_incomplete=words.clean(found.why_incomplete, self._account.unspoken),
        )

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        """What the program finds, after what we find of the program."""
        limit = self.traits.user_data_limit_bytes
        says = f"{purchase.user_data_bytes} of at most {limit} bytes"
        fits = Finding(subject="user data", ok=purchase.user_data_bytes <= limit, says=says)
        about = f"{self._name}: check"
        try:
            answer = self._done(Verb.CHECK, protocol.check(purchase), about, timeout_s)
            with _understood(Verb.CHECK, about):
                found = answers.findings(answer)
        except ProviderError as error:
            return (Finding(subject="program", ok=False, says=str(error)), fits)
        speaks = Finding(subject="program", ok=True, says=f"answers in protocol {protocol.VERSION}")
        unspoken = self._account.unspoken
        cleaned = (
            Finding(
                subject=words.clean(each.subject, unspoken), ok=each.ok, says=words.clean(each.says, unspoken)
            )
            for each in found
        )
        subjects = {each.subject for each in found}
        untold = (
            Finding(subject=subject, ok=True, says="the program does not tell it")
            for subject in _WISHED
            if subject not in subjects
        )
        return (speaks, *cleaned, *untold, fits)

    def close(self) -> None:
        """Nothing is held open; a run under way ends with its call."""

    def _done(
        self,
        verb: Verb,
        body: Mapping[str, object],
        about: str,
        timeout_s: float,
        unspoken: frozenset[str] = frozenset(),
    ) -> bytes:
        """The answer of one run that ended well. Raises the error that any other end means."""
        ended = self._run(verb, body, about, timeout_s)
        if ended.code == Exit.DONE:
            return ended.answer
        refusal, fault = answers.Refusal(), ended.why_killed
        if ended.code is not None:
            try:
                refusal = answers.refusal(ended.answer)
            except Unreadable as error:
                fault = f"the answer cannot be read: {error}"
        means = IGNORANCE[verb] if fault or ended.code is None else protocol.meaning_of(verb, ended.code)
        told = refusal.message or words.last_line(ended.complaint.decode(errors="replace"))
        said = words.clean(told, unspoken | self._account.unspoken) or "it said nothing"
        says = f"{about}: {_end(ended)}{fault and f': {fault}'}: {said}"
        if means is Throttled:
            wait_s = refusal.retry_after_s
            raise Throttled(says, retry_after_s=None if wait_s is None else min(wait_s, RETRY_AFTER_MAX_S))
        raise means(says)

    def _run(self, verb: Verb, body: Mapping[str, object], about: str, timeout_s: float) -> Ended:
        account = self._account
        until = self._clock.monotonic() + timeout_s
        if not self._turns.acquire(timeout=max(timeout_s, 0.0)):
            raise _not_run(
                verb, f"{about}: not run: {account.at_once} others did not end within {timeout_s:.3g} s"
            )
        try:
            left_s = until - self._clock.monotonic()
            if left_s <= 0:
                raise _not_run(verb, f"{about}: not run: its time was over before")
            request = protocol.document(
                verb,
                body,
                fleet=self._fleet,
                timeout_s=left_s,
                settings=account.settings,
                secrets=account.secrets,
            )
            if verb in _ORDERS and not self._may_act():
                raise NotSent(f"{about}: not run: the lease is not surely ours")
            return program.run(account.program, request, timeout_s=left_s, monotonic=self._clock.monotonic)
        except program.NotStarted as error:
            raise _not_run(verb, f"{about}: not run: {error}", ours=not error.scarce) from error
        except OSError as error:
            raise IGNORANCE[verb](f"{about}: its pipes broke: {error.strerror}") from error
        finally:
            self._turns.release()


def _not_run(verb: Verb, says: str, *, ours: bool = False) -> ProviderError:
    """Nothing ran, so nothing was made or ended: worth another try soon, or a fault of ours."""
    if verb not in _ORDERS:
        return ListingUnavailable(says)
    return RequestRejected(says) if ours else Throttled(says, retry_after_s=NOT_STARTED_RETRY_S)


def _end(ended: Ended) -> str:
    if ended.code is None:
        return "the program was ended by us"
    return (
        f"the program ended by signal {-ended.code}"
        if ended.code < 0
        else f"the program ended with {ended.code}"
    )


@contextmanager
def _understood(verb: Verb, about: str) -> Iterator[None]:
    """An answer that cannot be read says nothing of what was done."""
    try:
        yield
    except Unreadable as error:
        raise IGNORANCE[verb](f"{about}: the answer cannot be read: {error}") from None
