"""What keeps a worker: both keepers are told the same, and by their own commands."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.bootstrap import on_machine, specs

NODE = "shop-images-7k2f"


class Stage:
    """A machine with stand-ins for both keepers."""

    def __init__(self, root: Path, here: SimpleNamespace) -> None:
        self.machine = specs.Machine(root, specs.a_spec(application=specs.IMAGE))
        self.here = here
        for name in ("supervisorctl", "systemctl"):
            self.machine.stand_in(name, f'echo "$*" >>{root}/told')

    def told(self) -> list[str]:
        """The commands that the keepers were given."""
        return (self.machine.root / "told").read_text().splitlines()

    def begin(self, keeper: str, after_s: float = 0) -> None:
        """Show the worker to that keeper."""
        self.machine.settle(lease={"after_s": after_s})
        getattr(self.here, keeper).begin(self.here.machine.Settings())


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The program's modules on a machine of their own."""
    with on_machine.loaded(tmp_path) as here:
        made = Stage(tmp_path, here)
        monkeypatch.setenv("PATH", made.machine.environ()["PATH"])
        yield made


def _programs(root: Path) -> dict[str, dict[str, str]]:
    """As supervisord reads its file: inline comments, then `%` expansion, which finds nothing to expand."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string((root / "etc/supervisor/conf.d/celery-worker.conf").read_text())
    read = {name: dict(parser[name]) for name in parser.sections()}
    assert read == {
        name: {key: value % {} for key, value in section.items()} for name, section in read.items()
    }
    return read


def test_supervisord_keeps_a_worker_that_was_told_to_go_down(stage: Stage, tmp_path: Path) -> None:
    """Crashes alone are restarted; it gives tasks their time, and never ends a pool's children one by one."""
    stage.begin("supervisord")
    programs = _programs(tmp_path)
    expected = {
        "command": f"{tmp_path}/usr/local/lib/autoscaler/run-worker",
        "autostart": "true",
        "autorestart": "unexpected",
        "exitcodes": "0",
        "stopsignal": "TERM",
        "stopasgroup": "false",
        "killasgroup": "true",
    }

    assert [f"program:{NODE}"] == list(programs)
    assert expected.items() <= programs[f"program:{NODE}"].items()
    assert int(programs[f"program:{NODE}"]["stopwaitsecs"]) >= 3600
    assert {"stdout_logfile_maxbytes", "stdout_logfile_backups"} <= set(programs[f"program:{NODE}"])
    assert ["reread", "update"] == stage.told()


def test_supervisord_is_enabled_where_systemd_starts_it(stage: Stage, tmp_path: Path) -> None:
    """So that the worker comes back when the machine is started again."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    stage.begin("supervisord")

    wanted = "add-wants multi-user.target supervisor"
    assert [wanted, "start supervisor", "reread", "update"] == stage.told()


def _unit(root: Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign] # systemd minds the case
    parser.read_string((root / "etc/systemd/system" / name).read_text())
    return {key: value for section in parser.sections() for key, value in parser[section].items()}


def test_systemd_gives_the_same_guarantees(stage: Stage, tmp_path: Path) -> None:
    """Exit code 0 stays down, a crash is restarted, TERM goes to Celery alone and a day to finish."""
    stage.begin("systemd")
    unit = _unit(tmp_path, "celery-worker.service")
    expected = {
        "ExecStart": f"{tmp_path}/usr/local/lib/autoscaler/run-worker",
        "Restart": "on-failure",
        "KillMode": "mixed",
        "KillSignal": "SIGTERM",
        "TimeoutStopSec": "86400",
        "OOMPolicy": "continue",
        "WantedBy": "multi-user.target",
    }

    assert expected.items() <= unit.items()
    assert int(unit["StartLimitBurst"]) * int(unit["RestartSec"]) < int(unit["StartLimitIntervalSec"])
    assert ["daemon-reload", "enable --now celery-worker.service"] == stage.told()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this system")
def test_systemd_understands_the_units(stage: Stage, tmp_path: Path) -> None:
    """By its own check, which complains of every word that it does not know."""
    stage.begin("systemd", after_s=90)
    for unit in (tmp_path / "etc/systemd/system").iterdir():
        checked = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", unit],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

        assert "Unknown" not in checked.stderr
        assert not [
            line for line in checked.stderr.splitlines() if unit.name in line and "not executable" not in line
        ]


def test_who_keeps_the_lease_is_kept_himself(stage: Stage, tmp_path: Path) -> None:
    """Whatever he ended with he is started again: without him the machine would work on unheard."""
    for keeper in ("supervisord", "systemd"):
        stage.begin(keeper, after_s=90)
    command = f"{tmp_path}/usr/local/lib/autoscaler/become-worker keep-lease"
    lease = _programs(tmp_path)[f"program:{NODE}-lease"]
    unit = _unit(tmp_path, "celery-worker-lease.service")

    assert (command, "true") == (lease["command"], lease["autorestart"])
    assert (command, "always") == (unit["ExecStart"], unit["Restart"])


@pytest.mark.parametrize(
    ("keeper", "said", "expected"),
    [
        ("supervisord", f"{NODE}  RUNNING   pid 812, uptime 0:00:07", ("RUNNING", True, False)),
        ("supervisord", f"{NODE}  STARTING", ("STARTING", False, False)),
        (
            "supervisord",
            f"{NODE}  BACKOFF   Exited too quickly (process log may have details)",
            ("BACKOFF", False, False),
        ),
        (
            "supervisord",
            f"{NODE}  FATAL     Exited too quickly (process log may have details)",
            ("FATAL", False, True),
        ),
        ("supervisord", f"{NODE}  EXITED    Nov 27 07:12 AM", ("EXITED", False, True)),
        ("supervisord", "unix:///var/run/supervisor.sock no such file", ("", False, False)),
        ("systemd", "ActiveState=active\nMainPID=812", ("active", True, False)),
        ("systemd", "ActiveState=activating\nMainPID=0", ("activating", False, False)),
        ("systemd", "MainPID=0\nActiveState=failed", ("failed", False, True)),
        ("systemd", "ActiveState=inactive\nMainPID=0", ("inactive", False, True)),
        ("systemd", "", ("", False, False)),
    ],
)
def test_a_keepers_word_is_understood(
    keeper: str, said: str, expected: tuple[str, bool, bool], stage: Stage
) -> None:
    """Running, not yet, or given up and gone; and a keeper that cannot be asked says neither."""
    name = {"supervisord": "supervisorctl", "systemd": "systemctl"}[keeper]
    stage.machine.stand_in(name, f"printf '%s' '{said}'; exit 3")
    module = getattr(stage.here, keeper)
    word, _ = module.state(stage.here.machine.Settings())

    assert expected == (word, module.runs(word), word in module.OVER)


def test_a_worker_is_ended_warmly_and_started_again(stage: Stage) -> None:
    """TERM to Celery and to nobody else; neither command waits for tasks."""
    settings = stage.here.machine.Settings()
    for keeper in (stage.here.supervisord, stage.here.systemd):
        keeper.end_warmly(settings)
        keeper.start(settings)

    assert [
        f"signal TERM {NODE}",
        f"start {NODE}",
        "kill --kill-who=main --signal=TERM celery-worker.service",
        "start celery-worker.service",
    ] == stage.told()
