"""What no section `[[notices]]` tells by itself: names used twice, pools and events that are none, keys of no use.

It reads the document as written, as `agreement` does, which calls it. What never happens here: a look at anything
outside the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from autoscaler.config.notice import CANDIDATES
from autoscaler.config.problem import Place, nearest, quoted
from autoscaler.config.report import Finding
from autoscaler.telemetry import EVENTS


def disagreements(notices: list[Any], pools: Mapping[str, Any]) -> Iterator[Finding]:
    """Every such mistake."""
    names: list[object] = []
    for number, notice in enumerate(notices):
        if not isinstance(notice, dict):
            continue
        place: Place = ("notices", number)
        if (name := notice.get("name")) in names:
            yield Finding(place=(*place, "name"), found=f"{name} a second time", expected="each name once")
        names.append(name)
        if not notice.get("events") and "level" not in notice:
            yield Finding(
                place=place,
                found="neither events nor a level",
                expected='events = ["…"], level = "…", or both',
            )
        yield from _of_shape(place, notice)
        yield from _of_events((*place, "events"), notice.get("events"))
        yield from _of_pools((*place, "pools"), notice.get("pools"), pools)


def _of_shape(place: Place, notice: Mapping[str, Any]) -> Iterator[Finding]:
    if notice.get("shape") == "matrix":
        for key, what in (
            ("room", "the room's id"),
            ("token", "the access token of the user who writes there"),
        ):
            if key not in notice:
                yield Finding(place=(*place, key), found="nothing", expected=f'{what}, for shape = "matrix"')
    elif "room" in notice:
        yield Finding(
            place=(*place, "room"),
            found="a room, but the shape is another",
            expected='shape = "matrix", or no room',
            advice="A webhook knows its room or channel by its address.",
        )


def _of_events(place: Place, patterns: object) -> Iterator[Finding]:
    for number, pattern in enumerate(patterns if isinstance(patterns, list) else []):
        if not isinstance(pattern, str) or any(fnmatchcase(name, pattern) for name in CANDIDATES):
            continue
        own = any(fnmatchcase(name, pattern) for name in EVENTS)
        yield Finding(
            place=(*place, number),
            found=f"{quoted(pattern)}, which {'only notices are meant by' if own else 'no event is meant by'}",
            expected="an event of docs/events.md, or a pattern such as fact.*",
            advice="What becomes of notices causes none: it stands in the log." if own else _near(pattern),
        )


def _near(pattern: str) -> str:
    """The nearest events; where the noun is right, all that are said of it."""
    noun = pattern.partition(".")[0]
    same = [name for name in CANDIDATES if name.startswith(f"{noun}.")]
    if same:
        return f"Of {noun} there are {', '.join(same)}."
    nouns = dict.fromkeys(name.partition(".")[0] for name in CANDIDATES)
    return nearest(pattern, CANDIDATES) or nearest(noun, nouns).replace("?", ".*?")


def _of_pools(place: Place, named: object, pools: Mapping[str, Any]) -> Iterator[Finding]:
    for number, name in enumerate(named if isinstance(named, list) else []):
        if isinstance(name, str) and name not in pools:
            yield Finding(
                place=(*place, number),
                found=f"{quoted(name)}, which is no pool",
                expected=f"one of {', '.join(sorted(pools))}" if pools else "the NAME of a [pools.NAME]",
                advice=nearest(name, pools),
            )
