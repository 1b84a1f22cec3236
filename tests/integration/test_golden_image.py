"""A golden image made by the script itself, with real pip and an index on loopback; then a machine that enrols from it.

Package manager, keeper and cloud-init are stand-ins under a temporary root, which is the disk of both machines. The
package manager remembers what it installed, so the second machine asks the one that the first one filled.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bootstrap import image
from bootstrap.contract import Application, ApplicationSource, WorkerSpec
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.virtual import depot as depots
from testbed.virtual.depot import Depot
from tests.integration.enrolling import Fleet, Newcomer, heard_failure
from tests.unit.bootstrap import specs

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

WHEELS = {"shop_tasks": ("1.4", "celery"), "celery": ("5.4.0", "")}
APT = """\
echo "$*" >>{root}/apt
shift_to_install() {{ while [ "$1" != install ]; do shift; done; shift; echo "$@"; }}
case " $* " in *" install "*) for name in $(shift_to_install "$@"); do
    echo "$name $name=1.0 install ok installed" >>{root}/dpkg; done ;; esac
"""


def a_wheel(folder: Path, name: str, version: str, needs: str) -> Path:
    """The smallest wheel that pip installs."""
    path = folder / name.replace("_", "-") / f"{name}-{version}-py3-none-any.whl"
    path.parent.mkdir(parents=True)
    about = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}/__init__.py": f"version = {version!r}\n",
        f"{about}/METADATA": metadata + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in files.items():
            wheel.writestr(inside, text)
        wheel.writestr(
            f"{about}/RECORD", "".join(f"{inside},,\n" for inside in files) + f"{about}/RECORD,,\n"
        )
    return path


def a_tarball(path: Path) -> str:
    """An application as a build made it, with requirements of its own; its checksum."""
    with tarfile.open(path, "w:gz") as tarball:
        for inside, text in (
            ("shop/tasks.py", "queue = 'images'\n"),
            ("requirements.txt", "celery==5.4.0\n"),
        ):
            member = tarfile.TarInfo(f"shop-1.4/{inside}")
            member.size = len(text)
            tarball.addfile(member, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What applications are installed from."""

    depot: Depot
    sha256: str

    def application(self, source: str) -> Application:
        """The same release from one of its sources."""
        address = self.depot.address("127.0.0.1")
        if source == "tarball":
            told = {"reference": f"{address}/files/shop.tar.gz", "sha256": self.sha256}
        elif source == "wheel":
            told = {"reference": f"{address}/simple/shop-tasks/shop_tasks-1.4-py3-none-any.whl"}
        else:
            told = {"reference": "shop-tasks==1.4"}
        return Application(source=ApplicationSource(source), index_url=f"{address}/simple", **told)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """Both wheels and the tarball, served on loopback."""
    for name, (version, needs) in WHEELS.items():
        a_wheel(tmp_path / "simple", name, version, needs)
    (tmp_path / "files").mkdir()
    sha256 = a_tarball(tmp_path / "files/shop.tar.gz")
    folders = {each: tmp_path / each for each in ("simple", "files")}
    with depots.serving(folders) as depot:
        yield Shelf(depot=depot, sha256=sha256)


