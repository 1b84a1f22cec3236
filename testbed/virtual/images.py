"""What machines boot: Debian as a disk with its kernel, made once by mmdebstrap and kept by the hash of its recipe.

In goes a `Recipe`, out comes an `Image`; the second time nothing is fetched. No root is needed: mmdebstrap makes do
without, and fakeroot plays the owner of the files. What never happens here: an image that is half made under its name.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from testbed.virtual import debian

_FORM = 1
"""Counted up when this module makes another image of the same recipe."""
_DEADLINE_S = 1800.0
_TO_DISK = """\
set -eu
mkdir root
tar -C root -xf root.tar
rm -rf root/var/cache/apt/archives/*.deb root/var/lib/apt/lists/* root/etc/apt/sources.list.d/*
: >root/etc/apt/sources.list
# Each machine makes its own at its first boot.
: >root/etc/machine-id
cp root/boot/vmlinuz-* kernel
cp root/boot/initrd.img-* initrd
truncate -s 4G disk.ext4
mkfs.ext4 -q -F -d root disk.ext4
rm -rf root root.tar
"""
"""Run by fakeroot, so that files belong to root on the disk whoever makes it."""


class ImageFailed(RuntimeError):
    """It could not be made. The message holds the end of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides what an image holds, but the versions of Debian's packages."""

    name: str
    suite: str
    packages: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    """Path → text; there before the kernel is installed."""
    commands: tuple[str, ...] = ()
    """Shell commands in the image when all packages are in it; wheels stand in /tmp/wheels then."""
    offered: tuple[str, ...] = ()
    """Packages to keep beside the image, with what they need, for machines to install."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image, and an archive of the packages that its recipe offers."""

    kernel: Path
    initrd: Path
    disk: Path
    archive: Path


def made(recipe: Recipe, cache: Path, *, wheels: Path) -> Image:
    """The image from the cache, or a new one in it. Raises ImageFailed."""
    target = cache / f"image-{recipe.name}-{key(recipe, wheels=wheels)}"
    if not target.exists():
        scratch = Path(tempfile.mkdtemp(dir=cache, prefix=f"image-{recipe.name}-part-"))
        try:
            _make(recipe, scratch, wheels=wheels)
            scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return Image(
        kernel=target / "kernel",
        initrd=target / "initrd",
        disk=target / "disk.ext4",
        archive=target / "archive",
    )


def key(recipe: Recipe, *, wheels: Path) -> str:
    """What the image is kept by."""
    document = {"form": _FORM, "script": _TO_DISK, "wheels": wheels.name, **asdict(recipe)}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def command(recipe: Recipe, scratch: Path, *, wheels: Path, sources: tuple[str, ...]) -> list[str]:
    """How mmdebstrap is called, in the scratch directory."""
    return [
        "mmdebstrap", "--quiet", "--variant=minbase", "--architectures=amd64",
        f"--include={','.join(recipe.packages)}",
        *(f"--essential-hook={hook}" for hook in _placing(recipe, scratch)),
        *(f"--customize-hook={hook}" for hook in _finishing(recipe, scratch, wheels)),
        recipe.suite, str(scratch / "root.tar"),
        *sources,
    ]  # fmt: skip


def _placing(recipe: Recipe, scratch: Path) -> Iterator[str]:
    for number, path in enumerate(recipe.files):
        yield f'mkdir -p "$1"{shlex.quote(str(Path(path).parent))}'
        yield f"upload {shlex.quote(f'{scratch}/file-{number}')} {shlex.quote(path)}"


def _finishing(recipe: Recipe, scratch: Path, wheels: Path) -> Iterator[str]:
    yield f"copy-in {shlex.quote(str(wheels))} /tmp"
    yield f'mv "$1/tmp/{wheels.name}" "$1/tmp/wheels"'
    yield from (f'chroot "$1" sh -euc {shlex.quote(line)}' for line in recipe.commands)
    yield 'rm -rf "$1/tmp/wheels"'
    if recipe.offered:
        install = "apt-get -q -y --no-install-recommends --download-only install"
        yield f'chroot "$1" {install} {" ".join(recipe.offered)}'
        yield f"copy-out /var/cache/apt/archives {shlex.quote(str(scratch))}"


def _make(recipe: Recipe, scratch: Path, *, wheels: Path) -> None:
    for number, text in enumerate(recipe.files.values()):
        (scratch / f"file-{number}").write_text(text, encoding="utf-8")
    line = command(recipe, scratch, wheels=wheels.resolve(), sources=debian.sources(recipe.suite))
    _run(line, scratch)
    _run(["fakeroot", "sh", "-c", _TO_DISK], scratch)
    for number in range(len(recipe.files)):
        (scratch / f"file-{number}").unlink()
    archive = scratch / "archive"
    if recipe.offered:
        (scratch / "archives").rename(archive)
    archive.mkdir(exist_ok=True)
    debian.write_index(archive)


def _run(line: list[str], scratch: Path) -> None:
    log = scratch / "build.log"
    with log.open("ab") as output:
        try:
            code = subprocess.run(
                line, cwd=scratch, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                timeout=_DEADLINE_S, check=False,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            code = -1
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise ImageFailed(f"{line[0]} ended with {code}; it wrote:\n{tail}")
