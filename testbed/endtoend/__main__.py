"""`python -m testbed.endtoend`: the whole road on virtual machines, and its figures in build/e2e.json.

Its exit code is 1 where something was not so, and 75 where another run uses its directory. Ctrl-C ends it in order.
What never happens here: a machine that is left, or a figure of a run that failed.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from testbed.endtoend import (
    acts,
    installed,
    leftovers,
    packaged,
    place,
    recipes,
    replacing,
    server,
    stage,
    stolen,
)
from testbed.endtoend.place import (
    FAILING,
    GOLDEN,
    GOLDEN_IMAGE,
    GUARDED,
    PLAIN,
    PLAIN_IMAGE,
    SLOW,
    Place,
    PlaceTaken,
)  # fmt: skip
from testbed.endtoend.stage import Goods, Stage
from testbed.rabbitmq import RabbitMQFailed
from testbed.virtual import accelerator, images, wheels
from testbed.virtual.accelerator import Accelerator
from testbed.virtual.images import ImageFailed
from testbed.virtual.machine import MachineFailed
from testbed.virtual.wheels import WheelsFailed

ROOT = Path(__file__).resolve().parents[2]
FAILED, TAKEN, INTERRUPTED = 1, 75, 130
_APPLICATION = Path(__file__).parent / "app"
_FAILURES = (
    AssertionError, RabbitMQFailed, ImageFailed, WheelsFailed, MachineFailed, stage.DaemonEnded, OSError,
    subprocess.SubprocessError,
)  # fmt: skip
_TASKS = {GOLDEN: 95, PLAIN: 95}
"""With the long ones and the first ones 200 in all."""


def main() -> int:
    """Run it and return its exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument(
        "--directory", type=Path, default=ROOT / "build" / "e2e", help="its files (build/e2e)"
    )
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "machines", help="images and wheels")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "e2e.json", help="its figures")
    parser.add_argument("--only", nargs="+", choices=list(_PARTS), help="these alone, in this order")
    parser.add_argument("--accelerator", choices=list(Accelerator), help="instead of trying what works here")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    given.output.unlink(missing_ok=True)
    try:
        where = place.take(given.directory)
        leftovers.end(where.directory, mark=stage.MARK)
        where.clear()
        parts = tuple(given.only or _PARTS)
        goods = _goods(given.cache.absolute(), where, parts)
        figures = _run(where, goods, given.accelerator, parts)
    except PlaceTaken as error:
        print(f"make e2e: {error}", file=sys.stderr)
        return TAKEN
    except KeyboardInterrupt:
        print("make e2e: ended; no machine is left.", file=sys.stderr)
        return INTERRUPTED
    except _FAILURES as error:
        print(f"make e2e: {error}", file=sys.stderr)
        print(f"Consoles and the daemon's log are in {given.directory}.", file=sys.stderr)
        return FAILED
    given.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    _print(figures)
    return 0 if not figures["tasks_lost"] and not figures["machines_left"] else FAILED


def _goods(cache: Path, where: Place, parts: tuple[str, ...]) -> Goods:
    """Images and wheels, made where they are not there yet."""
    cache.mkdir(parents=True, exist_ok=True)
    say("Images and packages (the first time some minutes) …")
    house = wheels.wheelhouse(cache, lock=ROOT / "requirements" / "machine.txt", application=_APPLICATION)
    plain = images.made(recipes.PLAIN, cache, wheels=house)
    golden = images.made(recipes.GOLDEN, cache, wheels=house)
    served = server.goods(cache, where.server) if _INSTALLED in parts else {}
    if _PACKAGED in parts:
        served[server.FILES] = packaged.goods(cache, where.server / "files")
    return Goods(
        images={PLAIN_IMAGE: plain, GOLDEN_IMAGE: golden}, wheels=house, archive=plain.archive, served=served
    )


def _run(where: Place, goods: Goods, wanted: str | None, parts: tuple[str, ...]) -> dict[str, Any]:
    choice = accelerator.probe(goods.images[PLAIN_IMAGE].kernel)
    used = Accelerator(wanted) if wanted else choice.accelerator
    say(f"Accelerator {used}: {'as told' if wanted else choice.why}.")
    say("Starting RabbitMQ, the cloud and the daemon …")
    began_at = time.monotonic()
    with stage.running(where, goods, used, peculiar=replacing.one_slow_disk()) as on:
        found = {part: _PARTS[part](on) for part in parts}
        ended = acts.done(on)
        figures = {
            **_road(found[parts[0]].get("first", {})),
            "tasks_sent": on.sent,
            "tasks_done": len(ended),
            "tasks_lost": on.sent - len(ended),
            "drain_s": found[parts[0]].get("drain_s"),
            "machines_left": len(on.cloud.machines.standing()) + len(on.park.standing),
            "tasks_twice": sum(count - 1 for count in ended.values()),
            "machines_at_once": on.park.most_at_once,
            "accelerator": used,
            **found,
            "seconds": round(time.monotonic() - began_at),
        }
        if on.park.failures:
            raise acts.NotSo(f"the host failed: {on.park.failures}")
    return figures


