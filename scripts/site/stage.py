"""Lays out what the generator reads: the repository's pages, with links that lead to each other's places on the site.

In goes the checkout, and `navigation.toml` with the order of all pages; out comes a directory of Markdown. Pages stay
where their readers in the repository look for them, so a link may leave `docs/`: to a file that is no page, which then
gets a page that shows it, or to a directory, which gets a list. What never happens here: a link that leads nowhere and
is not refused.
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
FIRST = "docs/index.md"
LISTS = {"docs/decisions": "Decisions"}
"""Directories that have a page of their own, a list of what is in them, and its title."""
_COPIED = frozenset({".png", ".svg", ".json"})
"""Pictures, and what programs fetch as it is."""
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_CODE_OR_LINK = re.compile(r"(`+)(?:(?!\1).)+\1|\]\((?P<target>[^)\s]+)\)")
_BY_FILE = re.compile(r"\[(?P<name>[\w./-]+\.md)\]\((?P<target>[^)\s#]+\.md)\)")
_PICTURE = re.compile(r"```mermaid\nstateDiagram-v2\n(?P<edges>.*?)```\n", re.DOTALL)
_EDGE = re.compile(r"^ *(\w+) --> (\w+): (.+)$", re.MULTILINE)
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")
_SHOWN_AS = {
    ".py": "python",
    ".toml": "toml",
    ".service": "systemd",
    ".sh": "sh",
    "nginx.conf": "nginx",
    "Containerfile": "docker",
}
"""The highlighter's word for a file that is no page, by its name or its ending; else it is plain text."""


class CannotStage(Exception):
    """A page or a link that has no place, for whoever wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the navigation: its title, and its pages' paths in the repository, in order."""

    title: str
    pages: tuple[str, ...]


def navigation() -> tuple[Part, ...]:
    """The parts in order."""
    document = tomllib.loads((Path(__file__).parent / "navigation.toml").read_text(encoding="utf-8"))
    return tuple(Part(title=part["title"], pages=tuple(part["pages"])) for part in document["part"])


def place(path: str) -> str:
    """Where a page, a picture, a file or a listed directory of the repository lies on the site, before it is made."""
    inside = path.removeprefix("docs/")
    if path in LISTS:
        return f"{inside}/index.md"
    if Path(path).suffix in _COPIED:
        return inside
    if path.endswith("/README.md"):
        return inside.removesuffix("README.md") + "index.md"
    return inside if path.endswith(".md") else f"files/{path}.md"


def rewritten(text: str, change: Callable[[str], str]) -> str:
    """The text with every target of a link or a picture replaced. Code, fenced or within a line, stays as it is."""

    def one(match: re.Match[str]) -> str:
        return match[0] if match["target"] is None else f"]({change(match['target'])})"

    lines, fence = [], ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
            lines.append(line)
        else:
            lines.append(line if fence else _CODE_OR_LINK.sub(one, line))
    return "".join(lines)


def links(page: str) -> Iterator[tuple[str, str]]:
    """Each target of a page's links within the repository, as it is written, and the path it means."""
    found: list[str] = []

    def note(target: str) -> str:
        found.append(target)
        return target

    rewritten((ROOT / page).read_text(encoding="utf-8"), note)
    for target in found:
        path = target.partition("#")[0]
        if not _ELSEWHERE.match(target):
            yield target, os.path.normpath(PurePosixPath(page).parent / path) if path else page


def stage(target: Path) -> int:
    """Write all pages below `target`, which is made anew. Returns how many. Raises CannotStage."""
    shutil.rmtree(target, ignore_errors=True)
    parts = navigation()
    waiting = [FIRST, *(page for part in parts for page in part.pages)]
    written: set[str] = set()
    while waiting:
        path = waiting.pop(0)
        if path in written:
            continue
        written.add(path)
        there = target / place(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        if Path(path).suffix in _COPIED:
            shutil.copyfile(ROOT / path, there)
            continue
        text, more = _page(path)
        there.write_text(text + (_tables(parts) if path == FIRST else ""), encoding="utf-8")
        waiting += more
    return len(written)


def _page(path: str) -> tuple[str, tuple[str, ...]]:
    """The page for the site, and what else of the repository it leads to."""
    if path in LISTS:
        return _listing(path)
    if not path.endswith(".md"):
        return _shown(path), ()
    known = dict(links(path))
    for target, linked in known.items():
        if not (ROOT / linked).is_file() and linked not in LISTS:
            raise CannotStage(
                f"{path} leads to {target}, and {linked} is neither a file nor a listed directory"
            )
    here = PurePosixPath(place(path)).parent

    def change(target: str) -> str:
        file, mark, anchor = target.partition("#")
        return (
            os.path.relpath(place(known[target]), here) + mark + anchor
            if file and target in known
            else target
        )

    text = rewritten(_titled(path), change)
    return _PICTURE.sub(_told, text), tuple(known.values())


def _told(picture: re.Match[str]) -> str:
    """A picture of states as a table. The generator draws none by itself, and what draws them elsewhere is a program
    that the reader's browser fetches."""
    rows = _EDGE.findall(picture["edges"])
    return "| From | To | By |\n|---|---|---|\n" + "".join(f"| {a} | {b} | {by} |\n" for a, b, by in rows)


def _titled(path: str) -> str:
    """The text of a page, with other pages named by their titles where it names them by their files."""

    def title(link: re.Match[str]) -> str:
        linked = ROOT / os.path.normpath(PurePosixPath(path).parent / link["target"])
        named = link["target"].endswith(link["name"].removeprefix("docs/")) and linked.is_file()
        return f"[{_title(linked)}]({link['target']})" if named else link[0]

    return _BY_FILE.sub(title, (ROOT / path).read_text(encoding="utf-8"))


def _shown(path: str) -> str:
    """A page that shows a file."""
    language = _SHOWN_AS.get(Path(path).name) or _SHOWN_AS.get(Path(path).suffix, "text")
    text = (ROOT / path).read_text(encoding="utf-8")
    return (
        f"---\norphan: true\n---\n\n# {path}\n\nAs it lies in the repository.\n\n````{language}\n{text}````\n"
    )


def _listing(directory: str) -> tuple[str, tuple[str, ...]]:
    """A page that lists a directory, and the pages in it."""
    pages = {path: _title(path) for path in sorted((ROOT / directory).glob("*.md"))}
    rows = "".join(f"* [{title}]({path.name})\n" for path, title in pages.items())
    table = "".join(f"{path.stem}\n" for path in pages)
    text = f"# {LISTS[directory]}\n\n{rows}\n```{{toctree}}\n:hidden:\n\n{table}```\n"
    return text, tuple(f"{directory}/{path.name}" for path in pages)


def _title(path: Path) -> str:
    match = _TITLE.search(path.read_text(encoding="utf-8"))
    if match is None:
        raise CannotStage(f"{path} has no title")
    return match[1]


def _tables(parts: tuple[Part, ...]) -> str:
    """The navigation, as the generator has it."""
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {part.title}\n\n"
        + "".join(f"/{place(page).removesuffix('.md')}\n" for page in part.pages)
        + "```\n"
        for part in parts
    )
