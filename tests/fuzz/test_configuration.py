"""Whatever stands in a configuration file: Settings, or one ConfigError in words; soon, and without a secret."""

from __future__ import annotations

import os
import string
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoscaler import config
from autoscaler.clock import SystemClock
from autoscaler.config import ConfigError, Settings
from tests.fuzz import odd
from tests.unit.config.documents import DOCUMENT

SECRET = "hunter2-of-the-broker"
ENVIRON = {"PASSWORD": SECRET, "EMPTY": "", "CREDENTIALS_DIRECTORY": "/dev"}
EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text()
LONGEST_LINE = 2_000

references = st.fixed_dictionaries(
    {},
    optional={
        "env": st.sampled_from(["PASSWORD", "EMPTY", "MISSING", "", "\0", "A=B", "ø" * 999]) | odd.values,
        "file": st.sampled_from(
            ["/dev/zero", "/dev/null", "/dev/tty", "/", "/tmp", "/proc/self/environ", "/proc/self/mem", "relative", "",
             "/\0", "/" + "a" * 5_000, "/../../..", "/dev/fd/0"]
        ),
        "credential": st.sampled_from(["zero", "..", "../etc/passwd", "null", "", "/dev/zero", "a\nb"]),
    },
)  # fmt: skip


def toml(value: Any) -> str:
    """A value as TOML writes it; what TOML cannot hold is written all the same."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case str():
            return (
                '"'
                + "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in value)
                + '"'
            )
        case int() if abs(value) >= 10**300:
            return hex(abs(value))
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{toml(str(key))} = {toml(inner)}" for key, inner in value.items()) + "}"
        case _:
            return str(value)


def document(tree: dict[str, Any]) -> str:
    """Each top-level key on a line of its own, everything in it inline."""
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in tree.items())


def outcome(text: str) -> Settings | ConfigError:
    """What came of it. Anything else that is raised fails the test."""
    try:
        return config.parse(text, ENVIRON)
    except ConfigError as error:
        return error


def check(found: Settings | ConfigError) -> None:
    """Settings that hide their secret, or problems that each name a place and fit on a line."""
    if isinstance(found, ConfigError):
        assert found.problems
        for problem in found.problems:
            assert problem.path.isprintable()
            assert problem.found
            assert problem.expected
            assert problem.line is None or problem.line > 0
        assert all(len(line) <= LONGEST_LINE for line in str(found).splitlines())
    for shown in (str(found), repr(found)):
        assert SECRET not in shown


@given(odd.spoiled(tomllib.loads(DOCUMENT)))
@example(tomllib.loads(DOCUMENT) | {"loop": {"tick": "1," * 200_000}})
def test_a_spoiled_document_is_settings_or_a_report(tree: dict[str, Any]) -> None:
    """Types swapped, keys missing, unknown or nested where they do not belong, numbers of any size."""
    check(outcome(document(tree)))


@odd.fewer(3)
@given(odd.spoiled(tomllib.loads(EXAMPLE), most=2))
@example({"pools": {"images": {"bootstrap": {"source": ["pip"]}}}})
def test_a_spoiled_example_is_settings_or_a_report(tree: dict[str, Any]) -> None:
    """Every key there is, one or two of them odd."""
    check(outcome(document(tree)))


fragments = st.sampled_from(
    ["[", "]", "[[", "]]", "{", "}", "=", ".", ",", '"', "'", '"""', "'''", "\\", "\\u", "#", "\n", "\r", "\0",
     "\ufeff", "a", "[fleet]", "[pools.images]", "name", "inf", "-nan", "0x", "1e", "1979-05-27T07:32:00Z", "99:99:99",
     "[a.b.c]", "[[pools.images.policies]]", "a.b.c = 1\n", "fleet.name = 5\n", "\x7f", "\u2028"]
)  # fmt: skip


@given(st.integers(0, len(DOCUMENT)), st.integers(0, 30), st.lists(fragments, max_size=5).map("".join))
@example(0, len(DOCUMENT), "a = " + "[" * 5_000)
@example(0, len(DOCUMENT), "a = " + "{a=" * 5_000)
@example(0, len(DOCUMENT), "a = " + "9" * 5_000)
@example(0, len(DOCUMENT), "[" + "a." * 3_000 + "a]")
@example(0, len(DOCUMENT), ("a." * 3_000) + "a = 1")
def test_text_that_is_hardly_toml_is_settings_or_a_report(at: int, cut: int, piece: str) -> None:
    """Patched in the middle of what was right, so that the scanner of lines stands in odd places."""
    check(outcome(DOCUMENT[:at] + piece + DOCUMENT[at + cut :]))


@given(references)
def test_a_reference_to_anything_ends_soon_and_tells_no_secret(reference: dict[str, Any]) -> None:
    """Directories, devices without an end, names that no file can have."""
    began = SystemClock().monotonic()

    check(outcome(DOCUMENT.replace('{ env = "PASSWORD" }', toml(reference))))

    assert SystemClock().monotonic() - began < 5


@given(st.binary(max_size=200) | odd.bodies({"a": 1}))
@example(b"\xef\xbb\xbf" + DOCUMENT.encode())
@example(DOCUMENT.encode("utf-16"))
@example(b"\xff" + DOCUMENT.encode())
@example(b"#" * 5_000_000)
def test_bytes_of_a_file_are_settings_or_a_report(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Bad UTF-8, NUL, another encoding, too much of it."""
    path = tmp_path_factory.getbasetemp() / "odd.toml"
    path.write_bytes(content)
    try:
        check(config.load(path, ENVIRON))
    except ConfigError as error:
        check(error)


@pytest.mark.parametrize("where", ["password", "the file itself"])
def test_a_pipe_that_nobody_writes_into_is_told_and_not_waited_for(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening one blocks for as long as nobody writes: a daemon would hang at its start without a word."""
    monkeypatch.setattr(import_module("autoscaler.config.load"), "PATIENCE_S", 0.1)
    pipe, file = tmp_path / "pipe", tmp_path / "config.toml"
    os.mkfifo(pipe)
    file.write_text(DOCUMENT.replace('env = "PASSWORD"', f'file = "{pipe}"'))
    began = SystemClock().monotonic()

    with pytest.raises(ConfigError, match=r"no file|nothing came"):
        config.load(file if where == "password" else pipe, ENVIRON)

    assert SystemClock().monotonic() - began < 5


def test_a_configuration_may_come_through_a_pipe(tmp_path: Path) -> None:
    """As from `--config <(sops -d config.toml)`, which a slow program writes in pieces."""
    reading, writing = os.pipe()
    text = DOCUMENT + "#" * 20_000
    assert set(DOCUMENT) <= set(string.printable)
    os.write(writing, text.encode())
    os.close(writing)

    assert isinstance(config.load(Path(f"/dev/fd/{reading}"), ENVIRON), Settings)
    os.close(reading)


def test_the_good_document_is_settings() -> None:
    """Else every law above would hold of a reader that refuses everything."""
    assert isinstance(outcome(document(tomllib.loads(DOCUMENT))), Settings)
