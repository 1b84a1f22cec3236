"""`kind = "external"`: what may be written about a program of the operator's, and what of it may be shown."""

from __future__ import annotations

import pytest

from autoscaler.config.providers import ExternalProvider, PluginProvider
from tests.unit.config.documents import a_document, problems_of, settings

ENVIRON = {"PASSWORD": "p@ss/w:rd%", "TOKEN": "s3same/open&now"}
PROGRAM = """\
kind = "external"
command = ["/opt/panel.py", "--quiet"]
settings = { url = "https://panel.example", retries = 0, zones = ["osl", "trd"], strict = true }
secrets = { token = { env = "TOKEN" } }
environment = { LANG = "C", PROXY = { env = "TOKEN" } }"""
LOCAL = 'kind = "local"'


def test_its_options_are_plain_values_and_its_secrets_are_shown_to_nobody() -> None:
    """The provider takes them in its own words; neither a repr nor JSON has a secret."""
    section = settings((LOCAL, PROGRAM), environ=ENVIRON).providers["here"]

    assert isinstance(section, ExternalProvider)
    options = section.options()
    assert {"token": ENVIRON["TOKEN"]} == options["secrets"]
    assert {"LANG": "C", "PROXY": ENVIRON["TOKEN"]} == options["environment"]
    assert {"url": "https://panel.example", "retries": 0, "zones": ("osl", "trd"), "strict": True} == options[
        "settings"
    ]
    assert ("/", 300.0, 4) == (options["directory"], options["settle_s"], options["at_once"])
    assert ENVIRON["TOKEN"] not in f"{section!r} {section.model_dump_json()}"


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ('["/opt/panel.py", "--quiet"]', '"/opt/panel.py --quiet"', "command"),
        ('["/opt/panel.py", "--quiet"]', "[]", "command"),
        ('["/opt/panel.py", "--quiet"]', '["panel.py"]', "command"),
        ("retries = 0", "retries = nan", "settings.retries"),
        ('["osl", "trd"]', '["osl", ["trd"]]', "settings.zones"),
        ('["/opt/panel.py", "--quiet"]', '["/opt/panel.py", ""]', "command[1]"),
        ('{ env = "TOKEN" } }\nenv', '"sesame" }\nenv', "secrets.token"),
        ('"https://panel.example"', '{ env = "TOKEN" }', "settings.url"),
        ('LANG = "C"', '"LA NG" = "C"', 'environment."LA NG"'),
        ('LANG = "C"', "LANG = 7", "environment.LANG"),
        ('kind = "external"', 'kind = "external"\nat_once = 0', "at_once"),
        ('kind = "external"', 'kind = "external"\nshell = true', "shell"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(before: str, after: str, place: str) -> None:
    """A line for a shell, a secret in the open, a name that no variable has."""
    text = a_document((LOCAL, PROGRAM)).replace(before, after)
    told = [problem.path for problem in problems_of(text, ENVIRON)]

    assert [f"providers.here.{place}"] == told


def test_a_machine_of_a_program_must_be_able_to_reach_the_broker() -> None:
    """It is another computer, as a cloud's is."""
    changes = ((LOCAL, PROGRAM), ('"amqp://rabbit:5672"', '"amqp://localhost:5672"'))

    (problem,) = problems_of(a_document(*changes), ENVIRON)

    assert "pools.images.bootstrap.broker_url" == problem.path


def test_an_installed_kind_keeps_its_own_options() -> None:
    """The name of an entry point is any other kind."""
    section = settings((LOCAL, 'kind = "elsewhere"\nrack = 7')).providers["here"]

    assert isinstance(section, PluginProvider)
    assert {"rack": 7} == section.options()
