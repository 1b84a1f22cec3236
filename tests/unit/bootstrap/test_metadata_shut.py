"""The metadata service of a cloud, played in a network of its own: root reaches it, the worker's user does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.contract import Application, ApplicationSource
from tests.unit.bootstrap import specs

TOOLS = ("unshare", "nsenter", "ip", "setpriv")
WORLD = """
unshare -n sleep 30 & cloud=$!
until [ "$(readlink /proc/$cloud/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
trap 'kill $cloud $served' EXIT
ip link set lo up
ip link add here type veth peer name there
ip link set there netns $cloud
nsenter -t $cloud -n sh -c 'ip link set lo up; ip addr add 169.254.169.254/16 dev there; ip link set there up'
ip addr add 169.254.1.1/16 dev here
ip link set here up
nsenter -t $cloud -n "$PYTHON" -I -m http.server 80 --bind 169.254.169.254 >/dev/null 2>&1 & served=$!
for try in 1 2 3 4 5 6 7 8 9 10; do "$ASKS" root && break; sleep 0.3; done
"$RUN_WORKER"
"$RUN_WORKER"
ip rule | grep -c prohibit
ip -6 rule | grep -c prohibit || :
"""
ASKS = """#!{python} -I
import socket, sys
for kind, port in ((socket.SOCK_STREAM, 80), (socket.SOCK_DGRAM, 53)):
    try:
        end = socket.socket(socket.AF_INET, kind)
        end.settimeout(2)
        end.connect(("169.254.169.254", port))
        said = "open"
    except OSError as error:
        said = type(error).__name__
        if sys.argv[1:] == ["root"]:
            sys.exit(1)
    print(port, said)
"""


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A directory that another user may enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes networks")
@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")
def test_the_workers_user_gets_no_answer_and_names_are_still_resolved(open_root: Path) -> None:
    """Shut before the worker begins, for its user alone, for good, and once however often it is started."""
    asks = open_root / "asks"
    asks.write_text(ASKS.format(python="/usr/bin/python3"))
    asks.chmod(0o755)
    spec = specs.a_spec(
        user="nobody",
        application=Application(source=ApplicationSource.IMAGE, python=str(asks), directory="/"),
    )
    machine = specs.Machine(open_root / "machine", spec)
    (machine.bin / "setpriv").symlink_to("/usr/bin/setpriv")
    # Its own network's, not this machine's.
    (machine.bin / "ip").unlink()
    done = subprocess.run(
        ["unshare", "-n", "sh", "-eu", "-c", WORLD],
        env={
            "PATH": os.environ["PATH"],
            "PYTHON": sys.executable,
            "ASKS": str(asks),
            "RUN_WORKER": str(machine.program("run-worker")),
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("this system lets nobody make networks")

    assert done.stdout.split("\n")[:6] == ["80 open", "53 open", *["80 PermissionError", "53 open"] * 2]
    assert ["6", "5" if Path("/proc/net/if_inet6").exists() else "0"] == done.stdout.split("\n")[6:8]
    assert "stays open" not in done.stderr
