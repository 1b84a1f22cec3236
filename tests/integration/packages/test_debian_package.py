"""The Debian package: made without a network and without other people's packages, what is in it, and that it runs.

With those, and installed for good, it is tried on a virtual machine (docs/e2e.md).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tidy.repository import ROOT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb here"),
]

HOME = "usr/lib/autoscaler"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
SYSTEM_PYTHON = Path("/usr/bin/python3")


@dataclass(frozen=True, slots=True)
class Package:
    """A package and what is in it."""

    file: Path
    root: Path
    listed: tuple[tuple[str, str, str], ...]
    """Mode, owner and path of everything."""

    def field(self, name: str) -> str:
        return _said("dpkg-deb", "--field", str(self.file), name).strip()


def _said(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=200, check=False
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def _made(folder: Path, **environment: str) -> Path:
    (folder / "none.txt").write_text("")
    bare = {"REQUIREMENTS": str(folder / "none.txt"), "COMPRESS": "none", "PIP_NO_INDEX": "1"}
    return Path(_said(str(ROOT / "scripts" / "deb.sh"), str(folder), **bare, **environment).strip())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("deb")
    file, root = _made(folder), folder / "root"
    _said("dpkg-deb", "--raw-extract", str(file), str(root))
    rows = [line.split(maxsplit=5) for line in _said("dpkg-deb", "--contents", str(file)).splitlines()]
    return Package(file, root, tuple((row[0], row[1], row[5].removeprefix("./")) for row in rows))


def test_everything_is_root_s_and_in_its_place(package: Package) -> None:
    """Nothing that others may write, nothing with a right of its own, and nothing that an administrator may edit."""
    places = (f"{HOME}/", "usr/bin/autoscaler", "usr/share/", "lib/systemd/system/autoscaler.service")

    assert {"root/root"} == {owner for _, owner, _ in package.listed}
    assert [] == [
        path for mode, _, path in package.listed if mode[0] != "l" and ("w" in mode[4:] or "s" in mode)
    ]
    assert [] == [path for mode, _, path in package.listed if mode[0] != "d" and not path.startswith(places)]
    assert {"-rwxr-xr-x"} == {
        mode for mode, _, path in package.listed if path in {"usr/bin/autoscaler", f"{HOME}/bin/autoscaler"}
    }


def test_nothing_names_the_place_where_it_was_made(package: Package) -> None:
    """It is made for one place; a path of the builder's would be a leak, or a bug that waits."""
    traces = (str(ROOT).encode(), str(package.file.parent).encode(), b"/root/usr/lib/autoscaler")
    files = [path for path in package.root.rglob("*") if path.is_file() and not path.is_symlink()]
    own = [path for path in files if path.suffix != ".md"]

    assert len(own) > 300
    assert [] == [path for path in own for trace in traces if trace in path.read_bytes()]
    assert [] == [path for path in files if "__pycache__" in path.parts or path.name == "direct_url.json"]
    links = {path.name: path.readlink() for path in package.root.rglob("*") if path.is_symlink()}
    assert "../../../bin/python3" == str(links["python3"])
    assert not any(target.is_absolute() for target in links.values())


def test_unit_and_command_are_those_of_an_installation_by_hand(package: Package) -> None:
    """But for the place of the program: what is proven of one holds of the other."""
    for source, target in (
        ("autoscaler.service", "lib/systemd/system/autoscaler.service"),
        ("autoscaler", "usr/bin/autoscaler"),
    ):
        expected = (ROOT / "deploy" / source).read_text(encoding="utf-8")
        found = (package.root / target).read_text(encoding="utf-8")
        assert expected.replace("/opt/autoscaler/", f"/{HOME}/") == found
        assert f"/{HOME}/bin/autoscaler" in found


def test_the_configuration_to_edit_is_the_example(package: Package) -> None:
    """It is copied once, by the package's script, and is no file of the package's: no upgrade asks about it."""
    found = (package.root / "usr/share/autoscaler/config.toml").read_text(encoding="utf-8")

    assert (ROOT / "config.example.toml").read_text(encoding="utf-8") == found
    assert not (package.root / "DEBIAN" / "conffiles").exists()


def test_the_sums_are_those_of_the_files(package: Package) -> None:
    """`dpkg --verify` compares them."""
    lines = (package.root / "DEBIAN" / "md5sums").read_text(encoding="utf-8").splitlines()
    told = {path: sums for sums, _, path in (line.partition("  ") for line in lines)}
    files = {
        str(path.relative_to(package.root)): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in package.root.rglob("*")
        if path.is_file() and not path.is_symlink() and "DEBIAN" not in path.parts
    }

    assert files == told


def test_it_needs_the_python_that_it_was_made_for(package: Package) -> None:
    """Another minor release does not look where its packages are."""
    program = "import sys; print('%d.%d %d.%d' % (*sys.version_info[:2], sys.version_info[0], sys.version_info[1] + 1))"
    this, following = _said(str(SYSTEM_PYTHON), "-c", program).split()

    assert f"python3 (>= {this}), python3 (<< {following})" in package.field("Depends")
    assert (package.root / HOME / "lib" / f"python{this}" / "site-packages" / "autoscaler").is_dir()
    assert re.fullmatch(r"[0-9][0-9a-z.~]*-1", package.field("Version"))


def test_the_program_runs_from_its_own_environment(package: Package, tmp_path: Path) -> None:
    """On other people's packages of the tests' environment; its own parts come from the package."""
    minor = "import sys; print('%d.%d' % sys.version_info[:2])"
    if _said(str(SYSTEM_PYTHON), "-c", minor) != _said(sys.executable, "-c", minor):
        pytest.skip("the environment of the tests is for another Python than the system's")
    root = tmp_path / "root"
    shutil.copytree(package.root, root, symlinks=True)
    (root / "usr/bin/python3").symlink_to(SYSTEM_PYTHON)
    others = next(path for path in sys.path if path.endswith("site-packages"))
    python = str(root / HOME / "bin" / "python")
    where = "import autoscaler, sys; print(autoscaler.__file__, sys.prefix)"
    done = subprocess.run(
        [python, "-c", where],
        env={"PYTHONPATH": others}, cwd="/", capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    file, prefix = done.stdout.split()

    assert (str(root / HOME), True) == (prefix, file.startswith(str(root / HOME)))
    shown = _said(python, str(root / HOME / "bin" / "autoscaler"), "--version", PYTHONPATH=others)
    assert shown.startswith("autoscaler ")
    assert package.field("Version").startswith(shown.split()[1])


def test_one_commit_makes_one_package(package: Package, tmp_path: Path) -> None:
    """Byte for byte: whoever doubts a package makes it again."""
    again = _made(tmp_path)

    assert package.file.name == again.name
    assert hashlib.sha256(package.file.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()


@pytest.mark.parametrize("script", SCRIPTS)
def test_its_scripts_are_shell_that_ends_at_the_first_failure(package: Package, script: str) -> None:
    """Executable, for /bin/sh, and sound as far as shellcheck can tell, where that is here."""
    path = package.root / "DEBIAN" / script

    assert path.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert "\nset -e\n" in path.read_text(encoding="utf-8")
    assert 0o755 == path.stat().st_mode & 0o777
    _said("sh", "-n", str(path))
    if shutil.which("shellcheck"):
        _said("shellcheck", str(path))
