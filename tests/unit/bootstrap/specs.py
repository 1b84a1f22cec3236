"""Builders of worker specs, and a place where rendered files can run: a temporary root instead of a machine's."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import re
import stat
from pathlib import Path
from typing import Any

import yaml

from bootstrap.contract import Application, ApplicationSource, UserData, WorkerSpec
from bootstrap.render import render

IMAGE = Application(source=ApplicationSource.IMAGE)
PIP = Application(source=ApplicationSource.PIP, reference="shop-tasks==1.4")
WHEEL = Application(
    source=ApplicationSource.WHEEL, reference="https://files.example/shop_tasks-1.4-py3-none-any.whl"
)
GIT = Application(
    source=ApplicationSource.GIT, reference="https://git.example/shop/tasks.git", revision="v1.4"
)
TARBALL = Application(
    source=ApplicationSource.TARBALL, reference="https://files.example/shop-1.4.tar.gz", sha256="0a" * 32
)
SOURCES = {"pip": PIP, "wheel": WHEEL, "git": GIT, "tarball": TARBALL, "image": IMAGE}


def a_spec(**changes: Any) -> WorkerSpec:
    """A usable spec."""
    settled: dict[str, Any] = {
        "node": "shop-images-7k2f",
        "pool": "images",
        "fleet": "shop",
        "app": "shop.celery:app",
        "queues": ("images", "thumbs"),
        "slots": 4,
        "application": PIP,
        "broker_url": "amqp://worker:wachtwoord@broker.example:5672/%2F",
    }
    return WorkerSpec(**(settled | changes))


def rendered(spec: WorkerSpec, *, user_data_format: str = "cloud-config") -> UserData:
    """User data where nothing is too large."""
    return render(spec, user_data_format=user_data_format, limit_bytes=1_000_000, gzip=False)


def document(spec: WorkerSpec) -> dict[str, Any]:
    """What cloud-init reads of the rendered cloud-config."""
    return read(rendered(spec).content)


def read(content: bytes) -> dict[str, Any]:
    """What cloud-init reads of user data, compressed or not."""
    found = yaml.safe_load(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
    assert isinstance(found, dict)
    return found


def files_in(content: bytes) -> dict[str, str]:
    """Path → content of every file in user data, as cloud-init would write it."""
    return {file["path"]: _unpacked(file) for file in read(content)["write_files"]}


def _unpacked(file: dict[str, Any]) -> str:
    text: str = file["content"]
    if file.get("encoding") == "gz+b64":
        return gzip.decompress(base64.b64decode(text, validate=True)).decode()
    assert "encoding" not in file
    return text


def files(spec: WorkerSpec) -> dict[str, str]:
    """Path → content of every file a machine of `spec` gets, those that our program carries too."""
    found = files_in(rendered(spec).content)
    return found | carried(found["/usr/local/lib/autoscaler/become-worker"])


def carried(program: str) -> dict[str, str]:
    """Path → content of what this packed program writes beside itself."""
    ((digits, size),) = re.findall(r"for c in b'(.*)':.*\n.*to_bytes\(([0-9]+),", program)
    number = 0
    for digit in digits.encode():
        number = number * 92 + (digit - 40 - (digit > 92)) % 93
    sections = lzma.decompress(number.to_bytes(int(size), "big")).decode().split("\f")
    split = (section.split("\n", 1) for section in sections)
    return {path: text for path, text in split if path.startswith("/")}


def machine(spec: WorkerSpec) -> dict[str, Any]:
    """What the program on the machine is told."""
    told = json.loads(files(spec)["/etc/autoscaler/machine.json"])
    assert isinstance(told, dict)
    return told


class Machine:
    """The files of a spec, put under a temporary root, with stand-ins for the programs a machine would have.

    A stand-in writes its arguments and environment, NUL between them, to `calls/NAME`, and then does what `body` says.
    """

    def __init__(self, root: Path, spec: WorkerSpec) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir(parents=True)
        (root / "calls").mkdir()
        for entry in document(spec)["write_files"]:
            path = root / entry["path"].removeprefix("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._moved(_unpacked(entry)), "utf-8", newline="")
            path.chmod(int(entry["permissions"], 8))
        # The machine that runs the tests keeps its routes.
        self.stand_in("ip")

    def _moved(self, text: str) -> str:
        for prefix in (
            "/etc/autoscaler",
            "/etc/supervisor",
            "/var/l",
            "/usr/local/lib",
            "/opt/autoscaler",
            "/run/autoscaler",
        ):
            text = text.replace(prefix, f"{self.root}{prefix}")
        return text.replace("/usr/bin/setpriv", str(self.bin / "setpriv"))

    def program(self, name: str) -> Path:
        """The path of one of our programs."""
        return self.root / "usr/local/lib/autoscaler" / name

    def stand_in(self, name: str, body: str = "exit 0", *, at: Path | None = None) -> None:
        """Put a program called `name` where the scripts find it."""
        path = at or self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        calls = self.root / "calls" / name
        path.write_text(
            f'#!/bin/sh\nprintf \'%s\\0\' "$0" "$@" >{calls}.argv\nenv -0 >{calls}.environ\n{body}\n'
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def environ(self) -> dict[str, str]:
        """What the programs are started with: the stand-ins first, and this root instead of the machine's."""
        return {"PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin", "AUTOSCALER_ROOT": str(self.root)}

    def settle(self, **settings: Any) -> None:
        """Change what the program on the machine is told; None takes a setting away."""
        path = self.root / "etc/autoscaler/machine.json"
        told = json.loads(path.read_text()) | settings
        path.write_text(json.dumps({name: value for name, value in told.items() if value is not None}))

    def argv_of(self, name: str) -> list[str]:
        """The arguments of the last call of a stand-in."""
        return (self.root / "calls" / f"{name}.argv").read_bytes().decode().split("\0")[1:-1]

    def environ_of(self, name: str) -> dict[str, str]:
        """The environment of the last call of a stand-in."""
        lines = (self.root / "calls" / f"{name}.environ").read_bytes().decode().split("\0")
        return dict(line.split("=", 1) for line in lines if line)
