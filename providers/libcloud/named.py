"""Whether what an account's options name exists: networks, firewalls, keys, groups; and whether it stands in the place.

In go a dialect's `Named`s, what the operator wrote and what is asked of the cloud, out comes one sentence an option, or
Unknown with the nearest right ones. Nothing here is changed at the provider.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from providers.dialects.looks import Ask, Named
from providers.libcloud.asking import Asking, Told, Unknown, shown, texts

SHOWN_MAX = 3


def look(driver: Any, asking: Asking, option: str, named: Named) -> Told:
    """Of one option. Raises Unknown where a machine could not be made with what it names."""
    other, instead = named.never_with
    if other in asking.account.said:
        raise Unknown(f"{option}: an order with {other} too is refused; {instead} goes with it")
    written = asking.account.said.get(option, ())
    values = written or tuple(filter(None, (named.default,)))
    if named.ask is None:
        return Told(says=f"{option}: {_listed(values)} cannot be looked up here: {named.unsaid}", note=True)
    if not values:
        if named.relies_on is not None and not asking.rows(driver, named.relies_on):
            raise Unknown(f"{option}: not written, so {named.unsaid}, and there is none")
        return Told(says=f"{option}: not written, so {named.unsaid}")
    return _of(driver, asking, option, values, named, named.ask)


def _of(driver: Any, asking: Asking, option: str, values: Sequence[str], named: Named, ask: Ask) -> Told:
    others = [value for value in values if named.others and re.match(named.others, value)]
    ours = [value for value in values if value not in others]
    rows = asking.rows(driver, ask) if ours else []
    known: dict[str, Mapping[str, Any]] = {}
    also: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        for key in texts(asking.picked(row, named.key)):
            kept = re.search(named.keeps, key) if named.keeps else None
            known[kept[1] if kept else key] = row
        also |= dict.fromkeys(texts(asking.picked(row, named.also)) if named.also else (), row)
    absent = [value for value in ours if value not in {*known, *also}]
    if absent:
        calls = {key: _called(asking, row, named) for key, row in known.items()}
        missing = ", ".join(map(repr, absent))
        raise Unknown(f"{option}: {missing} {_is(absent)} not there; {_nearest(absent[0], calls)}")
    where = _place(driver, asking, named)
    astray = {
        value: at for value in ours if (at := _astray(asking, known.get(value) or also[value], named, where))
    }
    if astray:
        told = [f"{value} is in {_listed(at)}" for value, at in astray.items()]
        raise Unknown(f"{option}: {_listed(told)}, and the offer in {where}")
    exist = "exists" if len(ours) == 1 else "exist"
    says = [f"{_listed(ours)} {exist}{where and f', in {where}'}"] if ours else []
    says += [f"{_listed(others)} {_is(others)} somebody else's and cannot be looked up"] if others else []
    return Told(says=f"{option}: {'; '.join(says)}", note=bool(others))


def _place(driver: Any, asking: Asking, named: Named) -> str:
    """Where it must stand; empty: anywhere, or nobody knows where the machines will."""
    if not named.stands or not asking.purchase.location:
        return ""
    if named.place_of is None:
        return asking.filled(named.place)
    told = texts(asking.value(driver, named.place_of))
    return shown(told[0]) if told else ""


def _astray(asking: Asking, row: Mapping[str, Any], named: Named, where: str) -> list[str]:
    """Where it stands instead; nothing where that is right or unsaid."""
    if not where:
        return []
    said = asking.picked(row, named.stands)
    at = [each.rpartition("/")[2] for each in texts(said)]
    return [] if where in at else [shown(each) for each in dict.fromkeys(at)]


def _called(asking: Asking, row: Mapping[str, Any], named: Named) -> str:
    told = texts(asking.picked(row, named.called)) if named.called else []
    return told[0] if told else ""


def _nearest(wrong: str, calls: Mapping[str, str]) -> str:
    """What comes near, by what it is written as and by what people call it; else the first that there are."""
    if not calls:
        return "there are none"
    names = {key: shown(f"{key} ({called})" if called else key) for key, called in calls.items()}
    spelt = {word: key for key, called in [*calls.items()][::-1] for word in (called, key) if word}
    near = [spelt[word] for word in difflib.get_close_matches(wrong, spelt, n=SHOWN_MAX, cutoff=0.6)]
    if near:
        return f"nearest: {', '.join(dict.fromkeys(names[key] for key in near))}"
    more = len(names) - SHOWN_MAX
    return f"there are: {', '.join([*names.values()][:SHOWN_MAX])}{f' and {more} more' if more > 0 else ''}"


def _is(values: Sequence[str]) -> str:
    return "is" if len(values) == 1 else "are"


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values)
