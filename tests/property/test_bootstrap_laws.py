"""Laws of user data: what an operator writes arrives on the machine as it was meant, and its secrets stay hidden."""

from __future__ import annotations

import functools
import gzip
import json
import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bootstrap import program, worker
from bootstrap.application import interpreter
from bootstrap.cloud_config import environment_file
from bootstrap.contract import Application, ApplicationSource, UserDataTooLarge, WorkerSpec
from bootstrap.render import render
from bootstrap.validity import problems
from tests.unit.bootstrap import specs

SCHEMA = Path(os.environ["AUTOSCALER_CLOUD_INIT_SCHEMA"])

hostile = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.sampled_from(
        ["'", '"', "$(id)", "`id`", "${HOME}", "\\", "a\nb", "\r\n", "%(ENV_HOME)s", "100%", "#", " ; exit", "@USER@",
         "{{ v1 }}", "- a: b", "\ttab", "trailing \n", "\u2028", "\x85", "\ufeff", "🐝", "~", "*", "null", "0755"]
    ),
)  # fmt: skip
line = hostile.map(lambda text: "".join(character for character in text if character.isprintable()).strip())
variable = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: name not in {"UID", "EUID", "PPID"}
)
name = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
credential = st.from_regex(r"[A-Za-z0-9%._~-]{0,3}", fullmatch=True)


@st.composite
def repositories(draw: st.DrawFn) -> str:
    """URLs whose user information, if any, holds the word `geheim`: stored for git."""
    user_information = draw(st.sampled_from(["", "geheim@", "me:geheim@", "geheim:x@"]))
    return f"https://{user_information}host.example/shop.git"


@st.composite
def applications(draw: st.DrawFn) -> Application:
    """Applications from every source."""
    source = draw(st.sampled_from(ApplicationSource))
    directory = draw(st.one_of(st.just(""), hostile.map("/srv/{}".format)))
    python = draw(st.sampled_from(["python3", "python3.12", "/opt/it's/python"]))
    if source is ApplicationSource.IMAGE:
        return Application(source=source, directory=directory, python=python)
    reference = {
        ApplicationSource.PIP: st.sampled_from(["shop==1.4", "shop[redis]>=1; python_version>'3.8'"]),
        ApplicationSource.WHEEL: st.sampled_from(["", "?token=geheim"]).map(
            "https://host.example/shop-1-py3-none-any.whl{}".format
        ),
        ApplicationSource.GIT: repositories(),
    }[source]
    return Application(
        source=source,
        reference=draw(reference),
        revision=draw(st.sampled_from(["", "v1", "feature/x"])) if source is ApplicationSource.GIT else "",
        index_url=draw(st.sampled_from(["", "http://host.example/simple"])),
        directory=directory,
        python=python,
        extra_packages=draw(st.sampled_from([(), ("flower",)])),
    )


@st.composite
def worker_specs(draw: st.DrawFn) -> WorkerSpec:
    """Usable specs of every kind, with values nobody should choose."""
    return specs.a_spec(
        node=draw(name),
        pool=draw(hostile),
        fleet=draw(hostile),
        app=draw(st.one_of(st.just("shop.celery:app"), line.map("a{}".format))),
        queues=tuple(
            draw(st.lists(line.map(lambda text: f"q{text}q".replace(",", "")), min_size=1, max_size=3))
        ),
        slots=draw(st.integers(1, 64)),
        prefetch_multiplier=draw(st.none() | st.integers(1, 8)),
        # Never an option of ours in disguise.
        worker_args=tuple(draw(st.lists(hostile.map("--x={}".format), max_size=2))),
        application=draw(applications()),
        environment=draw(st.dictionaries(variable, hostile.map("geheim{}".format), max_size=4)),
        broker_url=draw(st.sampled_from(["", "amqp://me:geheim@broker.example/%2F?geheim=1"])),
        packages=tuple(draw(st.lists(st.sampled_from(["ffmpeg", "git", "curl=7.88.1-10"]), max_size=3))),
    )


@functools.cache
def _schema() -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()))


@pytest.mark.skipif(not SCHEMA.exists(), reason="cloud-init's schema is fetched by `make test`")
@given(worker_specs())
def test_every_document_is_valid_by_cloud_inits_own_schema(spec: WorkerSpec) -> None:
    """cloud-init would ignore what it does not understand, and the machine would cost money and do nothing."""
    _schema().validate(specs.document(spec))


@given(worker_specs())
def test_every_document_is_ascii_and_reads_back_as_meant(spec: WorkerSpec) -> None:
    """YAML may write text as it likes; what cloud-init reads is what we wrote."""
    content = specs.rendered(spec).content
    files = specs.files(spec)

    assert content.isascii()
    assert content.startswith(b"#cloud-config\n")
    assert files["/etc/autoscaler/worker.env"] == environment_file(spec)
    assert [["/usr/local/lib/autoscaler/become-worker"]] == yaml.safe_load(content)["runcmd"]


