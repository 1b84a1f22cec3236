"""One request to a webhook over HTTP: a status and the begin of its body in bounded time, or why there is none.

In go an address, which may be a secret, a body and headers; out comes a `Reply`. What never happens here: a redirect
followed, a retry, an unbounded read, a judgement of the answer, an address or a header in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3

from autoscaler.clock import Clock
from autoscaler.gateways import http_deadline
from autoscaler.gateways.contract import FactUnavailable

_LARGEST_BODY = 16_384
_CHUNK = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to send, and where. Shows neither address nor headers."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back."""

    status: int
    retry_after: str | None
    body: bytes = field(repr=False)
    """As much of it as came in time, and never more than 16 KiB."""


class _StraightSession(requests.Session):
    """Sees no redirects; `requests` would read the body of one even where it follows none."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 (the signature of `requests`)
        return None


def ask(request: Request, *, within_s: float, clock: Clock) -> Reply:
    """Send it once. Raises FactUnavailable where no answer came; it may have been taken all the same."""
    deadline = clock.monotonic() + within_s
    try:
        with (
            _session(request, clock) as session,
            session.request(
                request.method,
                request.url,
                data=request.body,
                headers={**request.headers, "Accept-Encoding": "identity"},
                timeout=within_s,
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            body = _body(answer, deadline, clock)
            return Reply(status=answer.status_code, retry_after=answer.headers.get("Retry-After"), body=body)
    # Never chained, never quoted: what these say and hold has the address in it.
    except requests.exceptions.SSLError:
        raise FactUnavailable("its certificate is not trusted") from None
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
        raise FactUnavailable(f"no answer within {within_s:.3g} s") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise FactUnavailable(f"it cannot be reached ({type(error).__name__})") from None


def _session(request: Request, clock: Clock) -> requests.Session:
    session = _StraightSession()
    http_deadline.keep(session, clock.monotonic)
    session.verify = request.ca_file or True
    # Proxies and netrc of the environment are not part of the configuration.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _body(answer: requests.Response, deadline: float, clock: Clock) -> bytes:
    """As much of the body as anybody will read. The status counts, whatever becomes of the rest."""
    chunks, size = [], 0
    try:
        while size < _LARGEST_BODY and clock.monotonic() < deadline and (chunk := answer.raw.read1(_CHUNK)):
            size += len(chunk)
            chunks.append(chunk)
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        pass
    return b"".join(chunks)
