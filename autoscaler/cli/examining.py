"""What a report on trouble is made of: a part for each thing that can be looked at, each with its own failure.

In go a configuration's path and the environment, out comes one plain document without secrets: keys, texts, numbers,
lists. A part that fails or takes too long says so in its place, and the others are there all the same. What never
happens here: a change to anything, a call to a provider, a secret in what is returned.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autoscaler.cli import checking, opened, surroundings
from autoscaler.config import ConfigError, Settings, load
from autoscaler.config.load import document_of, text_of
from autoscaler.config.secret import referred
from autoscaler.config.sieve import Sieve
from autoscaler.gateways import reaching
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.journal import Journal, JournalUnavailable, read, tables
from autoscaler.views import heartbeat, standing

FORM = 1
"""Counted up when a part changes its shape."""
PATIENCE_S = 60.0
"""For one part. All that is called from here has time-outs of its own, which may add up; a part that hangs is left."""
_REACH_S = 3.0
_FILE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What is known of the configuration. `settings` is None where it is wrong."""

    path: Path
    settings: Settings | None
    problems: tuple[str, ...] = ()
    has_secrets: bool = False
    """Whether every secret that it names could be read here."""
    sieve: Sieve = field(default_factory=lambda: Sieve(()))


def configured(path: Path) -> Configured:
    """Read it as far as it goes: with its secrets; else without those in variables; else its problems."""
    try:
        document, _ = document_of(text_of(path), source=str(path))
    except ConfigError as error:
        return Configured(path=path, settings=None, problems=_said(error))
    # From the text itself: a configuration that is wrong names its secrets all the same.
    sieve = Sieve(secret.reveal() for secret in referred(document, os.environ))
    problems: tuple[str, ...] = ()
    for environ in (os.environ, opened.EVERY_VARIABLE_SET):
        try:
            settings = load(path, environ)
        except ConfigError as error:
            problems = problems or _said(error)
        else:
            return Configured(
                path=path, settings=settings, problems=problems, has_secrets=not problems, sieve=sieve
            )
    return Configured(path=path, settings=None, problems=problems, sieve=sieve)


def report(
    path: Path, *, last: int, log: Path | None = None, patience_s: float = PATIENCE_S
) -> Mapping[str, Any]:
    """The whole document. Raises nothing: what cannot be seen says why in its place. `log` is where the daemon's is."""
    found = configured(path)
    now = opened.CLOCK.now()
    looks: Mapping[str, Callable[[], object]] = {
        "programs": surroundings.programs,
        "system": surroundings.system,
        "clock": lambda: surroundings.clock(now),
        "disks": lambda: surroundings.disks(_places(found)),
        "service": surroundings.service,
        "log": lambda: surroundings.log(last, log),
        "configuration": lambda: _configuration(found),
        "reachable": lambda: _reachable(_settings(found)),
        "check": lambda: _checked(found),
        "journal": lambda: _journal(_settings(found)),
        "fleet": lambda: _fleet(_settings(found), now),
        "lately": lambda: _lately(_settings(found), last),
    }
    parts = {name: _part(look, patience_s) for name, look in looks.items()}
    document = {"form": FORM, "secrets_too_short_to_look_for": found.sieve.too_short, **parts}
    cleaned: Mapping[str, Any] = found.sieve.clean(document)
    return cleaned


def _part(look: Callable[[], object], patience_s: float) -> object:
    """What it saw as plain data, or why it saw nothing."""
    seen: list[object] = []

    def try_it() -> None:
        try:
            seen.append(json.loads(json.dumps(look(), default=str)))
        except Exception as error:  # noqa: BLE001 - around one part: whatever it raises, the others are seen
            seen.append({"failed": f"{type(error).__name__}: {error}"})

    thread = threading.Thread(target=try_it, name="examining", daemon=True)
    thread.start()
    thread.join(patience_s)
    return seen[0] if seen else {"failed": f"it did not end within {patience_s:g} s"}


def _said(error: ConfigError) -> tuple[str, ...]:
    return tuple(
        f"{problem.path or 'the file'}: found {problem.found}; expected {problem.expected}"
        for problem in error.problems
    )


def _settings(found: Configured) -> Settings:
    if found.settings is None:
        raise FactUnavailable("the configuration cannot be used")
    return found.settings


