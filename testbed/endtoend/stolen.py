"""A machine's user data, stolen: what its worker's user can find of it there, and what it is worth to whoever has it.

In go a running `Stage` and a pool whose machines have users of their own at the broker; out comes what was tried and
what became of it. Each attempt is also made by somebody who must succeed, so that a refusal says something. What never
happens here: an attempt that is judged by what was meant to happen and not by what the broker, the kernel or the daemon
did.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import yaml

from autoscaler.core.reports import Phase
from testbed.endtoend import acts, looking, metadata, phases, thief
from testbed.endtoend.acts import NotSo
from testbed.endtoend.phases import Phases
from testbed.endtoend.place import SLOW
from testbed.endtoend.stage import Stage
from testbed.endtoend.thief import DONE, NO_LOGIN, REFUSED, Login
from testbed.virtual.agent import Agent

_PYTHON = "/usr/bin/python3"
_LOOK_S = 600.0
"""A whole machine is looked through, twice, by an emulated processor."""
_HEARD_S = 120.0
_GONE_S = 240.0
_KINDS = ("devices", "files", "services")
"""Of places: in each the user data is, and root finds it there."""
_UNLOCK = """\
for each in -4 -6; do while /usr/sbin/ip $each rule del pref 90 2>/dev/null; do :; done; done
chmod o+r /dev/vdb /etc/autoscaler/machine.json
"""
"""What keeps the worker's user from it, taken away: the rules of the kernel, and the rights of a file and a disk."""
_SAYS = "said with a stolen token"
_BOOTED_S = 0.125
"""No machine is so fast, emulated or not: what tells of such a boot was forged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserData:
    """What stands in one that matters here."""

    node: str
    token: str
    login: Login
    words: tuple[str, ...]

    def __repr__(self) -> str:
        return f"UserData({self.node!r}, ********)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stolen:
    """What was tried, and what became of it."""

    node: str
    user: str
    """As which the worker runs."""
    root: Mapping[str, Any]
    """What root finds, by kind of place."""
    worker: Mapping[str, Any]
    """What the worker's user finds: nothing."""
    user_data_while_booting: Mapping[str, str]
    user_data_later: Mapping[str, str]
    granted: Mapping[str, str]
    management: Mapping[str, int]
    reports_refused: int
    attempts_refused: int
    """Of those at the broker."""
    places_refused: int
    """Of files, devices, processes and services on the machine."""


def steal(stage: Stage, pool: str) -> tuple[Phases, Stolen]:
    """One task calls for one machine; its user data is used while it boots, and again when it is a worker."""
    before = set(stage.states(pool))
    (number,) = stage.send(pool, [1.0])
    node = stage.wait(lambda: sorted(set(stage.states(pool)) - before), 120, f"{pool} to order a machine")[0]
    had = read(_ordered(stage, node))
    neighbour = f"{node}-neighbour"
    daemon = Login(user=stage.broker.user, password=stage.broker.password)
    thief.declare(stage.broker, daemon, queues=(pool, SLOW), mailbox_for=neighbour)
    attempts = {**thief.forbidden(SLOW, neighbour), **thief.own(pool)}
    control = thief.tried(stage.broker, daemon, attempts)
    require("the daemon's own login", control, dict.fromkeys(attempts, DONE))
    require("the daemon's own login", thief.pages(stage.broker, daemon), dict.fromkeys(thief.PAGES, 200))
    early = while_booting(stage, had, attempts)
    stage.order("hold", pool, "1", "--for", "2h")
    measured = acts.heard(stage, pool, node)
    done = stage.wait(
        lambda: [each for each in stage.depot.told("ended") if each.number == number],
        acts.WORK_S,
        f"task {number} to be done with what was granted",
    )
    measured = replace(measured, order_to_first_task_s=round(done[0].at - stage.ordered_at(node), 1))
    refused = forge(stage, had, daemon)
    user = worker_user(stage, node)
    granted = granted_login(stage, node, user)
    later = later_on(stage, had, granted, attempts, pool)
    root, worker = look_through(stage, had, user)
    stage.order("resume", pool)
    stage.wait(lambda: stage.moved_at(node, "gone"), acts.WORK_S, f"{node} to be drained and gone")
    stage.wait(
        lambda: set(thief.tried(stage.broker, granted, attempts).values()) == {NO_LOGIN},
        _GONE_S,
        f"the user of {node} to be ended with it",
    )
    tries = (early, later["user data"], later["grant"])
    return measured, Stolen(
        node=node,
        user=user,
        root=root,
        worker=worker,
        user_data_while_booting=early,
        user_data_later=later["user data"],
        granted=later["grant"],
        management=later["management"],
        reports_refused=refused,
        attempts_refused=sum(became != DONE for each in tries for became in each.values()),
        places_refused=sum(worker[kind]["refused"] for kind in worker),
    )


