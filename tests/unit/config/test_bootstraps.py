"""How a machine becomes a worker, as it is written: kinds of value, and keys that must agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.config.bootstrap import Bootstrap
from tests.unit.config.documents import problems, settings

SHA256 = "0a" * 32
TARBALL = f'source = "tarball"\nreference = "https://files.example/shop.tar.gz"\nsha256 = "{SHA256}"'


def bootstrap(more: str, environ: dict[str, str] | None = None) -> Bootstrap:
    """The section with these lines more."""
    return settings(more=more, environ=environ).pools["images"].bootstrap


def test_each_kind_of_value_is_read_in_the_units_of_the_program(tmp_path: Path) -> None:
    """Durations in seconds, memory in KiB, commands as they are, secrets by reference."""
    secret = tmp_path / "settings.toml"
    secret.write_text("geheim\n")
    read = bootstrap(
        f"""{TARBALL}
time_limit = "30m"
soft_time_limit = "90s"
max_memory_per_child = "512MiB"
disk_limit = "2.5ms"
lease = "5m"
proxy = {{ env = "PROXY" }}
commands_before = ["echo $HOME", ["modprobe", "loop"]]
[[pools.images.bootstrap.files]]
path = "/etc/shop/settings.toml"
content = {{ file = "{secret}" }}
[[pools.images.bootstrap.files]]
path = "/etc/motd"
content = "hello"
mode = "0644"
""",
        {"PASSWORD": "x", "PROXY": "http://u:geheim@proxy.example:3128"},
    )

    assert (1800.0, 90.0, 512 * 1024, 0.0025, 300.0) == (
        read.time_limit_s,
        read.soft_time_limit_s,
        read.max_memory_per_child_kib,
        read.disk_limit_s,
        read.lease_s,
    )
    assert ("echo $HOME", ("modprobe", "loop")) == read.commands_before
    assert [False, True] == [file.content.is_plain for file in read.files]
    assert read.proxy is not None
    assert "http://u:geheim@proxy.example:3128" == read.proxy.reveal()
    assert "geheim" not in repr(read)


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ('worker_pool = "solo"', "worker_pool"),
        ('time_limit = "0s"', "time_limit"),
        ('time_limit = "1m"\nsoft_time_limit = "1m"', "soft_time_limit"),
        ('worker_pool = "threads"\ntime_limit = "1m"', "time_limit"),
        ('worker_pool = "gevent"\nmax_tasks_per_child = 10', "max_tasks_per_child"),
        ("max_memory_per_child = 512", "max_memory_per_child"),
        ('max_memory_per_child = "512MB"', "max_memory_per_child"),
        ('source = "tarball"\nreference = "https://files.example/shop.tar.gz"', "sha256"),
        (f'{TARBALL}\nrevision = "v1"', "revision"),
        (f'source = "pip"\nreference = "shop"\nsha256 = "{SHA256}"', "sha256"),
        ('source = "pip"\nreference = "shop"\nsha256 = "0A"', "sha256"),
        (f'sha256 = "{SHA256}"', "sha256"),
        ("require_hashes = true", "require_hashes"),
        ('source = "git"\nreference = "https://h/a"\nrequire_hashes = true', "require_hashes"),
        ('commands_before = [""]', "commands_before[0]"),
        ("commands_before = [[]]", "commands_before[0]"),
        ('commands_before = ["true", 7]', "commands_before[1]"),
        ('commands_after = [["a", 7]]', "commands_after[0]"),
        ('commands_after = ["a\\nb"]', "commands_after[0]"),
        ('commands_after = ["curl https://me:geheim@host/"]', "commands_after[0]"),
        ('commands_after = [["curl", "https://geheim@host/"]]', "commands_after[0]"),
        ('proxy = "http://u:geheim@proxy.example:3128"', "proxy"),
        ('proxy = "proxy.example"', "proxy"),
        ('apt_mirror = "mirror.example"', "apt_mirror"),
        ('apt_mirror = "http://geheim@mirror.example/debian"', "apt_mirror"),
        ('apt_security_mirror = "http://mirror.example/debian"', "apt_security_mirror"),
        ('time_zone = "Europe/Olso"', "time_zone"),
        ('lease = "5s"', "lease"),
        ('disk_limit = "0ms"', "disk_limit"),
        ('disk_check = "maybe"', "disk_check"),
        ('keeper = "runit"', "keeper"),
        ('credentials = "geheim"', "credentials"),
        ('[[pools.images.bootstrap.files]]\npath = "a"\ncontent = "x"', "files[0].path"),
        ('[[pools.images.bootstrap.files]]\npath = "/a"\ncontent = "x"\nmode = "rw"', "files[0].mode"),
        (
            '[[pools.images.bootstrap.files]]\npath = "/a"\ncontent = { env = "PASSWORD" }\nmode = "0644"',
            "files[0].mode",
        ),
        ('[[pools.images.bootstrap.files]]\npath = "/a"\ncontent = "x"\n' * 2, "files[1].path"),
        ('[[pools.images.bootstrap.files]]\npath = "/a"\ncontent = ["geheim"]', "files[0].content"),
    ],
)
def test_what_cannot_be_meant_is_told_where_it_stands(more: str, path: str) -> None:
    """Before the daemon starts, with its place, and without what may be a secret."""
    told = problems(more=more)

    assert [f"pools.images.bootstrap.{path}"] == [problem.path for problem in told]
    assert "geheim" not in "".join(map(str, told))


@pytest.mark.parametrize(
    "more",
    [
        TARBALL,
        f'source = "wheel"\nreference = "https://files.example/shop.whl"\nsha256 = "{SHA256}"\nrequire_hashes = true',
        f'source = "pip"\nreference = "shop==1 --hash=sha256:{SHA256}"\nrequire_hashes = true',
        'worker_pool = "gevent"\ntime_limit = "1m"',
        'proxy = "http://[2001:db8::5]:3128/"',
        'apt_mirror = "http://mirror.example/debian"\nip_version = "ipv6"\ntime_zone = "Europe/Oslo"',
        'lease = "30s"\nlease_then = "poweroff"\nunattended_upgrades = "off"\ndisk_check = "off"',
        'keeper = "systemd"\ncredentials = "node"',
    ],
)
def test_what_can_be_meant_is_taken(more: str) -> None:
    """Each option by itself, as the documentation shows it."""
    assert () == problems(more=more)
