"""Patterns are made of names that are taken literally, whatever they hold."""

from __future__ import annotations

import base64
import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.gateways import broker_rights, enrolment
from autoscaler.gateways.broker_rights import Celery

NODE = "web-images-1"
names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
nodes = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
fleets = st.from_regex(r"[a-z][a-z0-9-]{0,19}", fullmatch=True)


def matches(pattern: str, name: str) -> bool:
    """As RabbitMQ asks: a search. Python's `\\Z` is what Perl's patterns call `\\z`."""
    return bool(pattern) and re.search(pattern.removesuffix(r"\z") + r"\Z", name) is not None


@given(st.lists(names, max_size=4), names)
def test_a_pattern_matches_the_names_it_is_made_of_and_no_other(queues: list[str], other: str) -> None:
    """Dots, bars, brackets, line ends: none of them widens it."""
    celery = Celery(queues=tuple(queues), publishes=False)
    rights = broker_rights.working("web", NODE, celery)
    own = {
        *queues,
        f"celery@{NODE}.celery.pidbox",
        broker_rights.ear_of("web", NODE),
        "celery.pidbox",
        broker_rights.voice_of("web"),
        broker_rights.mailbox_of(NODE),
    }

    assert all(matches(rights.read, queue) for queue in queues)
    assert (other in own) == matches(rights.read, other)


@given(fleets, fleets, nodes)
def test_a_user_belongs_to_one_fleet(fleet: str, other: str, node: str) -> None:
    """However the names of two fleets begin."""
    node = f"{fleet}-{node}"
    user = broker_rights.user_of(fleet, node)

    assert node == broker_rights.node_of(fleet, user)
    assert (node if fleet == other else None) == broker_rights.node_of(other, user)


def test_nobody_elses_user_is_a_machines() -> None:
    """People, other programs, and names that merely begin alike."""
    for user in (
        "guest",
        "autoscaler",
        "autoscaler.web",
        "autoscaler.web.",
        "autoscaler.web.web-a.b",
        "Autoscaler.web.web-a",
        "autoscaler.web.daemon",
        "autoscaler.web.workers",
        "autoscaler.web.web",
    ):
        assert broker_rights.node_of("web", user) is None


def test_only_who_may_publish_reaches_the_nameless_exchange() -> None:
    """It leads to every queue of the vhost."""
    for publishes in (True, False):
        rights = broker_rights.working("web", NODE, Celery(queues=("q",), publishes=publishes))

        assert publishes == matches(rights.write, "amq.default")
        assert not matches(rights.write, "celery.pidbox")
    assert not matches(broker_rights.enrolling(NODE).write, "amq.default")


def test_a_password_is_kept_as_rabbitmq_documents_it() -> None:
    """Base64 of four bytes of salt and the SHA-256 of salt and password."""
    hashed = base64.b64decode(broker_rights.hashed("pæss", b"salt"))

    assert b"salt" + hashlib.sha256(b"salt" + "pæss".encode()).digest() == hashed


def test_reports_go_where_the_daemon_hears_them() -> None:
    """One exchange, named in two gateways that know nothing of each other."""
    assert enrolment.EXCHANGE == broker_rights.REPORTS
