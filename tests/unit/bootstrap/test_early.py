"""A golden machine begins before cloud-init is done: what it takes on, what it leaves alone, and what is left of it."""

from __future__ import annotations

import gzip
import os
import pickle
import stat
import subprocess
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from bootstrap import early, image
from bootstrap.contract import (
    Application,
    ApplicationSource,
    Credentials,
    File,
    Keeper,
    Lease,
    System,
    WorkerSpec,
)
from bootstrap.render import render
from tests.unit.bootstrap import on_machine, specs


def a_spec(**changes: Any) -> WorkerSpec:
    """Of a pool whose application is in the image."""
    image = Application(source=ApplicationSource.IMAGE, python="/opt/shop/bin/python", directory="/srv/shop")
    return specs.a_spec(user="nobody", token="5e" * 32, **({"application": image} | changes))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The program's modules for a machine that cloud-init's first look has left there."""
    (tmp_path / "var/lib/cloud/instance/sem").mkdir(parents=True)
    (tmp_path / "var/log").mkdir()
    with on_machine.loaded(tmp_path) as modules:
        yield modules


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The program's modules with a machine's own paths, of which nothing is written."""
    with on_machine.loaded("") as modules:
        yield modules


class Source:
    """Of a module that the machine's Python has and this program does not load."""

    def __init__(self, user_data: Any) -> None:
        self.userdata_raw, self.metadata = user_data, {"local-hostname": "shop-images-7k2f"}
        self.distro, self.paths = OrderedDict(name="debian"), {PurePosixPath("/var/lib/cloud")}
        self.seen = deque([timedelta(seconds=1)])


def remember(root: Path, user_data: str) -> None:
    """As cloud-init's first stage leaves it behind."""
    (root / "var/lib/cloud/instance/obj.pkl").write_bytes(pickle.dumps(Source(user_data.encode())))


def user_data(spec: WorkerSpec) -> str:
    return specs.rendered(spec).content.decode()


@pytest.mark.parametrize(
    "spec",
    [
        a_spec(),
        a_spec(application=specs.PIP),
        a_spec(credentials=Credentials.NODE),
        a_spec(broker_ca="-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"),
    ],
    ids=["image", "pip", "own user", "certificate"],
)
def test_it_reads_the_files_that_cloud_init_would_write(reader: SimpleNamespace, spec: WorkerSpec) -> None:
    """Packed or not: the same bytes, and the same rights."""
    plain = specs.rendered(spec).content
    packed = render(spec, user_data_format="cloud-config", limit_bytes=len(plain) - 1, gzip=False).content
    rights = {file["path"]: int(file["permissions"], 8) for file in specs.read(plain)["write_files"]}
    assert packed != plain

    for content in (plain, packed):
        files = reader.early.written(content.decode())

        assert specs.files_in(content) == {path: text.decode() for path, (_, text) in files.items()}
        assert rights == {path: mode for path, (mode, _) in files.items()}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (a_spec(commands_before=("true",)), "commands_before"),
        (a_spec(commands_after=("true",)), "commands_after"),
        (a_spec(files=(File(path="/srv/x", content="x"),)), "commands_before"),
        (a_spec(lease=Lease(after_s=90)), "lease"),
        (a_spec(system=System(time_zone="Europe/Amsterdam")), "commands_before"),
        (a_spec(keeper=Keeper.SYSTEMD), "systemd"),
        (replace(a_spec(), user="nobody-of-the-image"), "nobody-of-the-image"),
    ],
    ids=["before", "after", "files", "lease", "zone", "systemd", "user"],
)
def test_what_counts_on_the_whole_of_cloud_init_is_left_to_it(
    reader: SimpleNamespace, spec: WorkerSpec, reason: str
) -> None:
    """An operator's commands find keys, names and the whole disk, as on any image."""
    with pytest.raises((reader.early.Unfit, KeyError), match=reason):
        reader.early.written(user_data(spec))
    # Whoever makes the image is told so, but for what only the image knows.
    told = early.hindrance(specs.machine(spec))
    assert told == ("" if "nobody" in reason else "keeper" if reason == "systemd" else reason)
    notes = " ".join(image.script(spec).notes)
    assert bool(told) == ("once cloud-init is done" in notes)


def _more(document: dict[str, Any]) -> None:
    document["packages"] = ["nginx"]


