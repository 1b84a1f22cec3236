"""What one check asks of a cloud besides its lists of sizes, images and locations: each thing once, page by page.

In go a dialect's `Ask`s and `Reading`s and a driver object lent for a moment, out come rows and values. Whatever is
answered is a stranger's: what is no list, no number or no text where one should be raises ValueError. Nothing here is
changed at the provider, and libcloud is not imported.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

from providers.contract import Purchase
from providers.dialects.contract import Dialect
from providers.dialects.looks import Ask, Pages, Reading, Turning
from providers.libcloud.marks import dig
from providers.libcloud.options import Account

PAGES_MAX = 50
"""Of one list: 5,000 rows at the usual page. What names more than that is not looked through for a check."""
SHOWN_LETTERS = 80
NUMBER_MAX = 1e15
"""No price, limit or count is more; what is would only fill the terminal."""
_NAME = re.compile(r"\{(\w+)\}")
_DEPTH_MAX = 30
"""Of XML that is read; what any cloud answers is far less deep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a look found, in one sentence; `note` as a finding has it."""

    says: str
    note: bool = False


class Unknown(Exception):
    """The provider answered, and a create of this would be refused. The message says why, and what would do."""


@dataclass(slots=True, kw_only=True)
class Asking:
    """One offer's looks at one account, and all that was answered to them so far."""

    account: Account
    purchase: Purchase
    _heard: dict[str, list[Any]] = field(default_factory=dict)
    _sold: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def dialect(self) -> Dialect:
        return self.account.dialect

    def filled(self, template: str, *, quoted: bool = False) -> str:
        """A text of the dialect with the offer's and the account's words in it. Raises LookupError where one is not
        known."""
        where = self.purchase.location
        words = {
            "region": where.rpartition("-")[0],
            **{name: texts[0] for name, texts in self.account.said.items()},
            "location": where,
            "size": self.purchase.size,
        }
        return _NAME.sub(
            lambda found: quote(words[found[1]], safe="") if quoted else words[found[1]], template
        )

    def rows(self, driver: Any, ask: Ask) -> list[Mapping[str, Any]]:
        """All rows of a list."""
        return [row for document in self._documents(driver, ask) for row in _rows(document, ask)]

    def value(self, driver: Any, reading: Reading) -> Any:
        """What stands there; None: nothing. A sum is a number."""
        if reading.summed:
            amounts = [number(self.picked(row, reading.at)) for row in self.rows(driver, reading.ask)]
            if any(each is None for each in amounts):
                raise ValueError("a row lacks what is summed up")
            return math.fsum(each or 0.0 for each in amounts)
        found = (self.picked(document, reading.at) for document in self._documents(driver, reading.ask))
        return next((each for each in found if each is not None), None)

    def picked(self, document: object, path: str) -> Any:
        """What a path leads to; None: nothing."""
        first, everywhere, rest = path.partition("[*].")
        if everywhere:
            rows = self.picked(document, first)
            return [self.picked(row, rest) for row in rows] if isinstance(rows, list) else None
        for step in filter(None, path.split(".")):
            key, _, choice = step.partition("[")
            name = self.filled(key)
            if isinstance(document, list) and name.isdecimal():
                document = document[int(name)] if int(name) < len(document) else None
            elif name:
                document = document.get(name) if isinstance(document, dict) else None
            if choice:
                document = _chosen(document, *self.filled(choice.rstrip("]")).split("=", 1))
        return document

    def sizes(self, driver: Any, where: str = "") -> list[Any]:
        """What the driver lists as sizes, of one location where one is said."""
        if where not in self._sold:
            place = (SimpleNamespace(id=where, name=where),) if where else ()
            self._sold[where] = list(driver.list_sizes(*place))
        return self._sold[where]

    def size(self, driver: Any) -> Any:
        """The driver's size of the offer, at its location where it tells; None: it is in no list."""
        where = self.purchase.location if self.dialect.sizes_of_location else ""
        return next((each for each in self.sizes(driver, where) if each.id == self.purchase.size), None)

    def _documents(self, driver: Any, ask: Ask) -> list[Any]:
        """The answers to all pages of it."""
        path = self.filled(ask.path, quoted=True)
        params = {
            name: self.filled(value) if isinstance(value, str) else value
            for name, value in ask.params.items()
        }
        key = json.dumps([ask.over, path, params, ask.paged], sort_keys=True)
        if key not in self._heard:
            pages = self.dialect.looks.pages if ask.paged else None
            self._heard[key] = (
                _walked(driver, ask, path, params, pages, self)
                if pages
                else [_sent(driver, ask, path, params)]
            )
        return self._heard[key]