@pytest.fixture
def fleet(broker: PrivateRabbitMQ, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet of its own, with a vhost of its own."""
    made = Fleet(broker, f"golden-{tmp_path.name[-12:]}")
    yield made
    made.close()


def stand_in(folder: Path, name: str, body: str) -> None:
    """A program of the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def make_image(root: Path, spec: WorkerSpec) -> str:
    """Run the script for that spec on the disk under `root`, as ssh would bring it; what it said."""
    programs = root.parent / "programs"
    for name in ("cloud-init", "systemctl", "useradd", "sync", "dpkg"):
        stand_in(programs, name, "exit 0")
    stand_in(programs, "apt-get", APT.format(root=root))
    stand_in(programs, "dpkg-query", f"cat {root}/dpkg 2>/dev/null")
    stand_in(programs, "python3", f'exec {sys.executable} "$@"')
    for folder in ("var/log", "etc", "tmp", "root/.ssh"):
        (root / folder).mkdir(parents=True)
    script = image.script(spec).text
    # What names no root of its own, as in the machine's own files.
    for before in ('"/usr/local/lib', "--requirement /etc", '"directory": "/opt'):
        path = before[before.index("/") :]
        script = script.replace(before, before.replace(path, f"{root}{path}"))
    # A tarball's place is then the disk's own path on the disk, which may begin with /tmp.
    script = script.replace('find "$R/tmp" "$R/var/tmp"', 'find "$R/var/tmp"')
    done = subprocess.run(
        ["/bin/sh", "-s"],
        input=script,
        env={
            "PATH": f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin",
            "AUTOSCALER_ROOT": str(root),
            "HOME": str(root),
        },
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    assert 0 == done.returncode, done.stdout
    return done.stdout


@pytest.mark.parametrize("source", ["pip", "wheel", "tarball"])
def test_a_machine_of_the_image_finds_everything_there(
    source: str, shelf: Shelf, fleet: Fleet, tmp_path: Path
) -> None:
    """Packages and application take no time and no network: nothing is installed, and no index is asked."""
    spec = specs.a_spec(
        application=shelf.application(source),
        user="nobody",
        fleet=fleet.name,
        broker_url=fleet.url,
        packages=("ffmpeg",),
    )
    root = tmp_path / "disk"
    made = make_image(root, spec)
    installed = (root / "apt").read_text()
    shelf.depot.refused.add("/")
    machine = Newcomer(root, fleet, spec)
    machine.machine.stand_in("dpkg-query", f"cat {root}/dpkg")
    machine.machine.stand_in("apt-get", "exit 100")
    try:
        code, said = machine.run()
        report = fleet.last_report()
    finally:
        machine.close()
    phases = {phase["phase"]: phase for phase in report["phases"]}
    venv = root / "opt/autoscaler/venv"

    assert "application: installed" in made
    assert "install python3 python3-venv supervisor ffmpeg ioping" in installed
    assert (0, None) == (code, report["failed"]), said
    assert "installed: nothing was missing" == phases["packages"]["says"]
    assert "in the image" == phases["application"]["says"]
    assert max(phases[each]["to_s"] - phases[each]["from_s"] for each in ("packages", "application")) < 2.0
    assert not (root / "calls/apt-get.argv").exists()
    assert list(venv.glob("lib/python3*/site-packages/celery/__pycache__/*.pyc"))
    assert fleet.broker.password not in made


def test_a_release_that_the_image_lacks_is_installed_at_boot(
    shelf: Shelf, fleet: Fleet, tmp_path: Path
) -> None:
    """The image is a cache of what is configured: what it lacks comes from the index, and what it has is kept."""
    spec = specs.a_spec(
        application=shelf.application("pip"), user="nobody", fleet=fleet.name, broker_url=fleet.url
    )
    root = tmp_path / "disk"
    make_image(root, spec)
    a_wheel(tmp_path / "later", "shop_tasks", "1.5", "celery")
    (tmp_path / "later/shop-tasks/shop_tasks-1.5-py3-none-any.whl").rename(
        tmp_path / "simple/shop-tasks/shop_tasks-1.5-py3-none-any.whl"
    )
    (root / "etc/autoscaler").mkdir(parents=True, exist_ok=True)
    machine = Newcomer(root, fleet, spec)
    requirements = root / "etc/autoscaler/requirements.txt"
    requirements.write_text(requirements.read_text().replace("1.4", "1.5"))
    machine.machine.stand_in("dpkg-query", f"cat {root}/dpkg")
    try:
        code, said = machine.run()
        report = fleet.last_report()
    finally:
        machine.close()
    phases = {phase["phase"]: phase["says"] for phase in report["phases"]}

    assert (0, "installed") == (code, phases["application"]), said
    assert list(root.glob("opt/autoscaler/venv/lib/python3*/site-packages/shop_tasks-1.5.dist-info"))


def test_a_version_that_the_index_does_not_have_fails_the_boot_in_pips_words(
    shelf: Shelf, fleet: Fleet, tmp_path: Path
) -> None:
    """At the second no: the real pip says by its log that it was told which versions there are."""
    application = replace(shelf.application("pip"), reference="shop-tasks==9.9")
    spec = specs.a_spec(
        application=application, user="nobody", fleet=fleet.name, broker_url=fleet.url, packages=()
    )
    machine = Newcomer(tmp_path / "disk", fleet, spec, packages=[])
    machine.machine.stand_in("python3", f'exec {sys.executable} "$@"')
    try:
        code, _ = machine.run()
        failed = heard_failure(fleet)["failed"]
    finally:
        machine.close()

    assert (1, "application") == (code, failed["phase"])
    assert failed["says"].endswith(
        "exit code 1: ERROR: No matching distribution found for shop-tasks==9.9, attempt 2"
    )
