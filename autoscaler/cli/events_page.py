"""What the daemon may say and keep, as a page for people: `docs/events.md`, written from the catalogue and the enums.

`make pages` renews it; a test holds them together. What never happens here: an event that the catalogue does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType

from autoscaler.core.facts import CallKind, OutcomeKind
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import OrderKind
from autoscaler.core.reports import Phase
from autoscaler.telemetry import EVENTS, EventKind

KEPT: Mapping[str, str] = MappingProxyType(
    {
        "nodes": "every machine that may exist or ended lately: state, offer, dates, what it costs",
        "transitions": "every move of a machine, with its event and its reason in words",
        "decisions": "every decision of every pool that did not repeat the one before, whole: inputs, proposals, the "
        "way to the number; of those older than `journal.detail` the ones that changed the number",
        "standing": "the decision that stands of each pool, with its figures of the last tick",
        "samples": "a row a pool a tick: demand, workers, cost",
        "stretches": "what samples older than `journal.detail` become: a row a pool a minute, later an hour, with "
        "their sums and peaks",
        "thinned": "how far decisions were thinned",
        "slices": "arrivals by slices of five minutes, for `forecast`",
        "boots": "what machines told of their boots, phase by phase, with the end of the log of one that failed",
        "orders": "every operator's word: who gave it, when, and the answer",
        "wishes": "pauses and holds that are in force",
        "memory": "what the next tick has to know of the last one",
        "lease": "which daemon leads, and since when",
    }
)
"""What each of the journal's tables holds."""

_HEAD = """\
# Events

Generated from `autoscaler/telemetry.py` by `make pages`; change it there.

All that the daemon says is one of these events, with these fields and no others. On a terminal it is text, elsewhere a
line of JSON on standard error (`log.format`), with `event`, `level` and `timestamp` (UTC) besides:

```json
{"node": "shop-images-4c9k2m7qa", "pool": "images", "before": "booting", "after": "ready",
 "reason": "celery@shop-images-4c9k2m7qa is heard", "event": "node.moved", "level": "info",
 "timestamp": "2026-11-27T16:30:15.000000Z"}
```

Under systemd each line has its level for the journal too: `journalctl -u autoscaler -p warning`. The least level that
is written is `log.level`. Names are for programs to rely on; sentences (`sentence`, `reason`, `why`, `says`, `error`)
are for people and may change. Seconds end in `_s`. Never said: user data, tokens, addresses with passwords.

An alert on these is a good begin: any `error`; `fact.missed` without its `fact.recovered`; `node.overdue`;
`stranger.seen`; `leftover.seen`. [Notices](notices.md) tell them where you talk. [Metrics](metrics.md)
count each (`autoscaler_events_total`), and `deploy/prometheus-rules.yml` has such alerts.
"""


def render() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *_events(), *_values(), *_journal()])


def _events() -> Iterator[str]:
    nouns: dict[str, list[tuple[str, EventKind]]] = {}
    for name, kind in EVENTS.items():
        nouns.setdefault(name.partition(".")[0], []).append((name, kind))
    for noun, rows in nouns.items():
        yield from (f"## {noun}", "", "| Event | Level | Fields | Means |", "|---|---|---|---|")
        for name, kind in rows:
            fields = ", ".join(f"`{field}`" for field in sorted(kind.fields)) or "–"
            yield f"| `{name}` | {kind.level} | {fields} | {kind.means} |"
        yield ""


def _values() -> Iterator[str]:
    yield from ("## What stands in fields", "", "| Field | Of | Is one of |", "|---|---|---|")
    for field, of, kinds in (
        ("before`, `after", "`node.moved`; [the life of a node](lifecycle.md)", NodeState),
        ("call", "`call.finished`, `call.refused`", CallKind),
        ("kind", "the same: how the call ended", OutcomeKind),
        ("phase", "`boot.failed`; [how machines become workers](enrolment.md)", Phase),
    ):
        yield f"| `{field}` | {of} | {_all(kinds)} |"
    yield "| `kind` | `hold.began`, `hold.ended` | [what holds the daemon back](breakers.md) |"
    yield ""


def _journal() -> Iterator[str]:
    yield from (
        "## What the journal keeps",
        "",
        "The log tells; the journal remembers, for `journal.retention`. Read it by the commands and their `--json`:",
        "its tables may change with any release.",
        "",
        "| Table | Holds |",
        "|---|---|",
    )
    yield from (f"| `{table}` | {holds} |" for table, holds in KEPT.items())
    yield from (
        "",
        f"A move of a machine bears one of these events: {_all(Event)}. An order is one of {_all(OrderKind)}.",
        "",
    )


def _all(kinds: type[StrEnum]) -> str:
    return ", ".join(f"`{kind.value}`" for kind in kinds)
