"""What a dialect can say of things that outlive their machine: how an order prevents it, and how they are found again.

In goes nothing, out come two more types of data beside those of `contract`. What never happens here: a call, a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from providers.dialects.contract import Listing, Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """How an order overrides what its image says of its volumes (`Dialect.kept_volume`): each device that the image
    keeps is named again, as one that ends with its machine. The image is looked at once for as long as it is used: what
    devices it has never changes."""

    argument: str
    """Of `create_node`; takes a list of devices."""
    name: str
    """Key of a device's name, in the image's list."""
    ordered: tuple[str, str, str]
    """Keys of an ordered device: its name, its volume, and there the flag …"""
    value: object = True
    """… with what it is given."""
    carried: Mapping[str, str] = field(default_factory=dict)
    """What is ordered of a volume as the image has it, for what is not said may be another than the image's: key in the
    image's list, and key in an order. What the image does not say is left out."""
    only_with: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Of these some that go along only where another has this value."""
    root: str = ""
    """Key in the image's `extra` of the name of its first device, …"""
    carried_beside_root: Mapping[str, str] = field(default_factory=dict)
    """… and what is carried over of the others alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """Things that `list_volumes` of the driver lists and `destroy_volume` ends. Paths are dotted, in a thing's
    `extra`."""

    listings: Mapping[str, Listing]
    """How they are listed, by what they are called; as for machines, with `arguments` that are those of
    `list_volumes`."""
    mark: Mark
    """Where the mark stands on them."""
    attached: str = ""
    """Whatever stands there means that it is attached to something."""
    attached_look: str = ""
    """Where the listing does not say it: a method of the driver that takes a volume and gives what it is attached to.
    It is asked about those only that are left over for all else that is known."""
    state: str
    free: frozenset[str]
    """State words of one that is attached to nothing and ready to be ended; any other is left alone."""
    created: str
    """A `datetime`, or ISO 8601."""
    location: str = ""
    ends_break_off: bool = False
    """Whether an end takes several requests, of which the later ones may fail: where it is asked for again and the
    machine is gone, what it left is ended then."""
