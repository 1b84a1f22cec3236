"""All that is found about one offer at one account, and about one name of a machine.

In go a purchase and somebody who carries a look out, out come findings. A look without which an order could still be
accepted (limits, prices, what options name) is never a failure where it is refused or gets no answer: a token may lack
the right. Nothing here is changed at the provider, and libcloud is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from providers.contract import Finding, Instance, Purchase
from providers.libcloud import check, marks, named, price, quota
from providers.libcloud.asking import Asking, Told, Unknown
from providers.libcloud.options import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One subject, and how a driver object is asked about it. It raises Unknown, or what the driver raises."""

    subject: str
    of: Callable[[Any], Told]
    option: str = ""
    """Which option of the account it is about, where it is about one."""
    needed: bool = False
    """Whether an order would be refused as this look was."""


CarryOut = Callable[[Look], Finding]
"""Lends a driver object to a look, and makes a finding of what comes of it."""


def of_offer(
    purchase: Purchase,
    account: Account,
    *,
    fleet: str,
    ours: Callable[[Any], Sequence[Instance]],
    carry_out: CarryOut,
) -> Iterator[Finding]:
    """Each look by itself. `ours` lists the fleet's machines."""
    seen: list[Instance] = []

    def machines(driver: Any) -> Told:
        seen.extend(ours(driver))
        return Told(says=f"accepted; {len(seen)} machines of fleet {fleet} are listed")

    credentials = carry_out(Look(subject="credentials", of=machines, needed=True))
    yield credentials
    if credentials.ok:
        standing = sum(each.pool == purchase.pool for each in seen)
        for look in _looks(Asking(account=account, purchase=purchase), standing):
            yield carry_out(look)
    yield _user_data(purchase, account)


def of_name(name: str, account: Account, *, fleet: str, pool: str) -> Finding:
    """Whether the cloud can bear a machine of that name, with our mark."""
    whose = {"fleet": fleet, "pool": pool, "name": name}
    try:
        spelt = marks.spelt_name(account.dialect, **whose)
        marks.spelt_mark(account.dialect, **whose)
    except marks.Unspeakable as trouble:
        return Finding(subject="name", ok=False, says=str(trouble))
    longest = account.dialect.names.longest
    return Finding(subject="name", ok=True, says=f"{spelt} has {len(spelt)} of at most {longest} letters")


def came_to(look: Look, told: Told | Exception) -> Finding:
    """A look's answer, or its trouble, as a finding."""
    if isinstance(told, Told):
        return Finding(subject=look.subject, ok=True, says=told.says, note=told.note)
    if look.needed or isinstance(told, Unknown):
        return Finding(subject=look.subject, ok=False, says=str(told))
    why = str(told).rpartition(f"look at {look.subject}: ")[2]
    says = f"{look.option and f'{look.option}: '}could not be looked at: {why}"
    return Finding(subject=look.subject, ok=True, says=says, note=True)


def _looks(asking: Asking, standing: int) -> Iterator[Look]:
    yield from (
        Look(subject=subject, of=of, needed=True)
        for subject, of in check.looks(asking, asking.account.countries).items()
    )
    looks = asking.dialect.looks
    yield Look(subject="price", of=partial(price.look, asking=asking))
    yield Look(subject="quota", of=partial(quota.look, asking=asking, standing=standing))
    if looks.network:
        yield Look(subject="network", of=lambda _: Told(says=looks.network))
    for option, what in looks.named.items():
        said = asking.account.said
        if option in said or (what.unsaid and what.ask and what.instead not in said):
            of = partial(named.look, asking=asking, option=option, named=what)
            yield Look(subject=what.subject, of=of, option=option)


def _user_data(purchase: Purchase, account: Account) -> Finding:
    limit = account.dialect.user_data.limit_bytes
    says = f"{purchase.user_data_bytes} of at most {limit} bytes"
    return Finding(subject="user data", ok=purchase.user_data_bytes <= limit, says=says)
