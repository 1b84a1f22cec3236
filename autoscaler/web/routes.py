"""The addresses of the API, and what answers there.

Answers are documents of `views`, encoded once for all who ask between two ticks. What never happens here: HTML.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from autoscaler.core.model import PoolName
from autoscaler.journal import Journal, JournalUnavailable, read
from autoscaler.meters import Reading
from autoscaler.views import documents
from autoscaler.views.history import History
from autoscaler.web import live, metrics, ordering, pasts, schemas
from autoscaler.web.live import Live
from autoscaler.web.reader import Picture, Reader
from autoscaler.web.schemas import Problem
from providers.contract import NodeName

API = "/api/v1"
_JSON = "application/json"
_HEALTH_S = 3.0
"""A journal that does not answer in that time is not one that a tick can be written to."""
_MOST_EVENTS = 1_000
_UNAVAILABLE: dict[int | str, dict[str, Any]] = {
    503: {"model": Problem, "description": "The journal cannot be read."}
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = _UNAVAILABLE | {
    404: {"model": Problem, "description": "There is no such thing on record."}
}
_NOT_GIVEN: dict[int | str, dict[str, Any]] = _NOT_FOUND | {
    400: {"model": Problem, "description": "The body is no text."},
    401: {"model": Problem, "description": "The token is missing or wrong."},
    403: {"model": Problem, "description": "No orders are taken, or another site's page gives this one."},
    409: {"model": Problem, "description": "It may not be so; the reason."},
    413: {"description": "The body is too long."},
}
Writing = Callable[[], AbstractContextManager[Journal]]
_DAY_S = 86_400.0
Since = Annotated[
    float,
    Query(
        ge=1.0,
        le=30 * _DAY_S,
        description=f"So many seconds before the last tick, rounded up to one of {', '.join(pasts.STEPS)}.",
    ),
]
PoolOf = Annotated[str | None, Query(**schemas.NAME, description="Only of this pool.")]


def health(reader: Reader, leads: Callable[[], bool]) -> APIRouter:
    """Whether the daemon does what it is for. One that stands by is well, and not ready."""
    routes = APIRouter(tags=["health"])

    async def _heard(*, ticked: bool) -> Response:
        ours = leads()
        try:
            async with asyncio.timeout(_HEALTH_S):
                heard = await asyncio.to_thread(reader.heartbeat)
        except TimeoutError:
            well, says = False, f"the journal does not answer within {_HEALTH_S:.0f} s"
        except JournalUnavailable as error:
            well, says = False, str(error)
        else:
            well = heard.running and (heard.last_tick_at is not None or not ticked)
            says = heard.says(reader.clock.now())
        if not ours:
            # Whoever restarts it for what the leader or the journal lacks mends nothing, and has no standby meanwhile.
            well, says = not ticked, f"stands by: {says}"
        return Response(f"{says}\n", 200 if well else 503, media_type="text/plain")

    texts: dict[int | str, dict[str, Any]] = {
        code: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": says}
        for code, says in (
            (200, "Ticks succeed, or it stands by."),
            (503, "They do not, or it does not lead; the reason."),
        )
    }

    @routes.get("/healthz", response_class=Response, responses=texts)
    async def healthz() -> Response:
        """200 while ticks succeed, or another daemon's are waited for; else 503 with the reason."""
        return await _heard(ticked=False)

    @routes.get("/readyz", response_class=Response, responses=texts)
    async def readyz() -> Response:
        """200 once a first tick of this daemon has succeeded, else 503 with the reason."""
        return await _heard(ticked=True)

    return routes


def facts(reader: Reader) -> APIRouter:
    """What is on record."""
    routes = APIRouter(prefix=API, tags=["facts"], default_response_class=Response)

    @routes.get("/status", response_model=schemas.Status, responses=_UNAVAILABLE)
    def status() -> Response:
        """The whole fleet, as `autoscaler status --json` has it."""
        return _once(reader, "status", lambda now: documents.status(now.standing))

    @routes.get("/pools", response_model=schemas.Pools, responses=_UNAVAILABLE)
    def pools() -> Response:
        """Every pool."""
        return _once(reader, "pools", lambda now: documents.pools(now.standing))

    @routes.get("/nodes", response_model=schemas.Nodes, responses=_UNAVAILABLE)
    def nodes(pool: PoolOf = None) -> Response:
        """The nodes that are not gone, as `autoscaler nodes --json` has them."""
        only = PoolName(pool) if pool is not None else None

        def make(now: Picture) -> object:
            records = [
                documents.node(one, now.at, now.memory) for one in now.nodes if only in {None, one.pool}
            ]
            return documents.nodes(records, now.at, reader.settings(), now.memory, only)

        return _once(reader, ("nodes", only), make)

    return routes


