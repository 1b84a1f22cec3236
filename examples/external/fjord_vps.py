#!/usr/bin/env python3
"""Machines of the made-up host Fjord VPS for `autoscaler`, as a program to copy and to change for your own host.

It speaks protocol 1 of docs/providers/external.md: one JSON document on standard input, one on standard output, and an
exit code that says how it went. It wants `settings.url` and `secrets.token`. What is this host's own stands between the
two rules below; what is outside of them can stay. What never happens here: an order that is sent twice, an empty list
that stands for a failed one.
"""

from __future__ import annotations

import base64
import http.client
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

DONE, CAPACITY, REJECTED, THROTTLED, ABSENT, UNSEEN, UNKNOWN, QUOTA = 0, 193, 194, 195, 196, 197, 198, 199
OURS = 0.9
"""We give up after so much of our time, and say why in the rest, before the daemon kills us."""


class End(Exception):
    """How this run ends, if not well."""

    def __init__(self, code: int, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


class Panel:
    """The panel's API: JSON over HTTP, one connection a request, nothing repeated."""

    def __init__(self, url: str, token: str, until: float) -> None:
        parts = urlsplit(url)
        self.kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.place = parts.netloc
        self.path = parts.path.rstrip("/")
        self.token = token
        self.until = until

    def look(self, path: str) -> Any:
        """Ask for something. Whatever goes wrong, nothing was seen."""
        return self._ask("GET", path, None, unreached=UNSEEN, unanswered=UNSEEN)

    def order(self, method: str, path: str, body: dict[str, object] | None = None) -> Any:
        """Change something, once. What was sent and not answered may have been carried out."""
        return self._ask(method, path, body, unreached=THROTTLED, unanswered=UNKNOWN)

    def _ask(
        self, method: str, path: str, body: dict[str, object] | None, *, unreached: int, unanswered: int
    ) -> Any:
        left_s = self.until - time.monotonic()
        if left_s <= 0:
            raise End(unreached, "no time was left to ask the panel")
        link = self.kind(self.place, timeout=left_s)
        try:
            link.connect()
        except OSError as error:
            raise End(unreached, f"the panel could not be reached: {error}", retry_after_s=10) from error
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            link.request(method, self.path + path, json.dumps(body) if body else None, headers)
            answer = link.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise End(unanswered, f"the panel did not answer: {error!r}") from error
        finally:
            link.close()
        if not 200 <= answer.status < 300:
            raise refused(answer.status, text, answer.headers.get("Retry-After", ""), unanswered)
        try:
            return json.loads(text) if text else {}
        except ValueError as error:
            raise End(unanswered, f"the panel answered {answer.status} with no JSON") from error


def mark(fleet: str, pool: str) -> str:
    """What we write on a machine so that we know it again. Most panels keep a note, a label or tags."""
    return f"autoscaler fleet={fleet} pool={pool}"


def marks(note: str) -> dict[str, str]:
    """The mark as it is read from a machine; nothing for one that is not ours."""
    first, *pairs = note.split() or [""]
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair) if first == "autoscaler" else {}


# ---- What is Fjord VPS's own -----------------------------------------------------------------------------------------

STATES = {
    "queued": "pending",
    "installing": "pending",
    "active": "running",
    "off": "stopped",
    "deleting": "ending",
}
REFUSALS = {"out_of_stock": CAPACITY, "quota_exceeded": QUOTA}
PAGE = 100


