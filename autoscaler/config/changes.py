"""What differs between two configurations: in words, what needs a restart, and what looks like a slip of the hand.

In go two `Settings`, both valid, and how many machines stand where; out come sentences. What never happens here: a
value in them that may hold a secret; of accounts, the broker and what machines run, keys alone are named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from autoscaler.config.notice import Notice
from autoscaler.config.pools import Pool
from autoscaler.config.settings import Settings
from autoscaler.config.values import duration

Path = tuple[str, ...]
_FACTOR = 5
"""A typing error is a digit too many or too few. Who means a growth like that can say so."""
_FREE = 10
"""Numbers up to this are no jump, however small they were before."""
_COUNTS = ("max_workers", "min_workers", "on_unknown")
_BUDGETS = ("max_cost_per_hour", "max_cost_per_month")
_NEEDS_RESTART: frozenset[Path] = frozenset(
    {
        ("fleet", "name"),
        ("fleet", "currency"),
        ("loop", "tick"),
        ("loop", "jitter"),
        ("loop", "observe_timeout"),
        ("broker",),
        ("journal", "url"),
        ("journal", "password"),
        ("log",),
        ("telemetry",),
        ("web", "listen"),
        ("web", "token"),
        ("web", "tls_certificate"),
        ("web", "tls_key"),
        ("web", "hosts"),
    }
)
"""What links, the lease and the pacemaker were made of, or what the records are written in."""
_SHOWN_OF_ACCOUNTS = frozenset({"kind", "driver", "calls_per_minute", "country"})
_HARMLESS = frozenset({"calls_per_minute", "country"})
_Value = object
_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One key that differs. None stands for a key, or a whole pool or account, that is not there."""

    path: Path
    before: str | None
    after: str | None
    shown: bool

    def says(self) -> str:
        """As `images: max_workers 20 → 200`."""
        where, key = _spelled(self.path)
        if not key:
            return f"{where}: {'added' if self.before is None else 'removed'}"
        if self.shown:
            return f"{where}: {key} {self.before or 'none'} → {self.after or 'none'}"
        return f"{where}: {key} changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many machines there are, of each pool and at each account."""

    of_pools: Mapping[str, int]
    at_accounts: Mapping[str, int]


