"""Files that are there whole or not at all, commands that end, and servers that answer or do not."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from autoscaler.gateways import nginx
from autoscaler.gateways.nginx import NotTaken
from testbed.ports import free_port
from testbed.waiting import wait_until


def test_a_file_is_written_whole_for_everybody_to_read(tmp_path: Path) -> None:
    """Whatever umask the service has; and nothing else is left in the directory."""
    file = tmp_path / "web.conf"
    before = os.umask(0o077)
    try:
        nginx.write(file, "one\n")
        nginx.write(file, "two\n")
    finally:
        os.umask(before)

    assert "two\n" == nginx.written(file)
    assert 0o644 == stat.S_IMODE(file.stat().st_mode)
    assert [file] == list(tmp_path.iterdir())


def test_whoever_reads_finds_the_one_text_or_the_other(tmp_path: Path) -> None:
    """Never a part: a reader that goes on all the time sees whole texts only."""
    file = tmp_path / "web.conf"
    texts = {letter * 200_000 for letter in "ab"}
    nginx.write(file, "a" * 200_000)
    over, seen = threading.Event(), set()

    def read() -> None:
        while not over.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        for text in sorted(texts):
            nginx.write(file, text)
    over.set()
    reader.join(10)

    assert seen == texts


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file it leads to is written."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "web.conf"
    link.symlink_to(tmp_path / "there" / "real.conf")
    nginx.write(link, "text\n")

    assert link.is_symlink()
    assert "text\n" == (tmp_path / "there" / "real.conf").read_text()


def test_a_write_that_fails_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    """As on a full disk; here the place is taken by a directory."""
    file = tmp_path / "web.conf"
    (file / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        nginx.write(file, "text\n")

    assert [file] == list(tmp_path.iterdir())


def test_no_file_is_none(tmp_path: Path) -> None:
    """And a missing directory is an error, as every other trouble."""
    assert nginx.written(tmp_path / "web.conf") is None
    with pytest.raises(OSError, match="No such file"):
        nginx.write(tmp_path / "nowhere" / "web.conf", "text\n")
    nginx.remove(tmp_path / "web.conf")


def test_a_command_that_fails_says_why_on_one_line() -> None:
    """Its last words, without what a terminal would obey."""
    script = r"printf 'much\n%.0s' $(seq 9000); printf '\033[31mno\tsuch\nfile\033[0m\n' >&2; exit 3"
    with pytest.raises(NotTaken) as caught:
        nginx.run(("/bin/sh", "-c", script), timeout_s=10.0)

    assert str(caught.value).startswith("/bin/sh ended with 3: ")
    assert str(caught.value).endswith("[31mno such file [0m")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_command_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    """At its time-out, however it feels about that."""
    pids = tmp_path / "pids"
    script = f"trap '' TERM; sleep 100 & echo $! $$ > {pids}; wait"
    began = time.monotonic()
    with pytest.raises(NotTaken, match="did not end within 3 s and was killed"):
        nginx.run(("/bin/sh", "-c", script), timeout_s=3.0)

    assert time.monotonic() - began < 20.0
    started = [int(pid) for pid in pids.read_text().split()]
    assert 2 == len(started)
    wait_until(lambda: not any(map(is_running, started)), 10.0, "both to be gone")


def test_a_command_that_may_not_be_killed_is_said_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that became root by `sudo` is none of this user's to kill."""
    groups = []

    def refuse(group: int, number: int) -> None:
        groups.append(group)
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as only_here:
        only_here.setattr(os, "killpg", refuse)
        began = time.monotonic()
        with pytest.raises(NotTaken, match=r"did not end within 0\.3 s and cannot be killed"):
            nginx.run(("/bin/sleep", "60"), timeout_s=0.3)
        assert time.monotonic() - began < 20.0
    assert 1 == len(groups)
    os.killpg(groups[0], 9)
    os.waitpid(groups[0], 0)


