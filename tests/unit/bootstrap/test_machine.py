"""What the program on a machine is told, setting by setting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bootstrap.contract import Credentials, Disk, DiskCheck, Keeper, Lease, LeaseEnd, System
from tests.unit.bootstrap import specs

PLAIN = {"node", "fleet", "pool", "token", "user", "directory", "python", "source", "broker"}


def test_a_plain_machine_is_told_who_it_is_and_no_defaults() -> None:
    """Each byte counts where a cloud takes twelve thousand."""
    told = specs.machine(specs.a_spec(application=specs.IMAGE, token="70c3"))

    assert {
        "node": "shop-images-7k2f",
        "fleet": "shop",
        "pool": "images",
        "token": "70c3",
        "user": "celery",
        "directory": "/var/lib/autoscaler",
        "python": "python3",
        "source": "image",
        "broker": {"url": "amqp://worker:wachtwoord@broker.example:5672/%2F"},
    } == told


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"keeper": Keeper.SYSTEMD}, {"keeper": "systemd"}),
        ({"packages": ("ffmpeg", "ffmpeg")}, {"packages": ["ffmpeg"]}),
        ({"credentials": Credentials.NODE}, {"credentials": "node"}),
        ({"disk": Disk(check=DiskCheck.WARN)}, {"disk": {"check": "warn", "limit_ms": 5.0}}),
        ({"disk": Disk(limit_ms=0.5)}, {"disk": {"check": "refuse", "limit_ms": 0.5}}),
        (
            {"lease": Lease(after_s=300.0, then=LeaseEnd.POWEROFF)},
            {"lease": {"after_s": 300.0, "then": "poweroff"}},
        ),
        (
            {"system": System(proxy="http://u:p@proxy.example:3128")},
            {"proxy": "http://u:p@proxy.example:3128"},
        ),
        (
            {"commands_before": ("echo $HOME", ("echo", "it's me"))},
            {"commands_before": ["echo $HOME", "echo 'it'\"'\"'s me'"]},
        ),
        ({"commands_after": (("true",),)}, {"commands_after": ["true"]}),
    ],
)
def test_what_is_not_as_usual_is_told(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """By the key and in the words that docs/bootstrap.md fixes, and nothing else with it."""
    told = specs.machine(specs.a_spec(application=specs.IMAGE, **changes))

    assert expected == {key: value for key, value in told.items() if key not in PLAIN}


def test_the_brokers_certificates_stand_where_the_worker_may_read_them() -> None:
    """The program that enrols pins the same ones."""
    spec = specs.a_spec(broker_ca="-----BEGIN CERTIFICATE-----\n")
    (file,) = [
        each for each in specs.document(spec)["write_files"] if each["path"].endswith("/broker-ca.pem")
    ]

    assert file["path"] == specs.machine(spec)["broker"]["ca_file"]
    assert ("0644", spec.broker_ca) == (file["permissions"], file["content"])


def test_a_tarball_is_told_with_its_checksum_and_fetched_before_anything() -> None:
    """The operator's own first commands may need what is in it."""
    told = specs.machine(specs.a_spec(application=specs.TARBALL, commands_before=("true",)))

    assert {"url": specs.TARBALL.reference, "sha256": specs.TARBALL.sha256} == told["tarball"]
    assert ["/usr/local/lib/autoscaler/fetch-application", "true"] == told["commands_before"]
    assert "/opt/autoscaler/application" == told["directory"]


def test_a_tarball_goes_where_the_operator_says() -> None:
    """It is the directory in which the worker runs."""
    application = replace(specs.TARBALL, directory="/opt/shop")

    assert "/opt/shop" == specs.machine(specs.a_spec(application=application))["directory"]


def test_systemd_needs_no_supervisord() -> None:
    """What is not used is not installed."""
    packages = specs.machine(specs.a_spec(keeper=Keeper.SYSTEMD))["packages"]

    assert ["python3", "python3-venv"] == packages


def test_a_node_with_rights_of_its_own_is_told_no_secret_of_the_pool() -> None:
    """What its user data holds is dead once it has enrolled; the environment comes after."""
    spec = specs.a_spec(credentials=Credentials.NODE, environment={"TOKEN": "geheim"}, token="70c3")
    files = specs.files(spec)

    assert "geheim" not in "".join(files.values())
    assert "CELERY_BROKER_URL" not in files["/etc/autoscaler/worker.env"]
    assert "wachtwoord" in files["/etc/autoscaler/machine.json"]
