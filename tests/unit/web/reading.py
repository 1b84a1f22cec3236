"""A page as a browser's parser sees it: elements with their attributes, and the text outside of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

EMPTY = frozenset({"br", "hr", "img", "input", "link", "meta", "rect"})


@dataclass(slots=True)
class Element:
    """One element; `text` is all that stands in it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    within: tuple[str, ...] = ()


@dataclass(slots=True)
class Page:
    """A page that was read."""

    elements: list[Element] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)

    def all_of(self, *tags: str) -> list[Element]:
        return [each for each in self.elements if each.tag in tags]

    def with_id(self, id_: str) -> Element:
        return next(each for each in self.elements if each.attributes.get("id") == id_)

    @property
    def text(self) -> str:
        return " ".join(self.all_of("html")[0].text.split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), within=tuple(each.tag for each in self.open))
        assert len(attrs) == len(element.attributes), f"<{tag}> has an attribute twice"
        self.page.elements.append(element)
        if tag not in EMPTY:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in EMPTY:
            return
        if not self.open or self.open[-1].tag != tag:
            self.page.unclosed.append(f"</{tag}> in {[each.tag for each in self.open]}")
            return
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def read(page: bytes) -> Page:
    """What is in it."""
    reader = _Reader()
    reader.feed(page.decode())
    reader.close()
    reader.page.unclosed += [f"<{each.tag}>" for each in reader.open]
    return reader.page
