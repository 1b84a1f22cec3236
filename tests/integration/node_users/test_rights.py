"""What a machine's user may not do, each tried at a real broker; what it may is tried by a real worker."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker

from autoscaler.gateways import broker_rights
from autoscaler.gateways.broker_rights import Celery, mailbox_of, user_of
from providers.contract import NodeName
from testbed import waiting
from tests.integration.gateways_stage import add_user
from tests.integration.node_users.stage import FLEET, FOREIGN, OURS, QUEUE, THEIRS, Stage, logged_in

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[3]
RIGHTS = ("configure", "write", "read")
Attempt = Callable[[BlockingChannel], object]
REPORTS, VOICE = broker_rights.REPORTS, broker_rights.voice_of(FLEET)
DAEMONS_QUEUE = f"{REPORTS}.{FLEET}"
THEIR_CONTROL = f"celery@{THEIRS}.celery.pidbox"
LOOKALIKE = "imagesXv1"
"""What an unescaped dot in the pool's queue would match."""


def send(exchange: str, key: str) -> Attempt:
    return lambda channel: channel.basic_publish(exchange, key, b"x")


def take(queue: str) -> Attempt:
    return lambda channel: channel.basic_get(queue)


def purge(queue: str) -> Attempt:
    return lambda channel: channel.queue_purge(queue)


def end(queue: str) -> Attempt:
    return lambda channel: channel.queue_delete(queue)


def make(queue: str) -> Attempt:
    return lambda channel: channel.queue_declare(queue, durable=True)


def listen(exchange: str, *, by: str) -> Attempt:
    return lambda channel: channel.queue_bind(by, exchange, "#")


FORBIDDEN_TO_ALL: dict[str, Attempt] = {
    "read another pool's queue": take(FOREIGN),
    "purge another pool's queue": purge(FOREIGN),
    "end another pool's queue": end(FOREIGN),
    "publish to another pool's exchange": send(FOREIGN, FOREIGN),
    "read a queue whose name a pattern might match": take(LOOKALIKE),
    "make a queue of its own": make("loot"),
    "make a queue that the broker names": make(""),
    "make an exchange": lambda channel: channel.exchange_declare("loot", "fanout"),
    "end the exchange of reports": lambda channel: channel.exchange_delete(REPORTS),
    "tell all workers to shut down": send("celery.pidbox", ""),
    "read the daemon's queue of reports": take(DAEMONS_QUEUE),
    "purge the daemon's queue of reports": purge(DAEMONS_QUEUE),
    "report to another fleet": send(REPORTS, "web-2"),
    "report to all fleets": send(REPORTS, "#"),
    "read another machine's mailbox": take(mailbox_of(THEIRS)),
    "end another machine's mailbox": end(mailbox_of(THEIRS)),
    "end its own mailbox": end(mailbox_of(OURS)),
    "take another worker's orders": take(THEIR_CONTROL),
    "speak for the daemon": send(VOICE, ""),
}
FORBIDDEN_TO_USER_DATA: dict[str, Attempt] = {
    "read the pool's queue": take(QUEUE),
    "send a task by name": send("", QUEUE),
    "send a task": send(QUEUE, QUEUE),
    "forge an event": send("celeryev", "worker.offline"),
    "answer for a worker": send("reply.celery.pidbox", "x"),
    "hear what others report": listen(REPORTS, by=mailbox_of(OURS)),
    "hear orders": listen("celery.pidbox", by=mailbox_of(OURS)),
}
FORBIDDEN_TO_WORKERS: dict[str, Attempt] = {
    "hear what others report": listen(REPORTS, by=QUEUE),
    "hear another pool's tasks": listen(FOREIGN, by=QUEUE),
    "lead the daemon's queue elsewhere": listen("celery.pidbox", by=DAEMONS_QUEUE),
}
BY_NAME: dict[str, Attempt] = {
    "send a task by name": send("", QUEUE),
    "send another pool's task by name": send("", FOREIGN),
    "stop another worker by name": send("", THEIR_CONTROL),
    "write into another machine's mailbox": send("", mailbox_of(THEIRS)),
}
"""By the nameless exchange, which leads to every queue of the vhost."""


@pytest.fixture
def stage(set_scene: Callable[..., Stage]) -> Stage:
    """Two pools, another machine with its worker, and the daemon's queue."""
    return populated(set_scene())


def populated(stage: Stage) -> Stage:
    stage.declare(QUEUE, FOREIGN, LOOKALIKE)
    stage.users().make(THEIRS, "x")
    with stage.administrator() as channel:
        for queue in (DAEMONS_QUEUE, THEIR_CONTROL):
            channel.queue_declare(queue, durable=True)
    return stage


@contextmanager
def connected(url: str) -> Iterator[pika.BlockingConnection]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection
    finally:
        connection.close()


def allowed(url: str, attempts: dict[str, Attempt]) -> list[str]:
    """Those of the attempts that were not refused for want of rights."""
    found = []
    with connected(url) as connection:
        for what, attempt in attempts.items():
            channel = connection.channel()
            channel.confirm_delivery()
            try:
                attempt(channel)
            except ChannelClosedByBroker as error:
                if error.reply_code != 403:
                    found.append(f"{what}: {error.reply_code} {error.reply_text}")
            else:
                found.append(what)
                channel.close()
    return found


