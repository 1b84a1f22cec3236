"""Which clouds are known behind libcloud's one face. Each file beside this one holds one, as its `DIALECT`.

Files are found by themselves: a new cloud is a new file. What never happens here: a call, an import of libcloud, a
choice. This is the only place where a provider's own words are matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from providers.dialects.contract import Dialect

__all__ = ["DIALECTS", "Dialect"]


def _found() -> dict[str, Dialect]:
    """By the name that an operator writes, in the order of the names."""
    names = sorted(each.name for each in iter_modules(__path__) if each.name != "contract")
    dialects: list[Dialect] = [import_module(f"{__name__}.{name}").DIALECT for name in names]
    return {dialect.driver: dialect for dialect in dialects}


DIALECTS: Mapping[str, Dialect] = _found()
