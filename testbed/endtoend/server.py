"""A droplet of a person's own at the same cloud, on which the daemon is installed: made, reached, told what it needs.

In go a running `Stage` and the product's own tree; out come a machine, what blocks of shell wrote on it, and folders
for the depot. What never happens here: a step of the installation. Only configuration, secrets, the copied files
and where packages are come from here, as they would from an operator.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from testbed.clouds import digitalocean
from testbed.endtoend import acts, place
from testbed.endtoend.acts import NotSo
from testbed.endtoend.place import GOLDEN_IMAGE, PLAIN_IMAGE
from testbed.endtoend.recipes import PYTHON
from testbed.endtoend.stage import Stage
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.virtual import seed, wheels
from testbed.virtual.agent import AgentUnheard
from testbed.virtual.depot import RECEIPTS, Depot
from testbed.virtual.machine import VirtualMachine

ROOT = Path(__file__).resolve().parents[2]
FLEET = "office"
"""Another fleet at the same account: the daemon on this computer leaves its machines alone, and it leaves ours."""
QUEUE = "office"
NAME = "ops-1"
INDEX, FILES = "packages", "server"
"""Folders of the depot: the index of what the daemon needs, and what an operator copies to a server."""
HOME = "/root/autoscaler"
_BOOT_S, _STEP_S, _CALL_S = 900.0, 600.0, 30.0
_PARTS = ("autoscaler", "providers", "policies", "bootstrap", "pyproject.toml", "README.md", "LICENSE")
_CONFIG = """\
[fleet]
name = "{fleet}"

[broker]
management_url = "http://{host}:{management_port}"
amqp_url = "amqp://{host}:{amqp_port}"
username = "{user}"
password = {{ env = "RABBITMQ_PASSWORD" }}

[providers.do]
kind = "libcloud"
driver = "digitalocean"
token = {{ env = "DIGITALOCEAN_TOKEN" }}
host = "{host}"
port = {cloud_port}
secure = false
settle = "10s"

[pools.{queue}]
queues = ["{queue}"]
slots = 2

[pools.{queue}.limits]
max_workers = 1

[[pools.{queue}.policies]]
kind = "backlog"
messages_per_worker = 20

[pools.{queue}.stabilize]
scale_in_window = "30s"
scale_in_cooldown = "0s"

[pools.{queue}.timeouts]
enrol = "30m"

[[pools.{queue}.offers]]
provider = "do"
location = "fra1"
size = "{size}"
image = "{image}"
price_per_hour = 0.00893

[pools.{queue}.bootstrap]
app = "shop_tasks:app"
source = "image"
python = "{python}"
broker_url = {{ env = "WORKER_BROKER_URL" }}
environment = {{ SHOP_RECEIPTS = "{receipts}" }}
"""
_COPY = """\
import pathlib, sys, urllib.request
for each in sys.argv[2:]:
    target = pathlib.Path(sys.argv[1], each.rpartition("/")[2])
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(urllib.request.urlopen(each, timeout=60).read())
"""


def goods(cache: Path, scratch: Path) -> dict[str, Path]:
    """Folders for the depot: the locked packages and the product's wheel, and what is copied to a server."""
    source, files = scratch / "source", scratch / "files"
    for folder in (source, files):
        folder.mkdir(parents=True)
    for part in _PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, source / part)
    lock = ROOT / "requirements" / "runtime.txt"
    index = wheels.wheelhouse(cache, lock=lock, application=source)
    ours = next((index / "vps-autoscaler").glob("*.whl"))
    for each in (ours, lock, ROOT / "deploy" / "autoscaler", ROOT / "deploy" / "autoscaler.service"):
        shutil.copy(each, files / each.name)
    shutil.rmtree(source)
    return {INDEX: index, FILES: files}