def test_what_user_data_holds_reports_and_finds_the_answer_and_no_more(stage: Stage) -> None:
    """A stolen one reads, sends, makes and ends nothing that is anybody's, as long as it is of use at all."""
    stage.users().make(OURS, "enrolls")
    url = stage.url(OURS, "enrolls")

    assert [] == allowed(url, FORBIDDEN_TO_ALL | FORBIDDEN_TO_USER_DATA)
    assert ["report", "look"] == allowed(
        url, {"report": send(REPORTS, FLEET), "look": take(mailbox_of(OURS))}
    )


def test_a_worker_touches_its_own_pool_and_no_other(set_scene: Callable[..., Stage]) -> None:
    """Without the nameless exchange nothing of another pool, machine or fleet can be read, sent to, made or ended."""
    stage = populated(set_scene(publishes=False))

    assert [] == allowed(stage.granted(), FORBIDDEN_TO_ALL | FORBIDDEN_TO_WORKERS | BY_NAME)


def test_a_worker_that_may_publish_reaches_every_queue_by_name_and_reads_none(stage: Stage) -> None:
    """That right is what Celery's retries need, and what the documentation says of it is true."""
    url = stage.granted()

    assert [] == allowed(url, FORBIDDEN_TO_ALL | FORBIDDEN_TO_WORKERS)
    assert list(BY_NAME) == allowed(url, BY_NAME)


@pytest.mark.parametrize("granted", [False, True], ids=["before the grant", "after it"])
def test_no_machine_gets_into_the_management_api(stage: Stage, granted: bool) -> None:
    """A user without a tag is refused there, whatever it asks; the daemon's own is not."""
    stage.users().make(OURS, "password")
    if granted:
        stage.granted()
    login = (user_of(FLEET, OURS), "works" if granted else "password")

    assert 200 == stage.management("whoami", stage.broker.user, stage.broker.password)
    assert {401} == {stage.management(path, *login) for path in ("whoami", "overview", "queues", "users")}


def test_after_the_grant_user_data_lets_nobody_in(stage: Stage) -> None:
    """The password that a machine was ordered with is refused from then on; the granted one is taken."""
    stage.users().make(OURS, "enrolls")
    with logged_in(stage.url(OURS, "enrolls")):
        pass
    granted = stage.granted()

    with pytest.raises(AMQPConnectionError), logged_in(stage.url(OURS, "enrolls")):
        pass
    with logged_in(granted):
        pass


@pytest.mark.parametrize(
    "name", ["a.b", "a|b", ".*", "(", "q\\", "$", "ß€", "[a", "a b", "x" * 255], ids=ascii
)
def test_a_queue_may_be_called_anything(set_scene: Callable[..., Stage], name: str) -> None:
    """Names are taken literally: the queue itself can be read, and no other."""
    others = ["a", "b", "axb", "(x", "innocent"]
    stage = set_scene(queues=(name,))
    stage.declare(name, *others)

    reads = {queue: take(queue) for queue in (name, *others)}

    assert [name] == allowed(stage.granted(), reads)


def test_one_fleet_never_touches_anothers_users(set_scene: Callable[..., Stage]) -> None:
    """`web` and `web-2` share a broker; so do people, some of whom have names like a machine's."""
    stage = set_scene()
    other = Stage(broker=stage.broker, vhost=stage.vhost, fleet="web-2")
    first, second = (NodeName(f"web-2-images-{number}") for number in (1, 2))
    for one, node in ((stage, OURS), (other, first), (other, second), (stage, NodeName("daemon"))):
        one.users().make(node, "x")

    assert {OURS} <= stage.users().nodes()
    assert NodeName("daemon") not in stage.users().nodes()
    assert {first, second} == other.users().nodes()
    stage.users().revoke(OURS)
    stage.users().revoke(OURS)
    assert OURS not in stage.users().nodes()
    assert {first, second} == other.users().nodes()
    for one, node in ((other, first), (other, second), (stage, NodeName("daemon"))):
        one.users().revoke(node)


DAEMONS_RIGHTS = re.compile(r"^own='(.*autoscaler.*)'$", re.MULTILINE)


def test_the_documented_rights_of_the_daemons_user_are_enough(stage: Stage) -> None:
    """With the tag and the pattern of the documentation it makes, grants and ends machines' users."""
    *_, own = DAEMONS_RIGHTS.findall((ROOT / "docs" / "broker.md").read_text())
    add_user(stage.broker, "least", "rights", "administrator", vhost=stage.vhost)
    stage.api().put("permissions", stage.vhost, "least", document=dict.fromkeys(RIGHTS, own))
    mine = stage.users(user="least", password="rights")

    mine.make(OURS, "x")
    mine.grant(OURS, Celery(queues=(QUEUE,)), "works", {"v": 1})
    with logged_in(stage.url(OURS, "works")) as channel:
        assert b'{"v": 1}' == channel.basic_get(mailbox_of(OURS))[2]
    mine.revoke(OURS)

    assert mine.check().ok
    assert OURS not in mine.nodes()


def test_a_revoked_machine_is_cut_off_at_once(stage: Stage) -> None:
    """Its connections end, its password is refused, its mailbox is gone."""
    url = stage.granted()
    with logged_in(url) as channel:
        waiting.wait_until(lambda: OURS in stage.users().connected(), 20, "the broker to know of it")
        stage.users().revoke(OURS)

        def cut_off() -> bool:
            try:
                channel.connection.process_data_events(0.1)
            except AMQPConnectionError:
                return True
            return channel.is_closed

        waiting.wait_until(cut_off, 10, "the connection to end")
    with pytest.raises(AMQPConnectionError), logged_in(url):
        pass
    with stage.administrator() as channel, pytest.raises(ChannelClosedByBroker, match="NOT_FOUND"):
        channel.queue_declare(mailbox_of(OURS), passive=True)
