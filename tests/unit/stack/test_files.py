"""The files of the example: they can be filled in, and those who read them take them."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fill
import ground
import pytest
from typer.testing import CliRunner

from autoscaler.cli.app import app
from testbed.rabbitmq import PrivateRabbitMQ

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ground.Ground]:
    """Where all files are written; nothing runs there."""
    taken = ground.take(tmp_path / "with space", python=Path(sys.executable), work_s=0.05)
    yield taken
    os.close(taken.lock)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx")
def test_nginx_takes_its_configuration(site: ground.Ground) -> None:
    """`nginx -t` reads all of it, certificate and key included."""
    site.write_nginx(18443, (18001, 18002))

    command = [
        str(NGINX),
        "-t",
        "-p",
        site.nginx,
        "-c",
        site.nginx / "nginx.conf",
        "-e",
        site.nginx / "error.log",
    ]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert 0 == tried.returncode, tried.stderr
    assert 0o600 == (site.nginx / "nginx.conf").stat().st_mode & 0o777


def test_the_daemon_takes_its_configuration(site: ground.Ground) -> None:
    """`autoscaler check` finds nothing wrong, and the broker's password stands in a file of its own."""
    broker = PrivateRabbitMQ(site.rabbitmq)  # never started
    site.write_config(broker)

    checked = CliRunner().invoke(app, ["--config", str(site.config), "check"])

    assert 0 == checked.exit_code, checked.output
    assert broker.password not in site.config.read_text()


def test_supervisord_s_files_name_two_nodes_and_no_password(site: ground.Ground) -> None:
    """One program for each, with its own port; the broker's URL is named by its file."""
    site.write_nodes((18001, 18002), "amqp://user:s3cret@127.0.0.1/")
    parsed = configparser.RawConfigParser(strict=True)
    read = parsed.read(site.supervisord.glob("*.conf"))

    assert 3 == len(read)
    commands = [parsed[f"program:uploads-web-{number}"]["command"] for number in (1, 2)]
    assert ["--port 18001", "--port 18002"] == [
        next(f"--port {port}" for port in (18001, 18002) if f"--port {port} " in command)
        for command in commands
    ]
    assert not any("s3cret" in Path(file).read_text() for file in read)


def test_every_file_can_be_filled_by_hand(tmp_path: Path) -> None:
    """`fill.py FILE NAME=VALUE …` prints it; what is missing is named."""
    for file in fill.ETC.iterdir():
        words = fill.words(file.read_text())
        command = [sys.executable, fill.__file__, file.name]

        filled = subprocess.run(
            [*command, *(f"{word}=value" for word in words)],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        short = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

        assert frozenset() == fill.words(filled.stdout)
        assert 2 == short.returncode
        assert all(word in short.stderr for word in words)


def test_the_commands_for_real_machines_work() -> None:
    """What the README tells to type fills in every word."""
    readme = (fill.ETC.parent / "README.md").read_text().replace("\\\n", "")
    commands = [
        line[2:].split(" > ")[0] for line in readme.splitlines() if line.startswith("$ python3 fill.py")
    ]

    assert 2 == len(commands)
    for command in commands:
        _, *arguments = shlex.split(command)
        filled = subprocess.run(
            [sys.executable, *arguments],
            cwd=fill.ETC.parent,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (0, "") == (filled.returncode, filled.stderr)


@pytest.mark.parametrize("value", ["/a\nb", '/a"b', "/a$b", "/a%b", "/a\\b", "/a;b", "/a{b"])
def test_a_value_that_would_mean_something_else_is_refused(value: str) -> None:
    """A directory's name must not become a directive, a variable or the end of a string."""
    words = dict.fromkeys(fill.words((fill.ETC / "nginx.conf").read_text()), "value")

    with pytest.raises(fill.CannotFill, match="DIRECTORY"):
        fill.fill("nginx.conf", {**words, "DIRECTORY": value})
