"""The files by which systemd or supervisord run the daemon, for the program, user and configuration of this computer.

In go the places, out comes the text of a file: the documented one of `deploy/`, which lies beside this module too, with
these places in it; a test holds both equal. What never happens here: a file written, or a path that a reader of such
files could take for anything but one word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from autoscaler.cli import exits

_ONE_WORD = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./@:+-]*")
"""Neither blanks nor quotes nor `%`, `$`, `;`: of these the two programs think differently."""
_STATE = Path("/var/lib/autoscaler")


class Supervisor(StrEnum):
    """Who runs the daemon."""

    SYSTEMD = "systemd"
    SUPERVISORD = "supervisord"


SOURCES: Mapping[Supervisor, str] = MappingProxyType(
    {Supervisor.SYSTEMD: "autoscaler.service", Supervisor.SUPERVISORD: "supervisor.conf"}
)
USUAL_PLACES: Mapping[Supervisor, Path] = MappingProxyType(
    {
        Supervisor.SYSTEMD: Path("/etc/systemd/system/autoscaler.service"),
        Supervisor.SUPERVISORD: Path("/etc/supervisor/conf.d/autoscaler.conf"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This computer. `state` is the directory of the journal, if it lies in a file."""

    program: Path
    user: str
    group: str
    config: Path
    state: Path | None = None


def text(supervisor: Supervisor, here: Here) -> str:
    """The file. Raises CommandFailed for a place whose name is more than one word to a reader of such files."""
    run = f"{_word(here.program)} run --config {_word(here.config)}"
    state = here.state or _STATE
    told = {
        Supervisor.SYSTEMD: {
            "User": _word(here.user),
            "Group": _word(here.group),
            "EnvironmentFile": f"-{_word(here.config.parent / 'environment')}",
            "ExecStart": run,
            "ExecReload": f"{_word(here.program)} reload --config {_word(here.config)}",
        },
        Supervisor.SUPERVISORD: {
            "command": run,
            "user": _word(here.user),
            "directory": _word(state),
        },
    }[supervisor]
    lines = resources.files(__package__).joinpath(SOURCES[supervisor]).read_text("utf-8").splitlines()
    for key, value in told.items():
        (at,) = (number for number, line in enumerate(lines) if line.startswith(f"{key}="))
        lines[at] = f"{key}={value}"
    if supervisor is Supervisor.SYSTEMD and not state.is_relative_to(_STATE):
        # Else the system is there to be read alone.
        at = lines.index("ProtectSystem=strict")
        lines.insert(at + 1, f"ReadWritePaths={_word(state)}")
    return "\n".join(lines) + "\n"


def _word(part: Path | str) -> str:
    if not _ONE_WORD.fullmatch(str(part)):
        raise exits.CommandFailed(
            f"{str(part)!r} cannot be written into a service file: expected a path or name of letters, digits and "
            "_ . / @ : + - only."
        )
    return str(part)
