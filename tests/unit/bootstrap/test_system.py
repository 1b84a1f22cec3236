"""What a machine is told besides its work: packages' way in, the clock, upgrades, operators' files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bootstrap.contract import File, FileOwner, IpVersion, System
from tests.unit.bootstrap import specs

APT_CONF = "/etc/apt/apt.conf.d/95autoscaler"
MIRROR = System(
    apt_mirror="http://mirror.example/debian", apt_security_mirror="http://mirror.example/debian-security"
)


def _file(system: System, path: str) -> dict[str, Any]:
    (found,) = [
        each for each in specs.document(specs.a_spec(system=system))["write_files"] if each["path"] == path
    ]
    assert isinstance(found, dict)
    return found


def test_upgrades_wait_until_the_worker_runs() -> None:
    """They would hold the lock that packages need; masked for this start of the machine only, and let go at its end."""
    document = specs.document(specs.a_spec())
    timers = "apt-daily.timer apt-daily-upgrade.timer"

    assert [f"cloud-init-per instance upgrades systemctl mask --runtime {timers}"] == document["bootcmd"]
    assert ["/usr/local/lib/autoscaler/become-worker"] == document["runcmd"][0]
    assert f"set -- {timers}; systemctl unmask --runtime $@; systemctl start $@" == document["runcmd"][1]


def test_upgrades_that_are_off_stay_off() -> None:
    """After the next start of the machine too."""
    system = System(upgrades_after_boot=False)

    assert 'APT::Periodic::Enable "0";\n' == _file(system, APT_CONF)["content"]
    assert [["/usr/local/lib/autoscaler/become-worker"]] == specs.document(specs.a_spec(system=system))[
        "runcmd"
    ]


@pytest.mark.parametrize(
    ("proxy", "mode"), [("http://proxy.example:3128", "0644"), ("http://u:geheim@proxy.example:3128", "0600")]
)
def test_a_proxy_stands_in_files_and_with_a_password_only_roots(proxy: str, mode: str) -> None:
    """Apt, pip and git each read it from a file of theirs; no command line and no program holds it."""
    system = System(proxy=proxy)
    spec = specs.a_spec(system=system, application=specs.GIT)
    files = specs.files(spec)
    apt = _file(system, APT_CONF)

    assert mode == apt["permissions"]
    assert f'Acquire::http::Proxy "{proxy}";\nAcquire::https::Proxy "{proxy}";\n' == apt["content"]
    assert f"proxy = {proxy}\n" in files["/etc/autoscaler/pip.conf"]
    assert f'[http]\nproxy = "{proxy}"\n' == files["/etc/autoscaler/git/config"]
    assert "geheim" not in str(specs.document(spec)["bootcmd"]) + str(specs.document(spec)["runcmd"])
    assert "geheim" not in specs.rendered(spec).masked


@pytest.mark.parametrize(
    ("version", "expected"), [(IpVersion.IPV4, "Acquire::ForceIPv4"), (IpVersion.IPV6, "Acquire::ForceIPv6")]
)
def test_one_protocol_is_forced_on_apt(version: IpVersion, expected: str) -> None:
    """Apt would try the other one first where the image has an address that leads nowhere."""
    assert f'{expected} "true";\n' == _file(System(ip_version=version), APT_CONF)["content"]


def test_ipv4_comes_first_for_everything_where_it_is_asked_for() -> None:
    """The resolver's own order puts IPv6 first, so only the other case needs a file."""
    assert (
        "precedence ::ffff:0:0/96 100\n"
        == _file(System(ip_version=IpVersion.IPV4), "/etc/gai.conf")["content"]
    )
    assert "/etc/gai.conf" not in specs.files(specs.a_spec(system=System(ip_version=IpVersion.IPV6)))


