"""A configuration to start from: the documented example, with an operator's own answers in their places.

In go answers, out comes the text of a file. The example itself lies beside this module as `starter.toml`; a test holds
it equal to `config.example.toml`. What never happens here: a secret in the text, or a file written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

_HEADER = re.compile(r"#?\[")


class Kind(StrEnum):
    """Where the first machines come from."""

    LIBCLOUD = "libcloud"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the example cannot know."""

    fleet: str
    management_url: str
    amqp_url: str
    username: str
    vhost: str
    password_variable: str
    queues: tuple[str, ...]
    app: str
    kind: Kind


def text(answers: Answers) -> str:
    """The file."""
    draft = _Draft(resources.files(__package__).joinpath("starter.toml").read_text(encoding="utf-8"))
    draft.put("[fleet]", "name", answers.fleet)
    draft.put("[broker]", "management_url", answers.management_url)
    draft.put("[broker]", "amqp_url", answers.amqp_url)
    draft.put("[broker]", "username", answers.username)
    draft.put("[broker]", "password", {"env": answers.password_variable})
    if answers.vhost != "/":
        draft.put("[broker]", "vhost", answers.vhost)
    draft.put("[pools.images]", "queues", list(answers.queues))
    draft.put("[pools.images.bootstrap]", "app", answers.app)
    draft.put_aside("[pools.images.bootstrap]", "queues")  # those of the pool
    if answers.kind is Kind.LOCAL:
        _make_local(draft)
    return str(draft)


def _make_local(draft: _Draft) -> None:
    """Celery workers as processes of this computer, which run what is installed here."""
    draft.put_aside("[providers.aws]")
    draft.take_in("[providers.here]", "kind", "directory")
    draft.put("[[pools.images.offers]]", "provider", "here")
    draft.put_aside("[[pools.images.offers]]", "location", "size", "image", "price_per_hour")
    draft.put_aside("[pools.images.bootstrap]", "source", "reference")


class _Draft:
    """The lines of the example while they are changed. Comments of explanation stay."""

    def __init__(self, example: str) -> None:
        self._lines = example.splitlines()

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"

    def put(self, header: str, key: str, value: str | list[str] | dict[str, str]) -> None:
        """Set a key of a table."""
        self._lines[self._line_of(header, key)] = f"{key} = {_toml(value)}"

    def put_aside(self, header: str, *keys: str) -> None:
        """Comment out these keys of a table; without any, the whole of it."""
        start, end = self._extent(header)
        for at in range(start, end) if not keys else [self._line_of(header, key) for key in keys]:
            if self._lines[at] and not self._lines[at].startswith("#"):
                self._lines[at] = f"#{self._lines[at]}"

    def take_in(self, header: str, *keys: str) -> None:
        """Make a table that is commented out count, with these of its keys."""
        for at in (self._extent(header)[0], *(self._line_of(header, key) for key in keys)):
            self._lines[at] = self._lines[at].removeprefix("#")

    def _extent(self, header: str) -> tuple[int, int]:
        start = next(at for at, line in enumerate(self._lines) if line.removeprefix("#") == header)
        inner = range(start + 1, len(self._lines))
        return start, next((at for at in inner if _HEADER.match(self._lines[at])), len(self._lines))

    def _line_of(self, header: str, key: str) -> int:
        start, end = self._extent(header)
        return next(
            at for at in range(start, end) if self._lines[at].removeprefix("#").startswith(f"{key} = ")
        )


def _toml(value: str | list[str] | dict[str, str]) -> str:
    """As TOML writes it; its strings and lists are JSON's."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
