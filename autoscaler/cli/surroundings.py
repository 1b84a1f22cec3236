"""What a daemon's computer is: programs and their versions, the system, its clock and disks, the service and its log.

Each function is one look, and raises OSError or subprocess.SubprocessError where it cannot be had. What never happens
here: a change to anything, a wait without an end, a look at the fleet.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from autoscaler.cli import identity

_DISTRIBUTION = "vps-autoscaler"
_FOR_DEVELOPERS = re.compile(r"extra == .dev.")
_SERVICE = "autoscaler"
_UNDER_SYSTEMD = Path("/run/systemd/system")
_CLOCK_IS_SET = Path("/run/systemd/timesync/synchronized")
_SUPERVISORS_LOG = Path("/var/log/supervisor/autoscaler.log")
_TIMEOUT_S = 10.0
_LINES = 2_000
"""Of the log, to look for trouble in: some hours of a daemon that does something."""
_TAIL_BYTES = 1_000_000
_LONGEST_LINE = 1_000
_STATES = (
    "ActiveState,SubState,Result,ExecMainStatus,ExecMainCode,NRestarts,ActiveEnterTimestamp,MemoryCurrent"
)


def programs() -> Mapping[str, Any]:
    """This program, what runs it, and what it stands on."""
    return {
        "autoscaler": identity.version(),
        "commit": identity.commit() or None,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "prefix": sys.prefix,
        "sqlite": sqlite3.sqlite_version,
        "tls": ssl.OPENSSL_VERSION,
        "packages": dict(_packages()),
    }


def _packages() -> Iterator[tuple[str, str]]:
    """Those that it names as its own needs, extras for daemons included, as far as they are there."""
    try:
        needs = [need for need in metadata.requires(_DISTRIBUTION) or [] if not _FOR_DEVELOPERS.search(need)]
    except metadata.PackageNotFoundError:
        return
    for name in sorted({re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0] for need in needs}, key=str.lower):
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def system() -> Mapping[str, Any]:
    """The computer, and what starts services on it."""
    memory = psutil.virtual_memory()
    try:
        release = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        release = "unknown"
    return {
        "release": release,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "memory_mb": memory.total // 2**20,
        "memory_free_mb": memory.available // 2**20,
        "load": [round(each, 2) for each in os.getloadavg()],
        "up_since": _instant(psutil.boot_time()),
        "init": Path("/proc/1/comm").read_text(encoding="utf-8").strip(),
        "systemd": _UNDER_SYSTEMD.is_dir(),
        "user": identity.user(),
    }


def clock(now: float) -> Mapping[str, Any]:
    """The time here, and whether somebody sets it."""
    local = datetime.fromtimestamp(now, UTC).astimezone()
    place = Path("/etc/localtime")
    return {
        "utc": _instant(now),
        "local": local.isoformat(timespec="seconds"),
        "zone": str(place.resolve()).partition("zoneinfo/")[2] or local.tzname() or "unknown",
        "TZ": os.environ.get("TZ"),
        "set_by_timesyncd": _CLOCK_IS_SET.exists(),
    }


def disks(places: Iterable[Path]) -> Mapping[str, Any]:
    """Room on the disk of each place, or of the nearest directory above it that is there."""
    found: dict[str, Any] = {}
    for place in dict.fromkeys(places):
        there = next((path for path in (place, *place.parents) if path.is_dir()), Path("/"))
        room = os.statvfs(there)
        found[str(place)] = {
            "seen_at": str(there),
            "size_mb": room.f_blocks * room.f_frsize // 2**20,
            "free_mb": room.f_bavail * room.f_frsize // 2**20,
            "files_free": room.f_favail,
            "read_only": bool(room.f_flag & os.ST_RDONLY),
        }
    return found


def service() -> Mapping[str, Any]:
    """The service as systemd sees it."""
    if not _UNDER_SYSTEMD.is_dir():
        return {"systemd": "does not run here"}
    told = _said("systemctl", "show", f"--property={_STATES}", _SERVICE)
    return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)


def log(last: int, given: Path | None = None) -> Mapping[str, Any]:
    """Warnings and errors among the last lines of the daemon's log, the newest last, and what is no event of ours."""
    if given is not None:
        source, text = str(given), _tail(given)
    elif _UNDER_SYSTEMD.is_dir() and shutil.which("journalctl"):
        arguments = ("--unit", _SERVICE, "--output=cat", "--no-pager", "--quiet", f"--lines={_LINES}")
        source, text = "journalctl", _said("journalctl", *arguments)
    elif _SUPERVISORS_LOG.is_file():
        source, text = str(_SUPERVISORS_LOG), _tail(_SUPERVISORS_LOG)
    else:
        return {"source": None, "trouble": []}
    lines = text.splitlines()[-_LINES:]
    return {
        "source": source,
        "lines_looked_at": len(lines),
        "trouble": [line[:_LONGEST_LINE] for line in lines if _is_trouble(line)][-last:] if last else [],
    }


def _is_trouble(line: str) -> bool:
    try:
        event = json.loads(line)
    except ValueError:
        return bool(line.strip())
    return not isinstance(event, dict) or event.get("level") not in {"debug", "info"}


def _tail(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.buffer.read(_TAIL_BYTES).decode("utf-8", "replace")
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read(_TAIL_BYTES).decode("utf-8", "replace")


def _said(*command: str) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_S,
        check=False,
        env={**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise OSError(f"{command[0]} ended with {done.returncode} and said: {last}")
    return done.stdout


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
