"""A web tier on this computer: machines of a made-up host with a worker and an HTTP server each, nginx, and a client.

The host is the example of the provider `external`; each machine has an address of its own on the loopback network, so
that all of them listen on one port, as rented machines do. nginx has the configuration that docs/web-tier.md shows.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from testbed.ports import free_ports
from testbed.waiting import wait_until
from tests.contract import world_external_example
from tests.contract.world_external_example import PROGRAM, TOKEN, ExampleWorld
from tests.integration.panel_machines import PanelMachines, shared
from tests.integration.stage import ROOT, Stage

NODE = Path(__file__).parent / "app" / "web_node.py"
PAGE = ROOT / "docs" / "web-tier.md"
LINGER_S = 15.0
_MAIN = """\
worker_processes 2;
daemon off;
pid "{place}/nginx.pid";
error_log "{place}/error.log" notice;
{user}
events {{ worker_connections 512; }}
http {{
    client_body_temp_path "{place}/body";
    proxy_temp_path "{place}/proxy";
    fastcgi_temp_path "{place}/fastcgi";
    uwsgi_temp_path "{place}/uwsgi";
    scgi_temp_path "{place}/scgi";
    log_format facts "$msec $status $upstream_addr";
    access_log "{place}/access.log" facts;
    include "{place}/site.conf";
}}
"""
SECTION = """\
[pools.flood.upstream]
file = "{file}"
port = {port}
address = "127.30.0.0/16"
probe = "/healthz"
check = {check}
reload = {reload}
command_timeout = "5s"
linger = "{linger:g}s"
"""


def page_block(language: str, holding: str) -> str:
    """The code block of docs/web-tier.md in that language that holds those words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    found = [block for block in blocks if holding in block]
    assert len(found) == 1, f"{len(found)} blocks of {language} hold {holding!r}"
    return str(found[0])


def commands(tier: Tier, number: int, name: str) -> list[list[str]]:
    """A machine's worker and its web server."""
    worker = [sys.executable, "-m", "celery", "--app=flood_tasks", "worker", f"--hostname=celery@{name}"]
    options = [f"--queues={tier.stage.queue}", "--concurrency=1", "--pool=threads", "--without-gossip"]
    return [[*worker, *options], [sys.executable, str(NODE), address_of(number), str(tier.node_port), name]]


def address_of(number: int) -> str:
    """The address of the panel's server of that number."""
    return f"127.30.0.{number % 250 + 1}"


@dataclass(slots=True, kw_only=True)
class Tier:
    """All of it."""

    stage: Stage
    world: ExampleWorld
    place: Path
    port: int
    node_port: int
    machines: PanelMachines = field(init=False)

    @property
    def file(self) -> Path:
        return self.place / "web.conf"

    @property
    def section(self) -> str:
        """The pool's upstream, in TOML."""
        return SECTION.format(
            file=self.file,
            port=self.node_port,
            check=json.dumps([str(self.place / "check")]),
            reload=json.dumps([str(self.place / "reload")]),
            linger=LINGER_S,
        )

    def servers(self) -> list[str]:
        """Addresses that stand in the file now."""
        return re.findall(r"^server ([0-9.]+):[0-9]+ (?!down)", self.file.read_text(), re.MULTILINE)

    def wait_until_published(self, count: int, deadline_s: float) -> None:
        """Until so many machines stand in the file and nginx was told."""
        wait_until(
            lambda: [each["servers"] for each in self.stage.said("upstream.published")][-1:] == [count],
            deadline_s,
            lambda: f"{count} machines to be published\n{self.stage.tail()}",
            pause_s=0.2,
        )

    def wait_until_ended(self, count: int, deadline_s: float) -> None:
        """Until so many machines were given back and are gone."""
        wait_until(
            lambda: len(self.machines.ended_at) == count,
            deadline_s,
            lambda: f"{count} machines to end, and not {len(self.machines.ended_at)}\n{self.stage.tail()}",
        )

    def answered(self) -> Counter[str]:
        """Answers of each machine, by nginx's own log."""
        lines = (self.place / "access.log").read_text().splitlines()
        return Counter(line.split()[2].partition(":")[0] for line in lines)

    def trouble(self, command: str, script: str | None) -> None:
        """Have `check` or `reload` do this instead; None: what they usually do."""
        usual = {"check": ["-t"], "reload": ["-s", "reload"]}[command]
        new = self.place / f"{command}.new"
        new.write_text(f"#!/bin/sh\n{script or shlex.join(['exec', *command_of(self.place), *usual])}\n")
        new.chmod(0o755)
        new.replace(self.place / command)


def command_of(place: Path) -> list[str]:
    """The nginx of that directory."""
    return [nginx(), "-p", str(place), "-c", f"{place}/nginx.conf", "-e", f"{place}/error.log"]


def nginx() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    assert found, "nginx is needed: apt-get install nginx"
    return found


