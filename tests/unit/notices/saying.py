"""Builders for the tests of notices: a receiver's choice, what was said, settings with webhooks."""

from __future__ import annotations

from autoscaler.config import Settings
from autoscaler.config.secret import Secret
from autoscaler.notices.choosing import Chooser
from autoscaler.notices.contract import Choice, Notice, Route, Said, Shape
from autoscaler.telemetry import EVENTS
from tests.unit.config import documents

AT = 1_795_000_000.0
URL = "https://hooks.example/services/T0123456/B0123456/abcdefghijklmnop"
TOKEN = "syt_b3Bz_token-of-the-matrix-user"


def said(event: str, on: float = 0.0, **fields: object) -> Said:
    """An event with all its fields; those not named are some word."""
    given = dict.fromkeys(EVENTS[event].fields, "x") | fields
    assert given.keys() == EVENTS[event].fields
    return Said(event=event, fields=given, at=AT + on, on=on)


def chooser(*events: str, repeat_s: float = 600.0, pools: tuple[str, ...] = ()) -> Chooser:
    return Chooser(Choice(events=frozenset(events), repeat_s=repeat_s, pools=frozenset(pools)))


def a_notice(event: str = "node.failed", **fields: object) -> Notice:
    kind = EVENTS[event]
    of = said(event, **fields).fields
    return Notice(event=event, level=kind.level, means=kind.means, fields=of, at=AT)


def a_route(shape: Shape = Shape.SLACK, url: str = URL, **more: object) -> Route:
    given = {"name": "ops", "shape": shape, "url": Secret(url), "choice": Choice(events=frozenset(EVENTS))}
    return Route(**{**given, **more})  # type: ignore[arg-type]


def section(name: str = "ops", more: str = 'level = "error"\n', *, shape: str = "json") -> str:
    """One `[[notices]]` whose address stands in a variable of its own."""
    variable = name.replace("-", "_").upper()
    return f'\n[[notices]]\nname = "{name}"\nshape = "{shape}"\nurl = {{ env = "{variable}_URL" }}\n{more}'


def settings(*sections: str, **urls: str) -> Settings:
    """The small whole configuration with these; `ops=` gives the address of the one of that name."""
    environ = {**documents.ENVIRON, **{f"{name.upper()}_URL": url for name, url in urls.items()}}
    return documents.settings(more="".join(sections), environ=environ)
