"""`init`, `check` and `cloud-init`: before the first machine is bought."""

from __future__ import annotations

import stat

import pytest

from autoscaler import config
from tests.unit.cli.office import SECRETS, Office

ANSWERS = {
    "--fleet": "shop",
    "--management-url": "https://rabbit.example:15671",
    "--amqp-url": "amqps://rabbit.example:5671",
    "--username": "scaler",
    "--queue": "images, thumbs",
    "--app": "shop.tasks",
}
ENVIRON = {"RABBITMQ_PASSWORD": "one", "AWS_ACCESS_KEY_ID": "two", "AWS_SECRET_ACCESS_KEY": "three"}


def flags(**other: str) -> list[str]:
    """Every answer as options, some of them otherwise."""
    answers = ANSWERS | {f"--{name.replace('_', '-')}": value for name, value in other.items()}
    return [word for pair in answers.items() for word in pair]


@pytest.mark.parametrize("provider", ["libcloud", "local"])
def test_init_writes_a_configuration_without_problems(office: Office, provider: str) -> None:
    """With the answers in their places; nobody but its owner may read it."""
    target = office.directory / "new.toml"

    answer = office.command("init", str(target), *flags(provider=provider))

    settings = config.load(target, ENVIRON)
    assert 0 == answer.code
    assert 0o600 == stat.S_IMODE(target.stat().st_mode)
    assert ("shop", "scaler") == (settings.fleet.name, settings.broker.username)
    assert ("images", "thumbs") == settings.pools["images"].consumed
    assert {provider} == {account.kind for account in settings.providers.values()}
    assert f"check --online --config {target}" in answer.out


def test_init_quotes_what_was_answered(office: Office) -> None:
    """A virtual host may hold quotes and backslashes."""
    target = office.directory / "new.toml"

    office.command("init", str(target), *flags(vhost='a"b\\c/é', password_env="RABBITMQ_PASSWORD"))

    assert 'a"b\\c/é' == config.load(target, ENVIRON).broker.vhost


def test_init_never_overwrites_unless_told_to(office: Office) -> None:
    """A configuration may be the only record of how a fleet is set up."""
    target = office.directory / "new.toml"
    target.write_text("mine")

    refused = office.command("init", str(target), *flags())
    kept = target.read_text()
    forced = office.command("init", str(target), *flags(), "--force")

    assert (1, "mine", 0) == (refused.code, kept, forced.code)
    assert "--force" in refused.err


def test_init_says_what_is_missing_where_nobody_can_be_asked(office: Office) -> None:
    """All of it at once."""
    target = office.directory / "new.toml"

    answer = office.command("init", str(target), "--fleet", "shop")

    assert 2 == answer.code
    assert "--management-url, --amqp-url, --username, --queue, --app" in answer.err
    assert not target.exists()


def test_init_writes_nothing_for_answers_that_cannot_be(office: Office) -> None:
    """The report names the key; a password in an address is never repeated."""
    target = office.directory / "new.toml"

    answer = office.command(
        "init", str(target), *flags(management_url="http://u:hunter2@rabbit:1", fleet="My Fleet")
    )

    assert 78 == answer.code
    assert "fleet.name" in answer.err
    assert "broker.management_url" in answer.err
    assert "hunter2" not in answer.err
    assert not target.exists()


def test_init_into_a_folder_that_is_not_there_says_so(office: Office) -> None:
    """And leaves no draft behind."""
    answer = office.command("init", str(office.directory / "no" / "new.toml"), *flags())

    assert 1 == answer.code
    assert "cannot be written" in answer.err


def test_check_finds_a_sound_configuration_sound(office: Office) -> None:
    """Nothing outside was looked at, and nothing was made."""
    answer = office.command("check")

    assert 0 == answer.code
    assert "is fine" in answer.out
    assert not office.journal_file.exists()


def test_check_tells_every_problem_at_once(office: Office) -> None:
    """In words, or as JSON with one record a problem."""
    office.rewrite("slots = 2", "slot = 2")
    office.rewrite('tick = "100ms"', "tick = 5")

    told = office.command("check")
    facts = office.command("check", "--json")

    assert (78, 78) == (told.code, facts.code)
    assert "loop.tick" in told.err
    assert "pools.images.slot" in told.err
    assert {"loop.tick", "pools.images.slot", "pools.images.slots"} == {
        p["path"] for p in facts.facts["problems"]
    }
    assert {"path", "line", "found", "expected", "advice"} == facts.facts["problems"][0].keys()


def test_check_says_where_no_file_is(office: Office) -> None:
    """And how to get one."""
    answer = office.command("check", "--config", str(office.directory / "nope.toml"))

    assert 78 == answer.code
    assert "autoscaler init" in answer.err


def test_check_judges_what_a_machine_would_be_started_with(office: Office) -> None:
    """A process of this computer installs nothing, so a source of pip cannot work there."""
    office.rewrite('app = "shop.tasks"', 'app = "shop.tasks"\nsource = "pip"\nreference = "shop"')

    answer = office.command("check")
    facts = office.command("check", "--json").facts

    assert 78 == answer.code
    assert "problem" in answer.out
    assert facts["ok"] is False
    assert ["user data"] == [f["subject"] for f in facts["findings"] if not f["ok"]]


def test_cloud_init_masks_every_secret_unless_told_otherwise(office: Office) -> None:
    """The document goes to the standard output, what is said about it does not."""
    masked = office.command("cloud-init", "images")
    revealed = office.command("cloud-init", "images", "--reveal")

    assert (0, 0) == (masked.code, revealed.code)
    for secret in ("p@ss", "p%40ss", SECRETS["OFFICE_TOKEN"]):
        assert secret not in masked.out + masked.err
    assert SECRETS["OFFICE_TOKEN"] in revealed.out
    assert "bytes" in masked.err


def test_cloud_init_can_be_asked_for_a_node_by_name(office: Office) -> None:
    """And answers as JSON with its size and the limit."""
    facts = office.command("cloud-init", "images", "--node", "shop-images-1", "--json").facts

    assert "celery@shop-images-1" in facts["text"]
    assert {
        "pool",
        "offer",
        "format",
        "bytes",
        "limit_bytes",
        "compressed",
        "revealed",
        "text",
    } == facts.keys()


@pytest.mark.parametrize(
    "wrong", [["--node", "Not A Name"], ["--node", "-x"], ["--offer", "2"], ["--offer", "0"]]
)
def test_cloud_init_for_what_cannot_be_is_usage(office: Office, wrong: list[str]) -> None:
    """A name no node can have, an offer that is not there."""
    assert 2 == office.command("cloud-init", "images", *wrong).code
