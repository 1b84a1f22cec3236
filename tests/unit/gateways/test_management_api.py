"""The HTTP side: whatever a server does, the answer is JSON in time or a reason."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from autoscaler.clock import SystemClock
from autoscaler.gateways import management_api
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.management_api import ManagementAPI, NotFound, Unreachable
from testbed import ports
from tests.unit.gateways.management_server import Answer, ManagementServer, says, serving

PASSWORD = "p@ss/w:rd%#?&+ pæ€"


@contextmanager
def asking(answer: Answer, *, timeout_s: float = 2.0) -> Iterator[tuple[ManagementAPI, ManagementServer]]:
    with serving(lambda _path, _query: answer) as server:
        api = ManagementAPI(
            url=server.url + "/",
            username="søren",
            password=PASSWORD,
            ca_file=None,
            timeout_s=timeout_s,
            clock=SystemClock(),
        )
        try:
            yield api, server
        finally:
            api.close()


def test_every_part_of_a_path_is_quoted() -> None:
    """A vhost or a queue with a slash stays one part; `/` is `%2F`."""
    with asking(says({"a": 1})) as (api, server):
        document = api.get("queues", "a/b", "q %2F?#é", columns="name,x.y")
        api.get("queues", "/", "q")

    assert {"a": 1} == document
    assert [
        ("/api/queues/a%2Fb/q%20%252F%3F%23%C3%A9", {"columns": "name,x.y"}),
        ("/api/queues/%2F/q", {}),
    ] == server.asked


def test_user_and_password_are_sent_as_rabbitmq_reads_them() -> None:
    """In UTF-8, whatever characters they hold."""
    with asking(says({})) as (api, server):
        api.get("whoami")

    assert [f"søren:{PASSWORD}"] == server.credentials


@pytest.mark.parametrize(
    ("answer", "error", "says_so"),
    [
        (says({"error": "x", "reason": "Login failed"}, 401), FactUnavailable, "'søren' (Login failed): it needs"),
        (says({"error": "x"}, 403), FactUnavailable, "the tag `monitoring`"),
        (Answer(status=401, body=b"<html>"), FactUnavailable, "refuses the user"),
        (says({}, 404), NotFound, "knows no whoami"),
        (Answer(status=302, headers={"Location": "/elsewhere"}), FactUnavailable, "redirects are not followed"),
        (says({"reason": "boom"}, 500), FactUnavailable, "status 500 (boom)"),
        (Answer(status=204, body=b""), FactUnavailable, "status 204"),
        (Answer(body=b"<html>hello</html>"), FactUnavailable, "not JSON"),
        (Answer(body=b'{"messages": 1'), FactUnavailable, "not JSON"),
        (Answer(body=b"[" * 200_000), FactUnavailable, "not JSON"),
        (Answer(body=b'{"n": ' + b"9" * 10_000 + b"}"), FactUnavailable, "not JSON"),
        (Answer(body=b"\xff\xfe\x00"), FactUnavailable, "not JSON"),
        (Answer(body=b'{"a": 1}', length=1000), FactUnavailable, ""),
        (Answer(status=500, body=b"x" * 5000), FactUnavailable, "more than 2000 bytes"),
    ],
    ids=str,
)  # fmt: skip
def test_an_answer_that_is_no_use_says_why(answer: Answer, error: type[Exception], says_so: str) -> None:
    """Refused, absent, redirected, broken off or nonsense: each is a sentence without the password, asked for once."""
    with asking(answer) as (api, server), pytest.raises(error) as raised:
        api.get("whoami")

    assert says_so in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert 1 == len(server.asked)


def test_a_body_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading stops at the bound, whatever the server announces."""
    monkeypatch.setattr(management_api, "_LARGEST_BODY", 1000)
    with (
        asking(Answer(body=b" " * 200_000 + b"{}")) as (api, _),
        pytest.raises(FactUnavailable, match="1000 bytes"),
    ):
        api.get("whoami")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(silent_s=30),
        Answer(body=b" " * 1000 + b"{}", drip_s=0.05),
        Answer(headers={"X-Long": "x" * 1000}, drip_s=0.05, drips_head=True),
    ],
    ids=["silent", "a byte at a time", "a head a byte at a time"],
)
def test_a_slow_server_is_left_at_the_deadline(answer: Answer) -> None:
    """Silence and a trickle both end within the time-out."""
    with asking(answer, timeout_s=0.4) as (api, _):
        began = time.monotonic()
        with pytest.raises(Unreachable, match="did not"):
            api.get("whoami")

        assert time.monotonic() - began < 3


def test_nobody_there_is_said_so() -> None:
    """A refused connection is a reason too."""
    api = ManagementAPI(
        url=f"http://127.0.0.1:{ports.free_port()}",
        username="u",
        password="secret word",
        ca_file=None,
        timeout_s=1,
        clock=SystemClock(),
    )
    with pytest.raises(Unreachable, match="cannot be reached") as raised:
        api.get("whoami")

    assert "secret" not in str(raised.value)


def test_a_look_that_has_no_time_left_asks_nothing() -> None:
    """`until` bounds many calls together."""
    with asking(says({})) as (api, server), pytest.raises(Unreachable, match="no time was left"):
        api.get("whoami", until=time.monotonic() - 1)

    assert [] == server.asked


def test_changes_are_sent_as_documents() -> None:
    """Put, given and ended under quoted paths; an empty answer is one."""
    with asking(Answer(status=204, body=b"")) as (api, server):
        api.put("users", "a/b", document={"tags": ""})
        given = api.post("exchanges", "/", "e", "publish", document={"payload": "ø"})
        api.delete("users", "a/b")

    assert given is None
    assert [
        ("PUT", "/api/users/a%2Fb", b'{"tags": ""}'),
        ("POST", "/api/exchanges/%2F/e/publish", b'{"payload": "\\u00f8"}'),
        ("DELETE", "/api/users/a%2Fb", b""),
    ] == server.changes


@pytest.mark.parametrize(
    ("answer", "error", "says_so"),
    [
        (
            says({"error": "x", "reason": "Not administrator"}, 401),
            FactUnavailable,
            "the tag `administrator`",
        ),
        (says({}, 404), NotFound, "knows no users/u"),
        (
            Answer(status=307, headers={"Location": "/elsewhere"}),
            FactUnavailable,
            "redirects are not followed",
        ),
        (says({"reason": ["not_base64", "x"]}, 400), FactUnavailable, "status 400"),
        (Answer(body=b"x" * 5000), FactUnavailable, "more than 2000 bytes"),
        (Answer(silent_s=30), Unreachable, "did not answer"),
    ],
    ids=str,
)
def test_a_change_that_failed_says_why_and_not_what_it_held(
    answer: Answer, error: type[Exception], says_so: str
) -> None:
    """Sent once, followed nowhere, and told without the document: that may hold a secret."""
    with asking(answer, timeout_s=0.5) as (api, server), pytest.raises(error) as raised:
        api.put("users", "u", document={"password_hash": "hidden"})

    assert says_so in str(raised.value)
    assert "hidden" not in str(raised.value)
    assert 1 == len(server.asked)
