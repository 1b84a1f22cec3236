"""systemd as the keeper of the worker, with the guarantees that `supervisord` beside it has.

One child that is killed for its memory is Celery's to replace, and no reason to end the others.
"""

from __future__ import annotations

from bootstrap.assets.enrol import machine

SETTLED_S = 5
"""It calls a worker running from its first moment; a worker that lives so long did not die of its first import."""
OVER = "failed", "inactive"
_UNIT = "celery-worker.service"
_LEASE = "celery-worker-lease.service"
_TEXT = """\
[Unit]
Description=%s of %s
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=30

[Service]
ExecStart=%s
Restart=%s
RestartSec=5
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=86400
OOMPolicy=continue

[Install]
WantedBy=multi-user.target
"""


def begin(settings: machine.Settings) -> None:
    """Show the worker to it, which starts it now and at every boot. Only once all it needs is there."""
    units = {_UNIT: ("run-worker", "on-failure")}
    if settings.lease["after_s"]:
        units[_LEASE] = ("become-worker keep-lease", "always")
    for unit, (command, restarts) in units.items():
        text = _TEXT % (unit, settings.node, machine.PROGRAMS + command, restarts)
        machine.write(f"{machine.ROOT}/etc/systemd/system/{unit}", text, 0o644)
    machine.run(["systemctl", "daemon-reload"])
    machine.run(["systemctl", "enable", "--now", *units])


def state(settings: machine.Settings) -> tuple[str, str]:
    """Its word for how the worker is, and all that it says: another process says something else."""
    said = machine.answer(["systemctl", "show", "-pActiveState", "-pMainPID", _UNIT])
    words = dict(line.partition("=")[::2] for line in said.splitlines())
    return words.get("ActiveState", ""), said


def runs(word: str) -> bool:
    """Whether that word is of a worker that runs."""
    return word == "active"


def start(settings: machine.Settings) -> None:
    """Start a worker that we ended ourselves."""
    machine.run(["systemctl", "start", _UNIT])


def end_warmly(settings: machine.Settings) -> None:
    """TERM to the worker, which finishes what it holds and ends with 0. Returns at once."""
    machine.run(["systemctl", "kill", "--kill-who=main", "--signal=TERM", _UNIT])


def last_words() -> str:
    """The worker's own log."""
    return machine.answer(["journalctl", "-u", _UNIT, "-n60", "-ocat", "--no-pager"])
