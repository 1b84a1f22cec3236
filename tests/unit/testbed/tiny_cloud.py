"""The smallest cloud there is, as a pattern for real ones: boats to rent, made up from end to end.

It follows no document. A real server's file stands under `testbed/clouds/` and says at its top which one it follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from testbed.clouds import guards, paging
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.exchange import Answer, Asked, Kind, Refused, Route
from testbed.clouds.guards import RateLimit, RateNames
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, each, integer, nullable, record, text

TOKEN = "a-token"
WORDS = {Stage.MADE: "building", Stage.RUNNING: "afloat", Stage.ENDING: "sinking"}
BOAT = record(
    required={"name": text(pattern="[a-z]+", at_most=10), "seats": integer(at_least=1, at_most=8)},
    optional={"tags": each(text()), "crew": nullable(record(required={"captain": text()}))},
)


def no(status: int, says: str) -> Answer:
    return Answer(status=status, body={"error": says})


def wrong(found: Sequence[Problem]) -> Answer:
    return no(422, "; ".join(f"{one.place} {one.says}" for one in found))


class Boats:
    """The API's handlers."""

    def __init__(self, cloud: CloudServer, machines: Machines) -> None:
        self._cloud = cloud
        self._machines = machines
        cloud.routes = (
            Route(method="POST", path="/boats", handler=self.make, kind=Kind.CREATE),
            Route(
                method="GET",
                path="/boats",
                handler=self.look,
                kind=Kind.LIST,
                query=frozenset({"page", "per_page"}),
            ),
            Route(method="GET", path="/boats/{key}", handler=self.one),
            Route(method="DELETE", path="/boats/{key}", handler=self.end, kind=Kind.END),
            Route(method="GET", path="/weather", handler=lambda _: Answer(body={"wind": 3}), open=True),
        )

    def make(self, asked: Asked) -> Answer:
        order = self._cloud.read(asked, BOAT)
        with self._machines.deciding:
            if self._machines.named(str(order["name"])):
                raise Refused(no(409, "name is taken"))
            boat = self._machines.make(str(order["name"]), user_data=b"", body=dict(order))
        return Answer(status=201, body=self._told(boat))

    def look(self, asked: Asked) -> Answer:
        rows = self._machines.listed()
        try:
            page = paging.numbered(
                rows,
                number=asked.parameter("page"),
                size=asked.parameter("per_page"),
                names=("page", "per_page"),
                default=2,
                most=5,
            )
        except paging.BadPage as bad:
            raise Refused(no(400, str(bad))) from None
        shown = page.rows[: -1 if asked.cut else None]
        return Answer(body={"boats": [self._told(boat) for boat in shown], "next": page.next})

    def one(self, asked: Asked) -> Answer:
        return Answer(body=self._told(self._find(asked)))

    def end(self, asked: Asked) -> Answer:
        self._machines.end(self._find(asked))
        return Answer(status=204)

    def _find(self, asked: Asked) -> Machine:
        boat = self._machines.find(asked.places["key"])
        if boat is None:
            raise Refused(no(404, "no such boat"))
        return boat

    def _told(self, boat: Machine) -> dict[str, object]:
        return {"key": boat.key, "state": WORDS[self._machines.stage(boat)], **boat.body}


@contextmanager
def serving(habits: Habits | None = None, *, requests: int = 1000) -> Iterator[Cloud]:
    """Boats on a free port."""
    clock = Clock()
    machines = Machines(clock, habits or Habits())
    names = RateNames(limit="X-Limit", remaining="X-Left", reset="X-Reset")
    server = CloudServer(
        routes=(),
        voice=Voice(
            unauthorized=no(401, "who are you"),
            not_found=no(404, "no such path"),
            wrong_method=no(405, "not so"),
            malformed=no(400, "no JSON"),
            wrong=wrong,
            too_many=no(429, "slow down"),
        ),
        guard=guards.bearer(TOKEN),
        limit=RateLimit(requests=requests, window_s=3600, names=names, now=clock.now),
        headers={"Server": "boats"},
    )
    Boats(server, machines)
    refusals = Refusals(capacity=no(503, "full"), rejected=no(422, "no"), throttled=no(429, "slow down"))
    with running(server):
        yield Cloud(server=server, machines=machines, refusals=refusals)
