"""What may be turned at a pool, for each kind of policy: where it stands in the configuration, and the values to try.

A pool's table as it is written goes in, `Knob`s come out; a point is one value of each. What never happens here: a
judgement which value is good, or a knob of a calendar (`schedule` says what its operator knows).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

from autoscaler.config.values import DURATION, seconds
from policies.stabilize import default_scale_in_window_s

Place = tuple[str | int, ...]
Point = tuple[int, ...]
"""For each knob, which of its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One setting. Values that are neighbours in the tuple do nearly the same."""

    place: Place
    """Below the pool's table."""
    values: tuple[Any, ...]
    """As TOML has them; None leaves the key out."""
    now: int
    """Which of them is today's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What sets the sizes of the values to try."""

    slots: int
    target_wait_s: float
    task_s: float
    peak: int
    """Machines at once, at most."""


Values = Callable[[Any, Scale], Sequence[Any]]
"""The values to try, from today's and the scale of the pool."""


def _always(*values: Any) -> Values:
    return lambda _now, _scale: values


def _floors(_now: Any, scale: Scale) -> Sequence[int]:
    return [n for n in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55) if n <= max(1, scale.peak)]


def _steps_in(now: Any, scale: Scale) -> Sequence[Any]:
    return [1, 2, 4, None if now is None else max(8, scale.peak)]


def _targets(_now: Any, scale: Scale) -> Sequence[str]:
    """Shares of the promise: whoever aims nearer keeps more."""
    return [f"{max(1, round(scale.target_wait_s * share))}s" for share in (0.5, 0.65, 0.8, 0.9, 1.0, 1.1)]


def _messages(_now: Any, scale: Scale) -> Sequence[float]:
    """From half a message for each slot to twice what a machine starts within the promise, in even ratios."""
    least = scale.slots / 2
    most = max(8.0 * least, 2.0 * scale.slots * (1.0 + scale.target_wait_s / scale.task_s))
    values = [float(f"{least * (most / least) ** (n / 15):.2g}") for n in range(16)]
    return [int(value) if value.is_integer() else value for value in values]


def _rates(now: Any, _scale: Scale) -> Sequence[float]:
    """Today's share, from a quarter of it to four times as much."""
    return [float(f"{now * 2 ** (n / 4):.3g}") for n in range(-8, 9)]


def _scaled(now: Any, key: str, by: float, other: str, times: float) -> list[dict[str, int]]:
    return [
        {key: max(0, round(step[key] * by)), other: max(1, round(step[other] * times))} for step in now or ()
    ]


def _outs(now: Any, _scale: Scale) -> Sequence[Any]:
    """Today's steps, begun earlier or later, and smaller or larger."""
    shares = product((0.25, 0.5, 1.0, 2.0, 4.0), (0.5, 1.0, 2.0))
    return [_scaled(now, "above", by, "add", times) for by, times in shares]


def _ins(now: Any, _scale: Scale) -> Sequence[Any]:
    if not now:
        return [now]
    scaled = [
        _scaled(now, "below", by, "remove", times) for by, times in product((0.5, 1.0, 2.0), (1.0, 2.0))
    ]
    return [[{**step, "below": max(1, step["below"])} for step in steps] for steps in scaled]


OF_ALL: Mapping[Place, Values] = MappingProxyType(
    {
        ("stabilize", "scale_in_window"): _always("0s", "1m", "2m", "5m", "10m", "20m", "40m"),
        ("stabilize", "scale_in_cooldown"): _always("0s", "1m", "3m", "10m"),
        ("stabilize", "max_step_in"): _steps_in,
        ("limits", "min_workers"): _floors,
    }
)
OF_KIND: Mapping[str, Mapping[Place, Values]] = MappingProxyType(
    {
        "wait": {("target_wait",): _targets},
        "backlog": {("messages_per_worker",): _messages},
        "rate": {("messages_per_s",): _rates},
        "steps": {("out",): _outs, ("in",): _ins},
        "schedule": {},
    }
)
"""Other kinds have no knobs that we know."""
_BESIDE: Mapping[str, Mapping[Place, Values]] = MappingProxyType(
    {"backlog": {("stabilize", "tolerance"): _always(0.0, 0.05, 0.1, 0.2, 0.3)}}
)
"""Knobs of the pool that only policies of this kind heed."""
_DEFAULTS: Mapping[Place, Any] = MappingProxyType(
    {
        ("stabilize", "scale_in_cooldown"): "1m",
        ("stabilize", "tolerance"): 0.1,
        ("limits", "min_workers"): 0,
    }
)


