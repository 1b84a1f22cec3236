"""The web application: takes an upload, keeps it, queues its task, and answers 202 with the address of its state.

It runs on several nodes behind nginx, which names each upload (`X-Upload-Id`) and hands one that got no answer to
another node under the same name. So each step may be done twice. What never happens here: 202 before the upload is on
disk and the broker has confirmed its task, or a wait for workers.
"""

import contextlib
import logging
import os
import secrets
from collections.abc import AsyncIterator

import anyio.to_thread
from kombu.exceptions import KombuError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uploads_store import Incoming, NameRefused, clean_name, is_id
from uploads_tasks import PUBLISHERS, process, store

MOST_BYTES = int(os.environ.get("UPLOADS_MOST_BYTES", str(8 * 1024 * 1024)))
_IN_MEMORY_BYTES = 256 * 1024
_CONFIRM_WITHIN_S = 5.0
# A connection that was fine before the broker restarted fails once; the second try makes a new one.
_ONCE_MORE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
_NOT_NOW = {"Retry-After": "5"}

log = logging.getLogger("uvicorn.error")


async def take(request: Request) -> Response:
    """`POST /uploads?name=photo.jpg` with the file as the body."""
    upload = request.headers.get("x-upload-id") or secrets.token_hex(16)
    if not is_id(upload):
        return _refusal(400, "X-Upload-Id: expected 32 hexadecimal digits")
    try:
        name = clean_name(request.query_params.get("name", ""))
    except NameRefused as error:
        return _refusal(400, str(error))
    incoming = store.incoming(upload)
    try:
        if not await _read(request, incoming):
            return _refusal(413, f"expected at most {MOST_BYTES} bytes")
        await run_in_threadpool(_keep_and_queue, incoming, upload, name)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    except KombuError as error:
        log.warning("upload %s: not queued: %s", upload, type(error).__name__)
        return _refusal(503, "the queue cannot be reached", _NOT_NOW)
    except OSError as error:
        log.warning("upload %s: not taken: %s", upload, error.strerror or type(error).__name__)
        return _refusal(503, "the upload cannot be kept", _NOT_NOW)
    finally:
        incoming.drop()
    log.info(
        "upload %s: %d bytes from %.45s", upload, incoming.size, request.headers.get("x-real-ip", "here")
    )
    # No body: once nginx has the head it has everything, so a process killed right then has answered nonetheless.
    return Response(status_code=202, headers={"Location": f"/uploads/{upload}"})


def state(request: Request) -> Response:
    """`GET /uploads/ID`: what became of it."""
    upload = request.path_params["upload"]
    if not is_id(upload):
        return _refusal(404, "no such upload")
    result = store.result(upload)
    if result is not None:
        return _json({"state": "done", **result})
    return _json({"state": "waiting"}) if store.is_kept(upload) else _refusal(404, "no such upload")


async def health(_request: Request) -> Response:
    """`GET /healthz`: this process answers."""
    return _json({"state": "ok"})


async def _read(request: Request, incoming: Incoming) -> bool:
    """Whether the body was short enough. One that is not is read no further."""
    async for chunk in request.stream():
        if incoming.size + len(chunk) > MOST_BYTES:
            return False
        incoming.add(chunk)
        if incoming.waiting >= _IN_MEMORY_BYTES:
            await run_in_threadpool(incoming.spill)
    return True


def _keep_and_queue(incoming: Incoming, upload: str, name: str) -> None:
    """Both, in this order: a task never comes before its upload. Raises OSError, KombuError.

    A node that died after the broker's word and before its own mark leaves it open whether the task is queued; then it
    is queued again, under the same id, and the worker that comes second leaves nothing behind.
    """
    incoming.keep()
    if store.is_queued(upload):
        return
    process.apply_async(
        (upload, name),
        task_id=upload,
        retry=True,
        retry_policy=_ONCE_MORE,
        confirm_timeout=_CONFIRM_WITHIN_S,
    )
    store.mark_queued(upload)


def _refusal(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return _json({"error": why}, status, headers)


def _json(body: dict[str, object], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    fixed = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return JSONResponse(body, status, {**fixed, **(headers or {})})


@contextlib.asynccontextmanager
async def _prepared(_app: Starlette) -> AsyncIterator[None]:
    store.prepare()
    anyio.to_thread.current_default_thread_limiter().total_tokens = PUBLISHERS
    yield


app = Starlette(
    routes=[
        Route("/uploads", take, methods=["POST"]),
        Route("/uploads/{upload}", state, methods=["GET"]),
        Route("/healthz", health, methods=["GET"]),
    ],
    lifespan=_prepared,
)
