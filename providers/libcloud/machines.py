"""Driver objects of libcloud, made to our rules, and the values that their methods take.

In go a dialect and an account's arguments, out comes a driver all of whose connections send once, over links that its
wire knows. Nothing is sent here, and nothing of an answer is read.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from libcloud.common.base import Connection
from libcloud.compute.base import NodeImage, NodeLocation, NodeSize
from libcloud.compute.types import NodeState

from providers.contract import InstanceSpec
from providers.dialects.contract import Carriage, Dialect, LocationShape
from providers.libcloud.marks import Unspeakable, spelt_mark, spelt_name
from providers.libcloud.options import Account, place
from providers.libcloud.wire import OneSendConnection, OneSendOrders, Wire

PASSWORD_BYTES = 48
"""64 letters of base64, which is more than anybody guesses, and long enough to be blotted out of every message."""


def driver_of(account: Account, wire: Wire) -> Any:
    """A driver object whose requests all go over that wire. Raises what its constructor raises."""
    dialect = account.dialect
    driver = _one_send(dialect, wire)(**account.driver_arguments)
    if account.endpoint is not None:
        link = driver.connection
        link.secure = 1 if account.endpoint.secure else 0
        link.port = account.endpoint.port or (443 if account.endpoint.secure else 80)
        link.host = account.endpoint.host or link.host
        link.connect()
    return driver


def raised_by(dialect: Dialect) -> tuple[type[Exception], ...]:
    """Errors of the dialect's driver that are none of libcloud's own family."""
    return tuple(_named(path) for path in dialect.raises)


def create_arguments(account: Account, spec: InstanceSpec, fleet: str, driver: Any) -> dict[str, Any]:
    """All that `create_node` is called with, without a key against repetition. Raises Unspeakable."""
    dialect = account.dialect
    whose = {"fleet": fleet, "pool": spec.pool, "name": spec.name}
    arguments: dict[str, Any] = {
        "name": spelt_name(dialect, **whose),
        # By its id alone: drivers read nothing else of it, and listing hundreds for each create would be waste.
        "size": NodeSize(
            id=spec.size, name=spec.size, ram=0, disk=0, bandwidth=None, price=0.0, driver=driver
        ),
        "image": NodeImage(id=spec.image, name=spec.image, driver=driver),
    }
    where = _location(spec.location, driver, dialect)
    if where is not None:
        place(arguments, dialect.location.argument, where)
    for path, value in (*dialect.always.items(), *account.create_arguments):
        place(arguments, path, value)
    place(arguments, dialect.user_data.argument, _carried(spec.user_data, dialect.user_data.carriage))
    if dialect.mark.argument:
        place(arguments, dialect.mark.argument, spelt_mark(dialect, **whose))
    if dialect.password_argument:
        place(arguments, dialect.password_argument, secrets.token_urlsafe(PASSWORD_BYTES))
    return arguments


def _carried(user_data: bytes, carriage: Carriage) -> object:
    match carriage:
        case Carriage.BYTES:
            return user_data
        case Carriage.TEXT:
            try:
                return user_data.decode("utf-8")
            except UnicodeDecodeError:
                raise Unspeakable("user data that is no text cannot be sent to it") from None
        case Carriage.BASE64:
            return base64.b64encode(user_data).decode("ascii")


def _location(location: str, driver: Any, dialect: Dialect) -> Any:
    """A location by its id; an empty one leaves the choice to the provider."""
    if not location:
        if dialect.location.required:
            raise Unspeakable("an offer there needs a location")
        return None
    if dialect.location.shape is LocationShape.TEXT:
        return location
    where: Any = NodeLocation(id=location, name=location, country="", driver=driver)
    if dialect.location.shape is LocationShape.ZONE:
        where.availability_zone = SimpleNamespace(name=location, region_name=driver.region_name)
    return where


class _Forgiving(dict[str, Any]):
    """State words; one that the driver's authors never saw is unknown, and not the end of a listing."""

    def __missing__(self, word: str) -> Any:
        return NodeState.UNKNOWN


def _one_send(dialect: Dialect, wire: Wire) -> type[Any]:
    """The dialect's driver class over connections that send once, over this wire."""
    driver_class = _named(dialect.driver_class)
    # Several of libcloud's classes choose among their children as they are made, and cannot be made themselves.
    members: dict[str, object] = {"__new__": lambda kind, *_, **__: object.__new__(kind), **dialect.members}
    for attribute in dir(driver_class):
        connection = getattr(driver_class, attribute)
        if attribute.endswith("onnectionCls") and isinstance(connection, type):
            members[attribute] = _one_send_connection(connection, wire)
    if dialect.state_map:
        known: Mapping[str, Any] = getattr(driver_class, dialect.state_map)
        members[dialect.state_map] = _Forgiving(known)
    if dialect.listing.address_lookup:
        members[dialect.listing.address_lookup] = lambda _driver, nodes: {node.id: [] for node in nodes}
    return type(driver_class.__name__, (driver_class,), members)


def _named(path: str) -> Any:
    """What `module:Name` stands for."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _one_send_connection(connection: type[Connection], wire: Wire) -> type[Any]:
    link = type("Link", (OneSendConnection, connection.conn_class), {"wire": wire})
    return type("Orders", (OneSendOrders, connection), {"conn_class": link, "wire": wire})
