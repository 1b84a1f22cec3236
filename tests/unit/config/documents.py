"""A small whole configuration and ways to spoil it, so that a test names only what its rule is about."""

from __future__ import annotations

from autoscaler import config
from autoscaler.config import ConfigError, Problem, Settings

ENVIRON = {"PASSWORD": "p@ss/w:rd%"}

DOCUMENT = """\
[fleet]
name = "shop"

[broker]
management_url = "http://rabbit:15672"
amqp_url = "amqp://rabbit:5672"
username = "daemon"
password = { env = "PASSWORD" }

[providers.here]
kind = "local"

[pools.images]
queues = ["images"]
slots = 4

[pools.images.limits]
max_workers = 4

[[pools.images.policies]]
kind = "backlog"
messages_per_worker = 10

[[pools.images.offers]]
provider = "here"

[pools.images.bootstrap]
app = "shop"
"""


def a_document(*changes: tuple[str, str], more: str = "") -> str:
    """The document with the first text of each change replaced by the second, and with more at its end."""
    text = DOCUMENT
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the document"
        text = text.replace(old, new)
    return text + more


def settings(*changes: tuple[str, str], more: str = "", environ: dict[str, str] | None = None) -> Settings:
    """The settings of the changed document."""
    return config.parse(a_document(*changes, more=more), ENVIRON if environ is None else environ)


def problems_of(text: str, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    """What is wrong with this text; none if nothing is."""
    try:
        config.parse(text, ENVIRON if environ is None else environ)
    except ConfigError as error:
        return error.problems
    return ()


def problems(
    *changes: tuple[str, str], more: str = "", environ: dict[str, str] | None = None
) -> tuple[Problem, ...]:
    """What is wrong with the changed document."""
    return problems_of(a_document(*changes, more=more), environ)


def the_problem(*changes: tuple[str, str], more: str = "", environ: dict[str, str] | None = None) -> Problem:
    """The only thing that is wrong with the changed document."""
    (problem,) = problems(*changes, more=more, environ=environ)
    return problem
