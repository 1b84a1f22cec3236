"""What a machine is to become, from settings: nothing is lost on the way, and certificates are those of the broker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from autoscaler import becoming, wiring
from autoscaler.core.model import OfferName, PoolName
from bootstrap.contract import (
    Credentials,
    Disk,
    DiskCheck,
    File,
    FileOwner,
    IpVersion,
    Keeper,
    Lease,
    LeaseEnd,
    System,
    UnusableSpec,
    WorkerPool,
    WorkerSpec,
)
from providers.contract import NodeName, ProviderName, ProviderTraits, UserDataFormat
from tests.unit.config.documents import ENVIRON, settings

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
EVERYTHING = """source = "tarball"
reference = "https://files.example/shop.tar.gz"
sha256 = "{sha256}"
keeper = "systemd"
worker_pool = "prefork"
time_limit = "2m"
soft_time_limit = "1m"
max_tasks_per_child = 7
max_memory_per_child = "1GiB"
credentials = "node"
commands_before = ["true"]
commands_after = [["false", "x"]]
proxy = {{ env = "PROXY" }}
apt_mirror = "http://mirror.example/debian"
apt_security_mirror = "http://mirror.example/security"
ip_version = "ipv6"
time_zone = "Europe/Oslo"
unattended_upgrades = "off"
disk_check = "warn"
disk_limit = "2.5ms"
lease = "5m"
lease_then = "poweroff"
[[pools.images.bootstrap.files]]
path = "/etc/motd"
content = "hello"
mode = "0644"
owner = "worker"
""".format(sha256="0a" * 32)


def spec(*changes: tuple[str, str], more: str = "") -> WorkerSpec:
    loaded = settings(*changes, more=more, environ=ENVIRON | {"PROXY": "http://u:p@proxy.example:3128"})
    return becoming.worker_spec(loaded, "images", NodeName("n1"))


def test_every_setting_reaches_the_machine() -> None:
    """Each under the name and in the unit that the room of machines has for it."""
    made = spec(more=EVERYTHING)

    assert ("tarball", "0a" * 32) == (made.application.source, made.application.sha256)
    assert (Keeper.SYSTEMD, WorkerPool.PREFORK, Credentials.NODE) == (
        made.keeper,
        made.worker_pool,
        made.credentials,
    )
    assert (120.0, 60.0, 7, 1024 * 1024) == (
        made.time_limit_s,
        made.soft_time_limit_s,
        made.max_tasks_per_child,
        made.max_memory_per_child_kib,
    )
    assert (("true",), (("false", "x"),)) == (made.commands_before, made.commands_after)
    assert (
        System(
            proxy="http://u:p@proxy.example:3128",
            apt_mirror="http://mirror.example/debian",
            apt_security_mirror="http://mirror.example/security",
            ip_version=IpVersion.IPV6,
            time_zone="Europe/Oslo",
            upgrades_after_boot=False,
        )
        == made.system
    )
    assert Disk(check=DiskCheck.WARN, limit_ms=2.5) == made.disk
    assert Lease(after_s=300.0, then=LeaseEnd.POWEROFF) == made.lease
    assert (
        File(path="/etc/motd", content="hello", mode="0644", owner=FileOwner.WORKER, is_secret=False),
    ) == made.files


def test_what_nobody_says_is_the_contracts_own_default() -> None:
    """Two places with a default would differ one day."""
    made = spec()
    bare = WorkerSpec(
        node=made.node,
        pool=made.pool,
        fleet=made.fleet,
        app=made.app,
        queues=made.queues,
        slots=made.slots,
        application=made.application,
        broker_url=made.broker_url,
        token=made.token,
    )

    assert bare == made


AMQPS = ('amqp_url = "amqp://rabbit:5672"', 'amqp_url = "amqps://rabbit:5671"\nca_file = "{path}"')


def with_ca(path: Path) -> WorkerSpec:
    old, new = AMQPS
    return spec((old, new.format(path=path)))


def test_machines_are_given_the_certificates_the_daemon_holds_the_broker_against(tmp_path: Path) -> None:
    """And nothing that people wrote between them."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(f"Øur authority\n{CERTIFICATE}# and another\n{CERTIFICATE}", "utf-8")

    assert CERTIFICATE * 2 == with_ca(ca_file).broker_ca


def test_a_broker_without_encryption_needs_no_certificates(tmp_path: Path) -> None:
    """The management plugin alone may be encrypted."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(CERTIFICATE)
    https = ("http://rabbit:15672", "https://rabbit:15671")

    ours = ("[providers.here]", f'ca_file = "{ca_file}"\n[providers.here]')

    assert "" == spec(https, ours).broker_ca


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("geheim", "holds no certificate"),
        (CERTIFICATE * 2000, "is larger than 65536 bytes"),
    ],
)
def test_certificates_that_cannot_be_had_are_a_reason_to_order_nothing(
    content: str | None, says: str, tmp_path: Path
) -> None:
    """A machine without them would never be heard."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)

    with pytest.raises(UnusableSpec) as refused:
        with_ca(ca_file)

    assert str(refused.value).startswith(f"broker.ca_file: {ca_file} {says}")
    assert "geheim" not in str(refused.value)


TRAITS = {
    ProviderName("here"): ProviderTraits(
        settle_s=1.0, user_data_format=UserDataFormat.CLOUD_CONFIG, user_data_limit_bytes=65_536
    )
}


def becomes(more: str = "", *changes: tuple[str, str], **environ: str) -> Mapping[OfferName, str]:
    """The fingerprints of the pool's machines, on a cloud."""
    loaded = settings(*changes, more=more, environ=ENVIRON | {"SECRET": "1"} | environ)
    return wiring.rulebook(loaded, TRAITS).pools[PoolName("images")].becomes


SECRETS = """proxy = { env = "PROXY" }
[[pools.images.bootstrap.files]]
path = "/etc/shop"
content = { env = "SECRET" }
"""


def test_another_secret_makes_no_other_machine() -> None:
    """Neither of a file nor of a proxy nor of the broker: a canary for each new password would hold up growth."""
    before = becomes(SECRETS, PROXY="http://u:1@proxy.example:3128")

    assert before == becomes(SECRETS, PROXY="http://u:2@proxy.example:3128", SECRET="2", PASSWORD="other")


@pytest.mark.parametrize(
    "more",
    [
        'keeper = "systemd"',
        'time_limit = "2m"',
        'commands_after = ["true"]',
        'time_zone = "Europe/Oslo"',
        'disk_check = "off"',
        'lease = "5m"',
        'credentials = "node"',
        'ip_version = "ipv4"',
        'unattended_upgrades = "off"',
        "environment = { A = { env = 'SECRET' } }",
        '[[pools.images.bootstrap.files]]\npath = "/etc/shop"\ncontent = "x"',
    ],
)
def test_another_setting_makes_another_machine(more: str) -> None:
    """Each may be what keeps a new machine from becoming a worker, so one is tried first."""
    assert becomes() != becomes(more)


def test_a_plain_files_content_makes_another_machine() -> None:
    """It is shown to people, so it counts."""
    file = '[[pools.images.bootstrap.files]]\npath = "/etc/shop"\ncontent = '

    assert becomes(f'{file}"x"') != becomes(f'{file}"y"')


def test_a_variable_more_makes_another_machine_where_it_comes_only_after_enrolment() -> None:
    """Its name counts though it stands in no user data."""
    assert becomes('credentials = "node"') != becomes('credentials = "node"\nenvironment = { A = "1" }')
