"""What goes over the wire for one libcloud driver: one send an order, bounded in time and size, and noted.

Mixed into a driver's connection classes, in go its requests, out come answers read whole. A request is sent once, never
again, and only while the call has time; broken links leave here as `LinkBroken`, stripped of URLs and bodies. Nothing
here knows a cloud, judges an answer or imports libcloud.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ssl import SSLCertVerificationError
from typing import Any, Protocol
from urllib.parse import urlencode

from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from providers.contract import MayAct, always
from providers.dialects.times import Times
from providers.libcloud import deadline

ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
"""A listing of 1000 machines takes about 6 MB; anything past this is not an answer."""
CHUNK_BYTES = 65_536
SENDS_MAX = 400
"""Of one call: twice the pages of the longest listing that is believed."""

FORM = "application/x-www-form-urlencoded; charset=utf-8"

NEVER_REACHED = (ConnectTimeoutError, NewConnectionError, SSLCertVerificationError)
"""Errors that can only come before the first byte of a request is sent."""


class Clock(Protocol):
    """`now` says when (epoch seconds UTC), `monotonic` says how long."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


class Withheld(Exception):
    """Nothing more goes out: the caller may give no orders any more."""


class LinkBroken(Exception):
    """No whole answer came. `reached` is False where not a byte of the request can have left."""

    def __init__(self, message: str, *, reached: bool) -> None:
        super().__init__(message)
        self.reached = reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One whole answer. Bodies may echo what was sent and stay out of every repr."""

    status: int
    asked: str
    """`METHOD url`, without the host."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: str = field(repr=False)


class Wire:
    """Notes of the call that one driver object is making, over all its links. Belongs to one thread at a time."""

    def __init__(
        self,
        clock: Clock,
        *,
        respell: tuple[str, str] = ("", ""),
        order_sign: str = "",
        follow_sign: str = "",
        forms: bool = False,
        only_for: Mapping[str, str] | None = None,
        times: Times | None = None,
    ) -> None:
        self.times = times or Times()
        self.clock = clock
        self.respell = respell
        self.forms = forms
        self.only_for = only_for or {}
        self._order_sign = re.compile(order_sign)
        self._follow_sign = re.compile(follow_sign) if follow_sign else None
        self._deadline = 0.0
        self._may_send: MayAct = always
        self._links: list[OneSendConnection] = []
        self.begin(0.0)

    def begin(self, timeout_s: float, *, may_send: MayAct = always) -> None:
        """A new call starts, which may take this long altogether, and asks that before each of its sends."""
        self._deadline = self.clock.monotonic() + timeout_s
        self._may_send = may_send
        self.sends = self.orders = 0
        """All that was sent, and of this what makes or ends a machine."""
        self.accepted = 0
        """Orders that were answered with a success."""
        self.ordering = False
        """Whether what is sent now may be an order."""
        self.once = False
        """Whether a second order must not leave: this call creates."""
        self.answer: Answer | None = None
        """To the latest request, if it came."""
        self.answers: list[Answer] = []
        """All of them since the call began, or since `forget`."""
        self._held_bytes = 0
        self.extra_params: Mapping[str, str] = {}
        self.extra_headers: Mapping[str, str] = {}

    def forget(self) -> None:
        """What came so far was read and is no longer needed."""
        self.answers = []
        self._held_bytes = 0

    def send(self, asked: str) -> bool:
        """Note that this goes out now, and say whether it is an order.

        Raises Withheld where it may not: the caller was stopped since it began, or the driver would order twice, or
        would finish what no order of this call has made.
        """
        self.require_leave()
        if self.sends >= SENDS_MAX:
            raise LinkBroken(f"the driver sent {SENDS_MAX} requests and wants more", reached=True)
        is_order = self.ordering and self._order_sign.search(asked) is not None
        if self.once and self._follow_sign and self._follow_sign.search(asked):
            if not self.accepted:
                raise Withheld("the driver would finish what was never ordered")
            is_order = False
        if is_order and self.once and self.orders:
            raise Withheld("the driver would order a second time")
        self.sends += 1
        self.orders += is_order
        return is_order

    def take_back(self, *, is_order: bool) -> None:
        """It did not go out: leave ended while a connection was made for it."""
        self.sends -= 1
        self.orders -= is_order

    def take(self, answer: Answer, *, is_order: bool) -> None:
        """Note what was answered."""
        self.answer = answer
        self.answers.append(answer)
        self.accepted += is_order and 200 <= answer.status < 300
        self._held_bytes += len(answer.body)
        if self._held_bytes > ANSWER_LIMIT_BYTES:
            raise LinkBroken(f"the answers are longer than {ANSWER_LIMIT_BYTES} bytes", reached=True)

    def require_leave(self) -> None:
        """Raise Withheld unless the caller of this call may act."""
        if not self._may_send():
            raise Withheld("the lease is not surely ours")

    def remaining_s(self) -> float:
        """How long the call may still take. Raises LinkBroken when its time is up."""
        remaining_s = self._deadline - self.clock.monotonic()
        if remaining_s <= 0:
            raise LinkBroken("the time for this call is up", reached=self.sends > 0)
        return remaining_s

    def hold(self, link: OneSendConnection) -> None:
        """A link was made, which `close` closes."""
        self._links.append(link)

    def close(self) -> None:
        """Let go of every connection. What is sent later makes new ones."""
        for link in self._links:
            link.session.close()