def refused(status: int, text: bytes, retry_after: str, unanswered: int) -> End:
    """What an error of the panel means."""
    try:
        error = json.loads(text)["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, LookupError, TypeError):
        code, message = "", "with a body that is none of this API"
    says = f"the panel answered {status} {code}: {message}"
    if status == 429:
        return End(THROTTLED, says, retry_after_s=float(retry_after) if retry_after.isdigit() else None)
    if status == 404:
        return End(ABSENT, says)
    if code in REFUSALS:
        return End(REFUSALS[code], says)
    # A server's own trouble may come after the deed; only a client's error is a promise that nothing was done.
    return End(REJECTED if 400 <= status < 500 else unanswered, says)


def machine(server: dict[str, Any]) -> dict[str, object]:
    """A server of the panel in the words of the protocol."""
    ours = marks(server["note"])
    born = datetime.fromisoformat(server["created"])
    return {
        "name": server["hostname"],
        "id": str(server["id"]),
        "state": STATES.get(server["status"], "unknown"),
        "fleet": ours.get("fleet"),
        "pool": ours.get("pool"),
        "created_at": (born if born.tzinfo else born.replace(tzinfo=UTC)).timestamp(),
        "size": server["plan"],
        "location": server["datacenter"],
        "addresses": [address for address in (server["ipv4"], server["ipv6"]) if address],
    }


def create(panel: Panel, fleet: str, wanted: dict[str, Any]) -> dict[str, object]:
    """Order one machine. We do not wait for it: the daemon looks."""
    made = panel.order(
        "POST",
        "/v1/servers",
        {
            "hostname": wanted["name"],
            "plan": wanted["size"],
            "image": wanted["image"],
            "datacenter": wanted["location"],
            "note": mark(fleet, wanted["pool"]),
            "user_data": base64.b64decode(wanted["user_data_base64"]).decode(),
        },
    )
    try:
        return {"machine": machine(made["server"])}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise End(UNKNOWN, f"the panel's answer to the order cannot be read: {error!r}") from error


def destroy(panel: Panel, _fleet: str, wanted: dict[str, Any]) -> dict[str, object]:
    """Ask for its end, with its disks: they are billed by themselves."""
    panel.order("DELETE", f"/v1/servers/{quote(wanted['id'], safe='')}?with_disks=true")
    return {}


def list_(panel: Panel, _fleet: str, _wanted: object) -> dict[str, object]:
    """All pages. One that was made or ended meanwhile moves the others from page to page: then some may be missing."""
    servers: dict[object, dict[str, Any]] = {}
    totals: set[int] = set()
    page = pages = 1
    while page <= pages:
        answer = panel.look(f"/v1/servers?page={page}&per_page={PAGE}")
        pages = answer["pages"]
        totals.add(answer["total"])
        servers |= {server["id"]: server for server in answer["servers"]}
        page += 1
    moved = totals != {len(servers)}
    why = {"why_incomplete": "the list changed while its pages were read"} if moved else {}
    return {"machines": [machine(server) for server in servers.values()], "complete": not moved, **why}


def check(panel: Panel, _fleet: str, wanted: dict[str, Any]) -> dict[str, object]:
    """Whether the panel sells what an offer names."""
    findings: list[dict[str, object]] = []
    for subject, path, key in (
        ("size", "plans", "size"),
        ("image", "images", "image"),
        ("location", "datacenters", "location"),
    ):
        names = [each["name"] for each in panel.look(f"/v1/{path}")[path]]
        ok = wanted[key] in names
        says = (
            f"{wanted[key]} is there" if ok else f"there is no {wanted[key]!r}; there are {', '.join(names)}"
        )
        findings.append({"subject": subject, "ok": ok, "says": says})
    return {"findings": findings}


# ---- The protocol ----------------------------------------------------------------------------------------------------

VERBS = {"create": create, "destroy": destroy, "list": list_, "check": check}


def main() -> NoReturn:
    """Carry out the one call that standard input asks for."""
    began = time.monotonic()
    asked = json.load(sys.stdin)
    verb = asked["verb"]
    try:
        if asked["protocol"] != 1 or verb not in VERBS:
            raise End(REJECTED, f"this program speaks protocol 1, without {verb!r}")
        until = began + OURS * asked["timeout_s"]
        panel = Panel(asked["settings"]["url"], asked["secrets"]["token"], until)
        answer, code = VERBS[verb](panel, asked["fleet"], asked.get(verb, {})), DONE
    except End as end:
        answer, code = {"message": str(end), "retry_after_s": end.retry_after_s}, end.code
    # Any other exception is a traceback and exit code 1, which the daemon takes as "nobody can tell".
    json.dump({"protocol": 1, **answer}, sys.stdout)
    sys.exit(code)


if __name__ == "__main__":
    main()
