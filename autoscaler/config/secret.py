"""Secrets by reference: `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }` in, a masked `Secret`
out.

References are followed once, while the configuration is loaded, so that a missing one is told with all other problems.
What never happens here: a secret's text in a repr, a string, JSON or an error; `reveal` is the only way to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from autoscaler.config.values import wrong

MASK = "********"
LARGEST_BYTES = 65_536
"""No password, token or key file is larger; a wrong path may lead to something endless."""
REFERENCES = ("env", "file", "credential")
HOW_TO_WRITE = '{ env = "NAME" }, { file = "/path" } or { credential = "NAME" }'

_LONGEST_NAME = 500
_NAME = re.compile(r"[A-Za-z0-9_.@-]+")
_REFERENCE_SCHEMA = {
    "description": "A secret, by reference: an environment variable, a file, or a credential given by systemd.",
    "oneOf": [
        {
            "type": "object",
            "properties": {kind: {"type": "string", "minLength": 1}},
            "required": [kind],
            "additionalProperties": False,
        }
        for kind in REFERENCES
    ],
}


class Secret:
    """A text that shows itself to nobody but the caller of `reveal`."""

    __slots__ = ("_text", "is_plain")

    def __init__(self, text: str, *, is_plain: bool = False) -> None:
        self._text = text
        self.is_plain = is_plain
        """Whether it was written out where it might have been a reference: no secret, then."""

    def reveal(self) -> str:
        """The text itself. Never log, store or format what this returns."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _from_reference, serialization=core_schema.to_string_ser_schema(when_used="always")
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(_REFERENCE_SCHEMA)


class _OrPlain:
    """Marks a `Secret` that may also be written as plain text, because not every such value is a secret."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _from_text_or_reference, serialization=core_schema.to_string_ser_schema(when_used="always")
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, dict(_REFERENCE_SCHEMA)]}


PlainOrSecret = Annotated[Secret, _OrPlain()]


def is_reference(value: object) -> bool:
    """Whether this table can only be meant as a reference to a secret."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in REFERENCES


def resolved(value: object, environ: Mapping[str, str]) -> object:
    """The same value with every reference in it, however deep, followed."""
    if is_reference(value):
        assert isinstance(value, dict)
        ((kind, name),) = value.items()
        return _follow(kind, name, environ)
    if isinstance(value, dict):
        return {key: resolved(inner, environ) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, environ) for inner in value]
    return value


def referred(value: object, environ: Mapping[str, str]) -> Iterator[Secret]:
    """Every secret that is named in this value, however deep, and can be read; whether the rest makes sense or not."""
    if is_reference(value):
        with suppress(PydanticCustomError):
            found = resolved(value, environ)
            assert isinstance(found, Secret)
            yield found
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from referred(inner, environ)


def revealed(value: object) -> object:
    """The same value with every secret in it, however deep, as plain text."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: revealed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(revealed(inner) for inner in value)
    return value


def environ_of(info: ValidationInfo) -> Mapping[str, str]:
    """The environment in which references are followed: the one given to `load`."""
    context: Mapping[str, Mapping[str, str]] = info.context or {}
    return context.get("environ", {})


def _from_text_or_reference(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, str):
        return Secret(value, is_plain=True)
    if not isinstance(value, dict | Secret):
        raise wrong("a value that is neither text nor a reference", f"text in quotes, or {HOW_TO_WRITE}")
    return _from_reference(value, info)


def _from_reference(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, dict):
        raise wrong(
            "a value written out (not shown)",
            f"a reference to the secret: {HOW_TO_WRITE}",
            "A secret does not belong into this file; if it was real, treat it as seen.",
        )
    if not is_reference(value):
        raise wrong("a table with other keys than one of env, file, credential", HOW_TO_WRITE)
    ((kind, name),) = value.items()
    return _follow(kind, name, environ_of(info))


def _follow(kind: str, name: object, environ: Mapping[str, str]) -> Secret:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise wrong(f"{kind} without a name in quotes that can be printed", HOW_TO_WRITE)
    if len(name) > _LONGEST_NAME:
        raise wrong(f"{kind} with a name of {len(name)} characters", f"one of at most {_LONGEST_NAME}")
    match kind:
        case "env":
            return _from_variable(name, environ)
        case "file":
            if not name.startswith("/"):
                raise wrong(f"the relative path {name}", "an absolute path to the file that holds the secret")
            return _from_file(Path(name), f"the file {name}")
        case _:
            return _from_credential(name, environ)


def _from_variable(name: str, environ: Mapping[str, str]) -> Secret:
    where = f"the environment variable {name}"
    if name not in environ:
        raise wrong(f"{where}, which is not set", f"the secret in {where}")
    return _checked(environ[name], where)


def _from_credential(name: str, environ: Mapping[str, str]) -> Secret:
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise wrong(
            f"the credential {name}, but $CREDENTIALS_DIRECTORY is not set",
            "a service started by systemd with LoadCredential=",
        )
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise wrong("a credential's name with other characters", "letters, digits and any of _ . @ -")
    return _from_file(Path(folder) / name, f"the credential {name}")


def _from_file(path: Path, where: str) -> Secret:
    expected = "a readable file with the secret and nothing else"
    content = b""
    try:
        trouble = "" if path.is_file() else "which is no file" if path.exists() else "which is not there"
        if not trouble:
            with path.open("rb") as file:
                content = file.read(LARGEST_BYTES + 1)
        text = content.decode()
    except UnicodeDecodeError:
        trouble, text = "which is not UTF-8 text", ""
    except OSError as error:
        trouble, text = f"which cannot be read ({error.strerror or 'no reason given'})", ""
    except ValueError:
        # A NUL in the path.
        trouble, text = "whose name no file can have", ""
    if len(content) > LARGEST_BYTES:
        trouble = f"which is larger than {LARGEST_BYTES} bytes"
    if trouble:
        raise wrong(f"{where}, {trouble}", expected)
    return _checked(text, where)


def _checked(text: str, where: str) -> Secret:
    """Without the line end that editors and `echo` leave, and not empty."""
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise wrong(f"{where}, which is empty", f"the secret in {where}")
    return Secret(text)
