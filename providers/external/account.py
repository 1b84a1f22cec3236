"""The settings of an external account: plain values in, a checked `Account` out, or one sentence naming the option.

What never happens here: a start of the program, or a secret in a repr or a message.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from providers.contract import Options, ProviderTraits
from providers.external.program import Program
from providers.options import Reader

OPTIONS = (
    "command",
    "directory",
    "environment",
    "settings",
    "secrets",
    "at_once",
    "settle_s",
    "user_data_limit_bytes",
    "user_data_gzip",
    "names_unique",
)
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Variables that programs cannot do without. The daemon's others may be secrets, and are no program's business."""
_SETTLE_S = 300.0
_LONGEST_SETTLE_S = 86_400.0
_USER_DATA_LIMIT_BYTES = 16_384
_MOST_USER_DATA_BYTES = 1_000_000
_AT_ONCE, _MOST_AT_ONCE = 4, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account behind one program."""

    program: Program
    traits: ProviderTraits
    at_once: int
    settings: Mapping[str, object]
    secrets: Mapping[str, str] = field(repr=False)
    unspoken: frozenset[str] = field(repr=False)
    """What may stand in no message: the secrets, and the values of the environment that an operator gave."""


def read(name: str, options: Options) -> Account:
    """Check an account's settings. Raises ProviderOptionsWrong."""
    reader = Reader(name, options, known=OPTIONS)
    command = reader.texts("command")
    if not Path(command[0]).is_absolute():
        raise reader.wrong("command", repr(command[0]), "the absolute path of a program first")
    given = reader.table_of_texts("environment")
    secrets = reader.table_of_texts("secrets")
    directory = reader.path("directory") if "directory" in options else Path("/")
    passed_on = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    return Account(
        program=Program(command=command, directory=directory, environment={**passed_on, **given}),
        traits=ProviderTraits(
            settle_s=reader.number("settle_s", default=_SETTLE_S, most=_LONGEST_SETTLE_S),
            user_data_limit_bytes=int(
                reader.number(
                    "user_data_limit_bytes", default=_USER_DATA_LIMIT_BYTES, most=_MOST_USER_DATA_BYTES
                )
            ),
            user_data_gzip=reader.flag("user_data_gzip", default=False),
            names_unique=reader.flag("names_unique", default=False),
        ),
        at_once=reader.within("at_once", default=_AT_ONCE, least=1, most=_MOST_AT_ONCE),
        settings=reader.table("settings"),
        secrets=secrets,
        unspoken=frozenset({*secrets.values(), *given.values()} - {""}),
    )