def _other_command(document: dict[str, Any]) -> None:
    document["runcmd"].insert(0, ["/bin/true"])


def _other_encoding(document: dict[str, Any]) -> None:
    document["write_files"][0]["encoding"] = "b64"


@pytest.mark.parametrize("change", [_more, _other_command, _other_encoding], ids=lambda each: each.__name__)
def test_a_document_that_is_not_quite_ours_is_left_to_cloud_init(
    reader: SimpleNamespace, change: Any
) -> None:
    """An operator may have put something of their own into what a machine is started with."""
    document = specs.document(a_spec())
    change(document)

    with pytest.raises(reader.early.Unfit):
        reader.early.written("#cloud-config\n" + yaml.dump(document))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#!/bin/sh\ntrue\n",
        "#cloud-config\n",
        "#cloud-config\n- a\n",
        "#cloud-config\n{",
        "#include x\n",
        "#cloud-config\nruncmd: []\n",
        "#cloud-config\nruncmd: [[/usr/local/lib/autoscaler/become-worker]]\n",
        "Content-Type: multipart/mixed\n\n",
        gzip.compress(b"#cloud-config\n", mtime=0).decode("latin-1"),
    ],
)
def test_any_other_user_data_changes_nothing(machine: SimpleNamespace, tmp_path: Path, text: str) -> None:
    """Not a file, and no failure."""
    remember(tmp_path, text)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}

    assert 0 == machine.early.main()
    after = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {"autoscaler-enrolment.log"} >= {path.name for path in after - before}