def of_pool(table: Mapping[str, Any], scale: Scale) -> tuple[Knob, ...]:
    """Every knob of a pool whose table is written so. One that has but one value is none."""
    found = [_knob(table, place, values, scale) for place, values in _places(table)]
    return tuple(knob for knob in found if len(knob.values) > 1)


def _places(table: Mapping[str, Any]) -> Iterator[tuple[Place, Values]]:
    for number, policy in enumerate(table["policies"]):
        for place, values in OF_KIND.get(policy["kind"], {}).items():
            yield ("policies", number, *place), values
    yield from OF_ALL.items()
    kinds = {policy["kind"] for policy in table["policies"]}
    for kind, knobs in _BESIDE.items():
        if kind in kinds:
            yield from knobs.items()


def _knob(table: Mapping[str, Any], place: Place, values: Values, scale: Scale) -> Knob:
    now = value_at(table, place)
    if now is None:
        now = _default(table, place)
    tried: list[Any] = []
    for value in values(now, scale):
        if not any(_same(value, other) for other in tried):
            tried.append(value)
    place_now = next((number for number, value in enumerate(tried) if _same(value, now)), None)
    if place_now is None:
        place_now = _where(now, tried)
        tried.insert(place_now, now)
    tried[place_now] = now  # as it is written, `300s` and not `5m`
    return Knob(place=place, values=tuple(tried), now=place_now)


def _default(table: Mapping[str, Any], place: Place) -> Any:
    if place == ("stabilize", "scale_in_window"):
        quantum = next((offer.get("billing_quantum", "1s") for offer in table.get("offers", ())), "1h")
        return f"{default_scale_in_window_s(seconds(quantum)):.0f}s"
    return _DEFAULTS.get(place)


def _same(one: Any, other: Any) -> bool:
    size = _size(one)
    return one == other if size is None else size == _size(other)


def _where(now: Any, values: Sequence[Any]) -> int:
    """Among sizes in their order; else in the middle."""
    size, sizes = _size(now), [_size(value) for value in values]
    if size is not None and None not in sizes:
        return sum(other < size for other in sizes if other is not None)
    return len(values) // 2


def _size(value: Any) -> float | None:
    """A number, or the seconds of a duration; None for what has no size."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and DURATION.fullmatch(value):
        return seconds(value)
    return float(value) if isinstance(value, int | float) else None


def value_at(table: Any, place: Place) -> Any:
    """What is written there; None for nothing."""
    for key in place:
        table = table[key] if isinstance(key, int) else table.get(key)
        if table is None:
            return None
    return table


def turned(table: Mapping[str, Any], knobs: Sequence[Knob], point: Point) -> dict[str, Any]:
    """The pool's `limits`, `stabilize` and `policies`, whole, with every knob at this point; the others as they are."""
    said: dict[str, Any] = {
        "limits": dict(table.get("limits", {})),
        "stabilize": dict(table.get("stabilize", {})),
        "policies": deepcopy(list(table["policies"])),
    }
    for knob, choice in zip(knobs, point, strict=True):
        value = knob.values[choice]
        # What is as it was and was not written stays unwritten.
        if value is None or (choice == knob.now and value_at(table, knob.place) is None):
            continue
        inner: Any = said
        for key in knob.place[:-1]:
            inner = inner[key]
        inner[knob.place[-1]] = deepcopy(value)
    return {name: part for name, part in said.items() if part}


def today(knobs: Sequence[Knob]) -> Point:
    """The point at which nothing is changed."""
    return tuple(knob.now for knob in knobs)


def changes(knobs: Sequence[Knob], point: Point) -> dict[str, Any]:
    """What differs from today's, by its dotted place below the pool."""
    return {
        dotted(knob.place): knob.values[choice]
        for knob, choice in zip(knobs, point, strict=True)
        if choice != knob.now
    }


def dotted(place: Place) -> str:
    """`policies[0].target_wait`."""
    text = ""
    for key in place:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text
