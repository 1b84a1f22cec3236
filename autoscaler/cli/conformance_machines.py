"""All machines under a mark that nobody else uses: looked at, and ended until their absence is proven.

In goes an opened provider, out come listings and the instant from which on nothing stood. What never happens here: a
create, or a belief in a listing that is not complete.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from providers.contract import Instance, Listing, Provider, ProviderError, Throttled

LONGEST_WAIT_S = 60.0
"""However long a throttled caller is told to wait, we look again after a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take. `run_s` is for a machine to run, and as long for it to go."""

    call_s: float
    run_s: float
    settle_s: float
    pause_s: float

    @property
    def in_all_s(self) -> float:
        """No machine of a trial is to stand longer: to be listed, to run, to go, and to be cleaned up if it did not."""
        return 3 * self.run_s + 5 * self.settle_s + 8 * self.call_s


class Machines:
    """What stands under the provider's mark."""

    def __init__(
        self,
        provider: Provider,
        patience: Patience,
        *,
        monotonic: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._provider = provider
        self._patience = patience
        self._monotonic = monotonic
        self._pause = pause
        self.seen: dict[str, Instance] = {}
        """All that was ever listed, by id, and not proven gone."""
        self.ever: set[str] = set()
        """The ids of all that was ever listed."""
        self.blind = ""
        """Why the last look proves no absence; nothing where it does."""

    def look(self) -> Listing | None:
        """What is listed; None where nothing was seen."""
        try:
            listing = self._provider.list_instances(timeout_s=self._patience.call_s)
        except Throttled as error:
            self.blind = str(error)
            self._pause(min(error.retry_after_s or self._patience.pause_s, LONGEST_WAIT_S))
            return None
        except ProviderError as error:
            self.blind = str(error)
            return None
        self.blind = "" if listing.complete else f"not complete: {listing.why_incomplete}"
        self.seen |= {each.instance_id: each for each in listing.instances}
        self.ever |= set(self.seen)
        return listing

    def rows(self, name: str) -> list[Instance]:
        """The machines of that name that are listed now."""
        listing = self.look()
        return [each for each in listing.instances if each.name == name] if listing else []

    def empty(self, *, ask_after_s: float) -> float | None:
        """Ask for the end of all, with growing pauses, until complete listings showed nothing for the settle time.

        Returns the instant from which on nothing stood; None where that was not proven in time. Only time between looks
        that saw counts.
        """
        patience = self._patience
        until = self._monotonic() + patience.run_s
        ask_at, rest_s = self._monotonic() + ask_after_s, 2 * patience.pause_s
        absent_at: float | None = None
        while True:
            listing, at = self.look(), self._monotonic()
            if listing is None or not listing.complete or listing.instances:
                absent_at = None
            elif absent_at is None:
                absent_at = at
            elif at - absent_at >= patience.settle_s:
                self.seen.clear()
                return absent_at
            if listing is not None and listing.instances and at >= ask_at:
                for each in listing.instances:
                    self.try_to_end(each.name, each)
                ask_at, rest_s = at + rest_s, min(2 * rest_s, LONGEST_WAIT_S)
            if at >= until + (0.0 if absent_at is None else 2 * patience.settle_s):
                return None
            self._pause(patience.pause_s)

    def try_to_end(self, name: str, instance: Instance | None) -> bool:
        """Ask once; whether the wish was taken. Listings show what came of it."""
        try:
            self._provider.destroy(
                name, instance.instance_id if instance else None, timeout_s=self._patience.call_s
            )
        except ProviderError as error:
            self.blind = str(error)
            return False
        return True
