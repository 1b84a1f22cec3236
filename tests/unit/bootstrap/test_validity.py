"""Specs that cannot become a worker are refused whole, with every reason and no secret."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

import pytest

from bootstrap.contract import Application, UnusableSpec
from bootstrap.validity import problems
from tests.unit.bootstrap import specs


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"node": "Shop_1"}, "node"),
        ({"node": "a]\n[program:b"}, "node"),
        ({"user": "root"}, "user"),
        ({"user": "a b"}, "user"),
        ({"app": "--help"}, "app"),
        ({"queues": ()}, "queues"),
        ({"queues": ("a,b",)}, "queues"),
        ({"slots": 0}, "slots"),
        ({"prefetch_multiplier": 0}, "prefetch_multiplier"),
        ({"packages": ("--allow-downgrades",)}, "packages"),
        ({"environment": {"A-B": "x"}}, "environment"),
        ({"environment": {"A=1;B": "x"}}, "environment"),
        ({"environment": {"UID": "0"}}, "environment"),
        ({"environment": {"A": "x" * 131_070}}, "environment"),
        ({"environment": {f"A{n}": "æ" * 10_000 for n in range(7)}}, "environment"),
        ({"environment": {"A": "x\x00y"}}, "environment.'A'"),
        ({"environment": {"A": "\ud83d"}}, "environment.'A'"),
        ({"broker_url": "amqp://a:b@c\n"}, "broker_url"),
        ({"worker_args": ("--without-heartbeat",)}, "worker_args"),
        ({"worker_args": ("-nother@host",)}, "worker_args"),
        ({"worker_args": ("--hostname=other",)}, "worker_args"),
        ({"worker_args": ("-B",)}, "worker_args"),
    ],
)
def test_what_would_not_become_a_worker_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    """Each problem starts with the field it is in."""
    assert [named] == [problem.split(":")[0] for problem in problems(specs.a_spec(**changes))]


@pytest.mark.parametrize(
    ("application", "named"),
    [
        (replace(specs.PIP, reference=""), "application.reference"),
        (replace(specs.PIP, reference="a\n--index-url=http://x"), "application.reference"),
        (replace(specs.PIP, reference="--index-url=http://x"), "application.reference"),
        (replace(specs.PIP, reference="a @ git+https://git.example/a"), "application.reference"),
        (replace(specs.PIP, revision="v1"), "application.revision"),
        (replace(specs.PIP, index_url="ftp://pypi.example"), "application.index_url"),
        (replace(specs.PIP, index_url="https://[half"), "application.index_url"),
        (replace(specs.PIP, extra_packages=("-r x",)), "application.extra_packages"),
        (replace(specs.PIP, directory="srv"), "application.directory"),
        (replace(specs.PIP, python="-c"), "application.python"),
        (replace(specs.WHEEL, reference="shop.whl"), "application.reference"),
        (replace(specs.GIT, reference="git@git.example:a.git"), "application.reference"),
        (replace(specs.GIT, reference="https://git.example/a.git@v1"), "application.reference"),
        (replace(specs.GIT, revision="--upload-pack=x"), "application.revision"),
        (replace(specs.IMAGE, reference="shop"), "application.reference"),
        (replace(specs.IMAGE, extra_packages=("shop",)), "application.extra_packages"),
    ],
)
def test_an_application_that_cannot_be_had_is_refused_by_name(application: Application, named: str) -> None:
    """What pip or git would read as an option, a second line or another address never reaches a machine."""
    assert [named] == [problem.split(":")[0] for problem in problems(specs.a_spec(application=application))]


def test_the_longest_variable_is_the_one_with_which_a_program_starts() -> None:
    """By this system's own kernel; one more byte keeps a worker from its start, on a machine that is paid for."""
    value = "x" * 131_069
    assert () == problems(specs.a_spec(environment={"A": value}))
    subprocess.run(["true"], env={"A": value}, check=True, timeout=10)
    with pytest.raises(OSError, match="too long"):
        subprocess.run(["true"], env={"A": f"{value}x"}, check=True, timeout=10)


def test_no_part_of_a_spec_shows_a_repositorys_credentials() -> None:
    """A repr stands in whatever is told of an error that nobody expected."""
    spec = specs.a_spec(application=replace(specs.GIT, reference="https://me:geheim@host/shop.git"))

    assert "geheim" not in repr(spec)


