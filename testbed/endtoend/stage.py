"""All parts of a run, running: broker, depot, cloud with its machines, daemon. What they say, and orders to them.

In go a `Place` and the images; out comes a `Stage`, whose parts end in order with its block, daemon first. What never
happens here: a judgement. `acts` says what must be so.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from celery import Celery

from testbed.clouds import digitalocean
from testbed.clouds.cloud import Cloud
from testbed.clouds.digitalocean import an_image
from testbed.clouds.machines import Habits
from testbed.endtoend import place as places
from testbed.endtoend.ears import Ears
from testbed.endtoend.place import Place
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.virtual import depot as depots
from testbed.virtual import park as parks
from testbed.virtual import seed
from testbed.virtual.accelerator import Accelerator
from testbed.virtual.depot import Depot
from testbed.virtual.images import Image
from testbed.virtual.park import Park, Peculiarity
from testbed.waiting import wait_until

T = TypeVar("T")
AUTOSCALER = Path(sys.executable).parent / "autoscaler"
MARK = "AUTOSCALER_E2E"
"""Environment variable of the daemon: the directory of its run."""
_DAEMON_END_S = 30.0
_COMMAND_S = 120.0
_TAIL_LINES = 30
OWN_IMAGES = (
    an_image(170000001, "12 x64", distribution="Debian", slug=places.PLAIN_IMAGE),
    an_image(int(places.GOLDEN_IMAGE), "shop workers", distribution="Debian", slug=None),
)


class DaemonEnded(RuntimeError):
    """The daemon ended by itself. The message shows what it said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """What machines boot and install."""

    images: Mapping[str, Image]
    """By the name the cloud knows each."""
    wheels: Path
    archive: Path
    served: Mapping[str, Path] = field(default_factory=dict)
    """More folders of the depot, by name."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """The running parts."""

    place: Place
    broker: PrivateRabbitMQ
    depot: Depot
    park: Park
    cloud: Cloud
    ears: Ears
    daemon: subprocess.Popen[bytes]
    served: Mapping[str, Path] = field(default_factory=dict)
    """Folders of the depot beside the usual ones."""
    sent: int = 0

    def send(self, queue: str, seconds: list[float]) -> range:
        """Tasks that last so long, and their numbers. The broker has said that it holds them."""
        numbers = range(self.sent, self.sent + len(seconds))
        with Celery(broker=self.broker.amqp_url) as app:
            app.conf.broker_transport_options = {"confirm_publish": True}
            for number, duration in zip(numbers, seconds, strict=True):
                app.send_task("shop.work", args=(number, duration), queue=queue, ignore_result=True)
        self.sent += len(seconds)
        return numbers

    def order(self, *arguments: str) -> str:
        """A command as an operator gives it; what it printed. Raises subprocess.CalledProcessError."""
        return subprocess.run(
            [AUTOSCALER, "--config", self.place.config, *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
        ).stdout

    def boot(self, node: str) -> dict[str, Any]:
        """What `autoscaler nodes NODE` knows of its boot; empty while that is nothing."""
        shown = json.loads(self.order("nodes", node, "--json"))["nodes"]
        return (shown[0]["boot"] if shown else None) or {}

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.place, self.broker)

    def told(self, event: str) -> list[dict[str, Any]]:
        """Every such event of the daemon's log, oldest first; `at` is when."""
        told = []
        with contextlib.suppress(FileNotFoundError):
            for line in self.place.log.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    document = json.loads(line)
                    if document.get("event") == event:
                        at = datetime.fromisoformat(document["timestamp"]).timestamp()
                        told.append({**document, "at": at})
        return told

    def moves(self, node: str | None = None) -> list[dict[str, Any]]:
        """Every move of a node, or of all, as the daemon told it, oldest first; `at` is when."""
        return [each for each in self.told("node.moved") if node in {None, each["node"]}]

    def states(self, pool: str) -> dict[str, str]:
        """Node → state, of all nodes that the pool ever had, in the order in which they came."""
        return {each["node"]: each["after"] for each in self.moves() if each["pool"] == pool}

    def standing(self, pool: str, *states: str) -> list[str]:
        """The pool's nodes in one of these states; in any but `gone` where none is named."""
        return [
            node
            for node, state in self.states(pool).items()
            if (state in states if states else state != "gone")
        ]

    def moved_at(self, node: str, after: str) -> float | None:
        """When it first came into that state."""
        return next((each["at"] for each in self.moves(node) if each["after"] == after), None)

    def ordered_at(self, node: str) -> float:
        """When the cloud got the order. Raises KeyError."""
        for each in self.cloud.machines.named(node):
            return each.made_at
        raise KeyError(node)

    def wait(self, condition: Callable[[], T], deadline_s: float, what: str) -> T:
        """`wait_until`, with a look whether the daemon and the machines still run."""

        def asked() -> T:
            if self.daemon.poll() is not None:
                raise DaemonEnded(f"the daemon ended with {self.daemon.returncode}:\n{self.tail()}")
            for machine in self.park.standing.values():
                machine.require_runs()
            return condition()

        return wait_until(asked, deadline_s, what, pause_s=0.3)

    def tail(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.place.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
        return ""


def environment(place: Place, broker: PrivateRabbitMQ) -> dict[str, str]:
    """What the daemon's configuration refers to."""
    return {
        **os.environ,
        MARK: str(place.directory),
        "RABBITMQ_PASSWORD": broker.password,
        "WORKER_BROKER_URL": places.worker_url(broker),
        "DIGITALOCEAN_TOKEN": digitalocean.TOKEN,
    }


def vendor_data(depot: Depot) -> str:
    """What a host tells its machines: where they find Debian's packages."""
    archive = f"deb [trusted=yes] {depot.address(seed.HOST)}/debian ./\n"
    return "#cloud-config\n" + json.dumps({"apt": {"preserve_sources_list": False, "sources_list": archive}})


@contextmanager
def running(
    place: Place, goods: Goods, accelerator: Accelerator, *, peculiar: Peculiarity = parks.sound
) -> Iterator[Stage]:
    """Start all parts, and end them, last started first. Raises what the parts raise."""
    with ExitStack() as parts:
        broker = parts.enter_context(PrivateRabbitMQ(place.rabbitmq, statistics_interval_s=1.0))
        depot = parts.enter_context(
            depots.serving({"debian": goods.archive, "simple": goods.wheels, **goods.served})
        )
        park = parts.enter_context(
            Park(
                directory=place.machines,
                consoles=place.consoles,
                images=goods.images,
                accelerator=accelerator,
                vendor_data=vendor_data(depot),
                peculiar=peculiar,
            )
        )
        cloud = parts.enter_context(
            digitalocean.serving(Habits(boot_s=0.0), hardware=park, own_images=OWN_IMAGES)
        )
        ears = parts.enter_context(Ears(broker.amqp_url))
        place.write_config(broker, depot, cloud.server.port)
        daemon = _start_daemon(place, broker)
        parts.callback(_end_daemon, daemon)
        yield Stage(
            place=place,
            broker=broker,
            depot=depot,
            park=park,
            cloud=cloud,
            ears=ears,
            daemon=daemon,
            served=goods.served,
        )


def _start_daemon(place: Place, broker: PrivateRabbitMQ) -> subprocess.Popen[bytes]:
    with place.log.open("ab") as log:
        return subprocess.Popen(
            # Killed with us: the journal knows what it had in hand.
            ["setpriv", "--pdeathsig", "KILL", AUTOSCALER, "--config", place.config, "run"],
            env=environment(place, broker),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us, and we end it when its turn comes
        )


def _end_daemon(daemon: subprocess.Popen[bytes]) -> None:
    if daemon.poll() is None:
        daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(_DAEMON_END_S)
    if daemon.poll() is None:
        daemon.kill()
    daemon.wait()
