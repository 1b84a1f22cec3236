"""Laws of golden images: what an operator may configure makes a script that a shell reads, with no secret in it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootstrap import application, image
from bootstrap.contract import ApplicationSource, Credentials, WorkerSpec
from tests.property.bootstrap_strategies import worker_specs
from tests.unit.bootstrap import specs

END = "END_OF_FILE"


@given(worker_specs(), st.booleans())
def test_every_script_is_one_that_the_shell_reads(spec: WorkerSpec, with_commands: bool) -> None:
    """Whatever stands in a command, a file or a name; and no more than ASCII goes over the line."""
    script = image.script(spec, with_commands=with_commands).text
    read = subprocess.run(
        ["/bin/sh", "-n"], input=script.encode(), capture_output=True, timeout=30, check=False
    )

    assert (0, b"") == (read.returncode, read.stderr)
    assert script.isascii()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed here")
@settings(max_examples=25)
@given(worker_specs())
def test_shellcheck_finds_nothing_in_a_script(spec: WorkerSpec) -> None:
    """An operator's own commands are his to write."""
    script = image.script(spec).text
    # SC2016: the packed program is no shell. SC2317: what is called by the last line only.
    found = subprocess.run(
        ["shellcheck", "--shell=sh", "--severity=warning", "-"],
        input=script.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert b"" == found.stdout


@given(worker_specs(), st.booleans())
def test_no_secret_is_in_a_script_or_in_what_is_said_of_it(spec: WorkerSpec, with_commands: bool) -> None:
    """Environment, broker, token, secret files, credentials and queries of addresses: an image outlives them all."""
    made = image.script(spec, with_commands=with_commands)

    assert "geheim" not in made.text
    assert "geheim" not in "".join(made.notes)


@given(worker_specs())
def test_what_is_installed_is_what_boots_would_install(spec: WorkerSpec) -> None:
    """The same requirements for the same interpreter, by which a machine of the image knows that it has them."""
    if spec.application.source is ApplicationSource.IMAGE:
        return
    spec = replace(
        spec, application=replace(spec.application, reference=spec.application.reference.partition("?")[0])
    )
    script = image.script(spec).text
    requirements = application.files(spec.application)[application.REQUIREMENTS]
    (told,) = [part for part in script.split(f"<<'{END}'\n") if part.startswith("{")]

    assert f"requirements.txt <<'{END}'\n{requirements}{END}\n" in script
    assert f'"python": "{spec.application.python}"' in told


@given(worker_specs(), st.text("0123456789abcdef", min_size=1))
def test_a_script_is_the_pools_and_no_nodes(spec: WorkerSpec, other: str) -> None:
    """Whichever node of the pool is meant, whoever asks and whatever the passwords are, it is the same."""
    of_another = replace(
        spec,
        node=f"n{other}",
        token=other,
        environment={"OTHER": other},
        broker_url="",
        credentials=Credentials.SHARED,
        slots=spec.slots + 1,
    )

    assert image.script(spec) == image.script(of_another)


def test_the_law_of_secrets_would_find_one() -> None:
    """Otherwise it would hold of anything."""
    shown = specs.a_spec(application=replace(specs.PIP, reference="geheim==1"))

    assert "geheim" in image.script(shown).text
