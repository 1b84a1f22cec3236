"""Runs on a machine, as whoever is told to: looks for words of its user data wherever that might be left.

In go the words in base64, as their own command line is one of the places; out comes, as JSON, for each kind of place
how many could be read, how many were refused, and which of them hold one of the words. Only the standard library is
used, for it is sent as a text to Debian's own Python. What never happens here: a word in what it prints.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

SERVICES = ("http://169.254.169.254/latest/user-data", "http://[fd00:ec2::254]/latest/user-data")
"""Where most clouds tell a machine its user data, and Amazon by IPv6."""
NAMES = "http://169.254.169.254:53/"
"""Stands for the name server that some clouds have at the same address; it answers whoever asks."""
_FIRST_BYTES = 64 * 1024 * 1024
_PATIENCE_S = 60.0
"""Until a service that was started a moment ago listens."""


class Looked:
    """What became of the places of one kind."""

    def __init__(self) -> None:
        self.read = 0
        self.refused: dict[str, str] = {}
        """Place → why."""
        self.found: list[str] = []

    def at(self, path: str, words: list[bytes], *, first: int = _FIRST_BYTES) -> None:
        """Look into a file, a device or whatever else opens like one."""
        try:
            with Path(path).open("rb", buffering=0) as file:
                self.take(path, file.read(first), words)
        except OSError as error:
            self.no(path, error)

    def take(self, name: str, content: bytes, words: list[bytes]) -> None:
        self.read += 1
        if any(word in content for word in words):
            self.found.append(name)

    def no(self, name: str, error: OSError) -> None:
        gone = error.errno in {errno.ENOENT, errno.ESRCH}
        if not gone:
            self.refused[name] = errno.errorcode.get(error.errno or 0, str(error))

    def told(self) -> dict[str, object]:
        return {"read": self.read, "refused": self.refused, "found": self.found}


def devices(words: list[bytes]) -> Looked:
    """The disk with the seed, and every other one."""
    looked = Looked()
    for device in sorted(Path("/sys/class/block").iterdir()):
        looked.at(f"/dev/{device.name}", words)
    return looked


def files(words: list[bytes]) -> Looked:
    """Everything that was written since the machine began; what is older came with the image."""
    looked = Looked()
    began_at = _began_at()
    for path in _paths("/", lambda error: looked.no(str(error.filename), error)):
        try:
            status = path.lstat()
        except OSError as error:
            looked.no(str(path), error)
            continue
        if status.st_ctime >= began_at and stat.S_ISREG(status.st_mode):
            looked.at(str(path), words)
    return looked


def _paths(top: str, refused: Callable[[OSError], None]) -> Iterator[Path]:
    for folder, below, names in os.walk(top, onerror=refused):
        if folder == "/":
            below[:] = [each for each in below if each not in {"proc", "sys", "dev"}]
        yield from (Path(folder, name) for name in names)


def _began_at() -> float:
    lines = Path("/proc/stat").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("btime"))


def processes(words: list[bytes]) -> Looked:
    """Of all others: how they were started, with which variables, and their memory, which is only opened."""
    looked = Looked()
    ours = str(os.getpid())
    for pid in sorted(each.name for each in Path("/proc").iterdir() if each.name.isdecimal()):
        if pid == ours:
            continue
        looked.at(f"/proc/{pid}/cmdline", words)
        looked.at(f"/proc/{pid}/environ", words)
        looked.at(f"/proc/{pid}/mem", words, first=0)
    return looked


def services(words: list[bytes], addresses: Iterable[str] = SERVICES) -> Looked:
    """The metadata service, at its addresses."""
    looked = Looked()
    until = time.monotonic() + _PATIENCE_S
    for address in addresses:
        while True:
            try:
                with urllib.request.urlopen(address, timeout=15) as answer:
                    looked.take(address, answer.read(), words)
            except urllib.error.URLError as error:
                reason = error.reason
                if getattr(reason, "errno", 0) == errno.ECONNREFUSED and time.monotonic() < until:
                    time.sleep(0.5)
                    continue
                looked.no(address, reason if isinstance(reason, OSError) else OSError(str(reason)))
            except OSError as error:
                looked.no(address, error)
            break
    return looked


def doors() -> Looked:
    """Ways to become root that ask for no password."""
    looked = Looked()
    for argv in (["sudo", "-n", "true"], ["setpriv", "--reuid=0", "--clear-groups", "true"]):
        done = subprocess.run(argv, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
        if done.returncode:
            looked.refused[argv[0]] = str(done.returncode)
        else:
            looked.read += 1
    return looked


def main() -> None:
    """Look everywhere."""
    words = [base64.b64decode(each) for each in sys.argv[1:]]
    told = {
        "devices": devices(words),
        "files": files(words),
        "processes": processes(words),
        "services": services(words),
        "names": services(words, (NAMES,)),
        "doors": doors(),
    }
    json.dump({"uid": os.getuid(), **{kind: looked.told() for kind, looked in told.items()}}, sys.stdout)


if __name__ == "__main__":
    main()
