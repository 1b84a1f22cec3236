"""What runs by one configuration, and how the next one takes its place.

In go opened parts, the journal and the path of the file; out come a loop, its executor, and what attends to machines
beside the ticks. What never happens here: a judgement of a configuration; a part that is closed while a call of it is
under way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autoscaler import reload, upstream_settings, wiring
from autoscaler.attending import Attending
from autoscaler.clock import Clock
from autoscaler.config import ConfigError, Settings, parse, text_of
from autoscaler.core.model import OrderKind
from autoscaler.journal import Journal, orders
from autoscaler.loop import Loop
from autoscaler.relay import Relay
from autoscaler.telemetry import Log
from autoscaler.upstream_files import Upstreams
from autoscaler.whereabouts import ResidencyRefused
from autoscaler.wiring import Works
from policies import PolicyOptionsWrong
from providers.contract import ProviderError, ProviderOptionsWrong

FORESEEN = (ConfigError, ProviderOptionsWrong, PolicyOptionsWrong, ResidencyRefused, ProviderError)
"""What a file, or opening parts for settings that are valid as such, may raise. Nothing was changed then."""

_GRACE_S = 5.0


Prepare = Callable[[Settings], Callable[[], None]]
"""Makes ready for settings what goes by them besides, and returns what makes them count there. The first may raise what
is foreseen; the second may not raise."""


def _nothing_else(_: Settings) -> Callable[[], None]:
    return lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    settings: Settings
    loop: Loop


class Fleet:
    """Everything that goes by the configuration in force. The loop's thread alone replaces it."""

    def __init__(
        self,
        works: Works,
        journal: Journal,
        *,
        config: Path,
        by: str,
        clock: Clock,
        log: Log,
        prepare: Prepare = _nothing_else,
    ) -> None:
        self._works = works
        self._journal = journal
        self._config = config
        self._by = by
        self._clock = clock
        self._log = log
        self._prepare = prepare
        self._attending: Attending | None = None
        self.relay = Relay(works.executor)
        self._upstreams = Upstreams(clock=clock, log=log, may_act=journal.may_act)
        self.parts = self._parts_of(works)

    def ways(self) -> reload.Ways:
        """How the next configuration comes in."""
        return reload.Ways(read=self._read, replace=self._replace, give=self._give, foreseen=FORESEEN)

    def attend(self, *, may_speak: Callable[[], bool]) -> None:
        """From now on machines on their way are heard and answered, the users of those that went are ended, and who
        has a lease hears us."""
        self._attending = Attending(self._journal, may_speak=may_speak, clock=self._clock, log=self._log)
        self._attending.attend(self._works.settings, self._works)
        if self._works.machines is not None:
            self._works.machines.start(self._attending.knock)

    def close(self) -> None:
        """Attend to nobody any more, and let go of the parts in force."""
        if self._attending is not None:
            self._attending.close()
        self._upstreams.stop(_GRACE_S)
        self._works.close()

    def _read(self) -> tuple[str, Callable[[], Settings]]:
        text = text_of(self._config)
        return text, lambda: parse(text, os.environ, source=str(self._config))

    def _give(self, digest: str) -> int:
        at = self._clock.now()
        by = f"{self._by} ({reload.BY_SIGNAL})"
        return orders.give(self._journal, OrderKind.RELOAD, digest, by=by, at=at)

    def _replace(self, settings: Settings) -> _Parts:
        take_in = self._prepare(settings)
        before = self._works
        after = wiring.renew(before, settings, clock=self._clock, may_act=self._journal.may_act)
        if self._attending is not None:
            self._attending.attend(settings, after)
        before.look_no_more()
        self.relay.succeed(after.executor, let_go=lambda: before.retire(after))
        self._works = after
        self.parts = self._parts_of(after)
        take_in()
        return self.parts

    def _parts_of(self, works: Works) -> _Parts:
        self._upstreams.configure(upstream_settings.publications(works.settings, works.rulebook.pools))
        loop = works.loop(
            self._journal,
            clock=self._clock,
            log=self._log,
            executor=self.relay,
            upstreams=self._upstreams,
        )
        return _Parts(settings=works.settings, loop=loop)