def test_every_problem_is_told_at_once() -> None:
    """Whoever mends one setting learns of the others in the same breath."""
    with pytest.raises(UnusableSpec, match=r"slots: .*; queues: "):
        specs.rendered(specs.a_spec(slots=0, queues=()))


@pytest.mark.parametrize(
    "changes",
    [
        {"broker_url": "amqp://a:geheim@c\n"},
        {"environment": {"A": "geheim\x00"}},
        {"application": replace(specs.PIP, index_url="ftp://me:geheim@pypi.example")},
        {"application": replace(specs.WHEEL, reference="s3://me:geheim@x/y.whl?token=geheim")},
        {"application": replace(specs.GIT, reference="https://me:geheim@host/a@b")},
    ],
)
def test_a_refusal_tells_no_secret(changes: dict[str, Any]) -> None:
    """The message goes into logs and onto terminals."""
    with pytest.raises(UnusableSpec) as refused:
        specs.rendered(specs.a_spec(**changes))

    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("application", "named"),
    [
        (replace(specs.PIP, extra_packages=("x@git+https://me:geheim@host/x",)), "extra_packages"),
        (replace(specs.PIP, extra_packages=("x @ git+https://geheim@host/x@v1",)), "extra_packages"),
        (replace(specs.GIT, extra_packages=("x@https://geheim@host/x.whl",)), "extra_packages"),
        (replace(specs.PIP, extra_packages=("x@git+https://me:geheim/x@host/x",)), "extra_packages"),
        (replace(specs.PIP, extra_packages=("x@git+ssh://git:geheim@host/x",)), "extra_packages"),
        (replace(specs.PIP, extra_packages=("x@git+https://host/x?token=geheim",)), "extra_packages"),
        (replace(specs.PIP, reference="shop@git+https://geheim@host/shop"), "reference"),
        (replace(specs.PIP, reference="shop @ https://me:geheim@host/shop.tar.gz"), "reference"),
        (replace(specs.WHEEL, reference="https://geheim@host/shop.whl"), "reference"),
        (replace(specs.GIT, reference="ssh://git:geheim@host/shop.git"), "reference"),
        (replace(specs.GIT, reference="git://geheim@host/shop.git"), "reference"),
        (replace(specs.GIT, reference="https://host/shop.git?token=geheim"), "reference"),
        (replace(specs.PIP, index_url="https://me:geheim@pypi.example/simple"), "index_url"),
        (replace(specs.PIP, index_url="https://geheim@pypi.example/simple"), "index_url"),
        (replace(specs.PIP, index_url="https://pypi.example/simple?token=geheim"), "index_url"),
    ],
)
def test_credentials_that_would_reach_a_command_line_are_refused(
    application: Application, named: str
) -> None:
    """Pip hands a repository to git, and the index to the pip that builds a package, as arguments: seen in `ps`."""
    told = problems(specs.a_spec(application=application))

    assert {f"application.{named}"} == {problem.split(":")[0] for problem in told}
    assert "(not shown), which would stand in a command line" in told[0]
    assert "geheim" not in "".join(told)


@pytest.mark.parametrize(
    "application",
    [
        replace(specs.GIT, reference="https://me:geheim@host/shop.git"),
        replace(specs.GIT, reference="https://geheim@host:8443/shop.git#subdirectory=a"),
        replace(specs.GIT, reference="ssh://git@host/shop.git"),
        replace(specs.PIP, extra_packages=("x@git+https://host/x@v1", "y @ git+ssh://git@host/y@main")),
        replace(specs.PIP, extra_packages=("x @ https://[::1]:8443/x.whl ; python_version > '3.8'",)),
        replace(specs.WHEEL, reference="https://host/shop.whl?signature=geheim"),
    ],
)
def test_addresses_that_show_nobody_anything_are_taken(application: Application) -> None:
    """A repository's https credentials are stored for git, the user of ssh is no secret, pip itself reads a wheel."""
    assert () == problems(specs.a_spec(application=application))


def test_a_repository_is_no_requirement_with_or_without_a_space() -> None:
    """Its credentials and its revision have their own places only where the source is git."""
    (told,) = problems(
        specs.a_spec(application=replace(specs.PIP, reference="shop@git+https://git.example/a"))
    )

    assert told.startswith("application.reference: a repository, expected source")
