"""What a rented machine is told, source by source."""

from __future__ import annotations

import configparser
from dataclasses import replace

import pytest

from bootstrap.contract import Application, WorkerSpec
from tests.unit.bootstrap import specs


def test_user_data_says_what_it_is() -> None:
    """cloud-init takes a document for cloud-config only by its first line."""
    assert specs.rendered(specs.a_spec()).content.startswith(b"#cloud-config\n")


def test_the_same_spec_gives_the_same_bytes() -> None:
    """Rendering is a function: nothing of when or where it ran is in it."""
    assert specs.rendered(specs.a_spec()) == specs.rendered(specs.a_spec())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("pip", ["python3", "python3-venv", "supervisor"]),
        ("wheel", ["python3", "python3-venv", "supervisor"]),
        ("git", ["python3", "python3-venv", "git", "ca-certificates", "supervisor"]),
    ],
)
def test_a_fresh_machine_installs_what_its_source_needs(source: str, expected: list[str]) -> None:
    """A fresh machine gets git only where a repository is fetched; the package lists are brought up to date first."""
    document = specs.document(specs.a_spec(application=specs.SOURCES[source]))

    assert expected == document["packages"]
    assert document["package_update"] is True


def test_an_image_is_left_as_it_is() -> None:
    """Where all is in the image there is no package step, no virtual environment and nothing to install."""
    document = specs.document(specs.a_spec(application=specs.IMAGE))
    paths = {file["path"] for file in document["write_files"]}

    assert set() == {"packages", "package_update", "apt_update", "package_upgrade"} & set(document)
    assert set() == {path for path in paths if "pip" in path or "install" in path or "requirements" in path}


def test_an_image_gets_the_packages_an_operator_names() -> None:
    """What was asked for by name is installed whatever the source."""
    document = specs.document(specs.a_spec(application=specs.IMAGE, packages=("ffmpeg",)))

    assert ["ffmpeg"] == document["packages"]


def test_each_package_is_named_once() -> None:
    """An operator who names a package we need anyway does not install it twice."""
    document = specs.document(specs.a_spec(packages=("ffmpeg", "supervisor", "ffmpeg")))

    assert ["python3", "python3-venv", "supervisor", "ffmpeg"] == document["packages"]


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        ("python3.12", ["python3.12", "python3.12-venv", "supervisor"]),
        ("/opt/py/bin/python3", ["supervisor"]),
    ],
)
def test_the_interpreter_decides_its_packages(python: str, expected: list[str]) -> None:
    """Debian names a versioned interpreter's packages after it; one given by path is in the image already."""
    document = specs.document(specs.a_spec(application=replace(specs.PIP, python=python)))

    assert expected == document["packages"]


def test_operators_keep_their_way_in() -> None:
    """`users` without `default` would take the image's own user, and with it every ssh key, from the machine."""
    users = specs.document(specs.a_spec(user="jobs"))["users"]

    assert users[0] == "default"
    assert {
        "name": "jobs",
        "system": True,
        "shell": "/usr/sbin/nologin",
        "lock_passwd": True,
    }.items() <= users[1].items()


@pytest.mark.parametrize("source", specs.SOURCES)
def test_only_programs_can_be_read_by_others(source: str) -> None:
    """Every file that is not a program of ours is for root alone, and all belong to root."""
    for file in specs.document(specs.a_spec(application=specs.SOURCES[source]))["write_files"]:
        expected = "0755" if file["path"].startswith("/usr/local/lib/") else "0600"

        assert (file["path"], "root:root", expected) == (file["path"], file["owner"], file["permissions"])


def _program(spec: WorkerSpec) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    parser.read_string(specs.files(spec)["/etc/autoscaler/celery-worker.conf"])
    return parser[f"program:{spec.node}"]


def test_a_worker_that_was_told_to_go_stays_down() -> None:
    """Crashes alone are restarted; supervisord gives tasks their time, and never ends a pool's children one by one."""
    program = _program(specs.a_spec())
    expected = {
        "autostart": "true",
        "autorestart": "unexpected",
        "exitcodes": "0",
        "stopsignal": "TERM",
        "stopasgroup": "false",
        "killasgroup": "true",
    }

    assert expected.items() <= dict(program).items()
    assert int(program["stopwaitsecs"]) >= 3600
    assert {"stdout_logfile_maxbytes", "stdout_logfile_backups"} <= set(program)


def _requirements(application: Application) -> list[str]:
    return specs.files(specs.a_spec(application=application))["/etc/autoscaler/requirements.txt"].splitlines()


def test_pip_is_told_what_to_install_in_a_file() -> None:
    """The reference and further packages, a line each, in pip's own syntax."""
    assert ["shop-tasks==1.4", "flower>=2"] == _requirements(
        replace(specs.PIP, extra_packages=("flower>=2",))
    )


@pytest.mark.parametrize(
    ("url", "revision", "expected"),
    [
        ("https://git.example/a.git", "v1", "git+https://git.example/a.git@v1"),
        ("https://git.example/a.git", "", "git+https://git.example/a.git"),
        ("https://git.example/a.git#subdirectory=b", "v1", "git+https://git.example/a.git@v1#subdirectory=b"),
        ("https://me:pw@git.example:8443/a.git", "v1", "git+https://git.example:8443/a.git@v1"),
        ("ssh://git@git.example/a.git", "v1", "git+ssh://git@git.example/a.git@v1"),
    ],
)
def test_a_repository_is_named_to_pip_without_credentials(url: str, revision: str, expected: str) -> None:
    """Otherwise pip would hand them to git in an argument, where everybody on the machine could read it."""
    assert [expected] == _requirements(replace(specs.GIT, reference=url, revision=revision))


def test_a_repository_without_credentials_leaves_none_behind() -> None:
    """No credential, no file for it."""
    assert set() == {path for path in specs.files(specs.a_spec(application=specs.GIT)) if "/git/" in path}


def test_a_named_index_is_the_index_and_trusted_where_it_speaks_plain_http() -> None:
    """Otherwise pip refuses plain HTTP; over https nothing is called trusted."""
    plain = specs.files(
        specs.a_spec(application=replace(specs.PIP, index_url="http://10.0.2.2:8000/simple"))
    )["/etc/autoscaler/pip.conf"]
    secure = specs.files(
        specs.a_spec(application=replace(specs.PIP, index_url="https://pypi.example/simple"))
    )

    assert "index-url = http://10.0.2.2:8000/simple\ntrusted-host = 10.0.2.2:8000\n" in plain
    assert "trusted-host" not in secure["/etc/autoscaler/pip.conf"]
