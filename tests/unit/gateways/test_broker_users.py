"""What is put at the broker for a machine, and what is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from autoscaler.gateways.broker_rights import Celery
from autoscaler.gateways.broker_users import BrokerUsers
from autoscaler.gateways.contract import FactUnavailable, NotSent
from autoscaler.gateways.management_api import NotFound
from providers.contract import NodeName

NODE = NodeName("web-images-1")
CELERY = Celery(queues=("images",))


class Broker:
    """Remembers what it was asked; `answers` by the first part of a path."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {"exchanges": {"routed": True}} | answers
        self.asked: list[tuple[str, tuple[str, ...], Mapping[str, object] | None]] = []

    def get(self, *path: str, until: float | None = None, **query: str) -> Any:
        return self._said("GET", path, None)

    def put(self, *path: str, document: Mapping[str, object]) -> None:
        self._said("PUT", path, document)

    def post(self, *path: str, document: Mapping[str, object]) -> Any:
        return self._said("POST", path, document)

    def delete(self, *path: str) -> None:
        self._said("DELETE", path, None)

    def close(self) -> None:
        """Nothing to let go of."""

    def _said(self, method: str, path: tuple[str, ...], document: Mapping[str, object] | None) -> Any:
        self.asked.append((method, path, document))
        answer = self.answers.get(path[0])
        if isinstance(answer, Exception):
            raise answer
        return answer


def users(broker: Broker, *, may_act: bool = True) -> BrokerUsers:
    return BrokerUsers(api=broker, vhost="/", fleet="web", may_act=lambda: may_act)


def test_a_user_is_made_without_a_tag_and_without_its_plain_password() -> None:
    """What is sent holds a hash, no tag, and rights that match nothing but reports and the answer."""
    broker = Broker()
    users(broker).make(NODE, "plain text")

    assert ["users", "permissions", "topic-permissions", "queues"] == [path[0] for _, path, _ in broker.asked]
    assert broker.asked[0][2] is not None
    assert "" == broker.asked[0][2]["tags"]
    assert "plain text" not in repr(broker.asked)


def test_a_grant_is_told_last_and_its_password_stands_in_the_message_alone() -> None:
    """What the message says is true when it is read."""
    broker = Broker()
    users(broker).grant(NODE, CELERY, "plain text", {"broker_url": "amqp://plain text@"})

    *before, (method, path, document) = broker.asked
    assert ["queues", "permissions", "users"] == [asked[1][0] for asked in before]
    assert ("POST", ("exchanges", "/", "amq.default", "publish")) == (method, path)
    assert document is not None
    assert {"broker_url": "amqp://plain text@"} == json.loads(str(document["payload"]))
    assert "plain text" not in repr(before)


@pytest.mark.parametrize("answer", [{"routed": False}, {}, [], None, {"routed": "true"}], ids=str)
def test_a_message_that_nobody_got_is_no_grant(answer: object) -> None:
    """The machine asks again."""
    with pytest.raises(FactUnavailable, match="took no message"):
        users(Broker(exchanges=answer)).grant(NODE, CELERY, "p", {})


def test_after_the_lease_nothing_is_sent() -> None:
    """Neither made, nor granted, nor ended."""
    broker = Broker()
    mine = users(broker, may_act=False)
    for act in (
        lambda: mine.make(NODE, "p"),
        lambda: mine.grant(NODE, CELERY, "p", {}),
        lambda: mine.revoke(NODE),
    ):
        with pytest.raises(NotSent):
            act()

    assert [] == broker.asked


def test_what_is_not_there_needs_no_end() -> None:
    """A user that was ended half the way is ended whole."""
    broker = Broker(users=NotFound("no user"), queues=NotFound("no queue"))
    users(broker).revoke(NODE)

    assert 3 == len(broker.asked)


@pytest.mark.parametrize("answer", [{}, None, "users", 7], ids=str)
def test_a_list_of_users_that_is_none_is_not_believed(answer: object) -> None:
    """Neither as an empty one."""
    with pytest.raises(FactUnavailable):
        users(Broker(users=answer)).nodes()
    with pytest.raises(FactUnavailable):
        users(Broker(vhosts=answer)).connected()


def test_odd_rows_among_the_users_are_passed_over() -> None:
    """They are nobody's machines."""
    rows = [
        {"name": "autoscaler.web.web-n1"},
        {"name": 7},
        7,
        {},
        {"name": "autoscaler.web-2.web-2-n2"},
        None,
    ]

    assert {"web-n1"} == users(Broker(users=rows)).nodes()


@pytest.mark.parametrize("tags", ["administrator", ["administrator"], ["monitoring"]], ids=str)
def test_a_user_with_a_tag_is_no_machines(tags: object) -> None:
    """Machines have none; this may be the daemon's own, whose end would be its last deed."""
    rows = [{"name": "autoscaler.web.web-n1", "tags": tags}]
    rows += [{"name": f"autoscaler.web.web-n{n}", "tags": none} for n, none in enumerate(["", [], None], 2)]

    assert {"web-n2", "web-n3", "web-n4"} == users(Broker(users=rows)).nodes()


def test_a_connection_of_nobody_known_leaves_open_who_is_logged_in() -> None:
    """It may be a machine's; the next look tells."""
    rows = [{"user": "autoscaler.web.web-n1"}, {"user": "guest"}, {"user": "autoscaler.web-2.web-2-n2"}]
    assert {"web-n1"} == users(Broker(vhosts=rows)).connected()

    for odd in ({}, {"user": None}, None):
        with pytest.raises(FactUnavailable):
            users(Broker(vhosts=[*rows, odd])).connected()


@pytest.mark.parametrize(
    ("answer", "may"),
    [
        ({"tags": ["administrator"]}, True),
        ({"tags": "monitoring, administrator"}, True),
        ({"tags": ["monitoring"]}, False),
        ({"tags": ""}, False),
        ({"tags": None}, False),
        ([], False),
        (FactUnavailable("refused"), False),
    ],
    ids=str,
)
def test_a_check_tells_whether_the_daemon_may_make_users(answer: object, may: bool) -> None:
    """In both forms that RabbitMQ has for tags; in words where it may not."""
    finding = users(Broker(whoami=answer)).check()

    assert may == finding.ok
    assert finding.says
