"""The application: its routes behind their guards, and one answer for each thing that can go wrong.

In go a reader and a way to write orders, out comes what a server serves. What never happens here: a socket.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp

from autoscaler.config import Settings
from autoscaler.journal import JournalUnavailable
from autoscaler.meters import Reading
from autoscaler.telemetry import Log
from autoscaler.web import asking, live, pages, routes, site
from autoscaler.web.guards import Guarded, TooLong
from autoscaler.web.kept import Kept
from autoscaler.web.live import Live
from autoscaler.web.reader import Reader
from autoscaler.web.routes import Writing
from autoscaler.web.trials import Trials

_ABOUT = """\
What the daemon has on record, and orders for it. Reading needs nothing; an order needs the token of `[web]`.
Instants are epoch seconds (UTC), durations seconds, sums in the fleet's currency. `null` is "not known", never zero.
"""
_NOTHING_HERE = "No page has this address. The overview of the fleet is at /."


def application(
    reader: Reader,
    writing: Writing,
    trials: Trials,
    *,
    counted: Callable[[], Reading],
    log: Log,
    version: str,
    secure: bool,
    leads: Callable[[], bool],
) -> ASGIApp:
    """Everything that is served."""
    app = FastAPI(
        title="autoscaler",
        version=version,
        description=_ABOUT,
        openapi_url=f"{routes.API}/openapi.json",
        # Their pages are fetched from elsewhere; the description is what programs need.
        docs_url=None,
        redoc_url=None,
    )
    ticks = Live(reader.news, log)
    parts = (
        routes.health(reader, leads),
        routes.facts(reader),
        routes.things(reader),
        routes.happened(reader),
        routes.measured(reader, counted, version, leads),
        routes.news(ticks),
        routes.orders(reader, writing),
        asking.what_if(reader, trials),
        site.fleet(reader),
        site.portraits_of(reader),
        site.what_if(reader, trials),
        site.files(),
    )
    for part in parts:
        app.include_router(part)
    app.add_exception_handler(JournalUnavailable, _unavailable)
    app.add_exception_handler(TooLong, _too_long)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(Exception, _erred(log))
    app.add_exception_handler(404, _not_here)
    app.add_exception_handler(405, _not_allowed(parts))

    def known() -> Hashable | None:
        return (ticks.known, reader.generation()) if ticks.known is not None else None

    kept = Kept(app, known, reader.clock)
    return Guarded(kept, hosts=lambda: _names(reader.settings()), secure=secure, endless=(live.PATH,))


def _names(settings: Settings) -> Collection[str]:
    address = settings.web.address
    return (*settings.web.hosts, *((address[0],) if address else ()))


def _erred(log: Log) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    """An answer to what should not happen: nothing of it to the client, and all of it to the log."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        route = request.scope.get("route")
        log.say(
            "web.erred", address=getattr(route, "path", "unknown"), error=f"{type(error).__name__}: {error}"
        )
        return JSONResponse({"detail": "Something went wrong here; the daemon's log says what."}, 500)

    return answer


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"The journal cannot be read: {error}"}, 503)


async def _not_here(request: Request, error: Exception) -> Response:
    """To people as a page, to programs as ever. Without a look at the journal: what is asked for may be anything."""
    wants_a_page = "text/html" in request.headers.get("accept", "")
    if wants_a_page and not request.url.path.startswith("/api/"):
        return HTMLResponse(pages.trouble(None, "There is nothing here", _NOTHING_HERE), 404)
    return JSONResponse({"detail": getattr(error, "detail", "Not Found")}, 404)


async def _too_long(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse({"detail": "The body is too long."}, 413)


def _not_allowed(parts: Iterable[APIRouter]) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    """An answer with every method of an address: its routes know their own alone."""

    async def answer(request: Request, _: Exception) -> JSONResponse:
        routes = [route for part in parts for route in part.routes if isinstance(route, APIRoute)]
        here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
        methods = sorted({method for route in here for method in route.methods or ()})
        return JSONResponse({"detail": "Method Not Allowed"}, 405, headers={"Allow": ", ".join(methods)})

    return answer


async def _not_valid(_: Request, error: Exception) -> JSONResponse:
    """Without what was sent: it may be a token in the wrong place, or text that no JSON can hold."""
    assert isinstance(error, RequestValidationError)
    detail = [{"loc": list(each["loc"]), "msg": each["msg"], "type": each["type"]} for each in error.errors()]
    return JSONResponse({"detail": detail}, 422)
