"""From a template and values to the bytes of a page.

Whatever goes in is escaped unless a module of this room made it as markup. What never happens here: a template from
anywhere but the folder beside this file.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autoscaler.web import assets, wording
from policies.phrases import ago, count

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def part(name: str) -> str:
    """A name as a part of a path, whatever stands in it."""
    return quote(name, safe="")


_ENVIRONMENT.filters.update(
    amount=wording.amount,
    clock=wording.clock,
    local=wording.local,
    number=wording.number,
    part=part,
    span=wording.span,
    utc=wording.machine_readable,
)
_ENVIRONMENT.globals.update(ago=ago, asset=assets.address, count=count, nothing=wording.NOTHING)
_ENVIRONMENT.globals["m"] = _ENVIRONMENT.get_template("macros.html").module


def render(template: str, **values: object) -> bytes:
    """The page, in UTF-8. Lone surrogates, which no browser takes, are shown as their escape."""
    return _ENVIRONMENT.get_template(template).render(values).encode("utf-8", "backslashreplace")
