"""docs/tls.md on a real RabbitMQ: its certificates, its settings, and the daemon's look by both ways."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import ports
from testbed.rabbitmq import PrivateRabbitMQ
from tests.docs import pages

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        shutil.which("openssl") is None, reason="openssl is not installed: apt-get install openssl"
    ),
]

PAGE = pages.blocks("docs/tls.md")
AUTOSCALER = Path(sys.executable).parent / "autoscaler"


class _AsThePageSays(PrivateRabbitMQ):
    """A broker with the page's lines below its own; its open ports stay, for those who start and look at it."""

    def __init__(self, directory: Path, certificates: Path) -> None:
        super().__init__(directory)
        self.management_tls_port = ports.free_port()
        self._below = directory / "rabbitmq.conf"
        (settings,) = (block.text for block in PAGE if block.language == "ini")
        for old, new in (
            ("listeners.tcp = none\n", ""),
            ("listeners.ssl.default = 5671", f"listeners.ssl.1 = {ports.LOOPBACK}:{self.amqps_port}"),
            ("management.ssl.port = 15671", f"management.ssl.port = {self.management_tls_port}"),
            ("/etc/rabbitmq", str(certificates)),
        ):
            assert old in settings
            settings = settings.replace(old, new)
        self._settings = settings

    def _write_files(self) -> None:
        super()._write_files()
        with self._below.open("a", encoding="utf-8") as below:
            below.write(self._settings)


@pytest.fixture
def broker(tmp_path: Path) -> _AsThePageSays:
    """With certificates by the page's commands, for an address in place of a name; not started yet."""
    (commands,) = (block.text for block in PAGE if "openssl req -x509" in block.text)
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    script = commands.replace("DNS:rabbit.example", f"IP:{ports.LOOPBACK}")
    subprocess.run(
        ["bash", "-eu"],
        input=script,
        cwd=certificates,
        text=True,
        timeout=60,
        check=True,
        capture_output=True,
    )
    return _AsThePageSays(tmp_path / "rabbitmq", certificates)


def _look(broker: _AsThePageSays, directory: Path, ca_file: Path) -> subprocess.CompletedProcess[str]:
    """`check --online` with the page's section on the broker."""
    section = next(block.text for block in PAGE if block.language == "toml" and "ca_file" in block.text)
    for old, new in (
        ("rabbit.example:15671", f"{ports.LOOPBACK}:{broker.management_tls_port}"),
        ("rabbit.example:5671", f"{ports.LOOPBACK}:{broker.amqps_port}"),
        ("/etc/autoscaler/ca.pem", str(ca_file)),
    ):
        assert old in section
        section = section.replace(old, new)
    here = f'[providers.here]\nkind = "local"\ndirectory = "{directory}/machines"\n'
    rest = f"""
        [fleet]
        name = "shop"
        [journal]
        url = "sqlite:///{directory}/journal.db"
        [pools.images]
        queues = ["images"]
        slots = 1
        limits = {{ max_workers = 1 }}
        policies = [{{ kind = "wait", target_wait = "2m" }}]
        offers = [{{ provider = "here" }}]
        bootstrap = {{ app = "shop", source = "image" }}
        """
    (directory / "config.toml").write_text(section + here + rest)
    return subprocess.run(
        [AUTOSCALER, "-c", directory / "config.toml", "check", "--online"],
        env={**os.environ, "RABBITMQ_PASSWORD": broker.password},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_daemon_speaks_tls_by_both_ways_as_the_page_has_it(
    broker: _AsThePageSays, tmp_path: Path
) -> None:
    """And by neither under another authority than the one that signed."""
    certificates = tmp_path / "certificates"
    with broker:
        good = _look(broker, tmp_path, certificates / "ca.pem")
        other = _look(broker, tmp_path, _another_authority(tmp_path))

    assert 0 == good.returncode, good.stdout + good.stderr
    assert 0 != other.returncode
    refused = [
        line for line in other.stdout.splitlines() if line.startswith("problem") and "certificate" in line
    ]
    assert {"management API", "AMQP"} <= {line[9:23].strip() for line in refused}, other.stdout


def _another_authority(directory: Path) -> Path:
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key"
    command = f"openssl req -x509 {key} -subj /CN=x -out x.pem"
    subprocess.run(command.split(), cwd=directory, capture_output=True, timeout=60, check=True)
    return directory / "x.pem"
