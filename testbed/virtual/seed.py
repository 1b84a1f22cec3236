"""What cloud-init finds on a machine's second disk (NoCloud): who the machine is, its network, and its user data.

In go a name, an id and the user data; out come the files, and the disk as an ISO image. The network is fixed and knows
no way beyond this computer: a machine reaches loopback as 10.0.2.2 and nothing else. What never happens here: a change
of the user data, which stays what the cloud was given.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

HOST = "10.0.2.2"
"""This computer's loopback as QEMU's user network shows it to a machine."""
ADDRESS = "10.0.2.15/24"
_LABEL = "cidata"
_DEADLINE_S = 60.0


def files(*, name: str, key: str, user_data: bytes, vendor_data: str) -> Mapping[str, bytes]:
    """Name → content of the files that NoCloud reads."""
    metadata = {"instance-id": key, "local-hostname": name}
    network = {"version": 2, "ethernets": {"eth0": {"match": {"name": "eth0"}, "addresses": [ADDRESS]}}}
    return {
        # JSON is YAML, with one way to quote.
        "meta-data": json.dumps(metadata).encode(),
        "network-config": json.dumps(network).encode(),
        "user-data": user_data,
        "vendor-data": vendor_data.encode(),
    }


def command(target: Path, names: Mapping[str, bytes]) -> list[str]:
    """How the image is made, in the directory of the files."""
    return [
        "genisoimage", "-quiet", "-output", str(target), "-volid", _LABEL, "-joliet", "-rock", *sorted(names),
    ]  # fmt: skip


def write(directory: Path, contents: Mapping[str, bytes]) -> Path:
    """The disk, in that directory; the files do not stay beside it, for user data may hold secrets."""
    target = directory / "seed.iso"
    scratch = directory / "seed"
    scratch.mkdir()
    try:
        for name, content in contents.items():
            (scratch / name).write_bytes(content)
        subprocess.run(
            command(target, contents), cwd=scratch, check=True, timeout=_DEADLINE_S, capture_output=True
        )
    finally:
        for name in contents:
            (scratch / name).unlink(missing_ok=True)
        scratch.rmdir()
    return target
