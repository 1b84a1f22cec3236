"""`notify NAME`: one real notice that says that it is a trial, and what came back; never the address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.ports import LOOPBACK, free_port
from testbed.webhooks import Receiver, Reply, receiver
from tests.unit.cli.office import Answer, Office

PATH = "/hooks/abcdefghijklmnop"


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def wired(office: Office, url: str, more: str = 'level = "error"\n', shape: str = "slack") -> Office:
    text = office.config.read_text()
    section = f'\n[[notices]]\nname = "ops"\nshape = "{shape}"\nurl = {{ env = "OFFICE_HOOK" }}\n{more}'
    office.config.write_text(text + section)
    office.secrets["OFFICE_HOOK"] = url
    return office


def silent(answer: Answer) -> bool:
    return PATH not in answer.out + answer.err and "abcdefgh" not in answer.out + answer.err


def test_a_trial_arrives_and_says_that_nothing_is_wrong(office: Office, hook: Receiver) -> None:
    """Whoever reads it must not get up."""
    answer = wired(office, f"{hook.url}{PATH}").command("notify", "ops")

    assert 0 == answer.code
    assert answer.out.startswith("ops: taken, status 200, after 0.")
    (told,) = hook.told
    assert PATH == told.path
    assert "nothing is wrong" in told.document["text"]
    assert silent(answer)


@pytest.mark.parametrize(
    ("reply", "code", "says"),
    [
        (Reply(status=404, body=f"cannot POST {PATH}".encode()), 1, "status 404 (cannot POST ********)"),
        (
            Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}),
            1,
            "sends us elsewhere (status 302)",
        ),
        (Reply(status=429, headers={"Retry-After": "30"}), 69, "it wants to be asked again in 30 s"),
        (Reply(status=500, body=b"\x1b[31moops\n<html>"), 69, "status 500 (\ufffd[31moops)"),
        (Reply(late_s=20.0), 69, "no answer within 0.5 s"),
    ],
)
def test_what_came_back_is_told_once_with_what_to_do(
    office: Office, hook: Receiver, reply: Reply, code: int, says: str
) -> None:
    """A definite no is 1, what may pass is 69."""
    hook.answer(reply)

    answer = wired(office, f"{hook.url}{PATH}", 'level = "error"\ntimeout = "500ms"\n').command(
        "notify", "ops"
    )

    assert code == answer.code
    assert says in answer.err
    assert silent(answer)
    assert 1 == len(hook.told)


def test_nobody_there_is_told_without_the_address(office: Office) -> None:
    """HTTP clients put it into their errors."""
    answer = wired(office, f"http://{LOOPBACK}:{free_port()}{PATH}").command("notify", "ops")

    assert 69 == answer.code
    assert "it cannot be reached (ConnectionError)" in answer.err
    assert silent(answer)


def test_facts_as_json(office: Office, hook: Receiver) -> None:
    """For scripts."""
    hook.answer(Reply(status=503, headers={"Retry-After": "7"}))

    facts = wired(office, hook.url).command("notify", "ops", "--json").facts

    assert {"notice", "ending", "status", "says", "after_s", "took_s"} == facts.keys()
    assert ("ops", "not now", 503, 7.0) == (
        facts["notice"],
        facts["ending"],
        facts["status"],
        facts["after_s"],
    )


def test_a_name_that_is_none_is_usage_with_those_there_are(office: Office) -> None:
    """And how to begin where there are none."""
    assert "has none; docs/notices.md" in office.command("notify", "ops").err
    answer = wired(office, "http://127.0.0.1:1").command("notify", "opps")

    assert (2, True) == (answer.code, "the configuration has: ops." in answer.err)


def test_check_judges_addresses_and_sends_nothing(office: Office, hook: Receiver) -> None:
    """It names the command that sends."""
    fine = wired(office, f"{hook.url}{PATH}").command("check")
    office.secrets["OFFICE_HOOK"] = "http://hooks.example/abcdefghijklmnop"
    plain = office.command("check")
    office.secrets["OFFICE_HOOK"] = "abcdefghijklmnop"
    wrong = office.command("check")

    assert (0, 0, 78) == (fine.code, plain.code, wrong.code)
    assert "`autoscaler notify ops` tries it" in fine.out
    assert "its address is not encrypted" in plain.out
    assert "not encrypted" not in fine.out
    assert "an address that cannot be used (not shown)" in wrong.out
    assert all(map(silent, (fine, plain, wrong)))
    assert [] == hook.told
