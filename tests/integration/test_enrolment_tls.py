"""Machines that reach their broker by TLS: the authority that was named, the host that was meant, and nobody else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.certificates import Authority
from testbed.ports import LOOPBACK
from testbed.rabbitmq import PrivateRabbitMQ
from tests.integration.enrolling import Fleet, Newcomer
from tests.unit.bootstrap import on_machine

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@dataclass(frozen=True, kw_only=True)
class Secure:
    """A broker that speaks TLS, and who vouches for it."""

    broker: PrivateRabbitMQ
    authority: Path

    def url(self, vhost: str = "%2F", host: str = LOOPBACK) -> str:
        """Where clients of that vhost connect by TLS."""
        plain = self.broker.amqp_url_for("").removeprefix("amqp://").rpartition("@")[0]
        return f"amqps://{plain}@{host}:{self.broker.amqps_port}/{vhost}"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """One for all of these."""
    authority = Authority(tmp_path_factory.mktemp("tls"))
    certificate = authority.issue("broker.example", LOOPBACK)
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq"), certificate=certificate) as running:
        yield Secure(broker=running, authority=authority.certificate)


def test_a_machine_enrols_by_tls_under_the_authority_that_was_named(secure: Secure, tmp_path: Path) -> None:
    """The whole way over `amqps`, with the certificate and the address in it looked at."""
    fleet = Fleet(secure.broker, "tls")
    url = secure.url("tls")
    machine = Newcomer(tmp_path, fleet, broker={"url": url, "ca_file": str(secure.authority)})
    try:
        assert 0 == machine.run()[0]
        assert {"broker", "worker"} <= {phase["phase"] for phase in fleet.last_report()["phases"]}
    finally:
        machine.close()
        fleet.close()


def test_a_broker_that_somebody_else_vouches_for_is_refused(secure: Secure, tmp_path: Path) -> None:
    """Neither the system's authorities nor another one will do; no password is sent."""
    other = Authority(tmp_path / "other")
    url = secure.url()
    with on_machine.loaded(tmp_path) as here:
        for authority in (str(other.certificate), None):
            with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
                here.amqp.connect(url, authority, "a machine")


def test_a_certificate_of_another_host_is_refused(secure: Secure, tmp_path: Path) -> None:
    """It is good for broker.example and the loopback address, and the machine was sent to localhost."""
    url = secure.url(host="localhost")
    with (
        on_machine.loaded(tmp_path) as here,
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
    ):
        here.amqp.connect(url, str(secure.authority), "a machine")