def things(reader: Reader) -> APIRouter:
    """What is on record about one thing."""
    routes = APIRouter(prefix=API, tags=["facts"], default_response_class=Response)

    @routes.get("/nodes/{name}", response_model=schemas.NodeLife, responses=_NOT_FOUND)
    def node(name: Annotated[str, Path(**schemas.NAME)]) -> Response:
        """One node, one that is gone too, with every move it made and its boot."""
        picture, journal = reader.picture(), reader.journal
        found = read.nodes(journal, name=NodeName(name), include_gone=True)
        if not found:
            raise HTTPException(404, f"No node {name!r} is on record.")
        life = documents.life(
            found[0],
            read.transitions_of(journal, found[0].name),
            read.boots(journal, [found[0].name]).get(found[0].name),
        )
        document = documents.node(found[0], picture.at, picture.memory) | life
        return Response(documents.encoded(document), media_type=_JSON)

    @routes.get("/decisions", response_model=schemas.DecisionDocument, responses=_NOT_FOUND)
    def decisions(
        pool: Annotated[str, Query(**schemas.NAME)],
        at: Annotated[
            float | None, Query(ge=0.0, le=1e11, description="Epoch seconds; the last one without.")
        ] = None,
    ) -> Response:
        """The decision about a pool that held at an instant, whole, as `autoscaler why --json` has it."""
        instant = reader.clock.now() if at is None else at
        stored = read.decision_at(reader.journal, PoolName(pool), instant)
        if stored is None:
            raise HTTPException(404, f"Nothing is on record about {pool!r} at that time or before.")
        return Response(documents.encoded(documents.decision(stored)), media_type=_JSON)

    @routes.get("/history", response_model=History, responses=_NOT_FOUND)
    def history_(
        pool: Annotated[str, Query(**schemas.NAME)],
        since: Since = _DAY_S,
    ) -> Response:
        """A pool's demand, wait, supply and cost over a time, as `autoscaler history --json` has it."""
        if pool not in reader.settings().pools:
            raise HTTPException(404, f"There is no pool {pool!r}.")
        span = pasts.step(since)
        return _once(
            reader,
            ("history", pool, span),
            lambda now: documents.history(reader.past(PoolName(pool), span, now.at)),
        )

    return routes


def happened(reader: Reader) -> APIRouter:
    """What happened, and what was ordered."""
    routes = APIRouter(prefix=API, tags=["facts"], default_response_class=Response)

    @routes.get("/events", response_model=schemas.Events, responses=_UNAVAILABLE)
    def events(
        pool: PoolOf = None,
        limit: Annotated[int, Query(ge=1, le=_MOST_EVENTS)] = 100,
    ) -> Response:
        """The last moves of nodes, newest first."""
        only = PoolName(pool) if pool is not None else None
        return _once(
            reader,
            ("events", only, limit),
            lambda now: documents.events(
                read.last_transitions(reader.journal, limit=limit, pool=only), now.at
            ),
        )

    @routes.get("/orders", response_model=schemas.Orders, responses=_UNAVAILABLE)
    def orders(limit: Annotated[int, Query(ge=1, le=_MOST_EVENTS)] = 100) -> Response:
        """The last orders, who gave them, and what became of them, newest first."""
        return _once(
            reader,
            ("orders", limit),
            lambda now: documents.orders(read.orders(reader.journal, limit=limit), now.at),
        )

    return routes


def measured(
    reader: Reader, counted: Callable[[], Reading], version: str, leads: Callable[[], bool]
) -> APIRouter:
    """What Prometheus scrapes. Of a pair the leader alone tells of the fleet: sums would count it twice."""
    routes = APIRouter(tags=["health"])
    text: dict[int | str, dict[str, Any]] = {
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "description": "Prometheus's text format.",
        }
    }

    @routes.get("/metrics", response_class=Response, responses=text)
    def metrics_() -> Response:
        """Everything that is measured; standing by or without the journal, what the daemon counts of itself."""
        try:
            found = reader.measures() if leads() else None
        except JournalUnavailable:
            found = None
        body = metrics.exposition(found, counted(), at=reader.clock.now(), version=version)
        return Response(body, media_type=metrics.CONTENT_TYPE)

    return routes


def news(ticks: Live) -> APIRouter:
    """That there is something new."""
    routes = APIRouter(tags=["facts"])
    streamed: dict[int | str, dict[str, Any]] = {
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "An event `tick` after each tick.",
        },
        503: {"model": Problem, "description": "Too many listen."},
    }

    @routes.get(live.PATH, response_class=StreamingResponse, responses=streamed)
    async def live_() -> StreamingResponse:
        """Server-sent events: `tick` with its instant, after each tick and each answered order."""
        try:
            stream = ticks.join()
        except live.TooMany:
            raise HTTPException(503, f"{live.MOST_STREAMS} listen already.") from None
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    return routes


def orders(reader: Reader, writing: Writing) -> APIRouter:
    """Where orders are given."""
    routes = APIRouter(prefix=API, tags=["orders"])

    @routes.post("/orders", status_code=202, response_model=schemas.Given, responses=_NOT_GIVEN)
    async def order(
        wish: ordering.Wish, request: Request, authorization: Annotated[str | None, Header()] = None
    ) -> Response:
        """Write an order down for the daemon's next tick. `GET /api/v1/orders` tells what became of it."""
        settings = reader.settings()
        ordering.may_order(authorization, settings)
        number, given = await run_in_threadpool(
            ordering.give,
            wish,
            client=request.client.host if request.client else "unknown",
            settings=settings,
            writing=writing,
            now=reader.clock.now(),
        )
        document = {
            "order": number,
            "kind": given.kind,
            "target": given.target,
            "state": "waiting",
            "says": "the daemon takes it up with its next tick",
        }
        return Response(documents.encoded(document), 202, media_type=_JSON)

    return routes


def _once(reader: Reader, key: Hashable, make: Callable[[Picture], object]) -> Response:
    """The document by that name, encoded once between two ticks."""
    picture = reader.picture()
    body = picture.once(("json", key), lambda: documents.encoded(make(picture)))
    return Response(body, media_type=_JSON)