def _golden(on: Stage) -> dict[str, Any]:
    """One machine alone, its worker killed, then a flood, and a drain under way."""
    say("Golden image: one machine …")
    first = acts.enrol(on, GOLDEN)
    say(f"  {first}")
    restart_s = acts.restart(on, first.node)
    say(f"  the worker was killed and came back; it takes {restart_s} s from its process to its first word")
    ratio = acts.soon_enough(first.network_to_heard_s, restart_s)
    on.order("resume", GOLDEN)
    say("Golden image: a flood …")
    others = acts.flood(on, GOLDEN, _TASKS[GOLDEN], 2.0)
    say(f"  {others}")
    say("Golden image: a drain while all machines work …")
    drained = acts.drain(on, GOLDEN)
    say(f"  {drained}")
    acts.empty(on, GOLDEN)
    return {
        "first": asdict(first),
        "others": [asdict(each) for each in others],
        "restart_s": restart_s,
        "network_to_heard_by_restart": ratio,
        "drain_s": drained.drain_s,
        "drain": asdict(drained),
    }


def _plain(on: Stage) -> dict[str, Any]:
    """The same from nothing but Debian, and a worker that is killed while it is drained."""
    say("Plain image: one machine …")
    first = acts.enrol(on, PLAIN)
    say(f"  {first}")
    on.order("resume", PLAIN)
    say("Plain image: a flood …")
    others = acts.flood(on, PLAIN, _TASKS[PLAIN], 2.0)
    say(f"  {others}")
    say("Plain image: a worker is killed while it is drained …")
    killed = acts.kill_in_drain(on, PLAIN)
    say(f"  {killed} stayed down, and is gone")
    acts.empty(on, PLAIN)
    return {
        "first": asdict(first),
        "others": [asdict(each) for each in others],
        "drain_s": killed.drain_s,
        "killed_in_drain": asdict(killed),
    }


def _failing(on: Stage) -> dict[str, Any]:
    """An application that the index does not have yet; it has it when the next machine asks."""
    say("Golden image, but its application cannot be installed …")
    on.depot.refused.add(replacing.RELEASE)
    return _replaced(on, FAILING, "application", "No matching distribution", on.depot.refused.clear)


def _slow(on: Stage) -> dict[str, Any]:
    """A disk that is slower than the pool takes it; that of the next machine is not."""
    say(f"Golden image on a disk of {replacing.SLOW_IOPS} reads a second …")
    return _replaced(on, SLOW, "disk", "slow, the limit is", lambda: None)


def _replaced(on: Stage, pool: str, phase: str, sign: str, mend: Callable[[], None]) -> dict[str, Any]:
    found, shown = replacing.replace(on, pool, phase, sign, mend)
    say(shown)
    acts.empty(on, pool)
    return {"first": asdict(found.next), "replaced": asdict(found)}


def _guarded(on: Stage) -> dict[str, Any]:
    """What the user data of a machine is worth to a thief, and whether its worker's user can find it."""
    say("Golden image, a user of its own at the broker: its user data is stolen …")
    first, found = stolen.steal(on, GUARDED)
    say(
        f"  refused: {found.attempts_refused} attempts at the broker, {found.places_refused} places on the machine"
    )
    acts.empty(on, GUARDED)
    return {"first": asdict(first), "stolen": asdict(found)}


def _server(on: Stage) -> dict[str, Any]:
    """The daemon itself on a machine, as the documentation installs it."""
    say("Plain image: the daemon installed as in docs/installing.md …")
    found = installed.install(on)
    say(f"  {found}")
    return asdict(found)


def _package(on: Stage) -> dict[str, Any]:
    """The daemon from its Debian package, upgraded and removed while its machine works."""
    say("Plain image: the daemon from its Debian package …")
    found = packaged.install(on)
    say(f"  {found}")
    return asdict(found)


_INSTALLED, _PACKAGED = "installed", "packaged"
_PARTS = {
    GOLDEN: _golden,
    PLAIN: _plain,
    FAILING: _failing,
    SLOW: _slow,
    GUARDED: _guarded,
    _INSTALLED: _server,
    _PACKAGED: _package,
}


def _road(first: dict[str, Any]) -> dict[str, Any]:
    """The figures of one machine, golden if there were any, that had this computer for itself."""
    return {
        "order_to_boot_s": first.get("order_to_network_s"),
        "boot_to_enrolled_s": first.get("network_to_heard_s"),
        "order_to_first_task_s": first.get("order_to_first_task_s"),
    }


def _print(figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        if not isinstance(value, dict):
            say(f"{name}: {value}")


def say(line: str) -> None:
    """To whoever waits, at once."""
    print(line, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