class Begun:
    """A whole run, up to where the enrolment program takes its place."""

    def __init__(
        self, modules: SimpleNamespace, root: Path, patch: pytest.MonkeyPatch, spec: WorkerSpec
    ) -> None:
        self.root, self.modules, self.ran = root, modules, list[list[str]]()
        self.become: list[Any] = []
        environment = root / "opt/shop"
        (environment / "lib/python3.11/site-packages").mkdir(parents=True)
        (environment / "bin").mkdir()
        (environment / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
        text = user_data(spec).replace("/opt/shop", str(environment))
        text = text.replace("path: /", f"path: {root}/")
        text = text.replace(
            "/usr/local/lib/autoscaler/become-worker", f"{root}/usr/local/lib/autoscaler/become-worker"
        )
        remember(root, text)
        patch.setenv("PATH", os.environ["PATH"])
        patch.setattr(os, "execv", lambda *arguments: self.become.append(arguments) or 0)
        patch.setattr(os, "sync", lambda: None)
        patch.setattr(os, "fork", lambda: 1)  # what its other half does is looked at by itself
        patch.setattr(modules.machine, "run", self._run)

    def _run(self, argv: list[str], *_: Any, **__: Any) -> str:
        self.ran.append(argv)
        return ""

    def text(self, path: str) -> str:
        return (self.root / path).read_text()


LIB, CONF = "usr/local/lib/autoscaler/", "etc/supervisor/conf.d/celery-worker.conf"


def test_supervisord_has_the_workers_own_section_and_runs_what_waits(
    machine: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the worker runs, nothing tells this machine from one that began later."""
    begun = Begun(machine, tmp_path, monkeypatch, a_spec())

    machine.early.main()

    starter = begun.text(LIB + "run-worker")
    assert f"{tmp_path}/opt/shop/bin/python {tmp_path}/usr/local/lib/autoscaler-early/wait-worker" in starter
    assert "--hostname=celery@shop-images-7k2f" in starter
    assert "wachtwoord" not in starter
    assert "setpriv" in begun.text(LIB + "run-worker.real")
    assert stat.S_ISFIFO((tmp_path / "run/autoscaler-early/go").stat().st_mode)
    assert 0o700 == stat.S_IMODE((tmp_path / "run/autoscaler-early").stat().st_mode)
    assert [] == begun.ran
    assert not (tmp_path / "run/autoscaler-early/shown").exists()
    assert (tmp_path / "var/lib/cloud/instance/sem/config_write_files").exists()
    assert (tmp_path / CONF).is_symlink()  # of this boot alone
    early_conf = begun.text(CONF)
    machine.supervisord.begin(machine.machine.Settings())
    assert not (tmp_path / CONF).is_symlink()
    assert early_conf == begun.text(CONF) == begun.text("run/autoscaler-early/worker.conf")
    assert "[program:shop-images-7k2f]" in early_conf
    assert [(f"{tmp_path}/{LIB}become-worker", [f"{tmp_path}/{LIB}become-worker"])] == begun.become
    assert os.environ["PATH"].startswith(f"{tmp_path}/usr/local/lib/autoscaler-early/bin:")


@pytest.mark.parametrize(
    "trouble",
    [
        "entry point",
        "path",
        "no environment",
        "the systems too",
        "customized",
        "anybodys",
        "pool",
        "more to run",
    ],
)
def test_where_nothing_may_wait_the_worker_is_started_as_ever(
    machine: SimpleNamespace,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
) -> None:
    """Enrolment begins early all the same, with the programs of the machine alone."""
    root = tmp_path_factory.mktemp(trouble.replace(" ", "-"))
    (root / "var/lib/cloud/instance/sem").mkdir(parents=True)
    (root / "var/log").mkdir()
    arguments = {"worker_pool": "gevent"} if trouble == "pool" else {}
    with on_machine.loaded(root) as modules:
        begun = Begun(modules, root, monkeypatch, a_spec(**arguments))
        packages = root / "opt/shop/lib/python3.11/site-packages"
        if trouble == "entry point":
            (packages / "flower-2.dist-info").mkdir()
            (packages / "flower-2.dist-info/entry_points.txt").write_text("[celery.commands]\nflower = x:y\n")
        if trouble == "path":
            (packages / "trace.pth").write_text("/srv/more\n")
        if trouble == "no environment":
            (root / "opt/shop/pyvenv.cfg").unlink()

        if trouble == "the systems too":
            (root / "opt/shop/pyvenv.cfg").write_text("include-system-site-packages = true\n")
        if trouble == "customized":
            (packages / "sitecustomize.py").touch()
        if trouble == "anybodys":
            packages.chmod(0o777)
        if trouble == "more to run":
            (root / "etc/supervisor/conf.d").mkdir(parents=True)
            (root / "etc/supervisor/conf.d/agent.conf").touch()

        modules.early.main()

    assert "setpriv" in begun.text(LIB + "run-worker")
    assert not (root / CONF).exists()
    assert not (root / "run/autoscaler-early/go").exists()
    assert "autoscaler-early" not in os.environ["PATH"]
    assert begun.become


def test_who_gave_up_leaves_nothing_that_waits(
    machine: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enrolment failed, and begins anew at the end of the user data: supervisord knows no worker by then."""
    begun = Begun(machine, tmp_path, monkeypatch, a_spec())
    machine.early.main()
    asked: list[list[str]] = []
    monkeypatch.setattr(machine.machine, "answer", asked.append)

    assert 0 == machine.early.main("give-up")
    assert not os.path.lexists(tmp_path / CONF)
    assert "setpriv" in begun.text(LIB + "run-worker")
    assert not (tmp_path / "run/autoscaler-early/go").exists()
    assert [["supervisorctl", "reread"], ["supervisorctl", "update"]] == asked
    machine.early.main("give-up")
    assert len(asked) == 2


def test_what_every_environment_has_may_stay(machine: SimpleNamespace, tmp_path: Path) -> None:
    """What setuptools puts there, and programs that packages bring."""
    packages = tmp_path / "lib/python3.11/site-packages"
    (packages / "celery-5.dist-info").mkdir(parents=True)
    (packages / "celery-5.dist-info/entry_points.txt").write_text(
        "[console_scripts]\ncelery = celery.__main__:main\n"
    )
    (packages / "distutils-precedence.pth").write_text("import os; x = 1\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyvenv.cfg").write_text("include-system-site-packages = false\n")

    machine.early.require_plain(str(tmp_path))


def test_the_starter_runs_the_worker_where_nothing_is_waited_for(
    machine: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power went in the middle of the first boot: the second one has no process that waits."""
    Begun(machine, tmp_path, monkeypatch, a_spec())
    machine.early.main()
    (tmp_path / "run/autoscaler-early/go").unlink()
    (tmp_path / LIB / "run-worker.real").write_text("#!/bin/sh\necho as ever\n")

    done = subprocess.run(
        [tmp_path / LIB / "run-worker"], capture_output=True, text=True, timeout=20, check=True
    )

    assert "as ever\n" == done.stdout
