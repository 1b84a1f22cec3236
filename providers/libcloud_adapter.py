"""Machines from any cloud libcloud speaks to; the only module that imports libcloud.

In go decided specs, out come instances and the contract's errors. One driver object is lent to one call at a time, an
order is sent once, a listing is complete or says why not. How a cloud differs stands in `dialects`, what a broken
answer means in `libcloud_errors`. What never happens here: a retry, a choice, a touch of a machine without our mark.
"""

from __future__ import annotations

import hashlib
import html
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import ParseError as XmlParseError

from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import LibcloudError
from libcloud.compute.base import NodeImage, NodeLocation, NodeSize
from libcloud.compute.providers import get_driver
from libcloud.utils.iso8601 import ParseError as DateParseError

from providers import libcloud_check, libcloud_deadline, libcloud_errors, libcloud_options
from providers.contract import (
    Finding,
    Instance,
    InstanceAbsent,
    InstanceId,
    InstanceSpec,
    InstanceState,
    Listing,
    MayAct,
    Options,
    ProviderError,
    ProviderOptionsWrong,
    ProviderTraits,
    Purchase,
    RequestRejected,
    always,
)
from providers.dialects import FLEET_KEY, NODE_KEY, POOL_KEY, Dialect, LocationShape
from providers.libcloud_errors import Call
from providers.libcloud_wire import Clock, LinkBroken, OneSendConnection, OneSendOrders, Wire, Withheld

PAGES_MAX = 200
"""200,000 machines at EC2's page size; a listing that goes on past this is not believed."""

FORBIDDEN_ENVIRONMENT = {
    "LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS": (
        "with any value in it, even 0, libcloud repeats requests whose answer is late, creates included: "
        "one create was seen to leave as 15 requests, each of which may buy a machine"
    ),
    "LIBCLOUD_DEBUG": "it makes libcloud write every request to a file, with credentials and user data",
}

TROUBLE = (
    LibcloudError, BaseHTTPError, LinkBroken, Withheld, OSError, ValueError, LookupError, AttributeError, TypeError,
    AssertionError, XmlParseError, DateParseError,
)  # fmt: skip
"""What a driver is known to raise when a request fails or when an answer is not what it was written for."""


def open_libcloud(
    *, name: str, fleet: str, options: Options, clock: Clock, may_act: MayAct = always
) -> LibcloudProvider:
    """Open one account; nothing is sent yet. Raises ProviderOptionsWrong, naming the option or the variable."""
    for variable, why in FORBIDDEN_ENVIRONMENT.items():
        if os.environ.get(variable):
            raise ProviderOptionsWrong(f"providers.{name}: unset the environment variable {variable}: {why}")
    if not fleet or not fleet.isprintable():
        raise ProviderOptionsWrong(f"providers.{name}: a fleet's name marks its machines; found {fleet!r}")
    account = libcloud_options.read(name, options)
    return LibcloudProvider(name=name, fleet=fleet, account=account, clock=clock, may_act=may_act)


