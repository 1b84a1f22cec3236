"""`schedule`: what a pool's schedule policies will do from now on, by the clocks of their zones.

It asks the same windows that decide, so it cannot tell another story. What never happens here: a look at the journal or
at anything outside; what the other policies will wish.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from autoscaler.cli import exits, opened, options, output
from autoscaler.config.values import seconds
from policies import local_time, open_policies
from policies.contract import PolicySpec
from policies.local_time import DAY_S, ClockChange
from policies.phrases import duration
from policies.schedule import Schedule
from policies.windows import Stretch

_LONGEST_S = 366.0 * DAY_S
"""A year ahead has every window in it; more would be pages of the same."""
_HEADERS = ("FROM", "LASTS", "AT LEAST", "AT MOST", "BECAUSE")


def schedule(
    pool: options.Pool,
    following: Annotated[
        str, typer.Option("--next", metavar="DURATION", help="How far to look, such as 12h, 14d or 4w.")
    ] = "14d",
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell what a pool's schedule policies will do, in their zones' local time, across clock changes."""
    settings = opened.settings(config, secrets=False)
    name = opened.pool(settings, pool)
    now = float(int(opened.CLOCK.now()))
    until_at = now + _span(following)
    specs = [PolicySpec(kind=p.kind, options=p.options()) for p in settings.pools[name].policies]
    schedules = [
        (place, policy) for place, policy in enumerate(open_policies(specs)) if isinstance(policy, Schedule)
    ]
    if not schedules:
        raise exits.CommandFailed(
            f"Pool {name} has no policy of kind schedule; [[pools.{name}.policies]] in the configuration adds one."
        )
    if as_json:
        told = [_facts(place, policy, now, until_at) for place, policy in schedules]
        output.say_json({"pool": name, "at": now, "until_at": until_at, "policies": told})
        return
    parts: list[RenderableType] = []
    for place, policy in schedules:
        title = f"{name}, policies[{place}]: {policy.time_zone}, for {duration(until_at - now)}"
        rows = tuple(_rows(policy, now, until_at))
        parts += [
            output.words(title, output.STRONG),
            output.columns(_HEADERS, rows, right=_HEADERS[2:4]),
            "",
        ]
    others = sorted({spec.kind for spec in specs} - {"schedule"})
    outside = (
        f"Where nothing is kept, the other policies decide alone: {', '.join(others)}."
        if others
        else "Where nothing is kept, no other policy asks for anything, and the number stays as it is."
    )
    output.say(*parts, output.words(outside, output.DIM))


def _span(text: str) -> float:
    try:
        taken_s = seconds(text)
    except ValueError:
        taken_s = 0.0
    if not 0 < taken_s <= _LONGEST_S:
        raise exits.CommandFailed(
            f"--next {output.clean(text)!r} is no duration up to 366d; expected one such as 12h, 14d or 4w.",
            code=exits.USAGE,
        )
    return taken_s


def _facts(place: int, policy: Schedule, now: float, until_at: float) -> dict[str, Any]:
    """One policy's time to come. An end that lies behind the time asked for is None."""
    zone = policy.time_zone
    return {
        "policy": place,
        "time_zone": zone,
        "windows": [asdict(window) for window in policy.windows],
        "stretches": [
            {
                "since_at": stretch.since_at,
                "since": _iso(stretch.since_at, zone),
                "until_at": stretch.until_at if stretch.until_at < until_at else None,
                "until": _iso(stretch.until_at, zone) if stretch.until_at < until_at else None,
                "min_workers": stretch.floor,
                "max_workers": stretch.ceiling,
                "windows": stretch.in_force,
            }
            for stretch in policy.stretches(now, until_at)
        ],
        "clock_changes": [
            {**asdict(change), "local": _iso(change.at, zone)}
            for change in local_time.changes(zone, now, until_at)
        ],
    }


def _iso(at: float, zone: str) -> str:
    return local_time.at_local(at, zone).isoformat(timespec="seconds")


def _rows(policy: Schedule, now: float, until_at: float) -> Iterator[Sequence[str]]:
    """Stretches and changes of the clocks, in the order of time."""
    zone = policy.time_zone
    turns = [(float(change.at), 0, _turn(change, zone)) for change in local_time.changes(zone, now, until_at)]
    stretches = [(s.since_at, 1, _stretch(s, policy, until_at)) for s in policy.stretches(now, until_at)]
    for at, _, cells in sorted(turns + stretches):
        yield (local_time.day_and_time(at, zone), *cells)


def _stretch(stretch: Stretch, policy: Schedule, until_at: float) -> tuple[str, ...]:
    lasts = duration(stretch.until_at - stretch.since_at)
    return (
        lasts if stretch.until_at < until_at else f"{lasts} or more",
        output.or_nothing(stretch.floor),
        output.or_nothing(stretch.ceiling),
        _because(stretch, policy),
    )


def _because(stretch: Stretch, policy: Schedule) -> str:
    """The windows in force, and which of them rules where they overlap."""
    if not stretch.in_force:
        return "no window"
    windows = [policy.windows[place] for place in stretch.in_force]
    parts = [" and ".join(window.cron for window in windows)]
    if sum(window.min_workers is not None for window in windows) > 1:
        parts.append("the highest floor holds")
    if sum(window.max_workers is not None for window in windows) > 1:
        parts.append("the lowest ceiling holds")
    if stretch.floor is not None and stretch.ceiling is not None and stretch.floor > stretch.ceiling:
        parts.append("the ceiling is stronger than the floor")
    return "; ".join(parts)


def _turn(change: ClockChange, zone: str) -> tuple[str, ...]:
    shift_s = change.offset_after_s - change.offset_before_s
    after = local_time.at_local(change.at, zone).replace(tzinfo=None)
    before = local_time.at_local(change.at - 1, zone).replace(tzinfo=None)
    way = "forward" if shift_s > 0 else "back"
    says = f"clocks go {way} {duration(abs(shift_s))}: after {before:%H:%M:%S} comes {after:%H:%M:%S}"
    return ("", "", "", says)
