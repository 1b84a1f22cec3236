"""RabbitMQ's management API over HTTP: bounded answers in bounded time, or the reason why there is none.

A path and its columns, or a document, go in; decoded JSON comes out. What never happens here: a redirect followed, a
retry, an unbounded read, a password in a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from autoscaler import meters
from autoscaler.clock import Clock
from autoscaler.gateways import documents, http_deadline
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.meters import Meters

_LARGEST_BODY = 64 * 1024 * 1024
"""Bytes. 10,000 queues took 12 MB in one report."""
_LARGEST_REASON = 2_000
_CHUNK = 64 * 1024


class NotFound(FactUnavailable):
    """The broker answered that there is no such thing."""


class Unreachable(FactUnavailable):
    """No whole answer came: asking for something else now would only wait again."""


_OUTCOMES = ((NotFound, "absent"), (Unreachable, "unreachable"))


class _StraightSession(requests.Session):
    """Sees no redirects. Even where none is followed, `requests` would read the whole body of one, however long, and
    stumble over an address in it that is none."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 (the signature of `requests`)
        return None


class ManagementAPI:
    """One HTTP session to one broker. Calls may come from several threads."""

    def __init__(
        self,
        *,
        url: str,
        username: str,
        password: str,
        ca_file: str | None,
        timeout_s: float,
        clock: Clock,
        counted: Meters = meters.NOBODY,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._clock = clock
        self._meters = counted
        self._user = username
        self._session = _StraightSession()
        http_deadline.keep(self._session, clock.monotonic)
        # As bytes, because RabbitMQ reads UTF-8 and the client would write anything else as Latin-1 or not at all.
        self._session.auth = HTTPBasicAuth(username.encode(), password.encode())
        self._session.verify = ca_file or True
        # Proxies and netrc of the environment are not part of the configuration.
        self._session.trust_env = False
        # Uncompressed, so that the bound on the body is a bound on what it becomes.
        self._session.headers["Accept-Encoding"] = "identity"
        # Several looks share the session; without cookies there is nothing in it that they could disturb.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get(self, *path: str, until: float | None = None, **query: str) -> Any:
        """The decoded answer of `GET /api/PATH`, each part quoted.

        `until` (monotonic) ends a look of many calls, each of which has its own time-out besides. Raises NotFound,
        Unreachable, or FactUnavailable for an answer that is no use.
        """
        where = _path(path)
        return self._decoded(where, self._answered("GET", where, until=until, query=query))

    def put(self, *path: str, document: Mapping[str, object]) -> None:
        """Make what stands at that path so. Putting the same twice is harmless. Raises as `get` does; where no answer
        came, it may have been done all the same."""
        self._answered("PUT", _path(path), document=document)

    def post(self, *path: str, document: Mapping[str, object]) -> Any:
        """Give that document to what stands there, and its decoded answer; None for an empty one. Raises as `put`
        does."""
        where = _path(path)
        body = self._answered("POST", where, document=document)
        return self._decoded(where, body) if body else None

    def delete(self, *path: str) -> None:
        """End what stands there. Raises as `put` does; NotFound where nothing did."""
        self._answered("DELETE", _path(path))

    def _answered(
        self,
        method: str,
        where: str,
        *,
        until: float | None = None,
        query: Mapping[str, str] | None = None,
        document: Mapping[str, object] | None = None,
    ) -> bytes:
        with self._meters.timed(meters.BROKER_REQUEST, method) as timing:
            try:
                return self._asked(method, where, until, query, document)
            except FactUnavailable as error:
                timing.outcome = next(
                    (name for kind, name in _OUTCOMES if isinstance(error, kind)), "refused"
                )
                raise

    def _asked(
        self,
        method: str,
        where: str,
        until: float | None,
        query: Mapping[str, str] | None,
        document: Mapping[str, object] | None,
    ) -> bytes:
        left_s = self._timeout_s
        if until is not None:
            left_s = min(left_s, until - self._clock.monotonic())
            if left_s <= 0:
                raise Unreachable(f"{self._url} answers too slowly: no time was left to ask for {where}")
        deadline = self._clock.monotonic() + left_s
        try:
            with self._session.request(
                method,
                f"{self._url}/api/{where}",
                params=query,
                json=document,
                timeout=left_s,
                allow_redirects=False,
                stream=True,
            ) as answer:
                # The bodies of changes are small, whatever they say.
                largest = _LARGEST_BODY if method == "GET" and answer.status_code == 200 else _LARGEST_REASON
                body = self._body(answer, deadline, largest)
                self._require_ok(method, answer.status_code, where, body)
                return body
        except requests.exceptions.SSLError as error:
            raise Unreachable(f"{self._url}: its certificate is not trusted (see broker.ca_file)") from error
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise Unreachable(f"{self._url} did not answer within {left_s:g} s") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"{self._url} cannot be reached ({type(error).__name__})") from error

    def _decoded(self, where: str, body: bytes) -> Any:
        try:
            return documents.decoded(body)
        except ValueError as error:
            raise FactUnavailable(f"{self._url} answered {where} with something that is not JSON") from error

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def _require_ok(self, method: str, status: int, where: str, body: bytes) -> None:
        match status:
            case 200:
                return
            case 201 | 204 if method != "GET":
                return
            case 401 | 403:
                tag = "monitoring" if method == "GET" else "administrator"
                raise FactUnavailable(
                    f"{self._url} refuses the user {self._user!r}{_reason(body)}: it needs the right password, "
                    f"the tag `{tag}`, and rights on the vhost"
                )
            case 404 if _is_object(body):  # a proxy whose broker is away says it in HTML or plain words
                raise NotFound(f"{self._url} knows no {where}")
            case code if 300 <= code < 400:
                raise FactUnavailable(
                    f"{self._url} sends us elsewhere (status {code}); redirects are not followed"
                )
            case code:
                raise FactUnavailable(f"{self._url} answered {where} with status {code}{_reason(body)}")

    def _body(self, answer: requests.Response, deadline: float, largest: int) -> bytes:
        """The body, unless it is too large or comes too slowly: the session's time-out is for each read only.

        `read1` hands over what has come, where a full read would wait for a trickle to fill it.
        """
        chunks, size = [], 0
        while chunk := answer.raw.read1(_CHUNK):
            size += len(chunk)
            if size > largest:
                raise FactUnavailable(
                    f"{self._url} answered {answer.status_code} with more than {largest} bytes"
                )
            if self._clock.monotonic() > deadline:
                raise Unreachable(f"{self._url} did not finish its answer within {self._timeout_s:g} s")
            chunks.append(chunk)
        return b"".join(chunks)


def _path(parts: tuple[str, ...]) -> str:
    """The parts, quoted. Raises FactUnavailable for one that no address can name: some come from the broker itself."""
    try:
        quoted = [quote(part, safe="") for part in parts]
    except UnicodeEncodeError as error:
        raise FactUnavailable(f"{ascii(parts)[:200]} cannot be asked for: it is no text") from error
    # HTTP clients resolve dots, however they are quoted: the answer would be about something else.
    if not {"", ".", ".."}.isdisjoint(quoted):
        raise FactUnavailable(f"{ascii(parts)[:200]} cannot be asked for: an address has no such part")
    return "/".join(quoted)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(documents.decoded(body), dict)
    except ValueError:
        return False


def _reason(body: bytes) -> str:
    """What RabbitMQ gives as its reason, in brackets; empty for anything else."""
    try:
        reason = documents.decoded(body).get("reason")
    except (ValueError, AttributeError):
        return ""
    return f" ({reason[:200]})" if isinstance(reason, str) and reason.isprintable() else ""
