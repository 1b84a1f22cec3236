"""The Python packages that machines install, as a folder of wheels in the form of a package index.

In go a lock file and an application's directory; out comes a folder with a folder a project, which a plain file server
shows as pip wants it. It is made once, by pip with whatever index it is set to, and kept by the hash of what it holds.
What never happens here: a package that the lock does not pin.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PYTHON = "3.11"
"""Debian 12's."""
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
_DEADLINE_S = 600.0


class WheelsFailed(RuntimeError):
    """pip refused. The message says what it wrote."""


def wheelhouse(cache: Path, *, lock: Path, application: Path) -> Path:
    """The folder, made if it is not there yet. Raises WheelsFailed."""
    target = cache / f"wheels-{key(lock, application)}"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=cache, prefix="wheels-") as scratch:
        flat, built, index = (Path(scratch) / name for name in ("flat", "source", "index"))
        shutil.copytree(application, built)  # building leaves things beside the source
        _pip(
            "download", "--require-hashes", "--only-binary", ":all:", "--python-version", PYTHON,
            "--dest", str(flat), "--requirement", str(lock),
        )  # fmt: skip
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(flat), str(built))
        for wheel in flat.iterdir():
            project = index / _normalized(wheel.name.partition("-")[0])
            project.mkdir(parents=True, exist_ok=True)
            shutil.move(wheel, project / wheel.name)
        index.rename(target)
    return target


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [*_PIP, *arguments], capture_output=True, text=True, timeout=_DEADLINE_S, check=False
    )
    if done.returncode:
        raise WheelsFailed(f"pip {arguments[0]}: {done.stderr[-2000:]}")


def _normalized(name: str) -> str:
    """A project's name as an index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def key(lock: Path, application: Path) -> str:
    """What the folder is kept by."""
    content = hashlib.sha256(lock.read_bytes())
    for file in sorted(application.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            content.update(str(file.relative_to(application)).encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:16]
