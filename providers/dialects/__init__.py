"""Which clouds are known behind libcloud's one face. Each file beside this one holds one, as its `DIALECT`.

Files are found by themselves: a new cloud is a new file. What never happens here: a call, an import of libcloud, a
choice. This is the only place where a provider's own words are matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from providers.dialects.contract import Dialect

__all__ = ["DIALECTS", "NOT_OFFERED", "Dialect"]

NOT_OFFERED: Mapping[str, str] = {
    "azure_arm": "Microsoft Azure waits for libcloud: up to release 3.9.1 its driver cannot hand over custom data, by "
    "which a machine would be told what to become (a text is refused, bytes make a request that cannot be written; "
    "libcloud's issue 1893). The mend is merged there and in no release yet. Its ends also leave disks and network "
    "interfaces behind, and wait within calls.",
    "gce": "Google Compute Engine waits for a driver of our own, because libcloud's (3.9.1) cannot be made safe from "
    "outside. It takes a listing for whole that says itself that a zone could not be reached (an answer 200 with the "
    "warning `UNREACHABLE` and no machines came back as an empty list), so that standing machines would count as gone. "
    "It logs in while it is made, over a connection that it chooses inside a function, without time-out and past "
    "every bound of ours, and writes the token into a file in the home directory. A create asks for network, disk "
    "type, disk and machine besides, and waits with sleeps for up to 180 seconds; a zone without stock takes the order "
    "first and gives it back 7 to 100 seconds later, for which dialects have no word: all that fails after an order "
    "was taken is an unknown outcome, and an offer without stock would not rest. Names are unique in a zone only. A "
    "service account's login needs `cryptography`, which would be a new dependency.",
}
"""Clouds that libcloud knows and that people look for here, by its name for them, and why there is no dialect yet."""


def _found() -> dict[str, Dialect]:
    """By the name that an operator writes, in the order of the names."""
    names = sorted(each.name for each in iter_modules(__path__) if each.name != "contract")
    dialects: list[Dialect] = [import_module(f"{__name__}.{name}").DIALECT for name in names]
    return {dialect.driver: dialect for dialect in dialects}


DIALECTS: Mapping[str, Dialect] = _found()