def digest(text: str) -> str:
    """By which two programs know that they read the same file."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def changes(before: Settings, after: Settings) -> tuple[Change, ...]:
    """Every key that differs; of a pool or an account that came or went, that alone."""
    old, new = dict(_flat(before)), dict(_flat(after))
    found = []
    for group, was, now in (
        ("pools", before.pools, after.pools),
        ("providers", before.providers, after.providers),
        ("notices", _by_name(before.notices), _by_name(after.notices)),
    ):
        for name in (*was, *(n for n in now if n not in was)):
            if (name in was) == (name in now):
                continue
            there, mark = (group, name), "there"
            found.append(
                Change(
                    path=there,
                    before=mark if name in was else None,
                    after=mark if name in now else None,
                    shown=True,
                )
            )
            for flat in (old, new):
                for path in [p for p in flat if p[:2] == there]:
                    del flat[path]
    for path in dict.fromkeys((*old, *new)):
        was_, now_ = old.get(path), new.get(path)
        if was_ != now_:
            shown = _may_be_shown(path, was_) and _may_be_shown(path, now_)
            found.append(Change(path=path, before=_text(path, was_), after=_text(path, now_), shown=shown))
    return tuple(found)


def needs_restart(found: tuple[Change, ...]) -> tuple[str, ...]:
    """Keys of those changes that a daemon cannot take in while it runs."""
    return tuple(
        ".".join(_plain(change.path))
        for change in found
        if _plain(change.path) in _NEEDS_RESTART or change.path[:1] in _NEEDS_RESTART
    )


def jumps(before: Settings, after: Settings, standing: Standing) -> tuple[str, ...]:
    """What is to be said twice: each with what it would mean."""
    return (
        *_gone_pools(before, after, standing),
        *(
            f"the account {name} is removed while {_machines(standing.at_accounts[name])} there: nothing could be "
            "asked of it any more, and they would be paid on"
            for name in before.providers
            if name not in after.providers and standing.at_accounts.get(name)
        ),
        *_changed_accounts(before, after, standing),
        *(
            jump
            for name in before.pools
            if name in after.pools
            for jump in _of_pool(name, before.pools[name], after.pools[name])
        ),
        *_budgets("the fleet", before.fleet, after.fleet),
    )


def _gone_pools(before: Settings, after: Settings, standing: Standing) -> Iterator[str]:
    for name, pool in before.pools.items():
        if name in after.pools:
            continue
        there = standing.of_pools.get(name, 0)
        means = (
            f"its {_machines(there, verb='')} will finish what they hold and go"
            if there
            else "it has no machines"
        )
        new = next(
            (n for n, p in after.pools.items() if n not in before.pools and p.queues == pool.queues), None
        )
        if new is None:
            yield f"the pool {name} is removed: {means}"
        else:
            yield (
                f"the pool {name} is renamed to {new}: {means}, and {new} buys machines of its own; its hold, its "
                "pause and its past stay with the old name"
            )


def _changed_accounts(before: Settings, after: Settings, standing: Standing) -> Iterator[str]:
    """A key of an account may make another account of it, whose listings do not have the machines of this one."""
    found: dict[str, list[str]] = {}
    for change in changes(before, after):
        parts = _plain(change.path)
        if parts[0] == "providers" and parts[2:] and parts[2] not in _HARMLESS:
            found.setdefault(parts[1], []).append(".".join(parts[2:]))
    for name, keys in found.items():
        if standing.at_accounts.get(name):
            yield (
                f"the account {name} changes ({', '.join(keys)}) while {_machines(standing.at_accounts[name])} there: "
                "if it is another account then, they are taken for gone, and paid on"
            )


def _of_pool(name: str, before: Pool, after: Pool) -> Iterator[str]:
    for key in _COUNTS:
        was, now = getattr(before.limits, key), getattr(after.limits, key)
        if now > max(_FREE, _FACTOR * was):
            yield f"{name}: {key} {was} → {now} is more than {_FACTOR} times as much"
    was, now = before.limits.max_workers, after.limits.max_workers
    if was > max(_FREE, _FACTOR * now):
        yield f"{name}: max_workers {was} → {now} is less than a {_FACTOR}th"
    yield from _budgets(name, before.limits, after.limits)


def _budgets(where: str, before: BaseModel, after: BaseModel) -> Iterator[str]:
    for key in _BUDGETS:
        was, now = getattr(before, key), getattr(after, key)
        if was is not None and now is None:
            yield f"{where}: {key} {was:g} → none takes a budget away"
        elif was is not None and now > _FACTOR * was:
            yield f"{where}: {key} {was:g} → {now:g} is more than {_FACTOR} times as much"


def _machines(count: int, verb: str = " stand") -> str:
    if count == 1:
        return f"one machine{verb and ' stands'}"
    return f"{count} machines{verb}"


def _flat(section: BaseModel, path: Path = ()) -> Iterator[tuple[Path, _Value]]:
    """Every key with its value, by the names that the file has."""
    for name, field in type(section).model_fields.items():
        key = field.alias or name
        # A time is written with its unit, and an attribute bears that in its name.
        marked = f"{key}:s" if name.endswith("_s") else key
        value = getattr(section, name)
        if name == "notices":
            # Each has a name, and its place in the file means nothing.
            for each, notice in _by_name(value).items():
                yield from _flat(notice, (*path, key, each))
            continue
        yield from _leaves((*path, key), (*path, marked), value)
    for name, value in (section.__pydantic_extra__ or {}).items():
        yield (*path, f"{name}:hidden"), value


def _by_name(notices: Iterable[Notice]) -> Mapping[str, Notice]:
    return {notice.name: notice for notice in notices}


def _leaves(path: Path, leaf: Path, value: _Value) -> Iterator[tuple[Path, _Value]]:
    if isinstance(value, BaseModel):
        yield from _flat(value, path)
    elif isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves((*path, str(name)), (*path, str(name)), inner)
    elif isinstance(value, tuple | list) and value and all(isinstance(each, BaseModel) for each in value):
        for number, each in enumerate(value, start=1):
            yield from _flat(each, (*path[:-1], f"{path[-1]}[{number}]"))
    else:
        yield leaf, value


def _plain(path: Path) -> Path:
    return tuple(part.partition(":")[0] for part in path)


def _may_be_shown(path: Path, value: _Value) -> bool:
    """Whether neither the place nor the value can hold a secret."""
    if path[-1].endswith(":hidden") or path[0] in {"broker", "journal"}:
        return False
    if path[0] == "providers" and path[-1] not in _SHOWN_OF_ACCOUNTS:
        return False
    if path[0] == "pools" and "bootstrap" in path[2:3]:
        return False
    plain = value if isinstance(value, tuple | list) else (value,)
    return all(each is None or isinstance(each, str | int | float) for each in plain)


def _text(path: Path, value: _Value) -> str | None:
    if value is None or value == ():
        return None
    if path[-1].endswith(":s") and isinstance(value, int | float):
        return duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _spelled(path: Path) -> tuple[str, str]:
    """Whose key it is, and the key. A pool is known by its name alone, and so are its limits."""
    parts = _plain(path)
    if parts[0] == "pools":
        rest = parts[3:] if parts[2:3] == ("limits",) else parts[2:]
        return (parts[1] if rest else f"pool {parts[1]}"), ".".join(rest)
    if parts[0] == "providers":
        return (f"providers.{parts[1]}" if parts[2:] else f"account {parts[1]}"), ".".join(parts[2:])
    if parts[0] == "notices":
        return f"notice {parts[1]}", ".".join(parts[2:])
    return parts[0], ".".join(parts[1:])
