"""Machines from any cloud libcloud speaks to, behind the contract of providers.

In go decided specs, out come instances and the contract's errors. One driver object is lent to one call at a time, an
order is sent once, a listing is complete or says why not. How a cloud differs stands in `providers.dialects`, what a
broken answer means in `errors`. What never happens here: a retry, a choice, a touch of a machine without our mark.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import ParseError as XmlParseError

from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import LibcloudError
from libcloud.utils.iso8601 import ParseError as DateParseError

from providers import rate_limits, words
from providers.contract import (
    Finding,
    Instance,
    InstanceAbsent,
    InstanceId,
    InstanceSpec,
    InstanceState,
    LeftOver,
    LeftOvers,
    Listing,
    MayAct,
    Options,
    OutcomeUnknown,
    ProviderError,
    ProviderOptionsWrong,
    ProviderTraits,
    Purchase,
    RateLimit,
    RequestRejected,
    always,
)
from providers.libcloud import devices, errors, findings, leftovers, machines, marks, rows, walking
from providers.libcloud.asking import Unknown
from providers.libcloud.errors import Call
from providers.libcloud.findings import Look
from providers.libcloud.options import Account, read
from providers.libcloud.rows import Row, Seen
from providers.libcloud.wire import Clock, LinkBroken, Wire, Withheld

FORBIDDEN_ENVIRONMENT = {
    "LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS": (
        "with any value in it, even 0, libcloud repeats requests whose answer is late, creates included: "
        "one create was seen to leave as 15 requests, each of which may buy a machine"
    ),
    "LIBCLOUD_DEBUG": "it makes libcloud write every request to a file, with credentials and user data",
}

TROUBLE: tuple[type[Exception], ...] = (
    LibcloudError, BaseHTTPError, LinkBroken, Withheld, OSError, ValueError, LookupError, AttributeError, TypeError,
    AssertionError, ArithmeticError, RecursionError, StopIteration, XmlParseError, DateParseError,
)  # fmt: skip
"""What a driver is known to raise when a request fails or when an answer is not what it was written for."""

FORBIDDEN = 403
"""The status of what an account has no right to."""


def open_libcloud(
    *, name: str, fleet: str, options: Options, clock: Clock, may_act: MayAct = always
) -> LibcloudProvider:
    """Open one account; nothing is sent yet. Raises ProviderOptionsWrong, naming the option or the variable."""
    for variable, why in FORBIDDEN_ENVIRONMENT.items():
        if os.environ.get(variable):
            raise ProviderOptionsWrong(f"providers.{name}: unset the environment variable {variable}: {why}")
    if not fleet or not fleet.isprintable():
        raise ProviderOptionsWrong(f"providers.{name}: a fleet's name marks its machines; found {fleet!r}")
    account = read(name, options)
    whose = {"fleet": fleet, "pool": "any", "name": f"{fleet}-any-0"}
    try:
        marks.spelt_name(account.dialect, **whose)
        marks.spelt_mark(account.dialect, **whose)
    except marks.Unspeakable as trouble:
        raise ProviderOptionsWrong(f"providers.{name}: machines of fleet {fleet!r}: {trouble}") from None
    return LibcloudProvider(name=name, fleet=fleet, account=account, clock=clock, may_act=may_act)


class LibcloudProvider:
    """One account at one cloud, behind the `Provider` contract."""

    def __init__(self, *, name: str, fleet: str, account: Account, clock: Clock, may_act: MayAct) -> None:
        self._name = name
        self._fleet = fleet
        self._account = account
        self._dialect = account.dialect
        self._clock = clock
        self._may_act = may_act
        self._trouble: tuple[type[Exception], ...] = (*TROUBLE, *machines.raised_by(account.dialect))
        self._images = devices.Images(account.dialect)
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._closed = False
        self._rate_limit: RateLimit | None = None
        self._listing_requests = 1
        try:
            if not self._dialect.asks_at_once:
                self._idle.append(machines.driver_of(account, self._new_wire()))
        except self._trouble as trouble:
            says = words.clean(errors.text_of(trouble), account.secrets)
            raise ProviderOptionsWrong(f"providers.{name}: libcloud refused these settings: {says}") from None

    @property
    def traits(self) -> ProviderTraits:
        return ProviderTraits(
            settle_s=self._account.settle_s,
            user_data_limit_bytes=self._dialect.user_data.limit_bytes,
            user_data_gzip=self._dialect.user_data.gzip,
            create_needs_s=self._account.times.create_s,
            names_unique=self._dialect.names.unique,
            countries=self._account.countries,
        )

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        """Order one machine: one order, sent once."""
        dialect = self._dialect
        if len(spec.user_data) > dialect.user_data.limit_bytes:
            raise RequestRejected(
                f"create {spec.name}: {len(spec.user_data)} bytes of user data; "
                f"{dialect.driver} takes {dialect.user_data.limit_bytes}"
            )
        about = f"create {spec.name}"
        with self._talking(Call.CREATE, about, timeout_s, user_data=spec.user_data) as driver:
            try:
                arguments = machines.create_arguments(self._account, spec, self._fleet, driver)
            except marks.Unspeakable as trouble:
                raise RequestRejected(f"{self._name}: create {spec.name}: not sent: {trouble}") from None
            if dialect.once_argument:
                arguments[dialect.once_argument] = create_token(self._fleet, spec.name)
            arguments |= self._images.arguments(driver, spec.image)
            wire = driver.connection.wire
            wire.extra_params = marks.in_order(dialect, fleet=self._fleet, pool=spec.pool, name=spec.name)
            wire.ordering = wire.once = True
            node = driver.create_node(**arguments)
            # The mark may be put on it a moment later: that it is ours is known here by itself.
            whose = marks.Owner(fleet=self._fleet, pool=spec.pool, name=spec.name)
            made = self._instance(node, rows.made(dialect.listing.reads, node, wire.answer), whose)
            if made is None:
                raise ValueError("the answer holds no machine")
        return made

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        """Ask for the end of what is found under our mark; a machine of that id without our mark is not found."""
        by_id = instance_id is not None
        filters = self._dialect.listing.filter
        with self._talking(Call.DESTROY, f"destroy {name}", timeout_s) as driver:
            walked, doubt = self._walk(
                driver, filters.by_id if by_id else filters.by_name, name=name, id=instance_id or ""
            )
            # A filter is the provider's promise; an end is asked for only where mark and id or name are seen.
            found = [
                (node, seen)
                for node, seen in self._ours(walked)
                if (seen.instance_id == instance_id if by_id else seen.name == name)
            ]
            driver.connection.wire.ordering = True
            for node, seen in found:
                if seen.state is not InstanceState.ENDING:
                    # What it returns is a hint: only a listing proves absence.
                    driver.destroy_node(node, **self._dialect.at_the_end)
            if not found and self._dialect.leaves and self._dialect.leaves.ends_break_off:
                # An end that broke off after the machine's own is asked for again, and finds what it left.
                driver.connection.wire.ordering = False
                self._end_the_rest(driver, name)
        if not found:
            by, about = "id" if by_id else "name", f"{self._name}: destroy {name}"
            if doubt:
                raise OutcomeUnknown(f"{about}: nothing was asked: not listed, {doubt}")
            raise InstanceAbsent(f"{about}: fleet {self._fleet} has no machine of this {by}")

    def list_instances(self, *, timeout_s: float) -> Listing:
        """Every page, under our mark."""
        with self._talking(Call.LOOK, f"list {self._name}", timeout_s) as driver:
            walked, why_incomplete = self._walk(driver, {})
            self._listing_requests = driver.connection.wire.sends
            if any(not node.id and self._owner(node, row) for node, row in walked):
                why_incomplete = why_incomplete or "a machine of ours is listed without an id"
            instances = {seen.instance_id: seen for _, seen in self._ours(walked)}
        return Listing(
            instances=tuple(instances.values()), complete=not why_incomplete, why_incomplete=why_incomplete
        )

    def left_overs(self, *, timeout_s: float) -> LeftOvers:
        """What machines of ours left behind; asks nothing where nothing can stay."""
        if self._dialect.leaves is None:
            return LeftOvers(found=())
        with self._talking(Call.LOOK, f"left-overs of {self._name}", timeout_s) as driver:
            return leftovers.find(driver, self._look_around(driver))

    def end_left_over(self, left_over: LeftOver, *, timeout_s: float) -> None:
        """Look once more, and ask for its end where it still is left over."""
        about = f"end {left_over.kind} {left_over.left_over_id}"
        with self._talking(Call.DESTROY, about, timeout_s) as driver:
            leftovers.end(driver, self._look_around(driver), left_over)

    def _end_the_rest(self, driver: Any, name: str) -> None:
        """End what a machine that is gone left. That an account may not see such things refuses no end of a machine."""
        try:
            leftovers.end_of(driver, self._look_around(driver), name)
        except BaseHTTPError as refusal:
            if refusal.code != FORBIDDEN or driver.connection.wire.orders:
                raise

    def _look_around(self, driver: Any) -> leftovers.Look:
        """The machines that things may belong to."""
        walked, doubt = self._walk(driver, {})
        states = self._dialect.states
        there = [
            each
            for each in walked
            if states.get(walking.state_word(self._dialect, each[1]), InstanceState.UNKNOWN)
        ]
        return leftovers.Look(
            dialect=self._dialect,
            fleet=self._fleet,
            settle_s=self._account.settle_s,
            now=self._clock.now(),
            machines={owner.name for node, row in there if (owner := self._owner(node, row))},
            doubt=doubt,
        )

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        """Credentials, size, image, location, price, quota, what options name, user data: each looked at by itself."""
        until = self._clock.monotonic() + timeout_s
        found = findings.of_offer(
            purchase,
            self._account,
            fleet=self._fleet,
            ours=lambda driver: [seen for _, seen in self._ours(self._walk(driver, {})[0])],
            carry_out=lambda look: self._finding(look, until),
        )
        return tuple(found)

    def check_name(self, name: str, *, pool: str) -> Finding:
        """As `Naming` has it."""
        return findings.of_name(name, self._account, fleet=self._fleet, pool=pool)

    def rate_limit(self) -> RateLimit | None:
        """What the last look at the machines was told. Not of other calls: some clouds count each kind by itself."""
        return self._rate_limit

    def close(self) -> None:
        """Close every idle connection; those in use close when their call ends."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for driver in idle:
            driver.connection.wire.close()

    @contextmanager
    def _talking(self, call: Call, about: str, timeout_s: float, *, user_data: bytes = b"") -> Iterator[Any]:
        """Lend a driver object for one call; what the call raises leaves as the contract's error.

        Clouds quote what they refuse: nothing of the user data that may be secret stands in what is raised.
        """
        driver = self._take()
        wire: Wire = self._new_wire() if driver is None else driver.connection.wire
        # Who may give no orders any more may still look.
        wire.begin(timeout_s, may_send=self._may_act if call in {Call.CREATE, Call.DESTROY} else always)
        failure: ProviderError | None = None
        try:
            driver = machines.driver_of(self._account, wire) if driver is None else driver
            yield driver
        except self._trouble as trouble:
            scene = errors.Scene(
                call=call,
                about=f"{self._name}: {about}",
                dialect=self._dialect,
                now=self._clock.now(),
                secrets=(*self._account.secrets, *words.secrets_in(user_data)),
            )
            failure = errors.translate(trouble, scene=scene, wire=wire)
        finally:
            if call is Call.LOOK:
                self._note_rate_limit(wire)
            wire.forget()
            if driver is None or not self._give_back(driver, fit=failure is None):
                wire.close()
        if failure is not None:
            raise failure from failure.__cause__

    def _note_rate_limit(self, wire: Wire) -> None:
        if wire.answer is None:
            return
        told = rate_limits.read(wire.answer.headers, self._dialect.rate_limit, self._clock.now())
        if told is not None:
            self._rate_limit = replace(told, listing_requests=self._listing_requests)

    def _take(self) -> Any:
        """A driver object nobody else holds: it keeps a call's answer, and two threads would swap machines. None: a
        new one must be made."""
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _give_back(self, driver: Any, *, fit: bool) -> bool:
        """Whether it is kept for the next call."""
        with self._lock:
            if fit and not self._closed:
                self._idle.append(driver)
                return True
        return False

    def _new_wire(self) -> Wire:
        dialect = self._dialect
        return Wire(
            self._clock,
            respell=getattr(dialect.listing.reads, "respell", ("", "")),
            order_sign=dialect.order_sign,
            follow_sign=dialect.follow_sign,
            forms=dialect.forms,
            only_for=dialect.listing.only_for,
            times=self._account.times,
        )

    def _walk(self, driver: Any, wanted: Mapping[str, str], **whom: str) -> tuple[list[Seen], str]:
        return walking.walk(driver, self._dialect, fleet=self._fleet, wanted=wanted, whom=whom)

    def _owner(self, node: Any, row: Row) -> marks.Owner | None:
        return marks.owner_of(self._dialect, fleet=self._fleet, row=row, name=node.name or node.id or "")

    def _ours(self, walked: list[Seen]) -> list[tuple[Any, Instance]]:
        """Machines under our mark that still are, with the driver's object for each."""
        return [
            (node, instance)
            for node, row in walked
            if (owner := self._owner(node, row)) and (instance := self._instance(node, row, owner))
        ]

    def _instance(self, node: Any, row: Row, owner: marks.Owner) -> Instance | None:
        """The machine as the contract says it; None for one that is no more or that has no id."""
        fields = self._dialect.fields
        state = self._dialect.states.get(walking.state_word(self._dialect, row), InstanceState.UNKNOWN)
        if state is None or not node.id:
            return None
        location, size = (marks.dig(row, path) if path else None for path in (fields.location, fields.size))
        if fields.tails:
            location, size = (str(each or "").rpartition("/")[2] for each in (location, size))
        return Instance(
            name=owner.name,
            instance_id=InstanceId(node.id),
            state=state,
            pool=owner.pool,
            created_at=_epoch(node.created_at or _instant(marks.dig(row, fields.created))),
            location=location if isinstance(location, str) else "",
            size=size if isinstance(size, str) else "",
            addresses=(*(node.public_ips or ()), *(node.private_ips or ())),
        )

    def _finding(self, look: Look, until: float) -> Finding:
        about = f"look at {look.subject}"
        try:
            with self._talking(Call.CHECK, about, until - self._clock.monotonic()) as driver:
                return findings.came_to(look, look.of(driver))
        except (ProviderError, Unknown) as trouble:
            return findings.came_to(look, trouble)


def create_token(fleet: str, name: str) -> str:
    """The key of one create, the same whenever it is asked for: 64 characters, which is what EC2 takes."""
    return hashlib.sha256(f"{fleet}/{name}".encode()).hexdigest()


def _instant(said: object) -> datetime | None:
    """What a row says of a birth; None: nothing that could be read."""
    try:
        return datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None


def _epoch(created: datetime | None) -> float | None:
    """When that was. A time without a zone is UTC: that of this computer would be nobody's meaning."""
    if created is None:
        return None
    return (created if created.tzinfo else created.replace(tzinfo=UTC)).timestamp()
