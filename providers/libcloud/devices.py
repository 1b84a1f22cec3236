"""Volumes that an image keeps when its machine ends: which they are, and what an order says so that they end with it.

In goes a driver and an image's id, out come arguments for `create_node`. An image is looked at once: its devices never
change. What never happens here: an order, or a word of a cloud.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from providers.dialects.contract import Dialect
from providers.dialects.leaving import Devices


def kept(image: Any, dialect: Dialect) -> list[dict[str, Any]]:
    """The devices of an image whose volumes outlive their machine unless an order says otherwise."""
    devices_key, volume_key, flag_key = dialect.kept_volume
    devices = image.extra.get(devices_key) or () if devices_key else ()
    return [each for each in devices if str((each.get(volume_key) or {}).get(flag_key)).lower() == "false"]


class Images:
    """What is known of the images of one account. May be asked from several threads: at worst a look is made twice."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._ending: dict[str, Sequence[Mapping[str, object]]] = {}

    def arguments(self, driver: Any, image: str) -> dict[str, Any]:
        """By which every volume of the image ends with its machine; none where that is so anyway. Raises what the
        driver raises."""
        devices = self._dialect.devices
        if devices is None:
            return {}
        if image not in self._ending:
            _, volume_key, _ = self._dialect.kept_volume
            found = driver.get_image(image)
            root = found.extra.get(devices.root)
            self._ending[image] = [
                _ending(each, volume_key, devices, root) for each in kept(found, self._dialect)
            ]
        ending = [dict(each) for each in self._ending[image]]
        return {devices.argument: ending} if ending else {}


def _ending(
    device: Mapping[str, Any], volume_key: str, devices: Devices, root: object
) -> Mapping[str, object]:
    """One device of an image, as one that ends with its machine."""
    name, volume, flag = devices.ordered
    carried = {**devices.carried, **(devices.carried_beside_root if device[devices.name] != root else {})}
    of_image = device[volume_key]
    unfit = {key for key, (other, value) in devices.only_with.items() if of_image.get(other) != value}
    told = {asked: said for key, asked in carried.items() if key not in unfit and (said := of_image.get(key))}
    return {name: device[devices.name], volume: {flag: devices.value, **told}}