def test_a_command_whose_child_goes_on_is_not_waited_for(tmp_path: Path) -> None:
    """One that starts a service holds on to its output."""
    began = time.monotonic()
    nginx.run(("/bin/sh", "-c", f"sleep 30 & echo $! > {tmp_path}/pid"), timeout_s=20.0)
    os.kill(int((tmp_path / "pid").read_text()), 9)

    assert time.monotonic() - began < 10.0


def test_a_command_is_told_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon's environment holds passwords."""
    monkeypatch.setenv("RABBITMQ_PASSWORD", "sesame")
    nginx.run(
        (sys.executable, "-c", f"import os; open('{tmp_path}/env', 'w').write(str(dict(os.environ)))"),
        timeout_s=20,
    )

    assert "sesame" not in (tmp_path / "env").read_text()


def test_a_command_that_is_not_there_is_said() -> None:
    """A slip of the pen in the configuration."""
    with pytest.raises(NotTaken, match="/no/such cannot be started: No such file"):
        nginx.run(("/no/such",), timeout_s=1.0)


def test_what_cannot_be_kept_is_known_before(tmp_path: Path) -> None:
    """A directory that is missing or in the way, a program that is none."""
    file, program = tmp_path / "web.conf", tmp_path / "reload"
    program.write_text("#!/bin/sh\n")
    no_program = nginx.why_not(file, [[str(program)]])
    program.chmod(0o755)
    (tmp_path / "folder").mkdir()

    assert f"{program} is no program that this user can run" == no_program
    assert "" == nginx.why_not(file, [[str(program), "-x"]])
    assert f"{tmp_path}/nowhere is no directory" == nginx.why_not(tmp_path / "nowhere" / "web.conf", [])
    assert f"{tmp_path}/folder is a directory" == nginx.why_not(tmp_path / "folder", [])
    assert [program, tmp_path / "folder"] == sorted(tmp_path.iterdir(), reverse=True)


@contextlib.contextmanager
def speaking(answer: bytes, pause_s: float = 0.0, each: int = 1_000) -> Iterator[tuple[int, list[bytes]]]:
    """A server of one connection after another that says this, in pieces; and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError), listening.accept()[0] as link:
                    link.settimeout(1.0)
                    with contextlib.suppress(OSError):
                        asked.append(link.recv(10_000))
                    for at in range(0, len(answer), each):
                        link.sendall(answer[at : at + each])
                        time.sleep(pause_s)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1], asked
        finally:
            over.set()
            thread.join(10)


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 204\r\n\r\n", True),
        (b"HTTP/1.1 302 Found\r\n\r\n", True),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False),
        (b"HTTP/1.1 503 Warming\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH 2 3\r\n", False),
        (b"HTTP/1.1\r\n", False),
        (b"", False),
    ],
)
def test_a_probe_is_answered_well_or_not(answer: bytes, well: bool) -> None:
    """By the status line alone."""
    with speaking(answer) as (port, asked):
        said = nginx.answers("127.0.0.1", port, "/healthz", timeout_s=5.0)

    assert said is well
    assert asked[0].startswith(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")


def test_without_a_path_a_connection_is_enough() -> None:
    """And nobody there is a no, at once."""
    with speaking(b"") as (port, _):
        assert nginx.answers("127.0.0.1", port, None, timeout_s=5.0)
    assert not nginx.answers("127.0.0.1", free_port(), None, timeout_s=5.0)


def test_an_answer_that_drips_is_waited_for_no_longer_than_one_that_does_not_come() -> None:
    """A time-out that counts anew for each byte would never pass, or pass late."""
    began = time.monotonic()
    with speaking(b"HTTP/1.1 200 OK\r\n\r\n", pause_s=1.5, each=1) as (port, _):
        assert not nginx.answers("127.0.0.1", port, "/", timeout_s=2.0)
        assert time.monotonic() - began < 2.8
