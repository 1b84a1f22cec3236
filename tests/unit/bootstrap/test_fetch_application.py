"""The program that fetches a tarball, run against a server on loopback."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.unit.bootstrap import specs


class Server(ThreadingHTTPServer):
    """Serves one tarball, and counts how often."""

    content = b""
    asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), _Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join(10)


def _tarball(files: dict[str, str]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tarball:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.uid, member.gid = len(text), 4242, 4242
            tarball.addfile(member, io.BytesIO(text.encode()))
    return target.getvalue()


def _fetched(root: Path, server: Server, *, sha256: str = "") -> subprocess.CompletedProcess[str]:
    """Run it as on a machine; where it would wait before it tries again, it does not."""
    application = replace(
        specs.TARBALL,
        reference=f"http://127.0.0.1:{server.server_port}/shop.tar.gz?token=geheim",
        sha256=sha256 or hashlib.sha256(server.content).hexdigest(),
        directory="/opt/shop",
    )
    spec = specs.a_spec(application=application)
    place = root / "etc/autoscaler"
    place.mkdir(parents=True, exist_ok=True)
    files = specs.files(spec)
    (place / "machine.json").write_text(files["/etc/autoscaler/machine.json"])
    program = root / "fetch-application"
    program.write_text(
        files["/usr/local/lib/autoscaler/fetch-application"].replace("3 * attempt", "0 * attempt")
    )
    return subprocess.run(
        [sys.executable, "-IS", program],
        env={"PATH": os.environ["PATH"], "AUTOSCALER_ROOT": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_tarball_is_unpacked_without_the_directory_around_it(server: Server, tmp_path: Path) -> None:
    """All of it belongs to who unpacked it, whatever the tarball says, and its requirements are found."""
    server.content = _tarball(
        {"shop-1.4/requirements.txt": "redis\n", "shop-1.4/shop/__init__.py": "A = 1\n"}
    )
    done = _fetched(tmp_path, server)
    place = tmp_path / "opt/shop"

    assert (0, "") == (done.returncode, done.stderr)
    assert "A = 1\n" == (place / "shop/__init__.py").read_text()
    assert {os.getuid()} == {path.lstat().st_uid for path in (place, *place.rglob("*"))}
    brought = (tmp_path / "etc/autoscaler/requirements-brought.txt").read_text()
    assert f"--requirement {place}/requirements.txt\n" == brought
    assert not Path(f"{place}.new").exists()


def test_a_tarball_without_a_directory_or_requirements_is_fine(server: Server, tmp_path: Path) -> None:
    """Pip is told of none."""
    server.content = _tarball({"shop.py": "A = 1\n", "tasks.py": "B = 2\n"})

    assert 0 == _fetched(tmp_path, server).returncode
    assert {"shop.py", "tasks.py", ".autoscaler-tarball"} == {
        p.name for p in (tmp_path / "opt/shop").iterdir()
    }
    assert "" == (tmp_path / "etc/autoscaler/requirements-brought.txt").read_text()


def test_what_the_image_has_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    """Another tarball takes the place of the first, whole."""
    server.content = _tarball({"shop.py": "A = 1\n", "old.py": ""})
    for _ in range(2):
        assert 0 == _fetched(tmp_path, server).returncode
    asked = server.asked
    server.content = _tarball({"shop.py": "A = 2\n", "new.py": ""})
    assert 0 == _fetched(tmp_path, server).returncode

    assert (1, 2) == (asked, server.asked)
    assert "A = 2\n" == (tmp_path / "opt/shop/shop.py").read_text()
    assert not (tmp_path / "opt/shop/old.py").exists()


def test_another_tarball_than_was_meant_is_never_unpacked(server: Server, tmp_path: Path) -> None:
    """It is asked for again, given up, and named by its checksum; its address is told to nobody."""
    server.content = _tarball({"shop.py": "A = 1\n"})
    done = _fetched(tmp_path, server, sha256="0a" * 32)

    assert 1 == done.returncode
    assert f"expected {'0a' * 32}" in done.stderr
    assert "geheim" not in done.stderr + done.stdout
    assert 5 == server.asked
    assert not (tmp_path / "opt/shop").exists()
