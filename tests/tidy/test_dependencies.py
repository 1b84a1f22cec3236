"""What we stand on is pinned by version and hash; where it is fetched from is for whoever installs it to say."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.tidy import repository

LOCKS = tuple(
    path
    for path in repository.tracked_files()
    if path.parent == Path("requirements") and path.suffix == ".txt"
)
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9-]*)==\S+(?: ;.*)? \\$", re.MULTILINE)
# Put together here so that this file does not hold what it looks for.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs", "org"), ("crates", "io"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"), ("archive", "ubuntu", "com"), ("security", "debian", "org"), ("docker", "io"),
    )
)  # fmt: skip
# Absolute paths that only exist on somebody's own machine.
FOREIGN_PATHS = re.compile(r"(?<![\w.$}/-])(?:/" + "work/|/" + "home/[a-z]+/|/" + r"Users/|\.\./shared)")


def test_the_seven_locks_are_there() -> None:
    """The daemon's, the Debian package's, the developers', the old worker's, and those of virtual machines, of the
    example stack and of the documentation."""
    there = {
        "runtime.txt", "package.txt", "dev.txt", "worker-celery53.txt", "machine.txt", "stack.txt", "docs.txt",
    }  # fmt: skip
    assert there == {path.name for path in LOCKS}


@pytest.mark.parametrize("path", LOCKS, ids=str)
def test_every_pin_has_a_version_and_a_hash(path: Path) -> None:
    """Each requirement is one exact version, followed by at least one SHA-256."""
    blocks = re.split(r"\n(?=[a-zA-Z0-9])", repository.text(path).strip())

    assert [] == [
        block.splitlines()[0] for block in blocks if not PINNED.match(block) or "--hash=sha256:" not in block
    ]


@pytest.mark.parametrize("path", LOCKS, ids=str)
def test_no_lock_says_where_to_download_from(path: Path) -> None:
    """No address, no index option, no path of the machine that made it."""
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|@ ", repository.text(path))


def test_developers_run_what_the_daemon_runs() -> None:
    """Every pin of the runtime is the same in the developers' lock and in that of the package, which adds drivers."""
    runtime, package, dev = (
        {
            line.partition(" ")[0]
            for line in repository.text(Path("requirements", name)).splitlines()
            if "==" in line
        }
        for name in ("runtime.txt", "package.txt", "dev.txt")
    )

    assert set() == runtime - dev
    assert set() == runtime - package
    assert set() == package - dev


def test_every_dependency_is_pinned() -> None:
    """What pyproject.toml asks for stands in the lock; a forgotten `make lock` is found here."""
    project = tomllib.loads(repository.text(Path("pyproject.toml")))["project"]
    asked = {
        re.split(r"[\[<>=!~ ;]", wish, maxsplit=1)[0].lower().replace("_", "-")
        for wish in (*project["dependencies"], *project["optional-dependencies"]["dev"])
    }
    pinned = {match["name"] for match in PINNED.finditer(repository.text(Path("requirements/dev.txt")))}

    assert set() == asked - pinned


def test_no_file_names_a_package_registry_or_somebody_s_own_machine() -> None:
    """The project says what it needs by name; hosts of registries and foreign paths are the installer's."""
    named = {
        f"{path}: {found}"
        for path in repository.tracked_files()
        for found in (
            *(host for host in REGISTRY_HOSTS if host in repository.text(path)),
            *FOREIGN_PATHS.findall(repository.text(path)),
        )
    }

    assert set() == named