@pytest.mark.parametrize(("zone", "expected"), [("Europe/Oslo", 0), ("Europe/Olso", 1)])
def test_a_time_zone_is_set_before_all_other_commands(zone: str, expected: int, tmp_path: Path) -> None:
    """The line is run as the program on the machine runs it; a zone that the image does not know ends the boot."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/timezone").write_text("Etc/UTC\n")
    (tmp_path / "usr/share/zoneinfo/Europe").mkdir(parents=True)
    (tmp_path / "usr/share/zoneinfo/Europe/Oslo").touch()
    line = specs.machine(specs.a_spec(system=System(time_zone=zone), commands_before=("true",)))[
        "commands_before"
    ][0]
    moved = line.replace("/etc/", f"{tmp_path}/etc/").replace("/usr/share", f"{tmp_path}/usr/share")

    done = subprocess.run(["/bin/sh", "-eu"], input=moved, text=True, timeout=30, check=False)

    assert expected == done.returncode
    assert ["Etc/UTC\n", f"{zone}\n"][not expected] == (tmp_path / "etc/timezone").read_text()
    assert (not expected) == (tmp_path / "etc/localtime").exists()


def test_a_mirror_is_used_before_anything_is_installed() -> None:
    """One that serves the security suite too is named once."""
    once = System(apt_mirror="http://mirror.example/ubuntu")
    script = "/usr/local/lib/autoscaler/use-mirror"

    assert [f"sh {script} {MIRROR.apt_mirror} {MIRROR.apt_security_mirror}"] == specs.machine(
        specs.a_spec(system=MIRROR)
    )["commands_before"]
    assert [f"sh {script} {once.apt_mirror} {once.apt_mirror}"] == specs.machine(specs.a_spec(system=once))[
        "commands_before"
    ]


@pytest.mark.parametrize(
    ("identity", "left", "expected"),
    [
        (
            "ID=debian\nVERSION_CODENAME=bookworm\n",
            "sources.list.d/debian.sources",
            "deb {m} bookworm main\ndeb {m} bookworm-updates main\ndeb {s} bookworm-security main\n",
        ),
        (
            "ID=ubuntu\nVERSION_CODENAME=noble\n",
            "sources.list.d/ubuntu.sources",
            "".join(
                f"deb {each} main restricted universe\n"
                for each in ("{m} noble", "{m} noble-updates", "{s} noble-security")
            ),
        ),
    ],
)
def test_a_mirror_takes_the_place_of_the_distributions_sources(
    identity: str, left: str, expected: str, tmp_path: Path
) -> None:
    """The script is run on a machine of each kind, and may be run again; sources of others stay."""
    apt = tmp_path / "etc/apt"
    (apt / "sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text(identity)
    (apt / left).write_text("Types: deb\n")
    (apt / "sources.list").write_text("deb http://deb.example/debian x main\n")
    (apt / "sources.list.d/docker.list").write_text("deb http://docker.example x stable\n")
    script = specs.files(specs.a_spec(system=MIRROR))["/usr/local/lib/autoscaler/use-mirror"]
    moved = script.replace("/etc/", f"{tmp_path}/etc/").replace("/usr/share", f"{tmp_path}/usr/share")
    (tmp_path / "use-mirror").write_text(moved)

    for _ in range(2):
        command = ["sh", tmp_path / "use-mirror", MIRROR.apt_mirror, MIRROR.apt_security_mirror]
        subprocess.run(command, check=True, timeout=30)

    assert "deb http://deb.example/debian x main\n" == (apt / "sources.list.disabled").read_text()
    mirrors = {"m": MIRROR.apt_mirror, "s": MIRROR.apt_security_mirror}
    assert expected.format_map(mirrors) == (apt / "sources.list").read_text()
    assert {"debian.sources.disabled", "ubuntu.sources.disabled"} & {
        p.name for p in (apt / "sources.list.d").iterdir()
    }
    assert not (apt / left).exists()
    assert (apt / "sources.list.d/docker.list").exists()


def test_an_operators_file_waits_for_its_owner() -> None:
    """Cloud-init writes files before it makes users; they are put into their places by the first commands."""
    spec = specs.a_spec(
        user="jobs",
        commands_before=("true",),
        files=(
            File(path="/etc/it's/shop.toml", content="geheim", mode="0640", owner=FileOwner.WORKER),
            File(path="/etc/motd", content="hello\n", mode="0644", is_secret=False),
        ),
    )
    waiting = specs.document(spec)["write_files"][-2:]

    assert ["/etc/autoscaler/files/0", "/etc/autoscaler/files/1"] == [file["path"] for file in waiting]
    assert {("root:root", "0600")} == {
        (file.get("owner", "root:root"), file["permissions"]) for file in waiting
    }
    assert [
        "install -D -m 0640 -o jobs -g root /etc/autoscaler/files/0 '/etc/it'\"'\"'s/shop.toml'",
        "install -D -m 0644 -o root -g root /etc/autoscaler/files/1 /etc/motd",
        "true",
    ] == specs.machine(spec)["commands_before"]
    assert "geheim" not in specs.rendered(spec).masked
    assert "hello" in specs.rendered(spec).masked


def test_a_file_in_the_workers_home_leaves_it_the_workers() -> None:
    """Made for the sake of the file it would be root's, and the worker could write nothing there."""
    spec = specs.a_spec(files=(File(path="/var/lib/autoscaler/.netrc", content="geheim"),))

    assert (
        "test -d /var/lib/autoscaler || install -d -o celery /var/lib/autoscaler"
        == specs.machine(spec)["commands_before"][0]
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_are_put_into_their_places_again_and_again(tmp_path: Path) -> None:
    """The commands are run as the program on the machine runs them."""
    spec = specs.a_spec(
        user="nobody",
        files=(
            File(path=f"{tmp_path}/it's/deep/shop.toml", content="x", mode="0640", owner=FileOwner.WORKER),
        ),
    )
    place = Path(spec.files[0].path)
    (tmp_path / "0").write_text("x")
    for _ in range(2):
        for line in specs.machine(spec)["commands_before"]:
            moved = line.replace("/etc/autoscaler/files", str(tmp_path))
            subprocess.run(["/bin/sh", "-eu"], input=moved, text=True, check=True, timeout=30)

    assert ("x", 0o640, "nobody") == (place.read_text(), place.stat().st_mode & 0o777, place.owner())
