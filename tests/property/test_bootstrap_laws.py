"""Laws of user data: what an operator writes arrives on the machine as it was meant, and its secrets stay hidden."""

from __future__ import annotations

import base64
import functools
import json
import os
import random
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bootstrap import worker
from bootstrap.application import interpreter
from bootstrap.cloud_config import cloud_config, environment_file
from bootstrap.contract import Credentials, UserDataTooLarge, WorkerSpec
from bootstrap.render import render
from bootstrap.validity import problems
from providers.contract import ProviderTraits
from providers.dialects import DIALECTS
from tests.property.bootstrap_strategies import credential, worker_specs
from tests.unit.bootstrap import specs

SCHEMA = Path(os.environ["AUTOSCALER_CLOUD_INIT_SCHEMA"])
LIMITS = sorted(
    {(dialect.user_data.limit_bytes, dialect.user_data.gzip) for dialect in DIALECTS.values()}
    | {(ProviderTraits(settle_s=1.0).user_data_limit_bytes, False)}
)
"""What each cloud takes, in bytes, and whether compressed."""
TIGHTEST = 12_288

needs_schema = pytest.mark.skipif(not SCHEMA.exists(), reason="cloud-init's schema is fetched by `make test`")


@functools.cache
def _schema() -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()))


@needs_schema
@given(worker_specs())
def test_every_document_is_valid_by_cloud_inits_own_schema_and_fits_every_cloud_or_is_refused(
    spec: WorkerSpec,
) -> None:
    """cloud-init would ignore what it does not understand, and a cloud would refuse or cut off what is too large."""
    plain = specs.rendered(spec).content
    require_valid(plain)
    # Where the plain document fits it is what goes out; the law of sizes below tries that at any limit.
    for limit_bytes, gzip_taken in (limit for limit in LIMITS if limit[0] < len(plain)):
        refused = ""
        try:
            made = render(spec, user_data_format="cloud-config", limit_bytes=limit_bytes, gzip=gzip_taken)
        except UserDataTooLarge as error:
            refused = str(error)
        if refused:
            assert f"takes {len(plain)} bytes" in refused
            assert f"this provider takes {limit_bytes}" in refused
        else:
            assert len(made.content) <= limit_bytes
            assert gzip_taken or made.content.isascii()
            require_valid(made.content)
            without = cloud_config(spec, marks_drains=False).encode()
            assert specs.files_in(made.content) in [specs.files_in(plain), specs.files_in(without)]


def require_valid(content: bytes) -> None:
    """By the schema, and with no key that none of its modules has: it lets these pass."""
    document = specs.read(content)
    _schema().validate(document)
    assert set() == set(document) - _known_keys()


@functools.cache
def _known_keys() -> frozenset[str]:
    definitions = json.loads(SCHEMA.read_text())["$defs"]
    modules = [definition for name, definition in definitions.items() if name.startswith("cc_")]
    return frozenset(key for module in modules for key in module.get("properties", {}))


@needs_schema
@pytest.mark.parametrize("wrong", [{"packges": []}, {"bootcmd": [[7]]}, {"write_files": [{"path": 1}]}])
def test_the_schema_refuses_what_cloud_init_does_not_know(wrong: dict[str, Any]) -> None:
    """Otherwise the law above would hold of anything."""
    document = specs.document(specs.a_spec()) | wrong

    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        require_valid(yaml.safe_dump(document).encode())


@pytest.mark.parametrize("source", specs.SOURCES)
@pytest.mark.parametrize("certificates", [False, True])
def test_a_usual_pool_fits(source: str, certificates: bool) -> None:
    """The tightest cloud too; a tarball, or a certificate that nothing compresses, needs the next tightest."""
    spec = a_usual_pool(source, certificates=certificates)
    least = 16_384 if certificates or source == "tarball" else TIGHTEST

    assert TIGHTEST == LIMITS[0][0]
    assert () == problems(spec)
    for limit_bytes, gzip_taken in LIMITS:
        if limit_bytes >= least:
            render(spec, user_data_format="cloud-config", limit_bytes=limit_bytes, gzip=gzip_taken)


def a_usual_pool(source: str, *, certificates: bool) -> WorkerSpec:
    """With a handful of variables, packages and limits, and perhaps a broker's certificate of the operator's making."""
    noise = base64.encodebytes(random.Random(1).randbytes(900)).decode()
    return specs.a_spec(
        application=specs.SOURCES[source],
        broker_url="amqps://worker:wachtwoord@broker.example:5671/%2F",
        broker_ca=f"-----BEGIN CERTIFICATE-----\n{noise}-----END CERTIFICATE-----\n" if certificates else "",
        token=random.Random(2).randbytes(32).hex(),
        environment={
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "SHOP_REGION": "north",
            "DATABASE_URL": "postgresql://shop:wachtwoord@db.example/shop",
            "REDIS_URL": "redis://cache.example:6379/0",
        },
        packages=("ffmpeg", "libvips42"),
        prefetch_multiplier=1,
        time_limit_s=1800.0,
        max_tasks_per_child=100,
    )


