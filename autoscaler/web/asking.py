"""What-if by HTTP: a question is taken, its answer is fetched when it is there.

In go a question and the token, out come documents. What never happens here: a replay; `trials` starts it elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Response

from autoscaler.views import documents
from autoscaler.web import comparison, ordering, schemas
from autoscaler.web.candidates import Question, span_s, toml
from autoscaler.web.reader import Reader
from autoscaler.web.schemas import Problem
from autoscaler.web.trials import Busy, Trial, Trials

PATH = "/api/v1/what-if"
_JSON = "application/json"
_LOCKED: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token is missing or wrong."},
    403: {"model": Problem, "description": "No token is configured, or another site's page asks."},
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such thing, or it is no longer kept."}
}
_NOT_ASKED: dict[int | str, dict[str, Any]] = (
    _LOCKED
    | _UNKNOWN
    | {
        400: {"model": Problem, "description": "The body is no text."},
        409: {"model": Problem, "description": "One runs, or it may not be so; the reason."},
        413: {"description": "The body is too long."},
        503: {"model": Problem, "description": "No replay can be started here; the reason."},
    }
)
Id = Annotated[str, Path(max_length=64)]
Token = Annotated[str | None, Header()]


def what_if(reader: Reader, trials: Trials) -> APIRouter:
    """Where a changed setting is tried on a pool's own past."""
    routes = APIRouter(tags=["what-if"])

    @routes.post(PATH, status_code=202, response_model=schemas.WhatIf, responses=_NOT_ASKED)
    def ask(question: Question, authorization: Token = None) -> Response:
        """Replay a pool's recorded time with other settings, one at a time. Ask for its answer under its `id`: one that
        nobody asks for any more ends after a minute or so."""
        settings = reader.settings()
        ordering.may_order(authorization, settings)
        text = toml(question, settings, trials.config)
        span_s(question.since)
        try:
            trial = trials.begin(question.pool, question.since, text)
        except Busy:
            raise HTTPException(409, "One what-if runs already. Wait for its end, or stop it.") from None
        except OSError as error:
            raise HTTPException(503, f"No replay can be started: {error.strerror or error}.") from error
        return _answer(trial, reader, 202)

    @routes.get(PATH + "/{id}", response_model=schemas.WhatIf, responses=_UNKNOWN)
    def answer(id: Id) -> Response:  # noqa: A002 - the name in the address
        """What became of it. Needs no token: whoever may ask for its answer was told its `id`."""
        return _answer(trials.look(id), reader, 200)

    @routes.delete(PATH + "/{id}", response_model=schemas.WhatIf, responses=_LOCKED | _UNKNOWN)
    def stop(id: Id, authorization: Token = None) -> Response:  # noqa: A002 - as above
        """End it, and forget it; how it stood at its end."""
        ordering.may_order(authorization, reader.settings())
        return _answer(trials.stop(id), reader, 200)

    return routes


def _answer(trial: Trial | None, reader: Reader, code: int) -> Response:
    if trial is None:
        raise HTTPException(
            404, "No what-if of that id is kept: only the last few are, until the daemon ends."
        )
    document = {
        "id": trial.id,
        "pool": trial.pool,
        "since": trial.since,
        "state": trial.state.value,
        "says": trial.says,
        "took_s": trial.took_s,
        "toml": trial.toml,
        "currency": reader.settings().fleet.currency,
        "result": comparison.document(trial.facts) if trial.facts is not None else None,
    }
    return Response(documents.encoded(document), code, media_type=_JSON)
