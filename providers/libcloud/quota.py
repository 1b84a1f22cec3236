"""How many machines an account may have, how many it has, and for how many more there is room.

In go a dialect's meters and what is asked of the cloud, out comes one sentence, or Unknown where not one more would
fit. Where a cloud does not tell, the sentence says so. Nothing here is changed at the provider.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from providers.dialects.looks import Meter
from providers.libcloud.asking import Asking, Told, Unknown, number


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """One meter as it stands."""

    says: str
    room: float
    """For so many more machines of the offer; infinite where there is no limit."""


def look(driver: Any, asking: Asking, standing: int) -> Told:
    """`standing` is how many machines of the pool there are already. Raises Unknown where there is no room for one."""
    quota = asking.dialect.looks.quota
    meters = [meter for meter in quota.meters if _counts(meter, asking)]
    if not meters:
        return Told(says=quota.untold)
    read = [told for meter in meters if (told := _read(driver, asking, meter)) is not None]
    if not read:
        raise ValueError("no limit is told")
    says = "; ".join(each.says for each in read)
    room = min(each.room for each in read)
    if room < 1:
        raise Unknown(f"{says}; no room for one more")
    if math.isinf(room):
        return Told(says=says)
    says = f"{says}; room for {room:.0f} more"
    wanted = asking.purchase.machines
    if wanted <= standing + room:
        return Told(says=says)
    stand = f", of which {standing} stand" if standing else ""
    return Told(says=f"{says}; the pool may want {wanted}{stand}", note=True)


def _counts(meter: Meter, asking: Asking) -> bool:
    said = asking.account.said
    return (
        re.fullmatch(meter.sizes or ".*", asking.purchase.size) is not None
        and (not meter.option or meter.option in said)
        and (not meter.without or meter.without not in said)
    )


def _read(driver: Any, asking: Asking, meter: Meter) -> _Read | None:
    """None: this cloud, or this version of it, does not tell that limit."""
    said = asking.value(driver, meter.limit)
    if said is None:
        return None
    used = number(asking.value(driver, meter.used))
    if used is None or used < 0:
        raise ValueError(f"how many {meter.of} are in use is not told as a number")
    if str(said) in meter.unlimited:
        return _Read(says=f"{meter.of}: {used:.0f} in use, no limit", room=math.inf)
    limit = number(said)
    if limit is None or limit < 0:
        raise ValueError(f"the limit of {meter.of} is not told as a number")
    says = f"{meter.of}: {used:.0f} of {limit:.0f} in use"
    takes = _takes(driver, asking, meter)
    if takes > 1:
        says += f", {takes:.0f} each"
    return _Read(says=says, room=max(0, math.floor((limit - used) / takes)))


def _takes(driver: Any, asking: Asking, meter: Meter) -> float:
    """How much of it one machine takes. Raises ValueError where the size does not say."""
    if not meter.takes:
        return 1.0
    size = asking.size(driver)
    takes = number(_attribute(size, meter.takes))
    if takes is None or takes <= 0:
        raise ValueError(f"how many {meter.of} a machine takes is not told")
    return takes


def _attribute(size: Any, name: str) -> object:
    kept: Sequence[object] = (getattr(size, name, None), (getattr(size, "extra", None) or {}).get(name))
    return next((each for each in kept if each is not None), None)
