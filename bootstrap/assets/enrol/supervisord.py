"""supervisord as the keeper of the worker, which it knows by its node's name. `systemd` beside it is told the same.

Exit code 0 is a worker that was told to go, by the daemon or by TERM, and stays down; anything else is a crash, and is
started again after a while. TERM goes to Celery alone, which then finishes what it holds. How long that may take is
for the daemon's drain deadline to say: nothing is ended by force for a day. What never happens here: a start of a
worker that went by itself.
"""

from __future__ import annotations

import os

from bootstrap.assets.enrol import machine

SETTLED_S = 0
"""It calls a worker running only once that lives for `startsecs`."""
OVER = "FATAL", "EXITED", "STOPPED"
LOGS = f"{machine.ROOT}/var/log/supervisor/"
LOG = LOGS + "celery-worker.log"
_CONF = f"{machine.ROOT}/etc/supervisor/conf.d/celery-worker.conf"
# Celery needs some seconds to come up. One that dies sooner is tried again after 1 s, 2 s, 3 s and so on, for about
# three and a half minutes in all: longer than a name server or a broker usually needs at boot. TERM sent to the whole
# group would end the pool's children in the middle of their tasks; KILL, if it comes to that, leaves no child behind.
_PROGRAM = """\
[program:%s]
command=%s
autostart=true
autorestart=%s
exitcodes=0
startsecs=5
startretries=20
stopsignal=TERM
stopasgroup=false
stopwaitsecs=86400
killasgroup=true
redirect_stderr=true
stdout_logfile=%s
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=3
"""


def begin(settings: machine.Settings) -> None:
    """Show the worker to it, which starts it now and at every boot. Only once all it needs is there."""
    text = _PROGRAM % (settings.node, machine.PROGRAMS + "run-worker", "unexpected", LOG)
    if settings.lease["after_s"]:
        lease = machine.PROGRAMS + "become-worker keep-lease"
        text += _PROGRAM % (settings.node + "-lease", lease, "true", LOGS + "celery-worker-lease.log")
    os.makedirs(LOGS, exist_ok=True)
    machine.write(_CONF, text, 0o644)
    if os.path.isdir(machine.SYSTEMD_RUNS):
        # `enable` asks the service's older form too, which takes seconds.
        machine.run(["systemctl", "add-wants", "multi-user.target", "supervisor"])
        machine.run(["systemctl", "start", "supervisor"])
    machine.run(["supervisorctl", "reread"])
    machine.run(["supervisorctl", "update"])


def state(settings: machine.Settings) -> tuple[str, str]:
    """Its word for how the worker is, and all that it says."""
    said = machine.answer(["supervisorctl", "status", settings.node])
    words = [*said.split(), "", ""]
    return words[1] if words[0] == settings.node else "", said


def runs(word: str) -> bool:
    """Whether that word is of a worker that runs."""
    return word == "RUNNING"


def start(settings: machine.Settings) -> None:
    """Start a worker that we ended ourselves."""
    machine.run(["supervisorctl", "start", settings.node])


def end_warmly(settings: machine.Settings) -> None:
    """TERM to the worker, which finishes what it holds and ends with 0. Returns at once."""
    machine.run(["supervisorctl", "signal", "TERM", settings.node])


def last_words() -> str:
    """The worker's own log."""
    return machine.read(LOG)
