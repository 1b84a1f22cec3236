"""Who this process is, in the words that leases, orders and logs use.

What never happens here: trust in what the environment says about the user.
"""

from __future__ import annotations

import os
import pwd
import socket
from importlib import metadata


def version() -> str:
    """The installed release of this program."""
    try:
        return metadata.version("vps-autoscaler")
    except metadata.PackageNotFoundError:
        return "not installed"


def user() -> str:
    """The user this process runs as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def process() -> str:
    """This process as the holder of a lease: host, process id and user."""
    return f"{socket.gethostname()} pid {os.getpid()} user {user()}"