class Client:
    """Asks nginx at a steady pace, each time on a connection of its own, and remembers all that was no 200."""

    def __init__(self, port: int, per_s: float) -> None:
        self.per_s = per_s
        self.wrong: list[str] = []
        self.asked = 0
        self._port = port
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._asking: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def _go_on(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            due = max(due + 1.0 / self.per_s, time.monotonic() - 1.0)
            self._over.wait(max(0.0, due - time.monotonic()))
            asking = threading.Thread(target=self.ask)
            asking.start()
            self._asking = [*(t for t in self._asking if t.is_alive()), asking]

    def ask(self, path: str = "/") -> str:
        """One request; the name that answered."""
        try:
            link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
            link.request("GET", path)
            answer = link.getresponse()
            said, status = answer.read().decode(), str(answer.status)
            link.close()
        except (OSError, http.client.HTTPException) as error:
            said, status = "", repr(error)
        with self._lock:
            self.asked += 1
            if status != "200":
                self.wrong.append(f"{time.time():.3f} {path} {status}")
        return said

    def close(self) -> None:
        self._over.set()
        self._thread.join(30)
        for asking in self._asking:
            asking.join(30)


@contextmanager
def asking(port: int, per_s: float) -> Iterator[Client]:
    client = Client(port, per_s)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def a_tier(set_stage: Callable[..., Stage], directory: Path, *, more: str = "") -> Iterator[Tier]:
    """A stage with its host, nginx in front, and no daemon yet."""
    place = directory / "nginx"
    place.mkdir()
    port, node_port = free_ports(2)
    with world_external_example.open_world(directory) as world, contextlib.ExitStack() as everything:
        _give_addresses(world)
        command = json.dumps([sys.executable, "-I", str(PROGRAM)])
        stage = set_stage(
            slots=1,
            account=f'kind = "external"\ncommand = {command}\nsettle = "3s"\n'
            f'settings = {{ url = "http://127.0.0.1:{world.port}" }}\n'
            'secrets = { token = { env = "FJORD_TOKEN" } }',
            offer='size = "s-1"\nimage = "debian-12"\nlocation = "osl"',
            bootstrap='broker_url = { env = "FJORD_BROKER" }',
            secrets={"FJORD_TOKEN": TOKEN, "FJORD_BROKER": "amqp://nobody@rabbit.example"},
            create="30s",
        )
        tier = Tier(stage=stage, world=world, place=place, port=port, node_port=node_port)
        text = stage.config.read_text().replace("max_workers = 3", "min_workers = 1\nmax_workers = 3")
        stage.config.write_text(f"{text}\n{more}\n{tier.section}")
        configure(place, tier.file, port)
        # As the page says: nginx is there first, and needs a line.
        (line,) = re.findall(r"echo '(server .*;)' > /var/lib", PAGE.read_text())
        tier.file.write_text(f"{line}\n")
        for name in ("check", "reload"):
            tier.trouble(name, None)
        told = shared(stage) | {"WEB_QUEUE": stage.queue}
        tier.machines = PanelMachines(
            world, stage, lambda number, name: ((each, told) for each in commands(tier, number, name))
        )
        everything.callback(tier.machines.close)
        everything.enter_context(serving(place))
        yield tier


def _give_addresses(world: ExampleWorld) -> None:
    shown = world.panel.shown

    def with_address(server: dict[str, Any]) -> dict[str, object]:
        return {**shown(server), "ipv4": address_of(server["id"])}

    world.panel.shown = with_address


def configure(place: Path, file: Path, port: int) -> None:
    """As the page shows it, with this place's paths, and with no second try: a client sees whatever goes wrong."""
    site = page_block("nginx", "upstream web")
    for shown, here in (
        ("/var/lib/autoscaler/nginx/web.conf", str(file)),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("proxy_next_upstream error timeout;", "proxy_next_upstream off;"),
    ):
        assert shown in site
        site = site.replace(shown, here)
    (place / "site.conf").write_text(site)
    user = "user root;" if os.geteuid() == 0 else ""
    (place / "nginx.conf").write_text(_MAIN.format(place=place, user=user))


@contextmanager
def serving(place: Path) -> Iterator[None]:
    """Nginx by the configuration in that directory."""
    running = subprocess.Popen(command_of(place), cwd=place, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until((place / "nginx.pid").exists, 20, "nginx to start")
        yield
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(20)


def _at(event: dict[str, str]) -> float:
    return datetime.fromisoformat(event["timestamp"]).timestamp()


def hold(stage: Stage, workers: int) -> None:
    """Fix the pool's number."""
    answer = stage.run("hold", "flood", str(workers), "--for", "1h")
    assert answer.returncode == 0, answer.stderr


def left_and_went(tier: Tier) -> list[tuple[float, float, float]]:
    """Of each machine that was given back: when it was told to leave, was proven idle, and ended."""
    moves = tier.stage.said("node.moved")
    found = []
    for leaving in (each for each in moves if each["after"] == "draining"):
        ending = next(m for m in moves if m["node"] == leaving["node"] and m["after"] == "destroying")
        found.append((_at(leaving), _at(ending), tier.machines.ended_at[leaving["node"]]))
    return found