@given(worker_specs())
def test_every_document_is_ascii_and_reads_back_as_meant(spec: WorkerSpec) -> None:
    """YAML may write text as it likes; what cloud-init reads is what we wrote."""
    content = specs.rendered(spec).content
    files = specs.files_in(content)

    assert content.isascii()
    assert content.startswith(b"#cloud-config\n")
    assert files["/etc/autoscaler/worker.env"] == environment_file(spec)
    assert ["/usr/local/lib/autoscaler/become-worker"] == yaml.safe_load(content)["runcmd"][0]
    waiting = [files[f"/etc/autoscaler/files/{number}"] for number in range(len(spec.files))]
    assert [file.content for file in spec.files] == waiting


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

    expected = worker.environment(spec)
    if spec.credentials is Credentials.NODE:
        expected = worker.environment(replace(spec, environment={}, broker_url=""))
    assert expected.items() <= found.items()


@given(worker_specs())
def test_the_command_arrives_word_for_word_and_holds_no_secret(spec: WorkerSpec) -> None:
    """The shell of a machine sees exactly the arguments that were meant; secrets are not among them."""
    script = specs.files(spec)["/usr/local/lib/autoscaler/run-worker"]
    command = script.partition(" --init-groups -- ")[2].rpartition("\nset -a\n")[0]
    heard = subprocess.run(
        ["/bin/sh", "-euc", f"printf '%s\\0' {command}"], capture_output=True, timeout=30, check=True
    )
    runner = ("/usr/local/lib/autoscaler/python/run-celery",)
    expected = worker.argv(spec, python=interpreter(spec.application), celery=runner)

    assert list(expected) == heard.stdout.decode().split("\0")[:-1]
    assert "geheim" not in script


@given(worker_specs())
def test_no_secret_is_in_a_program_or_in_what_people_see(spec: WorkerSpec) -> None:
    """Environment, broker and credentials of URLs stand in files of root alone, and are masked for people."""
    made = specs.rendered(spec)
    document = specs.read(made.content)
    programs = {path: text for path, text in specs.files_in(made.content).items() if path.startswith("/usr/")}

    commands = [document["bootcmd"], document["runcmd"]]

    assert "geheim" not in "".join(programs.values()) + repr(commands)
    assert "geheim" not in made.masked
    assert "geheim" not in repr(replace(spec, application=specs.PIP)) + repr(made)


@given(worker_specs())
def test_what_holds_a_secret_is_for_root_alone_or_its_owner(spec: WorkerSpec) -> None:
    """Others on the machine read programs and certificates, and what the operator shows them."""
    shown = [file for file in specs.document(spec)["write_files"] if not file["permissions"].endswith("0")]

    assert [] == [file["path"] for file in shown if "geheim" in file["content"]]


@given(worker_specs())
def test_the_pools_secrets_stand_in_no_user_data_of_a_node_with_rights_of_its_own(spec: WorkerSpec) -> None:
    """What is left in the metadata service must be dead after enrolment: the environment is never there, and files
    that hold secrets are refused."""
    plain = tuple(file for file in spec.files if not file.is_secret)
    spec = replace(spec, credentials=Credentials.NODE, environment={"TOKEN": "geheim!"}, files=plain)

    assert "geheim!" not in "".join(specs.files(spec).values())


@given(worker_specs(), st.text("0123456789abcdef", min_size=1), st.text("abc!", min_size=1))
def test_another_token_or_password_changes_nothing_people_see(
    spec: WorkerSpec, token: str, secret: str
) -> None:
    """The fingerprint of a machine is made of what they see, and a new password is no other machine."""
    changed = replace(
        spec,
        token=token,
        environment=dict.fromkeys(spec.environment, secret),
        broker_url=spec.broker_url.replace("geheim", f"geheim{token}"),
        files=tuple(replace(file, content=secret) if file.is_secret else file for file in spec.files),
    )

    assert specs.rendered(replace(spec, token="0")).masked == specs.rendered(changed).masked


@given(worker_specs())
def test_the_program_on_the_machine_reads_its_settings_as_meant(spec: WorkerSpec) -> None:
    """What an operator wrote is what it is told, whatever it holds; and nothing of it is in the program itself."""
    files = specs.files(spec)
    told = json.loads(files["/etc/autoscaler/machine.json"])

    assert (spec.node, spec.fleet, spec.user) == (told["node"], told["fleet"], told["user"])
    assert spec.broker_url == told["broker"]["url"]
    other = specs.files(replace(spec, node="other", fleet="other", user="other", environment={}))
    assert (
        files["/usr/local/lib/autoscaler/become-worker"] == other["/usr/local/lib/autoscaler/become-worker"]
    )


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
        assert "compressed" in refused
    else:
        assert len(content) <= limit_bytes
        assert specs.files_in(plain) == specs.files_in(content)
        assert allowed or len(plain) <= limit_bytes or content.isascii()


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
