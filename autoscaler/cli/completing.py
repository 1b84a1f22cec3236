"""What the shell offers on TAB: names of pools from the configuration, names of nodes from a journal in a file.

Nobody waits for it and nobody reads its errors, so whatever is wrong offers nothing, and a journal on a server is not
asked. What never happens here: a word to the terminal, a write, a secret that is looked up.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import typer

from autoscaler.config import config_path
from autoscaler.journal import JournalUnavailable, open_journal, read

_FILE = "sqlite:"
_DEFAULT = "sqlite:////var/lib/autoscaler/journal.db"
_MOST = 200
"""More than these are no help."""


def pools(ctx: typer.Context, incomplete: str) -> list[str]:
    """Pools of the configuration that is meant."""
    return _offered(_pools(_document(ctx)), incomplete)


def nodes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Nodes that are there."""
    return _offered(_nodes(_document(ctx)), incomplete)


def pools_and_nodes(ctx: typer.Context, incomplete: str) -> list[str]:
    """For orders that take either."""
    document = _document(ctx)
    return _offered([*_pools(document), *_nodes(document)], incomplete)


def _offered(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete) and name.isprintable()][:_MOST]


def _document(ctx: typer.Context) -> dict[str, object]:
    """The configuration as it is written, right or wrong; empty where it cannot be read."""
    given = ctx.params.get("config") or (ctx.parent.params.get("config") if ctx.parent else None)
    with suppress(OSError, ValueError):
        return tomllib.loads(config_path(Path(given) if given else None).read_text(encoding="utf-8"))
    return {}


def _pools(document: dict[str, object]) -> list[str]:
    found = document.get("pools")
    return list(found) if isinstance(found, dict) else []


def _nodes(document: dict[str, object]) -> Iterator[str]:
    section = document.get("journal")
    url = section.get("url", _DEFAULT) if isinstance(section, dict) else _DEFAULT
    if not isinstance(url, str) or not url.startswith(_FILE):
        return
    with suppress(JournalUnavailable):
        journal = open_journal(url, read_only=True, make=False)
        try:
            yield from (node.name for node in read.nodes(journal))
        finally:
            journal.close()