class LibcloudProvider:
    """One account at one cloud, behind the `Provider` contract."""

    def __init__(
        self, *, name: str, fleet: str, account: libcloud_options.Account, clock: Clock, may_act: MayAct
    ) -> None:
        self._name = name
        self._fleet = fleet
        self._account = account
        self._dialect = account.dialect
        self._clock = clock
        self._may_act = may_act
        self._driver_class = _one_send(account.dialect)
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._closed = False
        try:
            self._idle.append(self._new_driver())
        except (ValueError, LibcloudError) as trouble:
            says = libcloud_errors.clean(str(trouble), account.secrets)
            raise ProviderOptionsWrong(f"providers.{name}: libcloud refused these settings: {says}") from None

    @property
    def traits(self) -> ProviderTraits:
        return ProviderTraits(
            settle_s=self._account.settle_s,
            user_data_limit_bytes=self._dialect.user_data_limit_bytes,
            user_data_gzip=self._dialect.user_data_gzip,
        )

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        """Order one machine: one request, sent once."""
        dialect = self._dialect
        if len(spec.user_data) > dialect.user_data_limit_bytes:
            raise RequestRejected(
                f"create {spec.name}: {len(spec.user_data)} bytes of user data; "
                f"{dialect.driver} takes {dialect.user_data_limit_bytes}"
            )
        with self._talking(Call.CREATE, f"create {spec.name}", timeout_s) as driver:
            driver.connection.wire.ordering = True
            node = driver.create_node(
                name=spec.name,
                size=_size(spec.size, driver),
                image=NodeImage(id=spec.image, name=spec.image, driver=driver),
                location=_location(spec.location, driver, dialect),
                **self._arguments(spec),
            )
            made = self._instance(node)
            if made is None:
                raise ValueError("the answer holds no machine")
        return made

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        """Ask for the end of what is found under our mark; a machine of that id without our mark is not found."""
        by_id = instance_id is not None
        dialect = self._dialect
        wanted = (
            {dialect.id_filter: instance_id}
            if instance_id
            else {dialect.tag_filter.format(key=NODE_KEY): name}
        )
        with self._talking(Call.DESTROY, f"destroy {name}", timeout_s) as driver:
            nodes, _ = self._walk(driver, wanted)
            # A filter is the provider's promise; an end is asked for only where mark and id or name are seen.
            found = [
                (node, seen)
                for node in filter(self._is_ours, nodes)
                if (seen := self._instance(node))
                and (seen.instance_id == instance_id if by_id else seen.name == name)
            ]
            driver.connection.wire.ordering = True
            for node, seen in found:
                if seen.state is not InstanceState.ENDING:
                    driver.destroy_node(node)  # what it returns is a hint: only a listing proves absence
        if not found:
            raise InstanceAbsent(
                f"{self._name}: destroy {name}: fleet {self._fleet} has no machine of this {'id' if by_id else 'name'}"
            )

    def list_instances(self, *, timeout_s: float) -> Listing:
        """Every page, under our mark."""
        with self._talking(Call.LOOK, f"list {self._name}", timeout_s) as driver:
            nodes, why_incomplete = self._walk(driver, {})
            instances: dict[str, Instance] = {}
            for node in filter(self._is_ours, nodes):
                if not node.id:
                    why_incomplete = why_incomplete or "a machine of ours is listed without an id"
                elif instance := self._instance(node):
                    instances[instance.instance_id] = instance
        return Listing(
            instances=tuple(instances.values()), complete=not why_incomplete, why_incomplete=why_incomplete
        )

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        """Credentials, size, image, location and the size of the user data, each looked at by itself."""
        until = self._clock.monotonic() + timeout_s
        findings = [self._finding("credentials", until, self._look_at_machines)]
        if findings[0].ok:
            for subject, look in libcloud_check.looks(purchase, self._dialect).items():
                findings.append(self._finding(subject, until, look))
        limit = self._dialect.user_data_limit_bytes
        says = f"{purchase.user_data_bytes} of at most {limit} bytes"
        return (*findings, Finding(subject="user data", ok=purchase.user_data_bytes <= limit, says=says))

    def close(self) -> None:
        """Close every idle connection; those in use close when their call ends."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for driver in idle:
            driver.connection.connection.session.close()

    @contextmanager
    def _talking(self, call: Call, about: str, timeout_s: float) -> Iterator[Any]:
        """Lend a driver object for one call; what the call raises leaves as the contract's error."""
        driver = self._take()
        wire: Wire = driver.connection.wire
        # Who may give no orders any more may still look.
        wire.begin(timeout_s, may_send=self._may_act if call in {Call.CREATE, Call.DESTROY} else always)
        failure: ProviderError | None = None
        try:
            yield driver
        except TROUBLE as trouble:
            scene = libcloud_errors.Scene(
                call=call,
                about=f"{self._name}: {about}",
                dialect=self._dialect,
                now=self._clock.now(),
                secrets=self._account.secrets,
            )
            failure = libcloud_errors.translate(trouble, scene=scene, wire=wire)
        finally:
            self._give_back(driver, fit=failure is None)
        if failure is not None:
            raise failure from failure.__cause__

    def _take(self) -> Any:
        """A driver object nobody else holds: it keeps a call's answer, and two threads would swap machines."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._new_driver()

    def _give_back(self, driver: Any, *, fit: bool) -> None:
        with self._lock:
            if fit and not self._closed:
                self._idle.append(driver)
                return
        driver.connection.connection.session.close()

    def _new_driver(self) -> Any:
        driver = self._driver_class(**self._account.driver_arguments)
        wire = Wire(self._clock, respell=self._dialect.respell)
        driver.connection.wire = driver.connection.connection.wire = wire
        libcloud_deadline.keep(
            driver.connection.connection.session, self._clock.monotonic, wire.require_leave
        )
        return driver

    def _arguments(self, spec: InstanceSpec) -> dict[str, object]:
        dialect = self._dialect
        mark = {FLEET_KEY: self._fleet, POOL_KEY: spec.pool, NODE_KEY: spec.name}
        arguments = {
            **self._account.create_arguments,
            dialect.user_data_argument: spec.user_data,
            dialect.mark_argument: mark,
        }
        if dialect.once_argument:
            arguments[dialect.once_argument] = create_token(self._fleet, spec.name)
        return arguments

    def _walk(self, driver: Any, wanted: Mapping[str, str]) -> tuple[list[Any], str]:
        """All pages under our mark, and why they may not be all. Raises what the driver raises."""
        dialect, wire = self._dialect, driver.connection.wire
        filters = {dialect.tag_filter.format(key=FLEET_KEY): self._fleet, **wanted}
        nodes: list[Any] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            paging = dialect.paging
            if paging:
                wire.extra_params = {paging.size_param: str(paging.size)}
                wire.extra_params |= {paging.cursor_param: cursor} if cursor else {}
            page = driver.list_nodes(**{dialect.filter_argument: filters})
            body = wire.answer.body
            wire.extra_params = {}
            if not re.search(dialect.listing_sign, body):
                raise ValueError("the answer is no listing")
            if len(page) != (rows := len(re.findall(dialect.row_sign, body))):
                raise ValueError(f"{rows} machines were answered and {len(page)} could be read")
            # The sign stands for a state: one read without it would make up in number for one that was not read.
            if not all(node.extra.get(dialect.state_key) for node in page):
                raise ValueError("a machine was answered without a state")
            nodes += page
            following = re.search(paging.next_cursor, body) if paging else None
            if not following or not following[1]:
                return nodes, ""
            if cursor == (cursor := html.unescape(following[1])):
                return nodes, "the same page was announced as the next one"
        return nodes, f"there are more than {PAGES_MAX} pages"

    def _is_ours(self, node: Any) -> bool:
        return self._tags(node).get(FLEET_KEY) == self._fleet

    def _tags(self, node: Any) -> Mapping[str, str]:
        return node.extra.get(self._dialect.tags_key) or {}

    def _instance(self, node: Any) -> Instance | None:
        """The machine as the contract says it; None for one that is no more or that has no id."""
        extra, dialect, tags = node.extra, self._dialect, self._tags(node)
        state = dialect.states.get(extra.get(dialect.state_key) or "", InstanceState.UNKNOWN)
        if state is None or not node.id:
            return None
        return Instance(
            name=tags.get(NODE_KEY) or node.name,
            instance_id=InstanceId(node.id),
            state=state,
            pool=tags.get(POOL_KEY),
            created_at=node.created_at.timestamp() if node.created_at else None,
            location=extra.get(dialect.location_key) or "",
            size=extra.get(dialect.size_key) or "",
            addresses=(*node.public_ips, *node.private_ips),
        )

    def _look_at_machines(self, driver: Any) -> str:
        nodes, _ = self._walk(driver, {})
        return f"accepted; {len(nodes)} machines of fleet {self._fleet} are listed"

    def _finding(self, subject: str, until: float, look: libcloud_check.Look) -> Finding:
        try:
            with self._talking(Call.CHECK, f"look at {subject}", until - self._clock.monotonic()) as driver:
                return Finding(subject=subject, ok=True, says=look(driver))
        except ProviderError as error:
            return Finding(subject=subject, ok=False, says=str(error))
        except libcloud_check.Unknown as unknown:
            return Finding(subject=subject, ok=False, says=str(unknown))


def create_token(fleet: str, name: str) -> str:
    """The key of one create, the same whenever it is asked for: 64 characters, which is what EC2 takes."""
    return hashlib.sha256(f"{fleet}/{name}".encode()).hexdigest()


def _one_send(dialect: Dialect) -> type[Any]:
    """The dialect's driver class over connections that send once."""
    driver_class: Any = get_driver(dialect.driver)
    link_class = type("Link", (OneSendConnection, driver_class.connectionCls.conn_class), {})
    orders = {"conn_class": link_class, "forms": dialect.forms}
    members: dict[str, object] = {
        "connectionCls": type("Orders", (OneSendOrders, driver_class.connectionCls), orders)
    }
    if dialect.address_lookup:
        members[dialect.address_lookup] = lambda _driver, nodes: {node.id: [] for node in nodes}
    return type(driver_class.__name__, (driver_class,), members)


def _size(size: str, driver: Any) -> NodeSize:
    """A size by its id alone: drivers read nothing else of it, and listing hundreds for each create would be waste."""
    return NodeSize(id=size, name=size, ram=0, disk=0, bandwidth=None, price=0.0, driver=driver)


def _location(location: str, driver: Any, dialect: Dialect) -> NodeLocation | None:
    """A location by its id; an empty one leaves the choice to the provider."""
    if not location:
        return None
    place: Any = NodeLocation(id=location, name=location, country="", driver=driver)
    if dialect.location_shape is LocationShape.ZONE:
        place.availability_zone = SimpleNamespace(name=location, region_name=driver.region_name)
    return place  # type: ignore[no-any-return]
