"""RabbitMQ's management API over HTTP: bounded answers in bounded time, or the reason why there is none.

What never happens here: a redirect followed, a retry, an unbounded read, a password in a message.
"""

from __future__ import annotations

import json
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import requests

from autoscaler.clock import Clock
from autoscaler.gateways.contract import FactUnavailable

_LARGEST_BODY = 64 * 1024 * 1024
"""Bytes. 10,000 queues took 12 MB in one report."""


class NotFound(FactUnavailable):
    """The broker answered that there is no such thing."""


class ManagementAPI:
    """One HTTP session to one broker."""

    def __init__(
        self, *, url: str, username: str, password: str, ca_file: str | None, timeout_s: float, clock: Clock
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._clock = clock
        self._user = username
        self._session = requests.Session()
        self._session.auth = (username, password)
        self._session.verify = ca_file or True
        # Proxies and netrc of the environment are not part of the configuration.
        self._session.trust_env = False
        # Several looks share the session; without cookies there is nothing in it that they could disturb.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get(self, *path: str, **query: str) -> Any:
        """The decoded answer of `GET /api/PATH`, each part quoted. Raises NotFound, FactUnavailable."""
        where = "/".join(quote(part, safe="") for part in path)
        deadline = self._clock.monotonic() + self._timeout_s
        try:
            with self._session.get(
                f"{self._url}/api/{where}",
                params=query,
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,
            ) as answer:
                self._require_ok(answer, where)
                return json.loads(self._body(answer, deadline))
        except requests.Timeout as error:
            raise FactUnavailable(f"{self._url} did not answer within {self._timeout_s:g} s") from error
        except requests.exceptions.SSLError as error:
            raise FactUnavailable(
                f"{self._url}: its certificate is not trusted (see broker.ca_file)"
            ) from error
        except requests.RequestException as error:
            raise FactUnavailable(f"{self._url} cannot be reached ({type(error).__name__})") from error
        except (ValueError, RecursionError) as error:
            raise FactUnavailable(f"{self._url} answered something that is not JSON") from error

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def _require_ok(self, answer: requests.Response, where: str) -> None:
        match answer.status_code:
            case 200:
                return
            case 401:
                raise FactUnavailable(f"{self._url} refuses the user {self._user!r} or its password")
            case 403:
                raise FactUnavailable(
                    f"{self._url}: the user {self._user!r} may not look; "
                    "it needs the tag `monitoring` and rights on the vhost"
                )
            case 404:
                raise NotFound(f"{self._url} knows no {where}")
            case code:
                raise FactUnavailable(f"{self._url} answered with status {code}")

    def _body(self, answer: requests.Response, deadline: float) -> bytes:
        """The body, unless it is too large or comes too slowly; a time-out of the session is per read only."""
        chunks, size = [], 0
        for chunk in answer.iter_content(64 * 1024):
            size += len(chunk)
            if size > _LARGEST_BODY:
                raise FactUnavailable(f"{self._url} answered with more than {_LARGEST_BODY} bytes")
            if self._clock.monotonic() > deadline:
                raise FactUnavailable(f"{self._url} did not finish its answer within {self._timeout_s:g} s")
            chunks.append(chunk)
        return b"".join(chunks)
