"""The daemon from its Debian package on a virtual machine: installed, killed, wedged, reloaded, upgraded, purged.

In go a running `Stage`, the documentation's chapter and two packages that differ in their number; out comes how long
they took and what became of the fleet. What never happens here: a step of the installation that the documentation does
not have.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from testbed.endtoend import acts, installed, server, serving
from testbed.endtoend.acts import NotSo
from testbed.endtoend.server import NAME, QUEUE, ROOT, run
from testbed.endtoend.stage import Stage
from testbed.virtual.machine import VirtualMachine

NEWER = "newer.deb"
"""The package that comes later, under a name that the documentation's pattern does not meet."""
_MADE_OF = (
    "autoscaler", "providers", "policies", "bootstrap", "deploy", "docs", "pyproject.toml", "requirements/package.txt",
    "scripts/deb.sh", "config.example.toml", "CHANGELOG.md",
)  # fmt: skip
_BUILD_S = 600.0
_TASK_S = 420.0
"""Longer than the reloads and the upgrade on an emulated machine: its tasks are in hand all the time."""
_LATER_S = 60.0
"""Longer than a removal: a machine stands when the daemon goes."""
_INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends"
_KEPT = "cd /etc/autoscaler; sha256sum *; stat -c '%n %a %U:%G' * /var/lib/autoscaler /var/lib/autoscaler/journal.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """What was seen of a package on a server."""

    blocks_s: tuple[float, ...]
    """How long each block of the documentation took."""
    killed_back_s: float
    """From `kill -9` of the daemon to the first tick of the next one."""
    wedged_back_s: float
    """The same from a SIGSTOP, by systemd's watchdog."""
    upgrade_s: float
    upgrade_away_s: float
    """Between the last tick before the upgrade and the first one after it, while the machine held tasks."""
    upgrade_from: str
    upgrade_to: str
    remove_s: float
    said_at_remove: str
    node: str
    machines_ordered: int
    tasks_done: int


def goods(cache: Path, files: Path) -> Path:
    """Put into that folder, which is copied to a server, this tree's package and the same with a higher number."""
    files.mkdir(parents=True, exist_ok=True)
    kept = cache / f"packages-{_key()}"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=cache, prefix="packages-part-") as place:
            scratch = Path(place, "packages")
            _make(scratch, Path(place, "content"))
            scratch.rename(kept)
    for each in kept.iterdir():
        shutil.copy(each, files / each.name)
    return files


def _key() -> str:
    """What they are kept by: all that is in them."""
    content = hashlib.sha256()
    for part in _MADE_OF:
        for file in sorted((ROOT / part).rglob("*")) if (ROOT / part).is_dir() else [ROOT / part]:
            if file.is_file() and "__pycache__" not in file.parts:
                content.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:16]


