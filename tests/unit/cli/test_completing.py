"""Completion in a real bash: commands, pools and nodes, whatever is wrong in silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autoscaler.cli.app import app
from tests.unit.cli.office import Office
from tests.unit.core.builders import a_node

BASH = shutil.which("bash") or ""
PROGRAM = Path(sys.executable).with_name("autoscaler")

_OFFER = """\
source "$HOME/.bashrc" || exit 9
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
handler=$(complete -p autoscaler | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
"$handler" autoscaler
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of somebody who said `autoscaler --install-completion`."""
    made = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        # The shell is told by who calls; and it stays that while it has more to do.
        [BASH, "--norc", "-c", "autoscaler --install-completion && true; exit $?"],
        env=_environment(made),
        capture_output=True,
        timeout=80,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return made


def _environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(home), "PATH": f"{PROGRAM.parent}:/usr/bin:/bin", **more}


def offered(home: Path, *words: str, config: str) -> list[str]:
    """What bash is offered behind these words; the last may be half of one. Nothing is written beside it."""
    done = subprocess.run(
        [BASH, "--norc", "-c", _OFFER, "bash", *words],
        env=_environment(home, AUTOSCALER_CONFIG=config),
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.split()


@pytest.mark.skipif(not BASH, reason="there is no bash here")
@pytest.mark.timeout(180)
def test_a_real_bash_offers_nodes(office: Office, home: Path) -> None:
    """Once it was installed and a new shell was opened."""
    office.on_record(a_node("shop-images-1"), a_node("shop-images-2"))

    assert ["shop-images-1", "shop-images-2"] == offered(
        home, "autoscaler", "drain", "shop-", config=str(office.config)
    )


def asked(*words: str, config: str) -> list[str]:
    """The same without a shell around it."""
    environment = {
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_AUTOSCALER_COMPLETE": "complete_bash",
        "AUTOSCALER_CONFIG": config,
    }
    result = CliRunner().invoke(app, [], prog_name="autoscaler", env=environment)
    assert "" == result.stderr
    return result.stdout.split()


def test_commands_pools_and_nodes_are_offered(office: Office) -> None:
    """Where each is expected, and only those that begin so."""
    office.on_record(a_node("shop-images-1"), a_node("shop-images-2"))
    config = str(office.config)

    assert ["history"] == asked("autoscaler", "hi", config=config)
    assert ["images"] == asked("autoscaler", "why", "", config=config)
    assert ["images"] == asked("autoscaler", "backtest", "--pool", "im", config=config)
    assert ["images", "shop-images-1", "shop-images-2"] == asked("autoscaler", "replace", "", config=config)
    assert [] == asked("autoscaler", "why", "nobody", config=config)


def test_the_configuration_on_the_line_is_the_one_that_is_meant(office: Office) -> None:
    """Before the command's name or behind it."""
    config = str(office.config)

    assert ["images"] == asked("autoscaler", "-c", config, "why", "i", config="/nowhere")
    assert ["images"] == asked("autoscaler", "why", "-c", config, "i", config="/nowhere")


def test_whatever_is_wrong_offers_nothing_and_says_nothing(office: Office, tmp_path: Path) -> None:
    """No configuration, half a one, no journal, one that is none; and no journal is made."""
    config = str(office.config)
    half = tmp_path / "half.toml"
    half.write_text("[pools.images")
    odd = tmp_path / "odd.toml"
    odd.write_text('pools = 3\njournal = { url = ["x"] }\n')

    for wrong in ("/nowhere", str(half), str(odd), str(tmp_path)):
        assert [] == asked("autoscaler", "why", "", config=wrong)
    assert [] == asked("autoscaler", "drain", "", config=str(odd))
    assert [] == asked("autoscaler", "drain", "", config=config)
    assert not office.journal_file.exists()
    office.journal_file.write_bytes(b"no database" * 1000)
    assert [] == asked("autoscaler", "drain", "", config=config)


def test_a_journal_on_a_server_is_not_asked(office: Office) -> None:
    """It could take its time."""
    office.rewrite(
        f"sqlite:///{office.directory}/journal.db", "postgresql+psycopg://nobody@192.0.2.1/journal"
    )

    assert [] == asked("autoscaler", "drain", "", config=str(office.config))
