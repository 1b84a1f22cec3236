"""What must hold for the machine around the worker: what is wrong is refused by its name, and no secret is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bootstrap.contract import (
    Application,
    Credentials,
    Disk,
    File,
    Lease,
    System,
    WorkerPool,
)
from bootstrap.validity import problems
from tests.unit.bootstrap import specs

HASH = f"--hash=sha256:{'0a' * 32}"


def _file(path: str, **changes: Any) -> dict[str, Any]:
    return {"files": (File(path=path, content="geheim", **changes),)}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"time_limit_s": 0.0}, "time_limit"),
        ({"time_limit_s": float("nan")}, "time_limit"),
        ({"time_limit_s": 60.0, "soft_time_limit_s": 60.0}, "soft_time_limit"),
        ({"time_limit_s": 60.0, "worker_pool": WorkerPool.THREADS}, "time_limit"),
        ({"soft_time_limit_s": 60.0, "worker_pool": WorkerPool.GEVENT}, "soft_time_limit"),
        ({"max_tasks_per_child": 10, "worker_pool": WorkerPool.EVENTLET}, "max_tasks_per_child"),
        ({"max_memory_per_child_kib": 0}, "max_memory_per_child"),
        ({"broker_ca": "geheim"}, "broker_ca"),
        ({"broker_ca": "-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\n"}, "broker_ca"),
        ({"broker_url": "", "credentials": Credentials.NODE}, "broker_url"),
        (_file("etc/shop"), "files"),
        (_file("/etc/../shadow"), "files"),
        (_file("/etc//shop"), "files"),
        (_file("/etc/shop/"), "files"),
        (_file("/etc/autoscaler/worker.env"), "files"),
        (_file("/usr/local/lib/autoscaler/run-worker"), "files"),
        (_file("/etc/shop", mode="rw"), "files"),
        (_file("/etc/shop", mode="4755", is_secret=False), "files"),
        (_file("/etc/shop", mode="0644"), "files"),
        ({"commands_before": ("",)}, "commands_before[0]"),
        ({"commands_before": ("true", ())}, "commands_before[1]"),
        ({"commands_after": ("a\nb",)}, "commands_after[0]"),
        ({"commands_after": (("curl", "https://me:geheim@host/x"),)}, "commands_after[0]"),
        ({"system": System(proxy="http://proxy.example")}, "proxy"),
        ({"system": System(proxy="socks5://geheim@proxy.example:1080")}, "proxy"),
        ({"system": System(proxy='http://geheim"@proxy.example:3128')}, "proxy"),
        ({"system": System(apt_mirror="http://geheim@mirror.example/debian")}, "apt_mirror"),
        ({"system": System(apt_mirror="http://mirror.example/debian main")}, "apt_mirror"),
        ({"system": System(apt_security_mirror="http://mirror.example/debian")}, "apt_security_mirror"),
        ({"system": System(time_zone="../../etc/shadow")}, "time_zone"),
        ({"disk": Disk(limit_ms=0.0)}, "disk_limit"),
        ({"lease": Lease(after_s=5.0)}, "lease"),
        ({"lease": Lease(after_s=-1.0)}, "lease"),
        ({"token": "a\x00"}, "token"),
        ({"commands_after": ("a\ud83d",)}, "commands_after"),
    ],
)
def test_what_no_machine_could_do_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    """Before anything is bought, and without what may be a secret."""
    told = problems(specs.a_spec(**changes))

    assert {named} == {problem.split(":")[0] for problem in told}
    assert "geheim" not in "".join(told)


@pytest.mark.parametrize("directory", ["", "/srv/shop"])
def test_a_file_below_the_tarballs_directory_would_be_lost(directory: str) -> None:
    """The tarball takes the place of all that is there, and comes later."""
    application = replace(specs.TARBALL, directory=directory)
    place = directory or "/opt/autoscaler/application"
    files = (File(path=f"{place}/settings.toml", content="x"), File(path=f"{place}.toml", content="x"))
    (told,) = problems(specs.a_spec(application=application, files=files))

    assert told.startswith(f"files: '{place}/settings.toml' would be lost")


def test_no_secret_file_outlives_enrolment_in_user_data() -> None:
    """Where a machine has credentials of its own, its user data holds nothing that is worth stealing later."""
    secret = File(path="/etc/shop.key", content="geheim", mode="0600", is_secret=True)
    plain = replace(secret, is_secret=False)
    own, shared = (
        [problems(specs.a_spec(credentials=mode, files=(file,))) for file in (secret, plain)]
        for mode in (Credentials.NODE, Credentials.SHARED)
    )

    assert ([1, 0], [0, 0]) == tuple([len(each) for each in found] for found in (own, shared))
    assert "would stay in the user data" in own[0][0]
    assert "geheim" not in own[0][0]


def test_a_path_is_written_once() -> None:
    """The later file would silently win."""
    twice = (File(path="/etc/a", content="1"), File(path="/etc/a", content="2"))

    assert ("files: '/etc/a' is written twice",) == problems(specs.a_spec(files=twice))


@pytest.mark.parametrize(
    ("application", "named"),
    [
        (replace(specs.PIP, sha256="0a" * 32), "sha256"),
        (replace(specs.WHEEL, sha256="0A"), "sha256"),
        (
            replace(specs.WHEEL, sha256="0a" * 32, reference="https://files.example/a.whl#sha256=x"),
            "reference",
        ),
        (replace(specs.TARBALL, sha256=""), "sha256"),
        (replace(specs.TARBALL, reference="shop.tar.gz"), "reference"),
        (replace(specs.TARBALL, directory="/opt"), "directory"),
        (replace(specs.TARBALL, directory="/opt/../etc"), "directory"),
        (replace(specs.TARBALL, revision="v1"), "revision"),
        (replace(specs.PIP, require_hashes=True), "reference"),
        (replace(specs.PIP, reference=f"shop==1 {HASH}", extra_packages=("redis==5",)), "extra_packages"),
        (replace(specs.PIP, reference=f"shop>=1 {HASH}"), "reference"),
        (replace(specs.PIP, reference="shop==1 --hash=sha256:0a"), "reference"),
        (replace(specs.GIT, require_hashes=True), "require_hashes"),
        (replace(specs.GIT, extra_packages=(f"redis==5 {HASH}",)), "require_hashes"),
        (replace(specs.WHEEL, require_hashes=True), "sha256"),
        (replace(specs.IMAGE, sha256="0a" * 32), "sha256"),
        (replace(specs.IMAGE, require_hashes=True), "require_hashes"),
    ],
)
def test_a_checksum_that_pip_would_miss_only_on_the_machine_is_missed_here(
    application: Application, named: str
) -> None:
    """As soon as one requirement has a hash pip demands one of all."""
    told = problems(specs.a_spec(application=application))

    assert f"application.{named}" in {problem.split(":")[0] for problem in told}


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        (
            replace(specs.PIP, reference=f"shop==1 {HASH} {HASH}", require_hashes=True),
            [f"shop==1 {HASH} {HASH}"],
        ),
        (
            replace(specs.WHEEL, sha256="0a" * 32),
            ["https://files.example/shop_tasks-1.4-py3-none-any.whl#sha256=" + "0a" * 32],
        ),
        (
            replace(specs.WHEEL, sha256="0a" * 32, require_hashes=True, extra_packages=(f"redis==5 {HASH}",)),
            [f"https://files.example/shop_tasks-1.4-py3-none-any.whl {HASH}", f"redis==5 {HASH}"],
        ),
        (
            replace(specs.TARBALL, extra_packages=("redis>=5",)),
            ["# sha256:" + "0a" * 32, "--requirement /etc/autoscaler/requirements-brought.txt", "redis>=5"],
        ),
    ],
)
def test_hashes_reach_pip_where_it_reads_them(application: Application, expected: list[str]) -> None:
    """A wheel's alone stands in its fragment: as an option it would demand hashes of all others."""
    spec = specs.a_spec(application=application)

    assert () == problems(spec)
    assert expected == specs.files(spec)["/etc/autoscaler/requirements.txt"].splitlines()
    assert application.require_hashes == (
        "[install]\nrequire-hashes = true\n" in specs.files(spec)["/etc/autoscaler/pip.conf"]
    )
