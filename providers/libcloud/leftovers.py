"""What our machines left behind: found under our mark, held against the machines that are listed, ended one by one.

In go a driver that is lent to this call and the machines of ours as they are listed now, out come things that belong to
no machine. What never happens here: an end of what is attached, young, another's, or seen in an incomplete listing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from providers.contract import InstanceAbsent, LeftOver, LeftOvers, RequestRejected
from providers.dialects.contract import Dialect
from providers.dialects.leaving import Leaves
from providers.libcloud import marks, walking


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at an account. `machines` are the names of ours that are listed, whatever they do."""

    dialect: Dialect
    fleet: str
    settle_s: float
    now: float
    machines: Collection[str]
    doubt: str = ""
    """Why there may be more machines."""


def find(driver: Any, look: Look) -> LeftOvers:
    """All that is left over. Raises what the driver raises."""
    found, doubt = _found(driver, look)
    return LeftOvers(found=tuple(one for one, _ in found), complete=not doubt, why_incomplete=doubt)


def end(driver: Any, look: Look, wanted: LeftOver) -> None:
    """Look once more and end that one, where it still is left over. Raises InstanceAbsent, RequestRejected, or what
    the driver raises."""
    found, doubt = _found(driver, look)
    if doubt:
        raise RequestRejected(f"{wanted.kind} {wanted.left_over_id} is left alone: {doubt}")
    mine = [volume for one, volume in found if _key(one) == _key(wanted)]
    if not mine:
        raise InstanceAbsent(f"{wanted.kind} {wanted.left_over_id} is not there, or is left over no more")
    driver.connection.wire.ordering = True
    driver.destroy_volume(mine[0])


def end_of(driver: Any, look: Look, name: str) -> None:
    """End what the machine of that name left, if it is listed no more. Raises what the driver raises; nothing is ended
    where the look was incomplete."""
    found, doubt = _found(driver, look)
    driver.connection.wire.ordering = True
    for one, volume in found:
        if one.name == name and not doubt:
            driver.destroy_volume(volume)


def _key(one: LeftOver) -> tuple[str, str, str]:
    return one.kind, one.left_over_id, one.name


def _found(driver: Any, look: Look) -> tuple[list[tuple[LeftOver, Any]], str]:
    """Each with the driver's object of it, and why the look may have missed a machine or a thing."""
    found: dict[tuple[str, str, str], tuple[LeftOver, Any]] = {}
    doubt = look.doubt
    leaves = look.dialect.leaves
    if leaves is None:
        return [], doubt
    for kind, listing in leaves.listings.items():
        seen, unsure = walking.walk(driver, look.dialect, fleet=look.fleet, volumes=listing)
        doubt = doubt or unsure
        for volume, _ in seen:
            one = _judge(volume, kind, leaves, look)
            if one is not None and not _attached(driver, volume, leaves):
                found[_key(one)] = one, volume
    return list(found.values()), doubt


def _attached(driver: Any, volume: Any, leaves: Leaves) -> bool:
    """Whether a look at this one alone shows that it is in use, where the listing does not say it."""
    return bool(leaves.attached_look and getattr(driver, leaves.attached_look)(volume))


def _judge(volume: Any, kind: str, leaves: Leaves, look: Look) -> LeftOver | None:
    """The thing as the contract says it; None for one that is not ours, is in use or may soon be."""
    extra = volume.extra
    bearing = replace(look.dialect, mark=leaves.mark)
    # An order marks what comes with its machine with the machine's name. What lacks it people marked, by its own name.
    owner = marks.owner_of(bearing, fleet=look.fleet, row=extra, name="")
    if owner is None or not owner.name or not volume.id or owner.name in look.machines:
        return None
    if (leaves.attached and marks.dig(extra, leaves.attached)) or marks.dig(
        extra, leaves.state
    ) not in leaves.free:
        return None
    created_at = _epoch(marks.dig(extra, leaves.created))
    # A machine that is being made is in no listing yet, and neither is its disk attached.
    if created_at is None or look.now - created_at < look.settle_s:
        return None
    where = marks.dig(extra, leaves.location) if leaves.location else ""
    return LeftOver(
        kind=kind,
        left_over_id=str(volume.id),
        name=owner.name,
        pool=owner.pool,
        size_gb=volume.size if isinstance(volume.size, int) else None,
        created_at=created_at,
        location=where if isinstance(where, str) else "",
    )


def _epoch(said: object) -> float | None:
    """When that was; None where it cannot be read. A time without a zone is UTC."""
    try:
        at = datetime.fromisoformat(said) if isinstance(said, str) else said
    except ValueError:
        return None
    if not isinstance(at, datetime):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
