"""Where machines come from. This is the door: `open_provider` opens one account, of whatever kind.

Built-in kinds are imported only when one is opened, so a daemon that rents at one cloud never loads another's library.
Other people's kinds come through the entry-point group `autoscaler.providers`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol

from providers.contract import MayAct, Options, Provider, ProviderOptionsWrong, always

BUILT_IN = {
    "local": "providers.local.provider:open_local",
    "simulated": "providers.simulated:open_simulated",
    "libcloud": "providers.libcloud.adapter:open_libcloud",
    "external": "providers.external:open_external",
}
GROUP = "autoscaler.providers"


class Clock(Protocol):
    """What a provider may know of time."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


class Opener(Protocol):
    """What a kind is: a callable that opens one account."""

    def __call__(
        self, *, name: str, fleet: str, options: Options, clock: Any, may_act: MayAct
    ) -> Provider: ...


def open_provider(
    kind: str, *, name: str, fleet: str, options: Options, clock: Clock, may_act: MayAct = always
) -> Provider:
    """Open the account `[providers.NAME]` of that kind, for that fleet. Its orders ask `may_act` before each send.

    Raises `ProviderOptionsWrong` for a kind that nobody provides, or settings that it cannot use.
    """
    return _opener(kind, name)(name=name, fleet=fleet, options=options, clock=clock, may_act=may_act)


def _opener(kind: str, name: str) -> Opener:
    if kind in BUILT_IN:
        module, _, attribute = BUILT_IN[kind].partition(":")
        opener: Opener = getattr(import_module(module), attribute)
        return opener
    others = {point.name: point for point in entry_points(group=GROUP)}
    if kind not in others:
        known = ", ".join(sorted({*BUILT_IN, *others}))
        raise ProviderOptionsWrong(f"providers.{name}.kind: nobody provides {kind!r}; there are {known}")
    loaded: Opener = others[kind].load()
    return loaded