def _places(found: Configured) -> tuple[Path, ...]:
    url = found.settings.journal.url if found.settings else ""
    journal = (Path(url.removeprefix(_FILE)).parent,) if url.startswith(_FILE) else ()
    return (*journal, found.path.absolute().parent, Path("/tmp"))  # noqa: S108 - whether there is room in it


def _configuration(found: Configured) -> Mapping[str, object]:
    """As it is written, secrets masked and durations in seconds; without what is left at its default."""
    shown = (
        found.settings.model_dump(mode="json", by_alias=True, exclude_unset=True) if found.settings else None
    )
    facts: dict[str, object] = {"path": str(found.path), "problems": found.problems}
    try:
        status = found.path.stat()
    except OSError as error:
        facts["file"] = f"cannot be seen: {error.strerror}"
    else:
        facts["file"] = {"mode": f"{status.st_mode & 0o7777:04o}", "uid": status.st_uid, "gid": status.st_gid}
    return {**facts, "settings": shown}


def _reachable(settings: Settings) -> Mapping[str, object]:
    addresses = {"management": settings.broker.management_url, "amqp": settings.broker.amqp_url}
    found: dict[str, object] = {}
    for name, url in addresses.items():
        try:
            found[name] = asdict(reaching.reach(url, timeout_s=_REACH_S, clock=opened.CLOCK))
        except FactUnavailable as error:
            found[name] = {"failed": str(error)}
    return found


def _checked(found: Configured) -> object:
    """What `check` finds; the broker and the journal are looked at where their passwords are known."""
    settings = _settings(found)
    with opened.works(settings) as works:
        findings = list(checking.configuration(settings, works))
        if found.has_secrets:
            findings += checking.services(settings, works)
    rows: list[object] = [{"where": each.where, **asdict(each.finding)} for each in findings]
    if not found.has_secrets:
        rows.append("services were not looked at: not all secrets are known here (docs/installing.md)")
    return rows


def _journal(settings: Settings) -> Mapping[str, object]:
    """Its kind, size and rows; files and copies are told even where it cannot be opened."""
    facts: dict[str, object] = {"kind": settings.journal.url.partition(":")[0]}
    if settings.journal.url.startswith(_FILE):
        facts["files"] = dict(_files(Path(settings.journal.url.removeprefix(_FILE))))
    try:
        journal = opened.open_the_journal(settings, read_only=True)
    except JournalUnavailable as error:
        return facts | {"failed": str(error), "schema_of_this_program": tables.SCHEMA}
    try:
        return facts | _rows(journal)
    finally:
        journal.close()


def _files(file: Path) -> Mapping[str, int]:
    """Sizes of the journal and of all that lies beside it by its name: lock, log, copies of older schemas."""
    return {
        path.name: path.stat().st_size
        for path in sorted(file.parent.iterdir())
        if path.name.startswith(file.name) and path.is_file()
    }


def _rows(journal: Journal) -> dict[str, object]:
    holder = read.lease_holder(journal)
    nodes = read.nodes(journal, include_gone=True)
    return {
        "place": journal.place,
        "schema": tables.SCHEMA,  # another one is refused
        "rows": read.rows(journal),
        "nodes_by_state": dict(Counter(node.state.value for node in nodes)),
        "lease": asdict(holder) if holder else None,
        "last_tick_at": read.last_tick_at(journal),
    }


def _fleet(settings: Settings, now: float) -> Mapping[str, object]:
    """What `status` shows."""
    with opened.journal(settings) as journal:
        seen = standing.look(journal, settings, now)
        says = heartbeat.listen(journal, settings, now).says(now)
    return {**asdict(seen), "daemon": says}


def _lately(settings: Settings, last: int) -> Mapping[str, object]:
    """The newest first."""
    with opened.journal(settings) as journal:
        return {
            "decisions": [{"at": at, "says": says} for at, says in read.last_sentences(journal, limit=last)],
            "moves": [asdict(each) for each in read.last_transitions(journal, limit=last)],
            "orders": [asdict(each) for each in read.orders(journal, limit=last)],
            "failed_boots": [
                {
                    "node": each.node,
                    "offer": each.offer,
                    "at": each.at,
                    "failed": asdict(each.boot.failed) if each.boot.failed else None,
                }
                for each in read.failed_boots(journal, limit=last)
            ],
        }
