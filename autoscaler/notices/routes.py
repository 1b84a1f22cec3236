"""Where notices go, from settings, and what must not stand in them.

What never happens here: a look at the network, or an address in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel

from autoscaler.config import ConfigError, Problem, Settings
from autoscaler.config.notice import Notice
from autoscaler.config.secret import Secret
from autoscaler.config.sieve import Sieve
from autoscaler.notices.contract import Choice, Route, Shape

_LEAST_PART = 8
"""Shorter parts of an address are words such as `hooks`; those that let somebody write are long."""
_EXPECTED = "the whole address of a webhook or a server, https://…, without a user"


def routes(settings: Settings) -> tuple[Route, ...]:
    """One for each section. Raises ConfigError where an address cannot be one, which the file alone does not tell."""
    found = problems(settings)
    if found:
        raise ConfigError(found)
    return tuple(_route(notice) for notice in settings.notices)


def problems(settings: Settings) -> tuple[Problem, ...]:
    """What is wrong with addresses and tokens, now that they are read."""
    return tuple(
        Problem(path=f"notices[{number}].{key}", line=None, found=f"{found} (not shown)", expected=expected)
        for number, notice in enumerate(settings.notices)
        for key, found, expected in _wrong(notice)
    )


def is_plain(notice: Notice) -> bool:
    """Whether its address and its token go over the network as they are."""
    found = urlsplit(notice.url.reveal())
    return found.scheme == "http" and found.hostname not in {"localhost", "127.0.0.1", "::1"}


def sieve(settings: Settings) -> Sieve:
    """Holds back every secret of the configuration, and what of a webhook's address lets somebody write there."""
    return Sieve(_all_secrets(settings))


def parts(route: Route) -> Sieve:
    """Holds back what a receiver's own words may repeat of this route."""
    return Sieve((*_of_address(route.url.reveal()), *([route.token.reveal()] if route.token else ())))


def _wrong(notice: Notice) -> Iterator[tuple[str, str, str]]:
    if not _is_address(notice.url.reveal(), bare=notice.shape == "matrix"):
        yield "url", "an address that cannot be used", _EXPECTED
    if notice.token is not None and not _is_token(notice.token.reveal()):
        yield "token", "a token that no header can bear", "printable ASCII without blanks"


def _route(notice: Notice) -> Route:
    return Route(
        name=notice.name,
        shape=Shape(notice.shape),
        url=notice.url,
        choice=Choice(events=notice.chosen(), pools=frozenset(notice.pools), repeat_s=notice.repeat_s),
        token=notice.token,
        room=notice.room,
        timeout_s=notice.timeout_s,
        ca_file=notice.ca_file,
    )


def _is_address(url: str, *, bare: bool) -> bool:
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        return False
    return (
        found.scheme in {"http", "https"}
        and bool(found.hostname)
        and port != 0
        and "@" not in found.netloc
        and not found.fragment
        and url.isascii()
        and url.isprintable()
        and not set(url) & set(" \\")
        and not (bare and found.query)
    )


def _is_token(token: str) -> bool:
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


def _of_address(url: str) -> Iterator[str]:
    """The whole of it, and its parts that are long enough to be somebody's right to write."""
    yield url
    found = urlsplit(url)
    behind = f"{found.path}?{found.query}" if found.query else found.path
    yield from (
        part
        for part in (behind, found.path, *found.path.split("/"), *found.query.replace("&", "=").split("="))
        if len(part) >= _LEAST_PART
    )


def _all_secrets(settings: Settings) -> Iterator[str]:
    yield from _secrets(settings)
    for notice in settings.notices:
        yield from _of_address(notice.url.reveal())


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, Secret):
        if not value.is_plain:
            yield value.reveal()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
        yield from _secrets(value.__pydantic_extra__ or {})
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _secrets(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets(inner)
