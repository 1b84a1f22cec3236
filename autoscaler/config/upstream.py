"""The section `[pools.NAME.upstream]`: the machines of a pool that serve, as a file for nginx.

What never happens here: a look at the file, at nginx, or at what the commands do.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, field_validator
from pydantic_core import CoreSchema, core_schema

from autoscaler.config.problem import described, quoted
from autoscaler.config.values import AbsolutePath, Many, Section, Span, Text, Word, wrong

_KINDS = ("private", "public")


@dataclass(frozen=True, slots=True)
class _Which:
    """Marks which of a machine's addresses are meant: a kind, or a network as `10.20.0.0/16`."""

    def parse(self, value: object) -> str:
        if value in _KINDS:
            return str(value)
        try:
            if isinstance(value, str) and "/" in value:
                return str(ipaddress.ip_network(value))
        except ValueError:
            pass
        raise wrong(described(value), '"private", "public", or a network such as "10.20.0.0/16"')

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "anyOf": [{"enum": list(_KINDS)}, {"type": "string", "pattern": r"^[0-9a-fA-F.:]+/[0-9]{1,3}$"}]
        }


def _of_a_program(command: tuple[str, ...]) -> tuple[str, ...]:
    if command and not command[0].startswith("/"):
        raise wrong(quoted(command[0]), "the absolute path of a program first, such as /usr/bin/systemctl")
    return command


class Upstream(Section):
    """`[pools.NAME.upstream]`: the machines of the pool that serve, as `server` lines in a file that nginx includes."""

    file: AbsolutePath
    """Where the lines stand, for an `include` within an `upstream` block of nginx. Its directory must be there, and the
    daemon must be able to write to it."""
    port: Annotated[int, Field(ge=1, le=65_535)]
    """Where the application listens, on every machine."""
    address: Annotated[str, _Which()] = "private"
    """Which of a machine's addresses: `"private"`, `"public"`, or the one in a network, as `"10.20.0.0/16"`."""
    probe: Annotated[str, Text(r"/[!-~]{0,1000}", "a path such as /healthz, of printable ASCII")] | None = (
        None
    )
    """A path that must be answered with 2xx or 3xx before a machine enters; without it a connection is enough."""
    max_fails: Annotated[int, Field(ge=0, le=1_000)] = 1
    """Failures within `fail_timeout` after which nginx leaves a machine alone for that time; 0: never."""
    fail_timeout_s: Annotated[float, Span("1s", "1h", whole=True)] = Field(default=10.0, alias="fail_timeout")
    """See `max_fails`."""
    check: Annotated[Many[Word], Field(max_length=100)] = ()
    """A program and its arguments that fails where nginx could not use the new file, as `nginx -t` does; the former
    one is put back then. An absolute path first; no shell."""
    reload: Annotated[Many[Word], Field(min_length=1, max_length=100)]
    """A program and its arguments that makes nginx take the file in. An absolute path first; no shell."""
    command_timeout_s: Annotated[float, Span("1s", "10m")] = Field(default=30.0, alias="command_timeout")
    """For one run of either; then it is killed, and tried again."""
    linger_s: Annotated[float, Span("0s", "1d")] = Field(default=60.0, alias="linger")
    """How long requests may go on that reached a machine before its line went; so long it stands at least, and its
    worker is not told to stop."""

    @field_validator("check", "reload")
    @classmethod
    def _begins_with_a_path(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        return _of_a_program(command)
