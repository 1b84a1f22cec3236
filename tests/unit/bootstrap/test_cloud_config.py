"""What a rented machine is told, source by source."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.contract import Application, File, WorkerSpec
from tests.unit.bootstrap import specs


def _packages(spec: WorkerSpec) -> list[str]:
    """What the program on the machine is told to install."""
    told = specs.machine(spec).get("packages", [])
    assert isinstance(told, list)
    return told


def test_user_data_says_what_it_is() -> None:
    """cloud-init takes a document for cloud-config only by its first line."""
    assert specs.rendered(specs.a_spec()).content.startswith(b"#cloud-config\n")


def test_the_same_spec_gives_the_same_bytes() -> None:
    """Rendering is a function: nothing of when or where it ran is in it."""
    assert specs.rendered(specs.a_spec()) == specs.rendered(specs.a_spec())


class _PlainDumper(yaml.SafeDumper):
    """PyYAML's own, told which texts are blocks and no more."""


_PlainDumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


@given(st.text(alphabet="ab #-:|'\n\t\r\v\x85\u2028é"))
def test_a_text_is_written_as_pyyaml_writes_it(text: str) -> None:
    """Byte for byte, however it begins and ends: a machine whose text changed would be replaced for nothing."""
    spec = specs.a_spec(files=(File(path="/etc/shop", content=text, is_secret=False),))
    written = specs.rendered(spec).content.decode()
    document = yaml.safe_load(written)

    assert text == document["write_files"][-1]["content"]
    as_ever = yaml.dump(document, Dumper=_PlainDumper, sort_keys=False, width=float("inf"))
    assert f"#cloud-config\n{as_ever}" == written


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("pip", ["python3", "python3-venv", "supervisor"]),
        ("wheel", ["python3", "python3-venv", "supervisor"]),
        ("git", ["python3", "python3-venv", "git", "ca-certificates", "supervisor"]),
    ],
)
def test_a_fresh_machine_is_told_what_its_source_needs(source: str, expected: list[str]) -> None:
    """A fresh machine gets git only where a repository is fetched."""
    assert expected == _packages(specs.a_spec(application=specs.SOURCES[source]))


@pytest.mark.parametrize("source", specs.SOURCES)
def test_packages_are_our_own_programs_to_install(source: str) -> None:
    """cloud-init would install them untimed, once, and before anything could be told of it."""
    document = specs.document(specs.a_spec(application=specs.SOURCES[source], packages=("ffmpeg",)))

    assert set() == {"packages", "package_update", "apt_update", "package_upgrade"} & set(document)


def test_an_image_is_left_as_it_is() -> None:
    """Where all is in the image there is no package step, no virtual environment and nothing to install."""
    paths = set(specs.files(specs.a_spec(application=specs.IMAGE)))

    assert [] == _packages(specs.a_spec(application=specs.IMAGE))
    assert set() == {path for path in paths if "pip" in path or "install" in path or "requirements" in path}


def test_an_image_gets_the_packages_an_operator_names() -> None:
    """What was asked for by name is installed whatever the source."""
    assert ["ffmpeg"] == _packages(specs.a_spec(application=specs.IMAGE, packages=("ffmpeg",)))


def test_each_package_is_named_once() -> None:
    """An operator who names a package we need anyway does not install it twice."""
    assert ["python3", "python3-venv", "supervisor", "ffmpeg"] == _packages(
        specs.a_spec(packages=("ffmpeg", "supervisor", "ffmpeg"))
    )


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        ("python3.12", ["python3.12", "python3.12-venv", "supervisor"]),
        ("/opt/py/bin/python3", ["supervisor"]),
    ],
)
def test_the_interpreter_decides_its_packages(python: str, expected: list[str]) -> None:
    """Debian names a versioned interpreter's packages after it; one given by path is in the image already."""
    assert expected == _packages(specs.a_spec(application=replace(specs.PIP, python=python)))


def test_operators_keep_their_way_in() -> None:
    """`users` without `default` would take the image's own user, and with it every ssh key, from the machine."""
    users = specs.document(specs.a_spec(user="jobs"))["users"]

    assert users[0] == "default"
    assert {
        "name": "jobs",
        "system": True,
        "shell": "/usr/sbin/nologin",
    }.items() <= users[1].items()


@pytest.mark.parametrize("source", specs.SOURCES)
def test_only_programs_can_be_read_by_others(source: str) -> None:
    """Every file that is not a program of ours is for root alone, and all belong to root, as cloud-init has it."""
    for file in specs.document(specs.a_spec(application=specs.SOURCES[source]))["write_files"]:
        expected = "0755" if file["path"].startswith("/usr/local/lib/") else "0600"

        assert (file["path"], None, expected) == (file["path"], file.get("owner"), file["permissions"])


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
