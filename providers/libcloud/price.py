"""What a size costs by the cloud's own word, beside what the configuration says that it costs.

In go a dialect's `Price` and what is asked of the cloud, out comes one sentence. A price that differs is never a
refusal: people count tax, addresses and discounts as they like. Nothing here is changed at the provider.
"""

from __future__ import annotations

from typing import Any

from providers.dialects.looks import Price, Reading
from providers.libcloud.asking import Asking, Told, number, shown, texts

SAME = 0.03
"""So near prices are the same: lists round them, each in its way."""


def look(driver: Any, asking: Asking) -> Told:
    """Both prices, and by how much they differ."""
    price, purchase = asking.dialect.looks.price, asking.purchase
    if not price.of:
        return Told(says=price.untold)
    told = _told(driver, asking, price)
    if told is None:
        return Told(says=f"not told for {purchase.size}")
    currency = _currency(driver, asking, price)
    amount = told * price.unit
    least, most = (amount / hours for hours in reversed(price.hours))
    says = f"{amount:.6g} {currency} {price.of}".replace("  ", " ")
    if most > least:
        says += f", which is {least:.4f} to {most:.4f} an hour"
    ours = purchase.price_per_h
    if ours is None:
        return Told(says=says)
    if currency and purchase.currency and currency != purchase.currency:
        return Told(says=f"{says}; price_per_hour says {ours:g} {purchase.currency}")
    if least * (1 - SAME) <= ours <= most * (1 + SAME):
        return Told(says=f"{says}, as price_per_hour says")
    nearest = least if ours < least else most
    far = (
        f", {abs(ours / nearest - 1) * 100:.0f} % {'less' if ours < nearest else 'more'}"
        if ours and nearest
        else ""
    )
    return Told(says=f"{says}; price_per_hour says {ours:g}{far}", note=True)


def _told(driver: Any, asking: Asking, price: Price) -> float | None:
    if not price.readings:
        size = asking.size(driver)
        return None if size is None else number(size.price)
    for reading in price.readings:
        told = number(asking.value(driver, reading))
        if told is not None:
            return told
    return None


def _currency(driver: Any, asking: Asking, price: Price) -> str:
    if not isinstance(price.currency, Reading):
        return price.currency
    told = texts(asking.value(driver, price.currency))
    return shown(told[0]) if told else ""
