"""Whether a size, an image and a location exist, asked of a driver object; what each look finds, in one sentence.

In goes a purchase, out come the looks at it, one a subject, which the adapter carries out and translates the errors of.
Nothing here is changed at the provider, and libcloud is not imported.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any

from providers.contract import Purchase
from providers.dialects.contract import Dialect
from providers.libcloud.marks import dig

Look = Callable[[Any], str]
"""Asks a driver object about one subject and says what was found. Raises Unknown, or what the driver raises."""


class Unknown(Exception):
    """The provider answered, and does not have it. The message says what it has."""


def looks(purchase: Purchase, dialect: Dialect) -> Mapping[str, Look]:
    """One look a subject."""
    return {
        "size": lambda driver: _size(driver, purchase.size, dialect),
        "image": lambda driver: _image(driver, purchase.image, dialect),
        "location": lambda driver: _location(driver, purchase.location, dialect),
    }


def _size(driver: Any, size: str, dialect: Dialect) -> str:
    names = [each.id for each in driver.list_sizes()]
    if size in names:
        return f"{size} exists"
    if dialect.size_look:
        params = {key: value.format(size=size) for key, value in dialect.size_look.items()}
        driver.connection.request(driver.path, params=params)
        if dialect.size_sign.format(size=size) in driver.connection.wire.answer.body:
            return f"{size} exists"
    near = difflib.get_close_matches(size, names, n=3, cutoff=0.5)
    raise Unknown(f"{size!r} is not a size here; nearest: {', '.join(near) or 'none'}")


def _image(driver: Any, image: str, dialect: Dialect) -> str:
    found = driver.get_image(image)
    volumes_key, volume_key, flag_key = dialect.kept_volume
    volumes = found.extra.get(volumes_key) or () if volumes_key else ()
    kept = [each for each in volumes if (each.get(volume_key) or {}).get(flag_key) == "false"]
    if kept:
        return f"{image} exists; {len(kept)} of its volumes outlive their machine and stay billed"
    return f"{image} exists"


def _location(driver: Any, location: str, dialect: Dialect) -> str:
    if not location:
        if dialect.location.required:
            raise Unknown("an offer here needs a location")
        return "left to the provider"
    path, rows, name = dialect.location.look
    if path:
        driver.connection.request(path)
        found = dig(json.loads(driver.connection.wire.answer.body), rows)
        names = [str(dig(each, name)) for each in found] if isinstance(found, list) else []
    elif dialect.location.known_by:
        names = [getattr(each, dialect.location.known_by) for each in driver.list_locations()]
    else:
        return f"{location} cannot be looked up here"
    if location not in names:
        raise Unknown(f"{location!r} is not a location here; known: {', '.join(names)}")
    return f"{location} exists"
