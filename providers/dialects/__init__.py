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
}
"""Clouds that libcloud knows and that people look for here, by its name for them, and why there is no dialect yet."""


def _found() -> dict[str, Dialect]:
    """By the name that an operator writes, in the order of the names."""
    names = sorted(
        each.name
        for each in iter_modules(__path__)
        if each.name not in {"contract", "leaving", "looks", "times"}
    )
    dialects: list[Dialect] = [import_module(f"{__name__}.{name}").DIALECT for name in names]
    return {dialect.driver: dialect for dialect in dialects}


DIALECTS: Mapping[str, Dialect] = _found()