@given(worker_specs())
def test_the_shell_reads_back_every_variable(spec: WorkerSpec) -> None:
    """The environment file is sourced by the system's shell, and the worker gets each value to the byte."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as file:
        file.write(specs.files(spec)["/etc/autoscaler/worker.env"])
        file.flush()
        read = subprocess.run(
            ["/bin/sh", "-euc", f"set -a; . {file.name}; exec /usr/bin/env -0"],
            env={},
            capture_output=True,
            timeout=30,
            check=True,
        )
    found = dict(part.split("=", 1) for part in read.stdout.decode().split("\0") if part)

    assert worker.environment(spec).items() <= found.items()


@given(worker_specs())
def test_the_command_arrives_word_for_word_and_holds_no_secret(spec: WorkerSpec) -> None:
    """The shell of a machine sees exactly the arguments that were meant; secrets are not among them."""
    script = specs.files(spec)["/usr/local/lib/autoscaler/run-worker"]
    command = script.partition(" --init-groups -- ")[2].rpartition("\nset -a\n")[0]
    heard = subprocess.run(
        ["/bin/sh", "-euc", f"printf '%s\\0' {command}"], capture_output=True, timeout=30, check=True
    )
    expected = worker.argv(spec, python=interpreter(spec.application))

    assert list(expected) == heard.stdout.decode().split("\0")[:-1]
    assert "geheim" not in script


@given(worker_specs())
def test_no_secret_is_in_a_program_or_in_what_people_see(spec: WorkerSpec) -> None:
    """Environment, broker and credentials of URLs stand in files of root alone, and are masked for people."""
    programs = {path: text for path, text in specs.files(spec).items() if path.startswith("/usr/")}

    assert "geheim" not in "".join(programs.values())
    assert "geheim" not in specs.rendered(spec).masked
    assert "geheim" not in repr(spec.environment.keys()) + repr(specs.rendered(spec))


@given(worker_specs())
def test_the_program_on_the_machine_reads_its_settings_as_meant(spec: WorkerSpec) -> None:
    """What an operator wrote is what it is told, whatever it holds; and nothing of it is in the program itself."""
    files = specs.files(spec)
    told = json.loads(files["/etc/autoscaler/machine.json"])

    assert (spec.node, spec.fleet, spec.user) == (told["node"], told["fleet"], told["user"])
    assert spec.broker_url == told["broker"]["url"]
    assert files["/usr/local/lib/autoscaler/become-worker"] == program.packed(program.modules_for({}))


@given(worker_specs(), st.integers(500, 20_000), st.booleans())
def test_user_data_fits_or_is_refused_with_its_sizes(
    spec: WorkerSpec, limit_bytes: int, allowed: bool
) -> None:
    """Never cut off, never over the limit, compressed only where it must and may be."""
    plain = specs.rendered(spec).content
    try:
        content = render(spec, user_data_format="cloud-config", limit_bytes=limit_bytes, gzip=allowed).content
    except UserDataTooLarge as error:
        content, refused = b"", str(error)
    else:
        refused = ""

    if refused:
        assert len(plain) > limit_bytes
        assert f"{len(plain)} bytes" in refused
        assert str(limit_bytes) in refused
        assert allowed == ("compressed" in refused)
    else:
        assert len(content) <= limit_bytes
        assert plain == (content if len(plain) <= limit_bytes else gzip.decompress(content))


user_information = st.one_of(
    credential.map("geheim{}@".format), credential.map("me:{}geheim@".format), st.just(":geheim@")
)
repository = st.tuples(
    st.sampled_from(["x@", "x @ ", "x[a]@", "x  @  "]),
    st.sampled_from(["git+https://", "GIT+http://", "hg+https://", "git+git://", "https://"]),
    user_information,
    st.sampled_from(["host.example/x", "host.example:8443/x@v1#egg=x", "[::1]/x ; python_version > '3.8'"]),
).map("".join)


@given(repository, st.sampled_from(["reference", "extra_packages"]))
def test_credentials_of_a_requirement_are_refused_and_never_told(requirement: str, key: str) -> None:
    """However they are written, pip's argument to git never holds them, and neither does the sentence."""
    application = replace(specs.PIP, **{key: (requirement,) if key == "extra_packages" else requirement})
    told = problems(specs.a_spec(application=application))

    assert f"application.{key}" in {problem.split(":")[0] for problem in told}
    assert "geheim" not in "".join(told)


@given(
    st.text("EZ", max_size=3),
    st.sampled_from(["b", "n", "Q", "X", "c", "B", "D"]),
    st.text(st.characters(categories=["L"]), max_size=5),
)
def test_a_reserved_letter_is_found_in_any_cluster(before: str, letter: str, behind: str) -> None:
    """Letters that take no value hide nothing behind them."""
    told = problems(specs.a_spec(worker_args=(f"-{before}{letter}{behind}",)))

    assert f"worker_args: -{letter} is not yours to give" in told[0]
