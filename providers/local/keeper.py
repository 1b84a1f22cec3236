"""A machine of the `local` provider: the process that stands for it, and keeps its worker running.

It is what supervisord is on a rented machine: starts the program of its user data, starts it again after a crash,
leaves it down after an expected exit, and itself stays up until it is destroyed. It is run as a file and imports the
standard library only, so its worker inherits nothing of the daemon's. Command line and environment hold no secret.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

USER_DATA = "user-data.json"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_STEADY_S = 30.0
"""A program that ran so long before it crashed is started again without a longer pause."""
_STOP_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What the machine runs. The environment may hold secrets."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    directory: str
    expected: frozenset[int]


def read(user_data: Path) -> Program:
    """The program named by the machine's user data. Raises what `main` catches for anything else."""
    document = json.loads(user_data.read_bytes())
    if not document["argv"] or isinstance(document["argv"], str):
        raise ValueError
    return Program(
        argv=tuple(map(str, document["argv"])),
        environment={str(k): str(v) for k, v in document.get("environment", {}).items()},
        directory=str(document.get("directory") or user_data.parent),
        expected=frozenset(map(int, document.get("expected_exit_codes", [0]))),
    )


def keep(program: Program, boot_s: float) -> None:
    """Run the program for as long as this machine stands."""
    time.sleep(boot_s)
    pause_s = _FIRST_PAUSE_S
    while True:
        began = time.monotonic()  # noqa: TID251 - a process of its own, told the time by nobody
        code = _run(program)
        if code in program.expected:
            _say(f"the program ended with {code}, as it was told to; the machine stays up")
            _wait_for_ever()
        if time.monotonic() - began > _STEADY_S:  # noqa: TID251 - see above
            pause_s = _FIRST_PAUSE_S
        _say(f"the program ended with {code}; starting it again in {pause_s:g} s")
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _run(program: Program) -> int | str:
    """Its exit status once it and all it left behind in its process group have ended, or why it cannot be started."""
    try:
        child = subprocess.Popen(
            program.argv,
            # The mark comes last: no program talks itself out of its machine.
            env={**os.environ, **program.environment, **_mark()},
            cwd=program.directory,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {getattr(error, 'strerror', None) or 'not a command'}"
    try:
        # Not waited for before its group is killed: until then its number, which is the group's, is nobody else's.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    finally:
        _end(child)
    return child.returncode


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the program to end if it still runs, wait for it a while, and kill what is left of its group."""
    deadline = time.monotonic() + _STOP_S  # noqa: TID251 - see above
    os.kill(child.pid, signal.SIGTERM)
    while not _has_ended(child) and time.monotonic() < deadline:  # noqa: TID251 - see above
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _mark() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith("AUTOSCALER_LOCAL_")}


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM, once: leave by the exit, past every `finally`."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)


def _wait_for_ever() -> NoReturn:
    while True:
        signal.pause()


def _say(text: str) -> None:
    sys.stderr.write(f"keeper: {text}\n")
    sys.stderr.flush()


def main() -> None:
    """Keep the machine whose directory is given."""
    parser = argparse.ArgumentParser(prog="keeper")
    for shown in ("--fleet", "--pool", "--node"):
        parser.add_argument(shown, help="for those who read the process list")
    parser.add_argument("--directory", required=True, type=Path)
    parser.add_argument("--boot-s", type=float, default=0.0)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    try:
        program = read(given.directory / USER_DATA)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _say(f"the user data cannot be read ({type(error).__name__}); the machine stays up and does nothing")
        _wait_for_ever()
    keep(program, given.boot_s)


if __name__ == "__main__":
    main()
