"""The addresses of the pages, and what answers there: made once for all who look between two ticks.

What never happens here: HTML; `pages` makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from autoscaler.config.values import DURATION, seconds
from autoscaler.core.model import PoolName
from autoscaler.journal import JournalUnavailable, read
from autoscaler.views import portraits
from autoscaler.views.history import History
from autoscaler.web import assets, candidates, charts, pages, pasts, schemas
from autoscaler.web.pages import Manner
from autoscaler.web.reader import Picture, Reader
from autoscaler.web.trials import Trials
from providers.contract import NodeName

_HTML = "text/html; charset=utf-8"
_FOR_EVER = "public, max-age=31536000, immutable"
"""A file's address has a digest of what is in it."""
_ORDERS = 200
_WHOLE_SPAN = "24h"
Name = Annotated[str, Path(**schemas.NAME)]
At = Annotated[float, Path(ge=0.0, le=1e11, allow_inf_nan=False)]
Made = Callable[[Picture, Manner], bytes | None]


def files() -> APIRouter:
    """Style sheets and scripts."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/static/{name}")
    def static(name: Name) -> Response:
        asset = assets.all_of_them().get(name)
        if asset is None:
            return Response("There is no such file.\n", 404, media_type="text/plain")
        return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": _FOR_EVER})

    @routes.get("/favicon.ico")
    def sign() -> Response:
        asset = assets.all_of_them()["sign.svg"]
        return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": _FOR_EVER})

    return routes


def fleet(reader: Reader) -> APIRouter:
    """The pages of the whole fleet."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def overview() -> Response:
        return _page(reader, "overview", lambda now, manner: pages.overview(now.standing, manner))

    @routes.get("/attention")
    def attention() -> Response:
        return _page(reader, "attention", lambda now, manner: pages.attention(now.standing, manner))

    @routes.get("/orders")
    def orders() -> Response:
        def make(now: Picture, manner: Manner) -> bytes:
            return pages.orders(now.standing, read.orders(reader.journal, limit=_ORDERS), manner)

        return _page(reader, "orders", make)

    return routes


def portraits_of(reader: Reader) -> APIRouter:
    """The pages of one pool, one decision, one node."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/pools/{name}")
    def pool(name: Name) -> Response:
        def make(now: Picture, manner: Manner) -> bytes | None:
            portrait = portraits.of_pool(reader.journal, reader.settings(), PoolName(name), now.at)
            if portrait is None or all(each.pool != name for each in now.standing.pools):
                return None
            span = charts.fitting(read.sampled(reader.journal, PoolName(name)), now.at)
            return pages.pool(now.standing, portrait, manner, past=_past(reader, name, span, now.at))

        return _page(reader, ("pool", name), make)

    @routes.get("/pools/{name}/history")
    def past(name: Name, since: Annotated[str, Query(max_length=20)] = _WHOLE_SPAN) -> Response:
        span = pasts.step(seconds(since)) if DURATION.fullmatch(since) else _WHOLE_SPAN

        def make(now: Picture, manner: Manner) -> bytes | None:
            found = _past(reader, name, span, now.at)
            return pages.history(now.standing, found, span, manner) if found is not None else None

        return _page(reader, ("history", name, span), make)

    @routes.get("/pools/{name}/decisions/{at}")
    def decision(name: Name, at: At) -> Response:
        def make(now: Picture, manner: Manner) -> bytes | None:
            stored = read.decision_at(reader.journal, PoolName(name), at)
            return pages.decision(now.standing, stored, manner) if stored is not None else None

        return _page(reader, ("decision", name, at), make)

    @routes.get("/nodes/{name}")
    def node(name: Name) -> Response:
        def make(now: Picture, manner: Manner) -> bytes | None:
            portrait = portraits.of_node(reader.journal, NodeName(name), now.at)
            return pages.node(now.standing, portrait, manner) if portrait is not None else None

        return _page(reader, ("node", name), make)

    return routes


def what_if(reader: Reader, trials: Trials) -> APIRouter:
    """The page on which other settings are tried."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/pools/{name}/what-if")
    def asked(name: Name, of: Annotated[str, Query(max_length=64)] = "") -> Response:
        trial = trials.look(of) if of else None
        if trial is not None and trial.pool != name:
            trial = None

        def make(now: Picture, manner: Manner) -> bytes | None:
            settings = reader.settings()
            if name not in settings.pools:
                return None
            return pages.what_if(
                now.standing,
                PoolName(name),
                candidates.knobs(settings, name),
                trial,
                gone=bool(of) and trial is None,
                manner=manner,
            )

        return _page(reader, ("what-if", name, trial.id if trial else bool(of), trial and trial.state), make)

    return routes


def _page(reader: Reader, key: Hashable, make: Made) -> Response:
    """The page by that name; in its place what is wrong, where there is nothing by it or nothing can be read."""
    try:
        now = reader.picture()
        manner = Manner(orders=reader.settings().web.token is not None)
        body = now.once(("page", key, manner), lambda: make(now, manner) or b"")
    except JournalUnavailable as error:
        body = pages.trouble(None, "The journal cannot be read", str(error))
        return Response(body, 503, media_type=_HTML)
    if not body:
        says = "No record has that name. It may have been ended long ago, or it was never there."
        return Response(
            pages.trouble(now.standing, "There is no such thing here", says), 404, media_type=_HTML
        )
    return Response(body, media_type=_HTML)


def _past(reader: Reader, pool: str, span: str, until_at: float) -> History | None:
    if pool not in reader.settings().pools:
        return None
    return reader.past(PoolName(pool), span, until_at)
