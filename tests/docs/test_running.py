"""What pages tell to type and what can be done here without harm is done, word for word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.docs import pages
from tests.docs.pages import Block

pytestmark = pytest.mark.timeout(240)

PROGRAMS = Path(sys.executable).parent
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
TUTORIAL = pages.blocks("docs/tutorial.md")
COMMITTED = ("examples", "requirements", "README.md", "docs")


def _block(page: str, *words: str) -> Block:
    """The one block for the shell that has all these words in it."""
    (found,) = (
        block
        for block in pages.blocks(page)
        if block.language in {"sh", "console"} and all(word in block.text for word in words)
    )
    return found


def _script(block: Block) -> str:
    """What is typed, without what goes to other computers."""
    script = pages.typed(block) if block.language == "console" else block.text
    return "".join(line for line in script.splitlines(keepends=True) if not line.startswith("scp "))


def _run(script: str, directory: Path, **variables: str) -> str:
    """What it prints; it is done with the first command that fails."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AUTOSCALER_")},
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PYTHONPATH": str(pages.ROOT),
        "AUTOSCALER_CONFIG": "",
        **variables,
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=script,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert 0 == done.returncode, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A place that looks like the repository to whoever reads files of it."""
    for name in COMMITTED:
        (tmp_path / name).symlink_to(pages.ROOT / name)
    (tmp_path / "build").mkdir()
    return tmp_path


def test_a_day_is_played_as_capacity_and_cost_has_it(tmp_path: Path) -> None:
    """A file of the reader's own numbers, and what it costs beside others' rules."""
    block = _block("docs/capacity-and-cost.md", "day.csv")

    told = _run(_script(block), tmp_path)

    assert ["configured", "keda"] == re.findall(r"^(configured|keda) +\d", told, re.MULTILINE)


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed: apt-get install openssl"
)
def test_certificates_are_made_as_the_page_on_tls_has_it(tmp_path: Path) -> None:
    """And the page's own last line finds the broker's good, by its name."""
    told = _run(_script(_block("docs/tls.md", "openssl req")), tmp_path)
    named = _run(
        "openssl verify -x509_strict -CAfile ca.pem -verify_hostname rabbit.example rabbit.pem", tmp_path
    )

    assert "rabbit.pem: OK\n" == told == named


@pytest.mark.parametrize(
    ("words", "archive", "modules"),
    [
        (("build/shop/", "sha256sum"), "shop-1.tar.gz", ["shop_tasks.py"]),
        (("build/uploads/", "sha256sum"), "uploads-1.tar.gz", ["uploads_store.py", "uploads_tasks.py"]),
    ],
)
def test_a_tarball_of_the_tutorial_is_what_machines_take(
    checkout: Path, words: tuple[str, ...], archive: str, modules: list[str]
) -> None:
    """Modules at its top, and the requirements that are installed; its checksum is printed."""
    told = _run(_script(_block("docs/tutorial.md", *words)), checkout)

    assert re.match(rf"[0-9a-f]{{64}}  build/{archive}\n$", told)
    with tarfile.open(checkout / "build" / archive) as packed:
        names = {Path(name).as_posix() for name in packed.getnames()}
    assert {"requirements.txt", *modules} == names - {"."}


@pytest.mark.parametrize("file", ["uploads-web.service", "nginx.conf"])
def test_files_of_the_stack_are_filled_in_as_the_tutorial_has_it(checkout: Path, file: str) -> None:
    """No word is left."""
    _run(_script(_block("docs/tutorial.md", f"fill.py {file}")), checkout)

    filled = (checkout / "build" / file).read_text(encoding="utf-8")
    assert "10.0.0.11" in filled
    assert [] == re.findall("@[A-Z_0-9]+@", filled)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx")
def test_nginx_takes_the_server_of_releases(tmp_path: Path) -> None:
    """The one that machines fetch their application from, as a file among Debian's sites."""
    (line,) = (
        line
        for line in _block("docs/tutorial.md", "sites-enabled/releases").text.splitlines()
        if "printf" in line
    )
    _run(
        line.replace("/etc/nginx/sites-enabled/", f"{tmp_path}/").replace("10.0.0.10", "127.0.0.1"), tmp_path
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{ include {tmp_path}/releases; }}\n"
    )

    _run(f"{NGINX} -t -q -e stderr -p {tmp_path} -c {tmp_path}/nginx.conf", tmp_path)


def test_the_tutorial_s_configuration_is_looked_at_as_it_says(tmp_path: Path) -> None:
    """`check` finds nothing, `cloud-init` shows no secret, both with the variables of its own file of secrets."""
    (configuration, *_) = (block.text for block in TUTORIAL if block.language == "toml")
    secrets = _block("docs/tutorial.md", "UPCLOUD_TOKEN='")
    (tmp_path / "config.toml").write_text(configuration)

    looks = "autoscaler check\nautoscaler cloud-init shop\n"
    told = _run(f"set -a\n{secrets.text}\n{looks}", tmp_path, AUTOSCALER_CONFIG="config.toml")

    assert "config.toml is fine" in told
    assert "no-svg1 at upcloud is in NO" in told
    assert "shop-1.tar.gz" in told
    assert "the-password-of-shop" not in told


def test_a_configuration_is_begun_as_installing_has_it(tmp_path: Path) -> None:
    """By `init` with all its options; `check` then asks for nothing but the secrets."""
    block = _block("docs/installing.md", "autoscaler init --fleet")
    (line,) = (line for line in block.text.replace("\\\n", "").splitlines() if " init --fleet" in line)
    command = line.replace("/opt/autoscaler/bin/autoscaler", "autoscaler")
    names = "RABBITMQ_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"

    told = _run(
        f"{command}\nautoscaler check", tmp_path, AUTOSCALER_CONFIG="config.toml", **dict.fromkeys(names, "x")
    )

    assert "config.toml is fine" in told
