"""Secrets come by reference, and show themselves to nobody."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from autoscaler import config
from autoscaler.config import ConfigError, Secret, Settings
from tests.unit.config.documents import ENVIRON, a_document, settings, the_problem

HIDDEN = "hunter2-never-shown"
LINE = 'password = { env = "PASSWORD" }'


def with_password(written: str, environ: dict[str, str] | None = None) -> Settings:
    return settings((LINE, f"password = {written}"), environ=environ)


def refused(written: str, environ: dict[str, str] | None = None) -> str:
    problem = the_problem((LINE, f"password = {written}"), environ=environ)
    assert ("broker.password", 8) == (problem.path, problem.line)
    return str(problem)


def test_a_secret_comes_from_a_variable_a_file_or_a_credential(tmp_path: Path) -> None:
    """Three places, one secret; the line end that editors leave is dropped, other spaces are the secret's own."""
    (tmp_path / "one").write_bytes(b" s3cret \n")
    (tmp_path / "two").write_bytes(b" s3cret \r\n")
    folder = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert Secret(" s3cret ") == with_password('{ env = "P" }', {"P": " s3cret "}).broker.password
    assert Secret(" s3cret ") == with_password(f'{{ file = "{tmp_path}/one" }}').broker.password
    assert Secret(" s3cret ") == with_password('{ credential = "two" }', folder).broker.password


def test_a_secret_that_cannot_be_read_is_a_problem_that_says_why(tmp_path: Path) -> None:
    """Missing, empty, unreadable, no text, too large: each has its own words."""
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    folder = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert "the environment variable P, which is not set" in refused('{ env = "P" }')
    assert "the environment variable P, which is empty" in refused('{ env = "P" }', {"P": ""})
    assert "which is not there" in refused(f'{{ file = "{tmp_path}/absent" }}')
    assert "which is no file" in refused(f'{{ file = "{tmp_path}" }}')
    assert "which is empty" in refused(f'{{ file = "{tmp_path}/empty" }}')
    assert "which is not UTF-8 text" in refused(f'{{ file = "{tmp_path}/binary" }}')
    assert "which is larger than 65536 bytes" in refused(f'{{ file = "{tmp_path}/large" }}')
    assert "expected an absolute path" in refused('{ file = "here" }')
    assert "which is not there" in refused(f'{{ file = "{tmp_path}/empty/below" }}')
    assert "file without a name in quotes" in refused('{ file = "/a\\u0000b" }')
    assert "$CREDENTIALS_DIRECTORY is not set" in refused('{ credential = "P" }')
    assert "a credential's name with other characters" in refused('{ credential = "../P" }', folder)
    assert "a credential's name with other characters" in refused('{ credential = ".." }', folder)
    assert "env without a name" in refused("{ env = 3 }")
    assert "one of env, file, credential" in refused('{ env = "P", file = "/p" }')
    assert "one of env, file, credential" in refused('{ enviroment = "P" }')


@pytest.mark.parametrize("written", [f'"{HIDDEN}"', f'["{HIDDEN}"]', f'{{ value = "{HIDDEN}" }}', "20260101"])
def test_a_secret_written_out_is_refused_and_not_repeated(written: str) -> None:
    """The report says how to write it; neither the report nor a traceback shows what was written."""
    with pytest.raises(ConfigError) as caught:
        with_password(written)

    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.problems)
    assert '{ env = "NAME" }' in str(caught.value)
    assert HIDDEN not in told
    assert "20260101" not in told


@pytest.mark.parametrize(
    "change",
    [
        ('"http://rabbit:15672"', f'"http://shop:{HIDDEN}@rabbit:15672"'),
        ('"amqp://rabbit:5672"', f'"amqp://shop:{HIDDEN}@rabbit:5672"'),
        ('username = "daemon"', f'username = "daemon"\npasword = "{HIDDEN}"'),
        ('kind = "local"', f'kind = "libcloud"\ndriver = "ec2"\nkey = "{HIDDEN}"\nsecret = "{HIDDEN}"'),
        ('app = "shop"', f'app = "shop"\nbroker_url = "amqp://u:{HIDDEN}@h"'),
        ('app = "shop"', f'app = "shop"\nenvironment = {{ TOKEN = ["{HIDDEN}"] }}'),
        ('app = "shop"', f'app = "shop"\nsource = "git"\nreference = "https://u:{HIDDEN}@git.example/r"'),
        ("[fleet]", f'journal = {{ url = "postgresql://u:{HIDDEN}@db/j" }}\n[fleet]'),
    ],
)
def test_a_secret_in_a_wrong_place_is_not_repeated(change: tuple[str, str]) -> None:
    """Wherever somebody wrote a password, the report does not spread it."""
    with pytest.raises(ConfigError) as caught:
        settings(change)

    assert HIDDEN not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_settings_never_show_a_secret() -> None:
    """Neither repr, nor str, nor JSON; `reveal`, `worker_url` and `options` do, for those who need it."""
    loaded = config.parse(
        a_document(
            ('app = "shop"', 'app = "shop"\nenvironment = { A = { env = "P" }, B = "plain" }'),
            more='[providers.other]\nkind = "theirs"\ntoken = { env = "P" }\nlist = [{ deep = { env = "P" } }, 1]\n',
        ),
        ENVIRON | {"P": HIDDEN},
    )

    shown = repr(loaded) + str(loaded) + loaded.model_dump_json() + f"{loaded.broker.password}"
    assert HIDDEN not in shown
    assert "p@ss" not in shown
    assert {"A": HIDDEN, "B": "plain"} == loaded.pools["images"].bootstrap.plain_environment()
    assert {"token": HIDDEN, "list": [{"deep": HIDDEN}, 1]} == loaded.providers["other"].options()


def test_a_missing_secret_of_somebody_elses_provider_is_told_too() -> None:
    """References in options that we do not know are followed as well, and told in the same report."""
    problem = the_problem(more='[providers.other]\nkind = "theirs"\ntoken = { env = "ABSENT" }\n')

    assert "providers.other.token" == problem.path
    assert "ABSENT, which is not set" in problem.found