class WholeAnswer:
    """An answer whose body was read within its bounds; has what libcloud's response classes ask of one."""

    def __init__(self, response: Any, content: bytes, respell: tuple[str, str]) -> None:
        self.headers = response.headers
        self.status_code: int = response.status_code
        self.reason: str = response.reason
        self.request = None
        self.content = content
        # A server's word for its charset is not needed: every API we speak sends UTF-8.
        text = content.decode("utf-8", errors="replace")
        pattern, replacement = respell
        self.text = re.sub(pattern, replacement, text, count=1) if pattern else text

    def json(self) -> Any:
        return json.loads(self.text)

    def iter_content(self, chunk_size: int = CHUNK_BYTES, **_: object) -> Iterator[bytes]:
        return (self.content[at : at + chunk_size] for at in range(0, len(self.content), chunk_size))

    def close(self) -> None:
        """Nothing is held: the body is here."""


class OneSendConnection:
    """Before `libcloud.http.LibcloudConnection` in a class's bases: sends within the call's time, reads whole."""

    wire: Wire
    session: Any
    response: Any

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        deadline.keep(self.session, self.wire.clock.monotonic, self.wire.require_leave)
        self.wire.hold(self)

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **_: object) -> None:
        """Send once and read the answer into `response`. Raises LinkBroken, Withheld."""
        wire = self.wire
        whole: WholeAnswer | None = None
        broken = LinkBroken("no answer", reached=True)
        # An earlier answer of this call explains nothing that happens from here on.
        wire.answer = None
        left_s = wire.remaining_s()
        # One for the connection and one for the answer, as `requests` takes them.
        self.session.timeout = (min(left_s, wire.times.connect_s), min(left_s, wire.times.answer_s))
        # A redirect would be a second send, to somewhere an operator never named.
        self.session.max_redirects = 0
        # An `auth` of our own keeps requests from putting a password from ~/.netrc over the signature.
        self.session.auth = _as_signed
        asked = f"{method.upper()} {url}"
        is_order = wire.send(asked)
        try:
            super().request(method, url, body=body, headers=headers, stream=True)  # type: ignore[misc]
            with self.response as response:
                whole = WholeAnswer(response, _read(response, wire), wire.respell)
        except (OSError, HTTPError) as trouble:  # OSError is what requests makes of all of its own
            never = any(isinstance(each, NEVER_REACHED) for each in _chain(trouble))
            broken = LinkBroken(_in_words(trouble), reached=not never)
        except Withheld:
            wire.take_back(is_order=is_order)
            raise
        if whole is None:  # raised out here, the exception that holds the whole request is not its context
            raise broken
        headers = {name.lower(): value for name, value in whole.headers.items()}
        answer = Answer(status=whole.status_code, asked=asked, headers=headers, body=whole.text)
        wire.take(answer, is_order=is_order)
        _make_plain(whole.headers)
        self.response = whole

    def prepared_request(self, *_: object, **__: object) -> None:
        """For streams and files, without bounds: nothing that this room asks for."""
        raise TypeError("a driver asked for a stream, which no call of ours needs")