@contextmanager
def droplet(stage: Stage) -> Iterator[VirtualMachine]:
    """A person's own machine at the cloud, up, until the block ends."""
    droplets = f"{stage.cloud.server.url}/v2/droplets"
    bearer = {"Authorization": f"Bearer {digitalocean.TOKEN}"}
    order = {
        "name": NAME, "region": "fra1", "size": place.SIZE, "image": PLAIN_IMAGE, "user_data": "#cloud-config\n{}\n",
    }  # fmt: skip
    answer = requests.post(droplets, json=order, headers=bearer, timeout=_CALL_S)
    answer.raise_for_status()
    key = answer.json()["droplet"]["id"]
    try:
        stage.wait(lambda: _stands(stage), acts.BOOT_S, f"{NAME} to be made")
        machine = stage.park.named(NAME)
        stage.wait(lambda: _is_up(machine), _BOOT_S, f"{NAME} to be up")
        _prepare(stage, machine)
        yield machine
    finally:
        requests.delete(f"{droplets}/{key}", headers=bearer, timeout=_CALL_S).raise_for_status()
        stage.wait(lambda: not stage.cloud.machines.named(NAME), acts.WORK_S, f"{NAME} to be gone")


def _stands(stage: Stage) -> bool:
    return any(each.hardware.name == NAME for each in stage.park.standing.values())


def _is_up(machine: VirtualMachine) -> bool:
    """Whether cloud-init has done all, so that nobody else asks for packages."""
    try:
        return machine.agent.run("/usr/bin/cloud-init", "status", "--wait", deadline_s=_BOOT_S).code == 0
    except AgentUnheard:
        return False


def _prepare(stage: Stage, machine: VirtualMachine) -> None:
    """What an operator has done before: the files are copied, and pip knows where packages come from."""
    depot = stage.depot.address(seed.HOST)
    machine.agent.write(
        "/etc/pip.conf", f"[global]\nindex-url = {depot}/{INDEX}\ntrusted-host = {seed.HOST}\n"
    )
    files = [f"{depot}/{FILES}/{each.name}" for each in sorted(stage.served[FILES].iterdir())]
    done = machine.agent.run("/usr/bin/python3", "-c", _COPY, HOME, *files, deadline_s=_STEP_S)
    if done.code:
        raise NotSo(f"{NAME}: the files could not be copied: {done.output}")


def configuration(broker: PrivateRabbitMQ, depot: Depot, cloud_port: int) -> str:
    """As an operator of one pool has it, on a machine that reaches this computer as `seed.HOST`."""
    return _CONFIG.format(
        fleet=FLEET,
        queue=QUEUE,
        host=seed.HOST,
        management_port=broker.management_port,
        amqp_port=broker.amqp_port,
        user=broker.user,
        cloud_port=cloud_port,
        size=place.SIZE,
        image=GOLDEN_IMAGE,
        python=PYTHON,
        receipts=f"{depot.address(seed.HOST)}{RECEIPTS}",
    )


def secrets(broker: PrivateRabbitMQ) -> dict[str, str]:
    """What the configuration refers to."""
    return {
        "RABBITMQ_PASSWORD": broker.password,
        "WORKER_BROKER_URL": place.worker_url(broker),
        "DIGITALOCEAN_TOKEN": digitalocean.TOKEN,
    }


def configure(stage: Stage, machine: VirtualMachine) -> None:
    """The configuration and its secrets, into the files that the documentation has made for them."""
    text = configuration(stage.broker, stage.depot, stage.cloud.server.port)
    lines = "".join(f"{name}='{value}'\n" for name, value in secrets(stage.broker).items())
    machine.agent.write("/etc/autoscaler/config.toml", text)
    machine.agent.write("/etc/autoscaler/environment", lines)
    rights = run(machine, "stat -c '%a %U:%G' /etc/autoscaler/environment").strip()
    if rights != "600 root:root":
        raise NotSo(f"{NAME}: the file of secrets has the rights {rights}")


def run(machine: VirtualMachine, block: str) -> str:
    """What a block of shell wrote, run by root in the directory of the copied files. Raises NotSo where it failed."""
    path = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    line = f"{path}\ncd {shlex.quote(HOME)}\n{block}"
    done = machine.agent.run("/bin/sh", "-euc", line, deadline_s=_STEP_S)
    if done.code:
        raise NotSo(f"{NAME}: {block.strip()!r} ended with {done.code}: {done.output[-3000:]}")
    return done.output