def read(user_data: bytes) -> UserData:
    """What a thief takes from it. Raises what reading something else raises."""
    files = {file["path"]: file["content"] for file in yaml.safe_load(user_data)["write_files"]}
    told = json.loads(files["/etc/autoscaler/machine.json"])
    login = thief.login_of(told["broker"]["url"])
    return UserData(
        node=told["node"], token=told["token"], login=login, words=(told["token"], login.password)
    )


def require(whose: str, found: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    """Raises NotSo with what was otherwise."""
    wrong = {what: found.get(what) for what in wanted if found.get(what) != wanted[what]}
    if wrong:
        raise NotSo(f"{whose}: {wrong}, and must be { ({what: wanted[what] for what in wrong}) }")


def while_booting(stage: Stage, had: UserData, attempts: Mapping[str, thief.Attempt]) -> dict[str, str]:
    """It lets in whoever has it, for the one thing that it is for; nothing else can be done with it even then."""
    early = thief.tried(stage.broker, had.login, attempts)
    require("user data of a machine that boots", early, dict.fromkeys(attempts, REFUSED))
    pages = thief.pages(stage.broker, had.login)
    require("user data of a machine that boots", pages, dict.fromkeys(thief.PAGES, 401))
    phase = {"phase": "booted", "from_s": 0.0, "to_s": _BOOTED_S, "ok": True, "says": _SAYS}
    thief.report(stage.broker, had.login, _said(had, phases=[phase]))
    stage.wait(
        lambda: any(each["to_s"] == _BOOTED_S for each in stage.boot(had.node).get("phases", ())),
        _HEARD_S,
        f"the daemon to believe the token of {had.node} while it boots",
    )
    return early


def forge(stage: Stage, had: UserData, daemon: Login) -> int:
    """Reports that move nothing: of a machine that is a worker by now, of another, and by a made-up token.

    The broker no longer takes them from the thief's own login, so they come by one that may do everything. Returns how
    many the daemon refused.
    """
    boot = stage.wait(
        lambda: _whole(stage, had.node), acts.WORK_S, f"every phase of {had.node} to be reported"
    )
    moves, before = len(stage.moves(had.node)), _refusals(stage)
    failed = {"phase": "application", "says": _SAYS, "log": [_SAYS]}
    thief.report(stage.broker, daemon, _said(had, failed=failed, wants="grant"))
    thief.report(stage.broker, daemon, _said(had, node=f"{had.node}-neighbour", wants="grant"))
    thief.report(stage.broker, daemon, _said(had, token="0" * len(had.token), wants="grant"))
    # They are read in the order in which they came: the first one has been heard when the last is refused.
    stage.wait(lambda: _refusals(stage) >= before + 2, _HEARD_S, "the daemon to refuse what was forged")
    tick_at = _ticked_at(stage)
    stage.wait(lambda: _ticked_at(stage) > tick_at + 10, _HEARD_S, "the daemon to tick on")
    now = stage.boot(had.node)
    if now != boot:
        raise NotSo(f"{had.node}: a forged report changed what is known of its boot: {boot}, and now {now}")
    if len(stage.moves(had.node)) != moves or had.node not in stage.standing(had.node.split("-")[1], "ready"):
        raise NotSo(f"{had.node}: a forged report moved it: {stage.moves(had.node)[moves:]}")
    mail = thief.waiting(stage.broker, daemon, had.node)
    if mail:
        raise NotSo(f"{had.node}: {mail} messages lie in its mailbox; its token was worth a second grant")
    ports = [
        line.laddr for line in psutil.Process(stage.daemon.pid).net_connections() if line.status == "LISTEN"
    ]
    if ports:
        raise NotSo(f"the daemon listens on {ports}: what a stolen token is worth there is to be shown, too")
    return _refusals(stage) - before


def worker_user(stage: Stage, node: str) -> str:
    """As whom the machine's worker runs. Raises NotSo for root."""
    machine = stage.park.named(node)
    running = phases.look(machine).worker
    if running is None:
        raise NotSo(f"{node}: no worker runs")
    user = machine.agent.run("/usr/bin/stat", "-c", "%U", f"/proc/{running.pid}").output.strip()
    if user in {"", "root"}:
        raise NotSo(f"{node}: its worker runs as {user!r}")
    return user


def granted_login(stage: Stage, node: str, user: str) -> Login:
    """What the worker's user has: read, as that user, from the worker's own environment. A worker that waited for the
    network shows the kernel those of its keeper; one that was started since shows its own."""
    acts.restart(stage, node)
    machine = stage.park.named(node)
    running = phases.look(machine).worker
    pid = running.pid if running else "self"
    done = machine.agent.run(*_as(machine.agent, user), "/usr/bin/cat", f"/proc/{pid}/environ")
    variables = dict(line.partition("=")[::2] for line in done.output.split("\0"))
    return thief.login_of(variables["CELERY_BROKER_URL"])


def later_on(
    stage: Stage, had: UserData, granted: Login, attempts: Mapping[str, thief.Attempt], pool: str
) -> dict[str, Any]:
    """User data lets nobody in any more. A grant does, to a worker's own queues and names."""
    stale = thief.tried(stage.broker, had.login, attempts)
    require("user data of a worker's machine", stale, dict.fromkeys(attempts, NO_LOGIN))
    mine = thief.own(pool)
    grant = thief.tried(stage.broker, granted, attempts)
    require("a grant", grant, {what: DONE if what in mine else REFUSED for what in attempts})
    pages: dict[str, int] = {}
    for whose, login in (("user data of a worker's machine", had.login), ("a grant", granted)):
        pages = thief.pages(stage.broker, login)
        require(whose, pages, dict.fromkeys(thief.PAGES, 401))
    return {"user data": stale, "grant": grant, "management": pages}


def look_through(stage: Stage, had: UserData, user: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The machine as root, who finds the user data in every kind of place, and as the worker's user, who must not.

    With its locks taken away that user finds it, so it was looked for in earnest.
    """
    agent = stage.park.named(had.node).agent
    done = metadata.put_up(agent)
    if done.code:
        raise NotSo(f"{had.node}: no metadata service could be put up: {done.output}")
    root = _looked(agent, (), had)
    missed = [kind for kind in _KINDS if not root[kind]["found"]]
    missed += sorted(set(looking.SERVICES) - set(root["services"]["found"]))
    if missed or root["doors"]["refused"] or root["processes"]["refused"]:
        raise NotSo(f"{had.node}: root finds nothing there, or is refused: {missed or root}")
    worker = _looked(agent, _as(agent, user), had)
    require_shut(had.node, user, root, worker)
    agent.run("/bin/sh", "-c", _UNLOCK)
    unlocked = _looked(agent, _as(agent, user), had)
    unseen = [kind for kind in _KINDS if not unlocked[kind]["found"]]
    if unseen:
        raise NotSo(f"{had.node}: {user} finds nothing in what was opened to it: {unseen}")
    return _counted(root), _counted(worker)


def require_shut(node: str, user: str, root: Mapping[str, Any], worker: Mapping[str, Any]) -> None:
    """Wherever root found it the worker's user was refused, and nowhere else found it."""
    found = {kind: worker[kind]["found"] for kind in worker if kind != "uid" and worker[kind]["found"]}
    if worker["uid"] == 0 or found:
        raise NotSo(f"{node}: {user} ({worker['uid']}) finds the user data there: {found}")
    for kind in _KINDS:
        refused = set(worker[kind]["refused"])
        open_still = [
            place for place in root[kind]["found"] if not refused & {place, *map(str, Path(place).parents)}
        ]
        if open_still:
            raise NotSo(f"{node}: {user} was not refused {open_still}")
    if worker["doors"]["read"] or not worker["processes"]["refused"]:
        raise NotSo(f"{node}: {user} may do what root may: {worker['doors']}, {worker['processes']}")
    if not worker["names"]["read"] or not worker["files"]["read"]:
        raise NotSo(f"{node}: {user} cannot even read what is for everybody: {worker['names']}")


def _counted(looked: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a look."""
    return {kind: {**told, "refused": len(told["refused"])} for kind, told in looked.items() if kind != "uid"}


def _looked(agent: Agent, as_whom: tuple[str, ...], had: UserData) -> dict[str, Any]:
    words = [base64.b64encode(word.encode()).decode() for word in had.words]
    program = Path(looking.__file__).read_text(encoding="utf-8")
    done = agent.run(*as_whom, _PYTHON, "-c", program, *words, deadline_s=_LOOK_S)
    if done.code:
        raise NotSo(f"{had.node}: it could not be looked through: {done.output[-2000:]}")
    return dict(json.loads(done.output.splitlines()[-1]))


def _as(agent: Agent, user: str) -> tuple[str, ...]:
    """How a program is run as the worker is: `run-worker` does the same."""
    group = agent.run("/usr/bin/id", "-g", user).output.strip()
    return ("/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "--")


def _said(had: UserData, **otherwise: object) -> dict[str, object]:
    """A report as the machine would write it."""
    return {
        "v": 1, "node": had.node, "token": had.token, "uptime_s": 1.0, "phases": [], "failed": None, "disk": None,
        "wants": None, **otherwise,
    }  # fmt: skip


def _ordered(stage: Stage, node: str) -> bytes:
    """The user data that the cloud was given with the order."""
    machine = stage.wait(lambda: stage.cloud.machines.named(node), _HEARD_S, f"{node} to be at the cloud")[0]
    return machine.user_data


def _whole(stage: Stage, node: str) -> dict[str, Any]:
    """All that its machine, and the daemon, will ever say of its boot."""
    boot = stage.boot(node)
    return boot if set(Phase) <= set(acts.seconds(boot)) and boot["disk"] else {}


def _refusals(stage: Stage) -> int:
    """How many messages the daemon said that it refused."""
    return max((each["messages"] for each in stage.told("report.refused")), default=0)


def _ticked_at(stage: Stage) -> float:
    return float(json.loads(stage.order("status", "--json"))["daemon"]["last_tick_at"])
