"""The parts that need no machine of two acts: what is taken from user data, how it is looked for, what is installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autoscaler import becoming, config, enrolling
from bootstrap.render import render
from providers.contract import NodeName
from testbed.endtoend import installed, looking, place, server, stage, stolen
from testbed.endtoend.acts import NotSo
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.virtual.depot import Depot, serving

NODE = NodeName("e2e-guarded-1")
WORD = b"a token of sorts"


def test_what_is_stolen_is_what_the_product_renders(tmp_path: Path) -> None:
    """The token, and the broker's login, of the very user data that a machine of that pool is ordered with."""
    broker = PrivateRabbitMQ(tmp_path / "broker")
    taken = place.take(tmp_path / "e2e")
    taken.write_config(broker, Depot(port=8000), 9000)
    settings = config.load(taken.config, stage.environment(taken, broker))
    url = "amqp://autoscaler.e2e.one:p%40ss@10.0.2.2:5672/%2F"
    spec = becoming.worker_spec(settings, place.GUARDED, NODE, own_url=url)

    rendered = render(spec, user_data_format="cloud-config", limit_bytes=64 * 1024, gzip=False)
    had = stolen.read(rendered.content)

    assert (NODE, "autoscaler.e2e.one", "p@ss") == (had.node, had.login.user, had.login.password)
    assert enrolling.tokens(settings).of(NODE) == had.token
    assert not any(word in repr(had) for word in had.words)


def test_a_word_is_found_where_it_stands_and_what_is_gone_is_no_refusal(tmp_path: Path) -> None:
    """A process that ended while it was looked at shut nobody out."""
    (tmp_path / "with").write_bytes(b"..." + WORD + b"...")
    (tmp_path / "without").write_bytes(b"...")
    looked = looking.Looked()

    for name in ("with", "without", "gone"):
        looked.at(str(tmp_path / name), [WORD])

    assert {"read": 2, "refused": {}, "found": [str(tmp_path / "with")]} == looked.told()


def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    """By the name of the system's error."""
    looked = looking.Looked()

    looked.at(str(tmp_path), [WORD])

    assert {str(tmp_path): "EISDIR"} == looked.told()["refused"]


def test_a_service_that_tells_the_user_data_is_found(tmp_path: Path) -> None:
    """Over HTTP, as clouds have it."""
    (tmp_path / "user-data").write_bytes(WORD)
    with serving({"latest": tmp_path}) as depot:
        address = f"{depot.address('127.0.0.1')}/latest/user-data"

        assert [address] == looking.services([WORD], [address]).found


SHUT = {
    "uid": 999,
    "devices": {"read": 0, "refused": {"/dev/vdb": "EACCES"}, "found": []},
    "files": {"read": 9, "refused": {"/var/lib/cloud": "EACCES"}, "found": []},
    "services": {"read": 0, "refused": {"http://there": "EACCES"}, "found": []},
    "processes": {"read": 9, "refused": {"/proc/1/environ": "EACCES"}, "found": []},
    "names": {"read": 1, "refused": {}, "found": []},
    "doors": {"read": 0, "refused": {"sudo": "1"}, "found": []},
}
ROOT = {
    **SHUT,
    "devices": {"read": 2, "refused": {}, "found": ["/dev/vdb"]},
    "files": {"read": 9, "refused": {}, "found": ["/var/lib/cloud/instances/1/user-data.txt"]},
    "services": {"read": 1, "refused": {}, "found": ["http://there"]},
}


def test_a_machine_is_shut_where_the_worker_is_refused_wherever_root_finds_it() -> None:
    """A folder that is shut shuts what is in it."""
    stolen.require_shut(NODE, "celery", ROOT, SHUT)


@pytest.mark.parametrize(
    ("kind", "otherwise"),
    [
        ("files", {"found": ["/var/log/x"]}),
        ("files", {"refused": {"/var/lib/other": "EACCES"}}),
        ("devices", {"refused": {}}),
        ("services", {"refused": {}}),
        ("processes", {"refused": {}}),
        ("names", {"read": 0}),
        ("doors", {"read": 1}),
    ],
)
def test_every_way_in_fails_the_run(kind: str, otherwise: dict[str, Any]) -> None:
    """What the worker's user found, was let into, or was only not refused."""
    worker = {**SHUT, kind: cast("dict[str, Any]", SHUT[kind]) | otherwise}

    with pytest.raises(NotSo, match="celery"):
        stolen.require_shut(NODE, "celery", ROOT, worker)


def test_a_worker_that_runs_as_root_fails_the_run() -> None:
    """Root is refused nothing."""
    with pytest.raises(NotSo, match="finds the user data"):
        stolen.require_shut(NODE, "root", ROOT, SHUT | {"uid": 0})


def test_the_servers_configuration_is_one_that_the_daemon_takes(tmp_path: Path) -> None:
    """And its machines are another fleet's than those of the daemon beside it."""
    broker = PrivateRabbitMQ(tmp_path / "broker")
    file = tmp_path / "config.toml"
    file.write_text(server.configuration(broker, Depot(port=8000), 9000))

    settings = config.load(file, server.secrets(broker))

    assert place.FLEET != settings.fleet.name == server.FLEET
    assert [server.QUEUE] == list(settings.pools)


def test_secrets_are_written_as_systemd_and_the_shell_read_them(tmp_path: Path) -> None:
    """Between single quotes; the broker's password holds all that both would take for something else."""
    broker = PrivateRabbitMQ(tmp_path / "broker")
    lines: list[str] = []
    agent = SimpleNamespace(
        write=lambda _path, text: lines.append(text),
        run=lambda *_, **__: SimpleNamespace(code=0, output="600 root:root"),
    )
    running = SimpleNamespace(
        broker=broker, depot=Depot(port=1), cloud=SimpleNamespace(server=SimpleNamespace(port=2))
    )
    server.configure(cast("Any", running), cast("Any", SimpleNamespace(agent=agent)))
    file = tmp_path / "environment"
    file.write_text(lines[-1])

    script = f'. {file}; printf %s "$RABBITMQ_PASSWORD"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=30, check=True)

    assert broker.password == done.stdout


def test_the_page_tells_how_to_install_in_blocks_that_a_machine_can_run() -> None:
    """The program, then the configuration, then a check, then the service; each is shell by its syntax."""
    found = installed.blocks(installed.PAGE.read_text(encoding="utf-8"))

    assert ["pip install", "/etc/autoscaler/environment", "autoscaler check", "systemctl enable"] == [
        next(sign for sign in re.findall(
            r"pip install|/etc/autoscaler/environment|autoscaler check|systemctl enable", block
        ))
        for block in found
    ]  # fmt: skip
    for block in found:
        subprocess.run(["/bin/sh", "-n", "-c", block], timeout=30, check=True)


def test_the_page_tells_how_to_install_the_package_in_blocks_that_a_machine_can_run() -> None:
    """The package, then a check of what was edited, then the service."""
    found = installed.blocks(installed.PAGE.read_text(encoding="utf-8"), by_hand=False)

    assert ["apt-get install", "autoscaler check", "systemctl enable"] == [
        next(iter(re.findall(r"apt-get install|autoscaler check|systemctl enable", block))) for block in found
    ]
    assert "/etc/autoscaler/environment" in found[0]
    for block in found:
        subprocess.run(["/bin/sh", "-n", "-c", block], timeout=30, check=True)
