"""Who this process is, in the words that leases, orders and logs use.

What never happens here: trust in what the environment says about the user.
"""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
from importlib import metadata
from pathlib import Path

_GIT_TIMEOUT_S = 5.0


def version() -> str:
    """The installed release of this program."""
    try:
        return metadata.version("vps-autoscaler")
    except metadata.PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """The commit this code was checked out at, with a sign where it was changed since; empty for an installed one."""
    top = Path(__file__).parents[2]
    if not (top / ".git").exists():
        return ""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*"],  # noqa: S607 - whichever git the user has
            cwd=top,
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()


def user() -> str:
    """The user this process runs as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def process() -> str:
    """This process as the holder of a lease: host, process id and user."""
    return f"{socket.gethostname()} pid {os.getpid()} user {user()}"
