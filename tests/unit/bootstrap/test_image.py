"""The script that makes a machine a golden image: run whole, under a root of its own, with stand-ins for a machine's
programs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bootstrap import application, early, image
from bootstrap.contract import File, FileOwner, Keeper, System, UnusableSpec, WorkerSpec
from tests.unit.bootstrap import specs

QUERY = "https://files.example/shop_tasks-1.4-py3-none-any.whl?token=geheim"
STAND_INS = ("apt-get", "dpkg", "systemctl", "useradd", "cloud-init", "sync", "install")
TRACES = (
    "root/.bash_history",
    "root/.netrc",
    "root/.ssh/authorized_keys",
    "root/.cache/pip/http",
    "home/debian/.ssh/authorized_keys",
    "home/debian/.bash_history",
    "home/debian/.git-credentials",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/apt/auth.conf.d/90shop.conf",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/dhcp/dhclient.eth0.leases",
    "var/log/journal/0a1b/system.journal",
    "tmp/notes",
)


class Plain:
    """A plain machine with the traces of whoever works on it."""

    def __init__(self, root: Path, spec: WorkerSpec, *, with_commands: bool = False) -> None:
        self.root, self.spec = root, spec
        self.machine = specs.Machine(root, specs.a_spec())
        # What a machine is given by user data is not there yet.
        for folder in ("etc/autoscaler", "usr/local/lib/autoscaler"):
            shutil.rmtree(root / folder)
        for name in STAND_INS:
            self.machine.stand_in(name, f'echo "{name} $*" >>{root}/done')
        self.machine.stand_in("dpkg-query", "exit 1")
        self.machine.stand_in("id", f'[ "$*" != "-u {spec.user}" ] || exit 1; echo 0')
        self._venv()
        for path in (*TRACES, "var/log/auth.log", "etc/machine-id", "etc/ssh/sshd_config"):
            self.put(path, "geheim")
        made = image.script(spec, with_commands=with_commands)
        self.notes = made.notes
        # Where our programs are called by their paths.
        self.script = made.text
        for before in ('"/usr/local/lib', "--requirement /etc", "-g root /etc"):
            path = before[before.index("/") :]
            self.script = self.script.replace(before, before.replace(path, f"{root}{path}"))

    def _venv(self) -> None:
        """A `python3 -m venv` that makes an environment whose Python is a stand-in."""
        venv = self.root / application.VIRTUAL_ENVIRONMENT[1:]
        self.machine.stand_in("pip", f'echo "python $*" >>{self.root}/done', at=self.root / "made/python")
        copied = f"cp --remove-destination {self.root}/made/python {venv}/bin/python; touch {venv}/bin/pip"
        self.machine.stand_in("python3", f"mkdir -p {venv}/bin {venv}/lib; {copied}")

    def put(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """The script by standard input, as `ssh root@MACHINE sh -s` brings it."""
        return subprocess.run(
            ["/bin/sh", "-s"],
            input=self.script,
            env=self.machine.environ() | environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def done(self) -> list[str]:
        """What the stand-ins were asked for, one after another."""
        path = self.root / "done"
        return path.read_text().replace(str(self.root), "").splitlines() if path.exists() else []


def test_a_plain_machine_becomes_an_image_with_all_that_boots_would_install(tmp_path: Path) -> None:
    """Packages, keeper and application by the program that boots would run, compiled; cloud-init told what to do."""
    plain = Plain(tmp_path, specs.a_spec(packages=("ffmpeg",)))
    run = plain.run()
    done = plain.done

    assert (0, "") == (run.returncode, run.stderr)
    assert any(line.endswith("install python3 python3-venv supervisor ffmpeg ioping") for line in done)
    assert "python -m pip install -r /etc/autoscaler/requirements.txt" in done
    assert any(line.startswith("python -m compileall") for line in done)
    assert "python -c import celery" in done
    assert (tmp_path / "opt/autoscaler/venv/.autoscaler").exists()
    told = yaml.safe_load((tmp_path / image.CLOUD_INIT[1:]).read_text())
    assert {"bootcmd", "write_files", "users_groups"} < set(told["cloud_init_modules"])
    assert {"runcmd", "scripts_user"} < set(told["cloud_final_modules"])
    assert "systemctl disable --now apt-daily.timer apt-daily-upgrade.timer" in done
    assert any(line.startswith("useradd --system") and line.endswith(" celery") for line in done)


def test_nothing_of_the_machine_or_of_who_made_it_stays(tmp_path: Path) -> None:
    """Keys, identities, histories, credentials, logs, and what the program was told."""
    plain = Plain(tmp_path, specs.a_spec())
    plain.run()

    assert [] == [path for path in TRACES if (tmp_path / path).exists()]
    assert ["", ""] == [(tmp_path / path).read_text() for path in ("var/log/auth.log", "etc/machine-id")]
    assert not (tmp_path / "etc/autoscaler").exists()
    assert (tmp_path / "etc/ssh/sshd_config").exists()
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "calls" not in path.parents]
    assert ["etc/ssh/sshd_config"] == [
        str(path.relative_to(tmp_path)) for path in kept if "geheim" in path.read_text()
    ]
    assert ["cloud-init clean --logs", "sync "] == [
        line for line in plain.done if line.startswith(("cloud-init", "sync"))
    ]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("etc/autoscaler/config.toml", "a daemon is configured here"),
        ("var/lib/autoscaler-enrolment.json", "was made a worker"),
        ("etc/apt/sources.list.d/shop.list", "addresses with credentials"),
        ("root/.gitconfig", "addresses with credentials"),
    ],
)
def test_a_machine_that_is_somebodys_is_left_alone(path: str, says: str, tmp_path: Path) -> None:
    """It removes keys and histories in the end: on the daemon's own machine it stops before anything, and before what
    it would forget where credentials are left."""
    plain = Plain(tmp_path, specs.a_spec())
    plain.put(path, "deb https://me:geheim@packages.example/ stable main\n")
    run = plain.run()

    assert 1 == run.returncode
    assert f"no image: {says}" in run.stderr or says in run.stderr
    assert (tmp_path / "root/.ssh/authorized_keys").exists()
    assert (tmp_path / path).exists()


def test_what_cannot_be_installed_makes_no_image(tmp_path: Path) -> None:
    """Half of one would be paid for by every boot."""
    plain = Plain(tmp_path, specs.a_spec(commands_before=("exit 7",)), with_commands=True)
    run = plain.run()

    assert (1, True) == (run.returncode, "not everything could be installed" in run.stderr)
    assert (tmp_path / "root/.ssh/authorized_keys").exists()


def test_an_application_without_celery_makes_no_image(tmp_path: Path) -> None:
    """It is found out here, and not by the first machine."""
    plain = Plain(tmp_path, specs.a_spec())
    plain.machine.stand_in("pip", '[ "$1" != -c ]', at=tmp_path / "made/python")
    run = plain.run()

    assert (1, True) == (run.returncode, "Celery is not among" in run.stderr)


def test_an_application_that_the_image_is_to_have_must_be_there(tmp_path: Path) -> None:
    """Where it comes from is not configured, so the script can only look for it."""
    spec = specs.a_spec(application=replace(specs.IMAGE, python="/nowhere/python"))
    plain = Plain(tmp_path, spec)
    run = plain.run()

    assert 1 == run.returncode
    assert "install the application first" in run.stderr
    assert any(line.endswith("install supervisor ioping") for line in plain.done)
    assert any('source is "image"' in note for note in plain.notes)


def test_an_address_with_a_secret_comes_from_who_runs_it(tmp_path: Path) -> None:
    """What is installed from is part of what an image is known by; in the script stands where it goes."""
    spec = specs.a_spec(application=replace(specs.WHEEL, reference=QUERY, sha256="0a" * 32))
    plain = Plain(tmp_path, spec)
    plain.machine.stand_in(
        "pip",
        f"case $3 in install) cp $5 {tmp_path}/read; mkdir -p {tmp_path}/opt/autoscaler/venv/lib/x;"
        f" touch {tmp_path}/opt/autoscaler/venv/lib/x/direct_url.json; esac",
        at=tmp_path / "made/python",
    )
    without = plain.run()
    done = plain.done
    run = plain.run(ADDRESS_1=QUERY)

    assert (1, []) == (without.returncode, done)
    assert (
        "ADDRESS_1 must hold https://files.example/shop_tasks-1.4-py3-none-any.whl?********" in without.stderr
    )
    assert (0, "") == (run.returncode, run.stderr)
    assert application.files(spec.application)[application.REQUIREMENTS] == (tmp_path / "read").read_text()
    assert [] == list(tmp_path.rglob("direct_url.json"))
    assert any("ADDRESS_1" in note for note in plain.notes)


def test_a_proxy_with_a_password_comes_from_who_runs_it(tmp_path: Path) -> None:
    """One without is written down for apt and pip, and so is the rest of the way out."""
    secret = image.script(specs.a_spec(system=System(proxy="http://me:geheim@proxy.example:3128")))
    plain = image.script(specs.a_spec(system=System(proxy="http://proxy.example:3128")))

    assert "geheim" not in secret.text
    assert "stop 'https_proxy must hold the pool'\"'\"'s proxy'; export https_proxy" in secret.text
    assert 'Acquire::http::Proxy "http://proxy.example:3128"' in plain.text
    assert ((), 1) == (plain.notes, len(secret.notes))


def test_an_operators_files_and_commands_are_put_in_where_they_can_be(tmp_path: Path) -> None:
    """Files that are no secret, as packages may come from where they say; commands only if they are asked for."""
    spec = specs.a_spec(
        files=(
            File(
                path=str(tmp_path / "etc/apt/sources.list.d/shop.list"), content="deb x\r\n", is_secret=False
            ),
            File(path="/etc/shop/key", content="geheim", owner=FileOwner.WORKER),
        ),
        commands_before=(f"echo before >>{tmp_path}/done",),
        commands_after=(f"echo after >>{tmp_path}/done",),
    )
    without, asked = Plain(tmp_path / "a", spec), Plain(tmp_path / "b", spec, with_commands=True)
    for plain in (without, asked):
        (plain.root / "bin/install").unlink()
        assert 0 == plain.run().returncode, plain.run().stderr

    assert ["before"] == (tmp_path / "done").read_text().split()
    assert ["Files with secrets come at boot and are not in the image: /etc/shop/key.", 4] == [
        without.notes[0],
        len(without.notes),
    ]


def test_a_repository_that_moves_is_told(tmp_path: Path) -> None:
    """Each machine would install it again."""
    assert image.moves(specs.GIT)
    assert not image.moves(replace(specs.GIT, revision="a" * 40))
    assert any("whole commit" in note for note in image.script(specs.a_spec(application=specs.GIT)).notes)


@pytest.mark.parametrize("keeper", Keeper)
def test_the_keeper_is_in_the_image_too(keeper: Keeper) -> None:
    """Where an image has the application, too; systemd is there anyway."""
    text = image.script(specs.a_spec(application=specs.IMAGE, keeper=keeper)).text
    (told,) = [part for part in text.split("END_OF_FILE'\n") if part.startswith("{")]

    assert ("supervisor" in json.loads(told.partition("END_OF_FILE")[0])["packages"]) == (
        keeper is Keeper.SUPERVISORD
    )


def test_machines_of_the_image_enrol_before_their_network(tmp_path: Path) -> None:
    """It is put in when all is clean: its files stay, as root's programs, and the unit is on."""
    plain = Plain(tmp_path, specs.a_spec())

    assert 0 == plain.run().returncode
    assert [
        "systemctl enable autoscaler-early.service autoscaler-early-keeper.service",
        "sync ",
    ] == plain.done[-2:]
    for file in early.files():
        put = tmp_path / file.path[1:]
        assert file.content == put.read_text().replace(str(tmp_path), "")  # the script was told of this root
        assert int(file.mode, 8) == put.stat().st_mode & 0o777


def test_a_name_that_is_no_ascii_is_read_back_by_the_shell() -> None:
    """No pipe on the way can damage it."""
    application_ = replace(specs.TARBALL, directory="/srv/smørbrød 🐝")
    text = image.script(specs.a_spec(application=application_)).text
    (word,) = set(re.findall(r'cd "\$R"("\$\(printf .*?\)")', text))
    said = subprocess.run(["sh", "-c", f"printf %s {word}"], capture_output=True, timeout=30, check=True)

    assert "/srv/smørbrød 🐝" == said.stdout.decode()


def test_what_cannot_be_a_worker_makes_no_image() -> None:
    """Told before a machine is paid for."""
    with pytest.raises(UnusableSpec, match="packages"):
        image.script(specs.a_spec(packages=("no package",)))
