"""What the tests of pages look at: the pages, their fenced blocks, and the commands that people are told to type.

In goes the repository; out come values. Records of decisions and the changelog tell of their own day: their links are
looked at, and the languages of their blocks, but commands in them may have changed since.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = "docs/commands.md"
"""It is written by the program's parser itself, in forms such as `NAME [OPTIONS]`."""
_FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*(.*?)\s*$")
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_PROMPT = re.compile(r"^[$#] ")
_CONTROL = frozenset({";", "&", "&&", "|", "||", "(", ")", "\n", ";;"})
_REDIRECTIONS = re.compile(r"^[<>]+&?$")
_KEYWORDS = frozenset({"do", "then", "else", "{", "!", "sudo", "time", "export"})
_ASSIGNMENT = re.compile(r"^\w+=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: where it begins, its language, its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One simple command: its words without assignments before it and without redirections. In prose it may be named
    without all that it takes."""

    where: str
    in_prose: bool
    directory: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where}: {' '.join(self.words)[:60]}"


@functools.cache
def all_pages() -> tuple[str, ...]:
    """Every page of Markdown that people read, as paths in the repository."""
    found = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md"), *ROOT.glob("*.md")]
    return tuple(sorted(path.relative_to(ROOT).as_posix() for path in found))


@functools.cache
def living_pages() -> tuple[str, ...]:
    """Those that tell of today."""
    return tuple(
        page for page in all_pages() if not page.startswith("docs/decisions/") and page != "CHANGELOG.md"
    )


@functools.cache
def text(page: str) -> str:
    """A page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


@functools.cache
def blocks(page: str) -> tuple[Block, ...]:
    """The fenced blocks of a page. Raises ValueError for one that does not end."""
    found, begun, fence, inside = [], 0, "", []
    language = ""
    for number, line in enumerate(text(page).splitlines(), 1):
        mark = _FENCE.match(line)
        if not fence and mark:
            begun, fence, language, inside = number, mark[2], mark[3], []
        elif fence and mark and mark[2].startswith(fence) and not mark[3]:
            found.append(Block(page=page, line=begun, language=language, text="\n".join(inside) + "\n"))
            fence = ""
        elif fence:
            inside.append(line)
    if fence:
        raise ValueError(f"{page}:{begun}: a block that does not end")
    return tuple(found)


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    lines, fence = [], ""
    for line in text(page).splitlines():
        mark = _FENCE.match(line)
        if mark and (not fence or (mark[2].startswith(fence) and not mark[3])):
            fence = "" if fence else mark[2]
        elif not fence:
            lines.append(line)
    return "\n".join(lines) + "\n"


def typed(block: Block) -> str:
    """What a `console` block tells to type, as a script: the lines behind prompts, with those that they go on in."""
    script: list[str] = []
    open_command = ""
    for line in block.text.splitlines():
        if open_command:
            open_command += "\n" + line.removeprefix("> ")
        elif _PROMPT.match(line):
            open_command = line[2:]
        if open_command and _is_whole(open_command):
            script.append(open_command)
            open_command = ""
    if open_command:
        raise ValueError(f"{block}: a command that does not end: {open_command}")
    return "\n".join(script) + "\n"


def _is_whole(line: str) -> bool:
    if line.endswith("\\"):
        return False
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True


def scripts() -> Iterator[tuple[Block, str]]:
    """Every block for the shell of the living pages, and what of it is typed."""
    for page in living_pages():
        for block in blocks(page):
            if block.language == "console":
                yield block, typed(block)
            elif block.language == "sh":
                yield block, block.text


def commands() -> Iterator[Command]:
    """Every simple command in blocks and in prose of the living pages."""
    for block, script in scripts():
        folder = str(Path(block.page).parent)
        for words in simple_commands(script):
            yield Command(where=str(block), in_prose=False, directory=folder, words=words)
    for page in living_pages():
        if page == GENERATED:
            continue
        for code in _CODE.findall(prose(page)):
            line = " ".join(code.split())
            if re.match(r"(autoscaler|make) [a-z]", line):
                for words in simple_commands(line):
                    folder = str(Path(page).parent)
                    yield Command(where=page, in_prose=True, directory=folder, words=words)


def simple_commands(script: str) -> Iterator[tuple[str, ...]]:
    """The simple commands of a script, each as its words."""
    for line in _logical_lines(script):
        words: list[str] = []
        skip = False
        for token in [*_tokens(line), "\n"]:
            if token in _CONTROL:
                if plain := _plain(words):
                    yield plain
                words = []
            elif _REDIRECTIONS.match(token):
                skip = True
            elif skip:
                skip = False
            else:
                words.append(token)


def _logical_lines(script: str) -> Iterator[str]:
    line = ""
    for part in script.splitlines():
        line += part
        if line.endswith("\\"):
            line = line[:-1] + " "
        elif _is_whole(line):
            yield line
            line = ""
        else:
            line += "\n"
    if line:
        yield line


def _tokens(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split = True
    return list(lexer)


def _plain(words: list[str]) -> tuple[str, ...]:
    left = list(words)
    while left and (left[0] in _KEYWORDS or _ASSIGNMENT.match(left[0])):
        left.pop(0)
    if left[:2] == ["podman", "exec"]:
        left = left[3:]
    return tuple(left)
