"""From a TOML file to `Settings`, or to one `ConfigError` with every problem in it.

In go a path and an environment; out come frozen settings with every secret read. What never happens here: half a
configuration, or an exception of another kind, whatever the file holds.
"""

from __future__ import annotations

import os
import re
import select
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autoscaler.config import agreement, lines, report
from autoscaler.config.problem import ConfigError, Place, Problem, dotted
from autoscaler.config.report import Finding
from autoscaler.config.settings import Settings

VARIABLE = "AUTOSCALER_CONFIG"
DEFAULT_PATH = Path("/etc/autoscaler/config.toml")
LARGEST_BYTES = 4_194_304
"""No configuration is larger; a wrong path may lead to something endless."""
PATIENCE_S = 10.0
"""For a pipe, as the shell makes one of `--config <(command)`: so long it may be silent."""

_AT_LINE = re.compile(r"^(.*?) \(at (?:line (\d+), column \d+|end of document)\)$", re.DOTALL)
_VALID_TOML = "a file in TOML"


def config_path(option: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The option, else `$AUTOSCALER_CONFIG`, else `/etc/autoscaler/config.toml`."""
    return option or Path(environ.get(VARIABLE) or DEFAULT_PATH)


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in this file, secrets read by way of `environ`. Raises ConfigError with every problem."""
    return parse(text_of(path), environ, source=str(path))


def parse(text: str, environ: Mapping[str, str], *, source: str = "the configuration") -> Settings:
    """The settings in this text. Raises ConfigError with every problem; `source` names the text in it."""
    document, places = document_of(text, source=source)
    return checked(document, places, environ, source=source)


def document_of(text: str, *, source: str) -> tuple[dict[str, Any], dict[Place, int]]:
    """The tables of this text, and the line of each place in it. Raises ConfigError for what is not TOML."""
    try:
        return tomllib.loads(text), dict(lines.locate(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax(error)], source=source) from None
    except RecursionError:
        raise _whole_file(source, "tables or lists nested too deeply", _VALID_TOML) from None
    except ValueError:
        # tomllib leaves a number of thousands of digits to int(), which refuses it without saying where.
        raise _whole_file(source, "a number with too many digits", _VALID_TOML) from None


def checked(
    document: Mapping[str, Any], places: Mapping[Place, int], environ: Mapping[str, str], *, source: str
) -> Settings:
    """The settings in this document. Raises ConfigError with every problem, and the lines that `places` knows."""
    try:
        found = list(agreement.disagreements(document))
        try:
            settings = Settings.model_validate(document, context={"environ": environ})
        except ValidationError as error:
            found += report.findings(error)
        else:
            if not found:
                return settings
    except RecursionError:
        raise _whole_file(source, "tables or lists nested too deeply", _VALID_TOML) from None
    # Never chained: pydantic's own error holds the document, and with it what somebody wrote where a secret was meant.
    raise ConfigError(_problems(found, places), source=source)


def _problems(found: Iterable[Finding], places: Mapping[Place, int]) -> list[Problem]:
    """With lines, and each place told once: the schema's word first, because the rest may follow from it."""
    told: dict[Place, Problem] = {}
    for finding in found:
        told[finding.place] = Problem(
            path=dotted(finding.place),
            line=lines.line_of(finding.place, places),
            found=finding.found,
            expected=finding.expected,
            advice=finding.advice,
        )
    return list(told.values())


def text_of(path: Path) -> str:
    """What is in the file. Raises ConfigError for one that cannot be read."""
    source, expected = str(path), "a readable TOML file"
    try:
        if path.is_dir():
            raise _whole_file(source, "a directory", expected)
        content = _content(path, source, expected)
        if len(content) > LARGEST_BYTES:
            raise _whole_file(source, f"more than {LARGEST_BYTES} bytes", expected)
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        advice = f"Name it with --config or ${VARIABLE}; `autoscaler init` writes one."
        raise _whole_file(source, "no file there", expected, advice) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _whole_file(source, "bytes that are not UTF-8", expected, line=line) from None
    except OSError as error:
        found = f"that it cannot be read ({error.strerror or 'no reason given'})"
        raise _whole_file(source, found, expected) from None
    except ValueError:
        raise _whole_file(source, "a path that no file can have", expected) from None


def _content(path: Path, source: str, expected: str) -> bytes:
    """What is in the file, and a byte too many where it is too large. Opening a pipe would wait for who writes it."""
    chunks, size = [], 0
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:
        while size <= LARGEST_BYTES:
            if not select.select([file], [], [], PATIENCE_S)[0]:
                raise _whole_file(source, f"that nothing came from it for {PATIENCE_S:g} s", expected)
            chunk = file.read(LARGEST_BYTES + 1 - size)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
    return b"".join(chunks)


def _syntax(error: tomllib.TOMLDecodeError) -> Problem:
    """The sentence of tomllib with its line taken out; it never quotes more than one character of the file."""
    match = _AT_LINE.match(str(error))
    says, line = (match[1], match[2]) if match else (str(error), None)
    return Problem(
        path="",
        line=int(line) if line else None,
        found=f"what is not TOML: {says[:1].lower()}{says[1:]}",
        expected=_VALID_TOML,
    )


def _whole_file(
    source: str, found: str, expected: str, advice: str = "", *, line: int | None = None
) -> ConfigError:
    return ConfigError(
        [Problem(path="", line=line, found=found, expected=expected, advice=advice)], source=source
    )