def number(value: object) -> float | None:
    """A number, whether it came as one or as a text; None: none that one could reckon with."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and abs(found) <= NUMBER_MAX else None


def shown(text: str) -> str:
    """A stranger's name for something, as people are shown it: on one line, and not for ever."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= SHOWN_LETTERS else f"{plain[:SHOWN_LETTERS]}…"


def texts(value: object) -> list[str]:
    """One text, a number as text, or a list of such; nothing for anything else."""
    if isinstance(value, list):
        return [one for each in value for one in texts(each)]
    if isinstance(value, int | str) and not isinstance(value, bool):
        return [str(value)]
    return []


def _walked(
    driver: Any, ask: Ask, path: str, params: Mapping[str, object], pages: Pages, asking: Asking
) -> list[Any]:
    """Raises ValueError where the pages never end."""
    found: list[Any] = []
    seen = 0
    token = ""
    for page in range(PAGES_MAX):
        turn: Mapping[Turning, object] = {
            Turning.NUMBER: page + 1,
            Turning.OFFSET: seen,
            Turning.CURSOR: token,
        }
        # Of the first page no token is known, and not every cloud takes an empty one.
        asked = {pages.param: turn[pages.turning]} if turn[pages.turning] != "" else {}
        document = _sent(driver, ask, path, {**params, pages.size_param: pages.size, **asked})
        found.append(document)
        came = len(_rows(document, ask))
        seen += came
        if pages.turning is Turning.CURSOR:
            following = asking.picked(document, pages.next)
            if not following:
                return found
            if not isinstance(following, str) or following == token:
                raise ValueError("the page that is announced is no other")
            token = following
        elif came == 0 or (pages.turning is Turning.NUMBER and came < pages.size):
            return found
    raise ValueError(f"there are more than {PAGES_MAX} pages")


def _sent(driver: Any, ask: Ask, path: str, params: Mapping[str, object]) -> Any:
    """One request's answer as plain values."""
    look = getattr(driver, "ex_look", None)
    if look is not None:
        return _plain(look(path, params))
    link = getattr(driver, ask.over)
    return _plain(link.request(path or driver.path, params=dict(params)).object)


def _rows(document: object, ask: Ask) -> list[Mapping[str, Any]]:
    found = dig(document, ask.rows)
    if found is None and ask.left_out and isinstance(document, dict):
        return []
    # An empty element of XML has no rows, and nothing in it tells that it is a list.
    if found == "":
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError("what was answered is no list")
    return found


def _chosen(rows: object, key: str, wanted: str) -> Any:
    """The row of which that holds; None: there is none."""
    them = rows if isinstance(rows, list) else []
    return next((row for row in them if isinstance(row, dict) and str(row.get(key)) == wanted), None)


def _plain(answer: Any, depth: int = 0) -> Any:
    """XML as the other clouds would have said it: elements called `item` are a list."""
    if not isinstance(answer, Element):
        return answer
    if depth > _DEPTH_MAX:
        raise ValueError("the answer is too deep")
    inner = [(each.tag.rpartition("}")[2], _plain(each, depth + 1)) for each in answer]
    if not inner:
        return (answer.text or "").strip()
    return [value for _, value in inner] if {name for name, _ in inner} == {"item"} else dict(inner)
