"""A notice in words that an operator can read, cleaned of what nobody may read and of what a program would obey.

In go a notice and what is secret here; out come a title, sentences, and fields as text. What never happens here: the
writing of any receiver, which `shapes` knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from autoscaler.config.sieve import Sieve
from autoscaler.notices.contract import Notice
from policies.phrases import count

LONGEST = 500
"""Characters of one field: the end of an error says less than its begin, and the log has all of it."""
_FIELDS = 20
_ITEMS = 20
_HIDDEN = "\ufffd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One notice in plain text; every line is one line."""

    title: str
    says: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    when: str

    def text(self) -> str:
        """All of it, as lines."""
        facts = [f"{name}: {value}" for name, value in self.fields]
        return "\n".join((self.title, *self.says, *facts, self.when))


def clean(text: str) -> str:
    """On one line, without what a terminal or a reader's program would obey, whatever came in."""
    return "".join(c if c.isprintable() else " " if c.isspace() else _HIDDEN for c in text)


def short(text: str, longest: int = LONGEST) -> str:
    """Cut where it is long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def plain(value: object, sieve: Sieve) -> object:
    """A field as JSON has it: without secrets, on one line, not longer than people read."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        shown = sieve.clean(value)
        # What JSON cannot hold is text.
        return shown if isinstance(shown, int) or str(shown) not in {"nan", "inf", "-inf"} else str(shown)
    if isinstance(value, Mapping):
        pairs = list(value.items())[:_ITEMS]
        return {_line(str(key), sieve): plain(inner, sieve) for key, inner in pairs}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        more = [f"… and {len(items) - _ITEMS} more"] if len(items) > _ITEMS else []
        return [*(plain(inner, sieve) for inner in items[:_ITEMS]), *more]
    return _line(str(value), sieve)


def words(notice: Notice, *, fleet: str, sieve: Sieve, lost: int = 0) -> Words:
    """The notice. `lost` of those before it were never told."""
    fields = {name: plain(value, sieve) for name, value in sorted(notice.fields.items())[:_FIELDS]}
    return Words(
        title=f"{fleet}: {notice.event} ({'over' if notice.ends else notice.level})",
        says=tuple(_sentences(notice, lost)),
        fields=tuple((name, short(_shown(value))) for name, value in fields.items() if value not in ("", [])),
        when=instant(notice.at),
    )


def instant(at: float) -> str:
    """As people and programs read it, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="seconds")


def lasted(seconds: float) -> str:
    """So long, in its two largest units."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, unit)
        if number or (unit == 1 and not parts):
            parts.append(f"{number} {name}")
    return " ".join(parts[:2])


def _sentences(notice: Notice, lost: int) -> list[str]:
    says = [f"{notice.means[:1].upper()}{notice.means[1:]}."]
    if notice.ends:
        says.append(f"{notice.ends} lasted {lasted(notice.stood_s or 0.0)}.")
    elif notice.stood_s is not None:
        says.append(f"It came back, and stands for {lasted(notice.stood_s)} already.")
    if notice.unsaid:
        says.append(f"The same was said {count(notice.unsaid, 'more time')} since it was told last.")
    if lost:
        says.append(f"Before this, {count(lost, 'notice')} could not be told; the log has all.")
    return says


def _line(text: str, sieve: Sieve) -> str:
    # Once more behind the cleaning: a secret may be written over two lines.
    return short(sieve.text(clean(sieve.text(text))))


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(inner) for inner in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_shown(inner)}" for key, inner in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)
