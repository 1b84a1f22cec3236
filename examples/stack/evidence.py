"""What a run left on disk, read back: answers, results, acts, and nginx's lines.

In goes a ground, out come plain values. What never happens here: a line that is half written stops anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ground import Ground

Fact = dict[str, object]


def answers(ground: Ground) -> list[Fact]:
    """One for each upload that the client sent."""
    return list(_facts(ground.answers))


def requests_seen(ground: Ground) -> list[Fact]:
    """One for each request that nginx answered."""
    return list(_facts(ground.nginx / "access.log"))


def handed_on(lines: list[Fact]) -> int:
    """Uploads that more than one node was asked for."""
    return sum("," in str(line["nodes"]) for line in lines if line["method"] == "POST")


def results(ground: Ground) -> dict[str, str]:
    """SHA-256 of what was processed, by upload. Raises OSError, ValueError: a result that cannot be read is none."""
    return {
        file.name: str(json.loads(file.read_bytes())["sha256"])
        for file in (ground.store / "results").glob("*/*")
    }


def acts(ground: Ground) -> list[tuple[str, str]]:
    """(upload, what a worker did with it), in order."""
    found = []
    for line in _lines(ground.store / "acts"):
        upload, what, _ = line.split(" ", 2)
        found.append((upload, what))
    return found


def _facts(path: Path) -> Iterator[Fact]:
    for line in _lines(path):
        fact: Fact = json.loads(line)
        yield fact


def _lines(path: Path) -> list[str]:
    """Whole lines alone."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
