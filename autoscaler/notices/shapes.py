"""How each kind of receiver wants a notice written: Slack and those compatible with it, a room of Matrix, plain JSON.

In goes a notice, out comes a letter: method, path and body. Nothing in a field can call people by name, make a link or
end a sentence of ours: provider's errors stand in them. What never happens here: an address, or a request.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from autoscaler.config.sieve import Sieve
from autoscaler.notices import words
from autoscaler.notices.contract import Letter, Notice, Route, Shape
from autoscaler.notices.words import Words

_LONGEST = 4_000
"""Slack's own advice for one message; Matrix takes some 60,000 bytes, and nobody reads either."""
_CALLS = re.compile(r"@(?=channel|here|everyone|all|room|group)|(?<![A-Za-z0-9_.-])@(?=\S)", re.IGNORECASE)
_WIDE_AT = "\uff20"


def letter(notice: Notice, route: Route, *, number: str, fleet: str, sieve: Sieve, lost: int = 0) -> Letter:
    """What to send. `number` is this notice's own, the same with each try, so that a try whose answer was lost is not
    told twice where the receiver can know it."""
    said = words.words(notice, fleet=fleet, sieve=sieve, lost=lost)
    method, path = "POST", ""
    if route.shape is Shape.MATRIX:
        room = quote(route.room or "", safe="")
        method, path = "PUT", f"/_matrix/client/v3/rooms/{room}/send/m.room.message/{quote(number, safe='')}"
    document = {
        "id": number,
        "fleet": fleet,
        "event": notice.event,
        "level": notice.level,
        "means": notice.means,
        "at": notice.at,
        "time": said.when,
        "fields": {name: words.plain(value, sieve) for name, value in sorted(notice.fields.items())},
        "ends": notice.ends or None,
        "stood_s": None if notice.stood_s is None else round(notice.stood_s, 1),
        "unsaid": notice.unsaid,
        "lost": lost,
        "trial": notice.trial,
    }
    body = json.dumps(_SHAPES[route.shape](said, document)).encode()
    return Letter(method=method, path=path, body=body)


def _slack(said: Words, _document: Mapping[str, Any]) -> Mapping[str, Any]:
    """`text` in Slack's own markup, of which `& < >` are the only signs that obey
    (docs.slack.dev/messaging/formatting-message-text). Fields are code, in which compatible receivers neither call
    people nor fetch pictures."""
    lines = [f"*{_for_slack(said.title)}*", *map(_for_slack, said.says)]
    lines += [f"{name}: `{_for_slack(value).replace('`', chr(39))}`" for name, value in said.fields]
    return {"text": _lines_within((*lines, said.when))}


def _matrix(said: Words, _document: Mapping[str, Any]) -> Mapping[str, Any]:
    """An `m.room.message` (Matrix client-server API, 11.2.1). `m.text`, because clients are silent about `m.notice`;
    and an empty `m.mentions`, with which no word in it calls anybody."""
    rows = [f"<strong>{html.escape(said.title)}</strong>", *map(html.escape, said.says)]
    rows += [
        f"{html.escape(name)}: <code>{html.escape(_harmless(value))}</code>" for name, value in said.fields
    ]
    return {
        "msgtype": "m.text",
        "body": _harmless(_lines_within(said.text().split("\n"))),
        "format": "org.matrix.custom.html",
        "formatted_body": _lines_within((*rows, said.when), by="<br>"),
        "m.mentions": {},
    }


def _json(said: Words, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Everything, and `text` for receivers that know no more than that word."""
    return {**document, "text": _harmless(_lines_within(said.text().split("\n")))}


_SHAPES: Mapping[Shape, Callable[[Words, Mapping[str, Any]], Mapping[str, Any]]] = MappingProxyType(
    {Shape.SLACK: _slack, Shape.MATRIX: _matrix, Shape.JSON: _json}
)


def _for_slack(text: str) -> str:
    return _harmless(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _harmless(text: str) -> str:
    """With another sign in place of the `@` that calls somebody; `celery@node` calls nobody."""
    return _CALLS.sub(_WIDE_AT, text)


def _lines_within(lines: tuple[str, ...] | list[str], by: str = "\n") -> str:
    """As many whole lines as fit, so that no mark is cut in half."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + len(by)
        if size > _LONGEST:
            kept.append("…")
            break
        kept.append(line)
    return by.join(kept)
