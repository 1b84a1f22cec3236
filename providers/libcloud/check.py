"""Whether a size, an image and a location exist, asked of a driver object; what each look finds, in one sentence.

In goes what is asked of an offer, out come the looks at it, one a subject, which the adapter carries out.
Nothing here is changed at the provider, and libcloud is not imported.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from providers.dialects.contract import Dialect
from providers.dialects.looks import Ask
from providers.libcloud.asking import Asking, Told, Unknown, texts
from providers.libcloud.devices import kept

A_COUNTRY = re.compile("[A-Z]{2}")
"""As drivers give it where their cloud says one (ISO 3166-1 alpha-2); some give a name, or nothing."""


def looks(asking: Asking, countries: Mapping[str, str]) -> Mapping[str, Callable[[Any], Told]]:
    """One look a subject. `countries` says what the account holds of its locations, by their names."""
    purchase, dialect = asking.purchase, asking.dialect
    return {
        "size": lambda driver: Told(says=_size(driver, asking)),
        "image": lambda driver: Told(says=_image(driver, purchase.image, dialect)),
        "location": lambda driver: Told(says=_location(driver, asking, countries)),
    }


def _size(driver: Any, asking: Asking) -> str:
    size, where, dialect = asking.purchase.size, asking.purchase.location, asking.dialect
    if where and dialect.sizes_of_location:
        sold = asking.sizes(driver, where)
        if any(each.id == size for each in sold):
            return f"{size} is sold at {where}"
        if any(each.id == size for each in asking.sizes(driver)):
            there = ", ".join(each.id for each in sold) or "nothing"
            raise Unknown(f"{size!r} exists and is not sold at {where}, which sells {there}")
    names = [each.id for each in asking.sizes(driver)]
    if size in names:
        return f"{size} exists"
    if dialect.size_look:
        params = {key: value.format(size=size) for key, value in dialect.size_look.items()}
        driver.connection.request(driver.path, params=params)
        if dialect.size_sign.format(size=size) in driver.connection.wire.answer.body:
            return f"{size} exists"
    if dialect.sizes_composed and re.fullmatch(dialect.sizes_composed, size):
        return f"{size} is composed as sizes are here; whether it is sold only an order tells"
    raise Unknown(f"{size!r} is not a size here; nearest: {_nearest(size, names)}")


def _nearest(wrong: str, names: Iterable[str]) -> str:
    return ", ".join(difflib.get_close_matches(wrong, list(names), n=3, cutoff=0.5)) or "none"


def _image(driver: Any, image: str, dialect: Dialect) -> str:
    if dialect.images_listed:
        listed = {
            str(name)
            for each in driver.list_images()
            for key in dialect.images_named_by
            if (name := getattr(each, key, None) or (each.extra or {}).get(key))
        }
        if image not in listed:
            raise Unknown(f"{image!r} is not an image here; nearest: {_nearest(image, listed)}")
        return f"{image} exists"
    if count := len(kept(driver.get_image(image), dialect)):
        return f"{image} exists; it keeps {count} of its volumes, which orders end with their machine all the same"
    return f"{image} exists"


def _location(driver: Any, asking: Asking, countries: Mapping[str, str]) -> str:
    location, dialect = asking.purchase.location, asking.dialect
    if not location:
        if dialect.location.required:
            raise Unknown("an offer here needs a location")
        return "left to the provider"
    path, rows, name = dialect.location.look
    said = ""
    if path:
        found = asking.rows(driver, Ask(path=path, rows=rows, paged=False))
        names = [one for row in found for one in texts(asking.picked(row, name))]
    elif dialect.location.known_by:
        known = {getattr(each, dialect.location.known_by): each for each in driver.list_locations()}
        names = list(known)
        said = _country(known[location]) if location in known else ""
    else:
        return f"{location} cannot be looked up here"
    if location not in names:
        raise Unknown(f"{location!r} is not a location here; known: {', '.join(names)}")
    held = countries.get(location, "")
    if said and held and said != held:
        raise Unknown(f"{location} is in {said} by the cloud's word; this program holds that it is in {held}")
    return f"{location} exists" + (f", in {held or said}" if held or said else "")


def _country(location: Any) -> str:
    """The country that the cloud says a location is in; empty where it says none, or none of two letters."""
    said = (location.country or "").upper()
    said = "GB" if said == "UK" else said
    return said if A_COUNTRY.fullmatch(said) else ""
