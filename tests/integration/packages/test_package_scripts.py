"""What the Debian package's scripts do at each moment of its life, under a root of their own; systemd is played."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from autoscaler.core.lifecycle import NodeState
from autoscaler.journal import open_journal
from tests.tidy.repository import ROOT
from tests.unit.journal.records import a_node, a_tick

pytestmark = pytest.mark.integration

PLACES = re.compile(
    r"/(?=etc/|var/lib/|run/|usr/lib/autoscaler|usr/share/autoscaler|usr/local|opt/autoscaler)"
)
PLACES_MADE = (
    "bin", "etc", "run/systemd/system", "usr/lib/autoscaler/bin", "usr/lib/autoscaler/lib/x/__pycache__",
    "usr/share/autoscaler", "var/lib",
)  # fmt: skip
STAND_INS = {
    "adduser": "exit 0",
    "systemctl": 'case "$*" in *ActiveState*) cat "$ROOT/state";; *) echo "$*" >>"$ROOT/log";; esac',
    "deb-systemd-invoke": 'echo "$*" >>"$ROOT/log"; [ ! -e "$ROOT/refuses" ]',
    # Without the owner, whom only root may set.
    "install": 'r=; for a in "$@"; do case "$a" in -o | -g) s=1;; *) [ -n "$s" ] || r="$r $a"; s=;; esac; done\n'
    "exec /usr/bin/install $r",
    "setpriv": 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
}


class Root:
    """A server's files, and what systemd was told."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        for place in PLACES_MADE:
            (directory / place).mkdir(parents=True)
        for name, text in {**STAND_INS, "python": "exit 0"}.items():
            target = directory / ("usr/lib/autoscaler/bin" if name == "python" else "bin") / name
            target.write_text(f"#!/bin/sh\n{text}\n")
            target.chmod(0o755)
        (directory / "usr/share/autoscaler/config.toml").write_text("# the example\n")
        (directory / "usr/share/autoscaler/environment").write_text("# secrets\n")
        self.state("inactive")

    def state(self, is_: str) -> None:
        (self.path / "state").write_text(f"{is_}\n")

    def run(self, script: str, *arguments: str, code: int = 0) -> str:
        """Run it as dpkg would; what it said."""
        text = PLACES.sub(f"{self.path}/", (ROOT / "deploy" / "debian" / script).read_text(encoding="utf-8"))
        environment = {"PATH": f"{self.path}/bin:{os.environ['PATH']}", "ROOT": str(self.path)}
        done = subprocess.run(
            ["sh", "-c", text, script, *arguments],
            env=environment, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert code == done.returncode, done.stderr
        return done.stdout + done.stderr

    def told(self) -> list[str]:
        """What systemd was told since the last time, of the service alone."""
        log = self.path / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return [line for line in lines if "daemon-reload" not in line]

    def mode(self, place: str) -> int:
        return (self.path / place).stat().st_mode & 0o777


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def test_a_first_installation_makes_what_is_to_be_edited_and_starts_nothing(root: Root) -> None:
    """Secrets are for root alone, the configuration for root and the daemon."""
    said = root.run("postinst", "configure", "")

    assert (0o600, 0o640, 0o700) == (
        root.mode("etc/autoscaler/environment"), root.mode("etc/autoscaler/config.toml"),
        root.mode("var/lib/autoscaler"),
    )  # fmt: skip
    assert "systemctl enable --now autoscaler" in said
    assert [] == root.told()


def test_what_was_edited_is_never_written_over(root: Root) -> None:
    """Nor are its rights: an administrator may have given others."""
    root.run("postinst", "configure", "")
    for place in ("etc/autoscaler/config.toml", "etc/autoscaler/environment"):
        (root.path / place).write_text("mine\n")
        (root.path / place).chmod(0o440)
    (root.path / "var/lib/autoscaler").chmod(0o750)
    said = root.run("postinst", "configure", "0.1.0-1")

    assert "mine\n" == (root.path / "etc/autoscaler/config.toml").read_text()
    assert "mine\n" == (root.path / "etc/autoscaler/environment").read_text()
    assert (0o440, 0o750) == (root.mode("etc/autoscaler/environment"), root.mode("var/lib/autoscaler"))
    assert "edit" not in said


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("active", ["stop autoscaler.service", "start autoscaler.service"]),
        ("activating", ["stop autoscaler.service", "start autoscaler.service"]),
        ("inactive", []),
        ("failed", []),
    ],
)
@pytest.mark.parametrize("then", [("configure", "0.1.0-1"), ("abort-upgrade", "0.1.0-2")])
def test_an_upgrade_starts_the_daemon_again_if_it_ran(
    root: Root, state: str, told: list[str], then: tuple[str, str]
) -> None:
    """One that waits for its next start ran, too; and one whose upgrade was given up goes on."""
    root.state(state)
    root.run("prerm", "upgrade", "0.1.0-2")
    assert not list(root.path.glob("usr/lib/autoscaler/**/__pycache__"))
    root.run("postinst", *then)
    assert told == root.told()

    root.run("postinst", "configure", "0.1.0-1")
    assert [] == root.told()


