"""The shipped example of a program as a provider, where the contract suite does not reach: words, pages and files."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autoscaler.cli.app import app
from autoscaler.config.pools import Offer
from autoscaler.config.providers import ExternalProvider
from providers.contract import OutcomeUnknown, ProviderError, Purchase, RequestRejected
from tests.contract import world_external_example
from tests.contract.world_external_example import PLACE, PROGRAM, ExampleWorld

TIMEOUT_S = 20.0
SETTING_ASIDE = re.compile(r"^# (?=\[\[|[a-z_]+ = )", re.MULTILINE)
REST = """
[fleet]
name = "shop"
[broker]
management_url = "http://127.0.0.1:1"
amqp_url = "amqp://rabbit.example"
username = "autoscaler"
password = {{ env = "RABBITMQ_PASSWORD" }}
[journal]
url = "sqlite:///{directory}/journal.db"
[pools.images]
queues = ["images"]
slots = 2
[pools.images.bootstrap]
app = "shop.tasks"
[pools.images.limits]
max_workers = 5
[[pools.images.policies]]
kind = "backlog"
messages_per_worker = 10
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleWorld]:
    with world_external_example.open_world(tmp_path_factory.mktemp("example")) as opened:
        yield opened


def answered(world: ExampleWorld, status: int, document: Any, *, command: str) -> None:
    """Let the panel answer the next request of this kind so, and then itself again."""

    def reply(exchange: Any) -> bool:
        if exchange.command != command:
            return False
        world.panel.trouble = world._disturb
        exchange.reply(status, document)
        return True

    world.panel.trouble = reply


@pytest.mark.parametrize(
    ("status", "document", "error"),
    [
        (403, {"error": {"code": "forbidden", "message": "this token may only read"}}, RequestRejected),
        (404, {"error": {"code": "no_such_path", "message": "v1 is gone"}}, OutcomeUnknown),
        (500, {"error": {"code": "internal", "message": "oops"}}, OutcomeUnknown),
        (302, None, OutcomeUnknown),
        (202, {"queued": True}, OutcomeUnknown),
        (202, {"server": {"id": 7}}, OutcomeUnknown),
        (202, [], OutcomeUnknown),
    ],
)
def test_only_an_error_that_promises_it_refuses_an_order(
    world: ExampleWorld, status: int, document: Any, error: type[ProviderError]
) -> None:
    """A success that cannot be read, a redirect and a server's own trouble leave it open what was made."""
    provider = world.open("words")
    answered(world, status, document, command="POST")

    with pytest.raises(error, match="images-1"):
        provider.create(world.spec(name="images-1", fleet="words", pool="images"), timeout_s=TIMEOUT_S)


def test_all_pages_are_read_and_a_list_that_moved_is_not_complete(world: ExampleWorld) -> None:
    """The panel's own total is what tells."""
    provider = world.open("pages")
    module = world_external_example.load("fjord_vps")
    body = {"plan": "s-1", "image": "debian-12", "datacenter": "osl", "note": module.mark("pages", "images")}
    for number in range(205):
        world.panel.order({**body, "hostname": f"images-{number}", "user_data": ""})

    whole = provider.list_instances(timeout_s=TIMEOUT_S)

    assert (205, True) == (len(whole.instances), whole.complete)
    total = len(world.panel.servers)
    answered(world, 200, {**world.panel.page({"per_page": ["100"]}), "total": total + 1}, command="GET")
    moved = provider.list_instances(timeout_s=TIMEOUT_S)
    assert (205, False) == (len(moved.instances), moved.complete)
    assert "changed while its pages were read" in moved.why_incomplete


def test_what_is_not_for_sale_is_found_before_it_is_bought(world: ExampleWorld) -> None:
    """Each by its own finding, with what there is."""
    wrong = Purchase(size="s-9", image="debian-12", location="ams", user_data_bytes=20_000)
    findings = world.open("sale").check(wrong, timeout_s=TIMEOUT_S)

    expected = {"program": True, "size": False, "image": True, "location": False, "user data": False}
    untold = {"price": True, "quota": True, "network": True}
    assert {**expected, **untold} == {finding.subject: finding.ok for finding in findings}
    assert "there are osl, trd" in next(each.says for each in findings if each.subject == "location")


def test_a_wrong_token_is_told_without_it(world: ExampleWorld) -> None:
    """As the panel says it."""
    provider = world.open("token")
    world.panel.token = "another"
    try:
        (finding, _) = provider.check(world.purchase(), timeout_s=TIMEOUT_S)
    finally:
        world.panel.token = world_external_example.TOKEN

    assert not finding.ok
    assert "401 unauthorized: the token is wrong" in finding.says


def test_the_fragment_is_a_configuration() -> None:
    """The provider's section, and the offer that stands aside."""
    whole = tomllib.loads(SETTING_ASIDE.sub("", (PLACE / "provider.toml").read_text()))
    environ = {"environ": {"FJORD_TOKEN": "sesame"}}

    section = ExternalProvider.model_validate(whole["providers"]["fjord"], context=environ)
    offer = Offer.model_validate(whole["pools"]["images"]["offers"][0])

    assert {"token": "sesame"} == section.options()["secrets"]
    assert ("fjord", 3600) == (offer.provider, offer.quantum_s)


def test_the_example_keeps_the_contract_by_its_own_trial(world: ExampleWorld, tmp_path: Path) -> None:
    """`check --online --conformance`, as the README tells it: one machine is bought, and nothing is left."""
    fragment = SETTING_ASIDE.sub("", (PLACE / "provider.toml").read_text())
    offers = fragment[fragment.index("[[pools") :]
    config = tmp_path / "config.toml"
    config.write_text(
        fragment.replace(offers, "")
        .replace("/usr/local/lib/autoscaler/fjord_vps.py", str(PROGRAM))
        .replace("https://panel.fjord.example", f"http://127.0.0.1:{world.port}")
        .replace('settle = "1m"', 'settle = "1s"')
        .replace("calls_per_minute = 30", "calls_per_minute = 600")
        + REST.format(directory=tmp_path)
        + offers
    )
    environment = {"FJORD_TOKEN": world_external_example.TOKEN, "RABBITMQ_PASSWORD": "of-the-broker"}
    asked = ["check", "--online", "--conformance", "fjord", "--yes", "--json", "--config", str(config)]

    done = CliRunner().invoke(app, asked, env=environment)

    assert 0 == done.exit_code, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    assert ["ok"] * 8 == [step["verdict"] for step in facts["steps"][:8]]
    assert "0.0100" == f"{facts['plan']['most']:.4f}"
    assert () == world.machines_of(fleet="conformance-shop")


def test_the_program_runs_by_itself_and_refuses_another_protocol() -> None:
    """As an operator would call it by hand."""
    asked = {"protocol": 2, "verb": "list", "fleet": "shop", "timeout_s": 9, "settings": {}, "secrets": {}}
    done = subprocess.run(
        [PROGRAM], input=json.dumps(asked), capture_output=True, text=True, timeout=30, check=False
    )

    assert 194 == done.returncode
    assert "protocol 1" in json.loads(done.stdout)["message"]
