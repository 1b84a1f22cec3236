"""The container image as far as its definition tells, which is all that can be asked where no image can be built."""

from __future__ import annotations

import json
import re
from pathlib import Path

import typer

from autoscaler.cli import app
from tests.tidy.repository import ROOT

FILE = ROOT / "deploy" / "Containerfile"
KNOWN = {
    "ARG", "FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD",
}  # fmt: skip


def _instructions() -> list[tuple[str, str]]:
    """Each with what it says, comments and line ends taken out."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def _last_stage() -> list[tuple[str, str]]:
    told = _instructions()
    begins = max(n for n, (word, _) in enumerate(told) if word == "FROM")
    return told[begins:]


def _said(word: str) -> str:
    (found,) = [rest for each, rest in _last_stage() if each == word]
    return found


def test_every_instruction_is_one_that_builders_know() -> None:
    """A misspelt one would be found by the first who builds it."""
    assert set() == {word for word, _ in _instructions()} - KNOWN


def test_its_base_is_named_with_a_release() -> None:
    """Both stages stand on the same one: the environment's interpreter is the base's."""
    told = _instructions()
    (base,) = [rest for word, rest in told if word == "ARG"]

    assert re.fullmatch(r"BASE=[a-z]+:[0-9.]+-[a-z]+-[a-z]+", base)
    assert ["${BASE} AS made", "${BASE}"] == [rest for word, rest in told if word == "FROM"]


def test_it_runs_as_somebody_who_is_not_root() -> None:
    """By number, from before the daemon's start on; nothing is copied or run as root after that."""
    words = [word for word, _ in _last_stage()]

    assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", _said("USER"))
    assert "RUN" not in words[words.index("USER") :]
    assert "COPY" not in words[words.index("USER") :]


def test_what_it_runs_are_commands_that_exist() -> None:
    """Without a shell between, so that signals reach the daemon."""
    (command, *arguments) = json.loads(_said("HEALTHCHECK").partition(" CMD ")[2])
    group = typer.main.get_command(app.app)
    commands = group.commands  # type: ignore[attr-defined] # Typer types its group as a command

    assert (["autoscaler"], ["run"]) == (json.loads(_said("ENTRYPOINT")), json.loads(_said("CMD")))
    assert ("autoscaler", "status") == (command, arguments[0])
    assert {"run", "status"} <= set(commands)
    assert set(arguments[1:]) <= {name for each in commands["status"].params for name in each.opts}
    assert "SIGTERM" == _said("STOPSIGNAL")


def test_everything_it_installs_is_pinned_by_its_hash() -> None:
    """The wheel is ours and comes from the context; nothing else is fetched."""
    (run,) = [rest for word, rest in _instructions() if word == "RUN" and "pip install" in rest]
    installs = [step for step in run.split("&&") if "pip install" in step]

    assert [True, True] == ["--require-hashes" in step or "--no-index" in step for step in installs]
    assert not re.search(r"curl|wget|apt-get|https?:", FILE.read_text(encoding="utf-8"))


def test_only_what_the_script_lays_there_is_copied() -> None:
    """The context has no more in it than that, so no secret of a checkout can get into an image."""
    script = (ROOT / "scripts" / "image.sh").read_text(encoding="utf-8")
    (copied,) = [rest for word, rest in _instructions() if word == "COPY" and "--from" not in rest]

    assert ["package.txt", "vps_autoscaler-*.whl", "/made/"] == copied.split()
    assert 'cp deploy/Containerfile requirements/package.txt "$context"' in script
    assert Path(ROOT, "requirements", "package.txt").is_file()


def test_the_journal_is_kept_outside() -> None:
    """A container that is made anew must know the machines of the one before."""
    assert "/var/lib/autoscaler" == _said("VOLUME") == _said("WORKDIR")
