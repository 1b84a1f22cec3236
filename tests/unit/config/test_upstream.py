"""`[pools.NAME.upstream]`, what becomes of it, and what docs/web-tier.md tells people to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoscaler import config, pool_rules, upstream_settings
from autoscaler.config import Problem, Settings, changes
from autoscaler.core.model import PoolName
from autoscaler.upstream_files import Publication
from policies.contract import PolicySpec
from tests.unit.config import documents

PAGE = (Path(__file__).parents[3] / "docs" / "web-tier.md").read_text()
LEAST = """
[pools.images.upstream]
file = "/var/lib/autoscaler/nginx/images.conf"
port = 8000
reload = ["/usr/bin/systemctl", "reload", "nginx.service"]
"""
ELSEWHERE = ('kind = "local"', 'kind = "external"\ncommand = ["/opt/panel.py"]')
"""Machines with an address."""


def settings(more: str = "") -> Settings:
    return documents.settings(ELSEWHERE, more=more)


def the_problem(more: str) -> Problem:
    return documents.the_problem(ELSEWHERE, more=more)


def publication(more: str) -> Publication:
    given = settings(more=more)
    rules = {PoolName(name): pool_rules.of(name, pool) for name, pool in given.pools.items()}
    return upstream_settings.publications(given, rules)[PoolName("images")]


def test_without_the_section_nothing_is_published() -> None:
    """Nobody gets a file unasked."""
    assert {} == dict(upstream_settings.publications(settings(), {}))


def test_the_least_of_it_is_enough() -> None:
    """A file, a port and a reload; the rest has defaults that are safe."""
    found = publication(LEAST)

    assert ("private", 8000, None) == (found.upstream.address, found.upstream.port, found.probe)
    assert ((), 60.0, 30.0) == (found.check, found.linger_s, found.command_timeout_s)
    assert ("/usr/bin/systemctl", "reload", "nginx.service") == found.reload


def test_every_key_arrives() -> None:
    """Each with a value that is not its default."""
    found = publication(
        LEAST + 'address = "10.20.0.0/16"\nprobe = "/healthz"\nmax_fails = 3\nfail_timeout = "5s"\n'
        'check = ["/usr/sbin/nginx", "-t"]\ncommand_timeout = "1m"\nlinger = "5m"\n'
    )

    assert ("10.20.0.0/16", 3, 5.0) == (
        found.upstream.address,
        found.upstream.max_fails,
        found.upstream.fail_timeout_s,
    )
    assert ("/healthz", ("/usr/sbin/nginx", "-t"), 60.0, 300.0) == (
        found.probe,
        found.check,
        found.command_timeout_s,
        found.linger_s,
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('"/var/lib/autoscaler/nginx/images.conf"', '"images.conf"', "an absolute path"),
        ("8000", "0", "1"),
        ('["/usr/bin/systemctl", ', '["systemctl", ', "the absolute path of a program first"),
        ('["/usr/bin/systemctl", "reload", "nginx.service"]', "[]", ""),
        ('["/usr/bin/systemctl", "reload", "nginx.service"]', '"systemctl reload nginx"', ""),
        ("port = 8000", 'port = 8000\naddress = "inside"', '"private", "public", or a network'),
        ("port = 8000", 'port = 8000\naddress = "10.0.0.1"', '"private", "public", or a network'),
        ("port = 8000", 'port = 8000\naddress = "10.0.0.1/8"', '"private", "public", or a network'),
        ("port = 8000", 'port = 8000\nprobe = "healthz"', "a path such as /healthz"),
        ("port = 8000", 'port = 8000\nprobe = "/a b"', "a path such as /healthz"),
        ("port = 8000", 'port = 8000\nprobe = "/a\\r\\nX: y"', "a path such as /healthz"),
        ("port = 8000", 'port = 8000\nfail_timeout = "1500ms"', "whole seconds"),
    ],
)
def test_what_cannot_be_meant_is_refused(before: str, after: str, expected: str) -> None:
    """With its place, and what was expected."""
    assert before in LEAST
    problem = the_problem(more=LEAST.replace(before, after))

    assert str(problem.path).startswith("pools.images.upstream.")
    assert expected in problem.expected


def test_two_pools_never_write_one_file() -> None:
    """Each would take the other's machines out."""
    other = re.search(r"\[pools\.images\].*", documents.DOCUMENT, re.DOTALL)
    assert other
    second = other[0].replace("images", "thumbs") + LEAST.replace("[pools.images", "[pools.thumbs")
    problem = the_problem(more=LEAST + second)

    assert "pools.thumbs.upstream.file" == str(problem.path)
    assert "the file of pool images" == problem.found


@pytest.mark.parametrize("kind", ["local", "simulated"])
def test_machines_without_an_address_are_not_published(kind: str) -> None:
    """The file would stay empty for ever, and nobody would know why."""
    problem = documents.the_problem(('kind = "local"', f'kind = "{kind}"'), more=LEAST)

    assert "pools.images.upstream" == str(problem.path)
    assert "a file for machines of here" == problem.found


def test_a_drain_is_given_as_long_as_requests_may_last() -> None:
    """Where it ends by force; where it does not, it waits for them."""
    by_force = '[pools.images.timeouts]\non_drain_timeout = "destroy"\ndrain = "1m"\n'
    problem = the_problem(more=LEAST + by_force)

    assert "pools.images.upstream.linger" == str(problem.path)
    assert 'less than timeouts.drain, which is "1m"' == problem.expected
    assert settings(more=LEAST + by_force.replace("1m", "2m"))
    assert settings(more=LEAST + by_force.replace("destroy", "wait"))
    assert settings(more=by_force)


def test_a_reload_tells_what_changes_of_it() -> None:
    """With its values: nothing in it is a secret."""
    one, other = settings(more=LEAST), settings(more=LEAST.replace("8000", "9000"))
    says = [change.says() for change in changes.changes(one, other)]

    assert ["images: upstream.port 8000 → 9000"] == says
    assert changes.changes(settings(), one)
    assert () == changes.needs_restart(changes.changes(settings(), one))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_pages_pool_is_a_configuration_by_schedule_and_by_rate() -> None:
    """Beside the rest of a whole one; and with the other policy in place of the first."""
    pool, rate = blocks("toml")
    aws = (
        '[providers.aws]\nkind = "libcloud"\ndriver = "ec2"\n'
        'key = { env = "PASSWORD" }\nsecret = { env = "PASSWORD" }\nregion = "eu-north-1"\n'
    )
    text = f"{documents.DOCUMENT}\n{aws}\n{pool}\n"
    by_schedule = config.parse(text, documents.ENVIRON)
    by_rate = config.parse(text + rate, documents.ENVIRON)
    specs = pool_rules.of("web", by_rate.pools["web"]).policies

    assert by_schedule.pools["web"].upstream
    assert PolicySpec(kind="rate", options={"messages_per_s": 40}) == specs[-1]
    assert by_schedule.pools["web"].upstream.file in blocks("nginx")[0]


def test_the_pages_application_is_python() -> None:
    """It compiles; what it rests on is Celery's own."""
    (code,) = blocks("python")

    compile(code, "web-tier.md", "exec")