class OneSendOrders:
    """Before a connection class of libcloud in a class's bases: no retries, and parameters as a form where `forms`
    of the wire says."""

    wire: Wire
    version: str
    asking: tuple[str, str] = ("", "")
    """Method and path of the request that is made now."""

    def request(
        self,
        action: str,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        **rest: Any,
    ) -> Any:
        """As libcloud's, but sent once whatever its settings say."""
        self.asking = (method, action)
        params = {**(params or {}), **self.wire.extra_params}
        headers = {**(headers or {}), **self.wire.extra_headers}
        if self.wire.forms and method == "GET":
            method, headers["Content-Type"] = "POST", FORM
            params, data = {}, urlencode({**params, "Version": self.version})
        send = super().request  # type: ignore[misc]
        return send(action, params=params, data=data, headers=headers, method=method, **rest)

    def add_default_params(self, params: Any) -> Any:
        """The driver's own, but where the dialect knows better."""
        # Of a form the parameters are in the body by now, and in its signature.
        params = super().add_default_params(params)  # type: ignore[misc]
        if self.wire.forms:
            return params
        method, action = self.asking
        known = {
            name: value
            for name, value in params.items()
            if name not in self.wire.only_for
            or (method == "GET" and re.fullmatch(self.wire.only_for[name], action))
        }
        return {**known, **self.wire.extra_params}

    def retryCls(self, **_: object) -> Any:  # noqa: N802 - libcloud's name for what makes a function repeat itself
        """Nothing is repeated. Environment or module may turn retries on, and not every request can forbid them."""
        return lambda send: send

    def get_auth_class(self) -> Any:
        """Where a driver logs in over a connection of another class, that one sends once as well."""
        auth = super().get_auth_class()  # type: ignore[misc]
        auth.retryCls = self.retryCls
        return auth


def _as_signed(request: Any) -> Any:
    return request


def _read(response: Any, wire: Wire) -> bytes:
    """The body, if it comes in time: a server that drips one byte a second passes every timeout of a socket."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
        size += len(chunk)
        if size > ANSWER_LIMIT_BYTES:
            raise LinkBroken(f"the answer is longer than {ANSWER_LIMIT_BYTES} bytes", reached=True)
        wire.remaining_s()
        chunks.append(chunk)
    return b"".join(chunks)


def _make_plain(headers: Any) -> None:
    """Without the header that libcloud makes a float of unlooked; what it said is noted in the `Answer`."""
    headers.pop("retry-after", None)


def _chain(trouble: BaseException) -> Iterator[BaseException]:
    """The error and all it was made from: requests keeps urllib3's in `args`, urllib3 the socket's in `reason`."""
    found: list[BaseException] = []
    waiting: list[object] = [trouble]
    while waiting and len(found) < 20:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
    return iter(found)


def _in_words(trouble: BaseException) -> str:
    """Its kind and the system's word for it, never its text: that holds the URL, which may hold user data."""
    words = [each.strerror for each in _chain(trouble) if isinstance(each, OSError) and each.strerror]
    return f"{type(trouble).__name__} ({words[0]})" if words else type(trouble).__name__
