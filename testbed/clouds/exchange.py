"""One request to a cloud, its answer, and the table in which a server finds who answers it.

In goes what came over the wire, out comes what a handler reads and returns. Credentials and user data stand in no repr.
What never happens here: a socket, or a word of any provider.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

JSON = "application/json"


class Kind(Enum):
    """What a request is about, so that a fault finds the calls it concerns."""

    CREATE = "create"
    """The request that makes a machine; where making takes several, the one that buys."""
    LIST = "list"
    END = "end"
    LOGIN = "login"
    """What some clouds want before the call that is meant; a fault of any kind leaves it alone."""
    BESIDE = "beside"
    """What stands beside machines and goods: limits, networks, keys. A token may lack the right to see it."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By names in lower case."""
    raw: bytes = field(default=b"", repr=False)
    body: object = field(default=None, repr=False)
    """The JSON document that was sent; None where there was none."""
    form: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """The fields of an urlencoded body."""
    places: Mapping[str, str] = field(default_factory=dict)
    """What stood at the `{name}`s of the route's path."""
    cut: bool = False
    """Whether the listing that is answered shall lack a machine (`LISTING_CUT`)."""

    def parameter(self, name: str, otherwise: str = "") -> str:
        """One parameter, of the query or else of the form; the last where it came twice."""
        found = [*self.query.get(name, ()), *self.form.get(name, ())]
        return found[-1] if found else otherwise

    @property
    def parts(self) -> Mapping[str, object]:
        """The fields of a JSON object; nothing where the body is something else."""
        return self.body if isinstance(self.body, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client is told. A body that is no text is sent as JSON."""

    status: int = 200
    body: object = field(default=None, repr=False)
    """None: no body at all."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        match self.body:
            case None:
                return b""
            case bytes() as raw:
                return raw
            case str() as text:
                return text.encode()
            case document:
                return json.dumps(document).encode()


class Refused(Exception):
    """Raised in a handler: this is the answer, and nothing was done."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with {answer.status}")
        self.answer = answer


Handler = Callable[[Asked], Answer]
ANYTHING: frozenset[str] = frozenset({"*"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who answers which requests. The first one of a table that fits counts."""

    method: str
    path: str
    """From the root, with `{name}` for a part that varies; `{name…}` at its end takes the rest, slashes too."""
    handler: Handler
    kind: Kind = Kind.OTHER
    command: tuple[str, str] = ("", "")
    """A parameter and its value, where the API names calls so and not by paths."""
    query: frozenset[str] = frozenset()
    """The parameters it takes; any other is refused as unknown, so that a misspelt filter is found. `ANYTHING`: all."""
    open: bool = False
    """Whether it is answered to those who bear no credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to a request instead of its answer. All left as it is: the link breaks and nothing was done."""

    answer: Answer | None = None
    carried_out: bool = False
    """The request is carried out first."""
    silent: bool = False
    """The link stays open, and no answer comes."""
    cut: bool = False
    """It is answered, as a listing that lacks a machine."""


REQUEST_LOST = Fault()
ANSWER_LOST = Fault(carried_out=True)
SILENCE = Fault(silent=True)
LISTING_CUT = Fault(cut=True)
BAD_GATEWAY = Fault(
    answer=Answer(status=502, body="<html>Bad Gateway</html>", headers={"Content-Type": "text/html"})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what became of it, as tests read it. What authenticates was taken out of its headers."""

    asked: Asked
    answer: Answer | None
    """None: the client heard nothing."""
    route: Route | None
    faulty: bool = False
    """Whether this is a fault's doing."""


def places(pattern: str, path: str) -> Mapping[str, str] | None:
    """What stands in `path` at the names of `pattern`; None where the two do not fit."""
    wanted, given = pattern.split("/"), path.split("/")
    found: dict[str, str] = {}
    for at, part in enumerate(wanted):
        if part.startswith("{") and part.endswith("…}") and len(given) > at:
            return {**found, part[1:-2]: "/".join(given[at:])}
        if at >= len(given):
            return None
        if part.startswith("{") and part.endswith("}") and given[at]:
            found[part[1:-1]] = given[at]
        elif part != given[at]:
            return None
    return found if len(wanted) == len(given) else None
