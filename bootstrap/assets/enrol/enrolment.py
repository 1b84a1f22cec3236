"""The way of a fresh machine to a worker, in phases; each begins as soon as those that it needs are done.

In goes what the machine is to become; out comes 0 once its worker runs, or 1 and a process that goes on telling why
not. The disk is measured before apt writes to it, and while the network comes; the broker is reached, and asked for
the grant, while packages are installed. What never happens here: a worker on a machine of which any phase failed.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import threading
import time
import traceback
from types import ModuleType
from typing import Callable

from bootstrap.assets.enrol import amqp, disk, installing, machine, reports

_NETWORK_S, _BROKER_S, _WORKER_S = 300, 600, 300
_LAST_WORD_S = 15


class Enrolment:
    """One run of the program."""

    def __init__(self, settings: machine.Settings, keeper: ModuleType, told: reports.Reports) -> None:
        self._settings, self._keeper, self._told = settings, keeper, told
        installing_s = installing.DEADLINE_S * (1 + len(settings.commands_before + settings.commands_after))
        # What each phase needs, how long it may take at most, and what does it.
        self._phases: dict[str, tuple[str, float, Callable[[], str]]] = {
            "network": ("", _NETWORK_S + 60, self._network),
            "disk": ("", 120, self._disk),
            "packages": ("network disk", installing_s, lambda: installing.packages(settings)),
            "application": ("packages", installing_s, lambda: installing.application(settings)),
            "broker": ("network disk", 2 * _BROKER_S + 60, self._broker),
            "worker": ("application broker", 2 * _WORKER_S, self._worker),
        }
        self._began_s: dict[str, float] = {}
        self._moved = threading.Event()

    def run(self) -> bool:
        """Whether a worker runs now; otherwise the first phase that failed was told to `Reports`."""
        self._told.phase("booted", 0, True, "")
        while not self._told.failed and len(self._told.phases) <= len(self._phases):
            self._moved.clear()
            for name, (needs, deadline_s, _) in self._phases.items():
                now_s = machine.uptime_s()
                if name not in self._began_s and all(map(self._told.is_done, needs.split())):
                    self._began_s[name] = now_s
                    threading.Thread(target=self._live, args=(name,), daemon=True).start()
                # What hangs where nothing can interrupt it, as a read of a dead disk, fails too.
                if name not in self._told.phases and now_s - self._began_s.get(name, now_s) > deadline_s:
                    self._told.phase(name, self._began_s[name], False, f"not done within {deadline_s:.0f} s")
            self._moved.wait(1)
        return not self._told.failed

    def _live(self, name: str) -> None:
        """One phase, on its own thread."""
        ok = False
        try:
            says = self._phases[name][2]()
            ok = True
        except machine.Failed as error:
            says = str(error)
        except Exception as error:  # noqa: BLE001 - around one phase: what nobody thought of is its failure
            machine.say(traceback.format_exc())
            says = repr(error)
        self._told.phase(name, self._began_s[name], ok, says)
        self._moved.set()

    def _network(self) -> str:
        """The broker has an address here, and a way leads to it. Nothing is sent."""
        ends_at = time.monotonic() + _NETWORK_S
        trouble = "no broker is named"
        while self._told.url:
            for place in amqp.places(self._told.url):
                try:
                    for family, _, _, _, address in socket.getaddrinfo(
                        place.hostname, amqp.port(place), type=2
                    ):
                        # A datagram socket that is connected asks for a route.
                        socket.socket(family, socket.SOCK_DGRAM).connect(address)
                        self._told.start()
                        return f"{place.hostname} is {address[0]}"
                except OSError as error:
                    trouble = f"{place.hostname}: {error}"
            if time.monotonic() > ends_at:
                raise machine.Failed(trouble)
            time.sleep(0.25)
        return trouble

    def _disk(self) -> str:
        user = pwd.getpwnam(self._settings.user)
        directory = self._settings.directory
        # A directory that is there already is the image's own and stays as it is.
        if not os.path.isdir(directory):
            os.makedirs(directory)
            os.chown(directory, user.pw_uid, user.pw_gid)
        return disk.check(self._settings, self._told) if self._settings.disk["check"] != "off" else "off"

    def _broker(self) -> str:
        """Reached; and where this machine is to have credentials of its own, let in by them."""
        if not self._told.url:
            return ""
        if not self._told.reached.wait(_BROKER_S):
            raise machine.Failed(self._told.trouble)
        if self._settings.credentials == "node" and self._told.url == self._settings.broker["url"]:
            from bootstrap.assets.enrol import grant  # noqa: PLC0415 - only where it is packed

            return grant.await_it(self._told)
        return self._told.trouble

    def _worker(self) -> str:
        """Kept, and alive for a while."""
        # Its keeper may have been installed a moment ago.
        installing.again(lambda _: self._keeper.begin(self._settings))
        ends_at = time.monotonic() + _WORKER_S
        before, since = "", 0.0
        while True:
            word, said = self._keeper.state(self._settings)
            if said != before:
                before, since = said, time.monotonic()
            if self._keeper.runs(word) and time.monotonic() - since >= self._keeper.SETTLED_S:
                user = pwd.getpwnam(self._settings.user).pw_uid
                # What starts the worker shuts it first, at every boot.
                shut = f"uidrange {user}-{user} " in machine.answer(["ip", "rule"])
                return "" if shut else "the metadata service stays open for the worker"
            if word in self._keeper.OVER or time.monotonic() > ends_at:
                for line in self._keeper.last_words().splitlines()[-60:]:
                    machine.say("| " + line)
                raise machine.Failed(f"the worker does not stay up: {' '.join(said.split())}")
            # To ask takes half a second of a small machine's processor, which its worker needs to come up.
            time.sleep(1)


def become_worker(settings: machine.Settings, keeper: ModuleType, told: reports.Reports) -> int:
    """The exit code of this program. A machine that is a worker already stays as it is."""
    if _state().get("enrolled") == settings.node:
        machine.say("a worker already")
        return 0
    reading, writing = os.pipe()
    # Two processes from here on: the one that cloud-init waits for says how it went, the other goes on telling why not.
    if os.fork():
        os.close(writing)
        return int(os.read(reading, 1) or b"1")
    os.setsid()
    _keep_state({"run": os.getpid()})
    if Enrolment(settings, keeper, told).run():
        _keep_state({"enrolled": settings.node})
        told.last_word(_LAST_WORD_S)
        os.write(writing, b"0")
        return 0
    os.write(writing, b"1")
    _tell_for_ever(told)
    return 1


def _tell_for_ever(told: reports.Reports) -> None:
    """Until the fleet ends this machine, or the program is run again."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for each in range(3):
        os.dup2(nowhere, each)
    while _state().get("run", os.getpid()) == os.getpid():
        time.sleep(2 * reports.IDLE_S)
        told.change()


def _keep_state(said: dict[str, object]) -> None:
    try:  # noqa: SIM105 - a module more costs user data
        machine.write(machine.STATE, json.dumps(said))
    except OSError:
        pass  # a machine with a full disk has something to tell, which is worth more


def _state() -> dict[str, object]:
    try:
        return dict(json.loads(machine.read(machine.STATE)))
    except ValueError:
        return {}
