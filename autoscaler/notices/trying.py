"""One trial notice, sent here and now, so that an operator sees that notices arrive before one is needed.

In go settings and the name of a route, out comes what the other side answered. What never happens here: a second try.
"""

from __future__ import annotations

import uuid

from autoscaler.clock import Clock
from autoscaler.config import Settings
from autoscaler.notices import routes, sending, shapes
from autoscaler.notices.contract import Answer, Notice


def names(settings: Settings) -> tuple[str, ...]:
    """What may be tried. Raises ConfigError where an address or a token cannot be one."""
    return tuple(route.name for route in routes.routes(settings))


def send(settings: Settings, name: str, clock: Clock) -> Answer:
    """Tell the receiver of that name that this is a trial. Raises ConfigError, as above."""
    (route,) = (route for route in routes.routes(settings) if route.name == name)
    trial = Notice(
        event="trial",
        level="info",
        means="somebody tries whether notices arrive here; nothing is wrong",
        fields={"notice": name, "would_tell": f"{len(route.choice.events)} events of the catalogue"},
        at=clock.now(),
        trial=True,
    )
    letter = shapes.letter(
        trial, route, number=uuid.uuid4().hex, fleet=settings.fleet.name, sieve=routes.sieve(settings)
    )
    return sending.sender(clock)(route, letter, route.timeout_s)