def _make(scratch: Path, content: Path) -> None:
    scratch.mkdir()
    package = _said(str(ROOT / "scripts" / "deb.sh"), str(scratch)).strip()
    _said("dpkg-deb", "--raw-extract", package, str(content))
    control = content / "DEBIAN" / "control"
    text = re.sub(r"^Version: .*", r"\g<0>+later", control.read_text(encoding="utf-8"), flags=re.MULTILINE)
    control.write_text(text, encoding="utf-8")
    _said("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(content), str(scratch / NEWER))


def _said(*command: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "COMPRESS": "gzip"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if done.returncode:
        raise NotSo(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def install(stage: Stage) -> Packaged:
    """A droplet, and on it a daemon that comes and goes by apt while its machine works."""
    with server.droplet(stage) as machine:
        try:
            return _lived(stage, machine)
        except AssertionError as error:
            log = run(machine, "journalctl --no-pager -n 60 -u autoscaler || :")
            raise NotSo(f"{error}\nThe daemon on {NAME} said:\n{log}") from error


def _lived(stage: Stage, machine: VirtualMachine) -> Packaged:
    before = len(serving.orders(stage))
    blocks_s = installed.follow(stage, machine, by_hand=False)
    began = _version(machine)
    serving.ticks(stage, machine, 0.0)
    first = stage.send(QUEUE, [_TASK_S, _TASK_S])
    (node,) = stage.wait(
        lambda: _orders(stage, before), acts.BOOT_S, f"the daemon on {NAME} to order a machine"
    )
    killed_back_s = serving.killed(stage, machine)
    wedged_back_s = serving.wedged(stage, machine)
    _held(stage, first)
    serving.reload(machine)
    kept = run(machine, _KEPT)
    upgrade_s, away_s = _upgraded(stage, machine)
    if over := _told(stage, "ended", first):
        raise NotSo(f"{NAME}: tasks {over} were done before the upgrade was, so it was not under load")
    ended = _version(machine)
    later = stage.send(QUEUE, [_LATER_S])
    remove_s, said = _removed(machine, kept, node)
    _come_back(stage, machine, kept)
    stage.wait(
        lambda: len(_told(stage, "ended", (*first, *later))) == len(first) + len(later),
        acts.WORK_S,
        f"{node} to do what it held and what came meanwhile",
    )
    stage.wait(lambda: not stage.cloud.machines.named(node), acts.WORK_S, f"{node} to be given back")
    if (ordered := _orders(stage, before)) != [node]:
        raise NotSo(f"{NAME}: ordered were {ordered}")
    run(machine, "systemctl stop autoscaler")
    _purged(machine)
    return Packaged(
        blocks_s=tuple(blocks_s),
        killed_back_s=killed_back_s,
        wedged_back_s=wedged_back_s,
        upgrade_s=upgrade_s,
        upgrade_away_s=away_s,
        upgrade_from=began,
        upgrade_to=ended,
        remove_s=remove_s,
        said_at_remove=said,
        node=node,
        machines_ordered=len(ordered),
        tasks_done=len(_told(stage, "ended", (*first, *later))),
    )


def _orders(stage: Stage, before: int) -> list[str]:
    """Those that this daemon gave."""
    return serving.orders(stage)[before:]


def _held(stage: Stage, numbers: range) -> None:
    stage.wait(
        lambda: len(_told(stage, "began", numbers)) == len(numbers), acts.BOOT_S, "the tasks to be begun"
    )


def _told(stage: Stage, event: str, numbers: tuple[int, ...] | range) -> set[int]:
    return {each.number for each in stage.depot.told(event) if each.number in numbers}


def _upgraded(stage: Stage, machine: VirtualMachine) -> tuple[float, float]:
    """In place, while the machine holds tasks: another process, the same journal and configuration."""
    pid, kept = serving.shown(machine, "MainPID"), run(machine, _KEPT)
    last = float(serving.told(machine, "status")["daemon"]["last_tick_at"])
    began_at = time.monotonic()
    run(machine, f"{_INSTALL} ./{NEWER}")
    took_s = round(time.monotonic() - began_at, 1)
    if serving.shown(machine, "MainPID") in {pid, "0"}:
        raise NotSo(f"{NAME}: the upgrade did not start the daemon again")
    away_s = round(serving.ticks(stage, machine, last) - last, 1)
    if (now := run(machine, _KEPT)) != kept:
        raise NotSo(f"{NAME}: the upgrade changed what was to be kept: {kept} became {now}")
    return took_s, away_s


def _removed(machine: VirtualMachine, kept: str, node: str) -> tuple[float, str]:
    """While a machine stands: the daemon stops, everything it knows stays, and the machine is named."""
    began_at = time.monotonic()
    said = run(machine, "apt-get remove --yes autoscaler 2>&1")
    took_s = round(time.monotonic() - began_at, 1)
    state = serving.shown(machine, "ActiveState")
    left = run(machine, "ls /usr/lib/autoscaler /usr/bin/autoscaler 2>/dev/null || :").strip()
    now = run(machine, _KEPT)
    if state != "inactive" or left or now != kept:
        raise NotSo(f"{NAME}: removed, but the service is {state}, left is {left!r}, kept is {now}")
    warning = [line for line in said.splitlines() if "on record" in line or node in line]
    if len(warning) != 2:
        raise NotSo(f"{NAME}: a machine stands, and the removal said nothing of it: {said}")
    return took_s, " ".join(line.strip() for line in warning)


def _come_back(stage: Stage, machine: VirtualMachine, kept: str) -> None:
    """Installed again: nobody starts it unasked; started, it goes on where it was."""
    run(machine, f"{_INSTALL} ./{NEWER}")
    now = run(machine, _KEPT)
    if serving.shown(machine, "ActiveState") != "inactive" or now != kept:
        raise NotSo(f"{NAME}: installed again, it was started unasked, or kept is {now}")
    at = float(run(machine, "date +%s.%N; systemctl start autoscaler"))
    serving.ticks(stage, machine, at)


def _purged(machine: VirtualMachine) -> None:
    run(machine, "apt-get purge --yes autoscaler")
    left = run(
        machine, "ls -d /etc/autoscaler /var/lib/autoscaler /etc/systemd/system/*/autoscaler.service || :"
    )
    if re.search(r"^/", left, re.MULTILINE):
        raise NotSo(f"{NAME}: the purge left {left}")


def _version(machine: VirtualMachine) -> str:
    return run(machine, "dpkg-query --show --showformat='${Version}' autoscaler").strip()