def test_a_daemon_that_does_not_stop_keeps_its_program(root: Root) -> None:
    """The removal fails, and says so by its code."""
    root.state("active")
    (root.path / "refuses").touch()

    root.run("prerm", "remove", code=1)
    assert (root.path / "usr/lib/autoscaler/lib/x/__pycache__").exists()


def test_one_that_does_not_start_after_an_upgrade_does_not_break_apt(root: Root) -> None:
    """It is said; the configuration may want a change for the new release."""
    root.state("active")
    root.run("prerm", "upgrade", "0.1.0-2")
    (root.path / "refuses").touch()

    assert "journalctl -u autoscaler" in root.run("postinst", "configure", "0.1.0-1")


def _with_machines(root: Root) -> None:
    root.run("postinst", "configure", "")
    gone = a_node("images-7", state=NodeState.GONE)
    with closing(open_journal(f"sqlite:///{root.path}/var/lib/autoscaler/journal.db")) as journal:
        journal.commit(a_tick(new_nodes=(a_node("images-8"), gone)))


def test_a_removal_stops_the_daemon_and_keeps_what_it_knows(root: Root) -> None:
    """Machines that stand are named: from now on nobody ends them."""
    _with_machines(root)
    root.state("active")
    root.run("prerm", "remove")
    said = root.run("postrm", "remove")

    assert ["stop autoscaler.service"] == root.told()
    assert "1 machines are on record" in said
    assert ("images-8 at hetzner", False) == (said.splitlines()[1].strip(), "images-7" in said)
    assert (root.path / "var/lib/autoscaler/journal.db").exists()
    assert (root.path / "etc/autoscaler/environment").exists()
    root.state("inactive")
    root.run("postinst", "configure", "")
    assert [] == root.told()


def test_a_purge_leaves_nothing_but_a_warning(root: Root) -> None:
    """The last word names the machines: no record of them is left."""
    _with_machines(root)
    said = root.run("postrm", "purge")

    assert "images-8 at hetzner" in said
    assert not (root.path / "etc/autoscaler").exists()
    assert not (root.path / "var/lib/autoscaler").exists()


@pytest.mark.parametrize("journal", [None, "no journal"])
def test_a_purge_does_not_need_a_journal(root: Root, journal: str | None) -> None:
    """None was made yet, or it is damaged, or on a server."""
    root.run("postinst", "configure", "")
    if journal is not None:
        (root.path / "var/lib/autoscaler/journal.db").write_text(journal)

    root.run("postrm", "purge")
    assert not (root.path / "var/lib/autoscaler").exists()


@pytest.mark.parametrize(
    ("program", "code"), [("/opt/autoscaler/bin/autoscaler", 1), ("/usr/lib/autoscaler/bin/autoscaler", 0)]
)
def test_an_installation_by_hand_is_to_be_taken_away_first(root: Root, program: str, code: int) -> None:
    """Its unit would win over the package's; one that an administrator wrote for the package's program may."""
    unit = root.path / "etc/systemd/system/autoscaler.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(f"[Service]\nExecStart={PLACES.sub(f'{root.path}/', program)} run\n")

    said = root.run("preinst", "install", code=code)
    assert ("Take it away first" in said) == bool(code)
    root.run("preinst", "upgrade", "0.1.0-1")
