"""Finding and reading the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler import config
from autoscaler.config import ConfigError
from tests.unit.config.documents import DOCUMENT, ENVIRON


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        config.load(path, ENVIRON)
    return str(caught.value)


def test_the_option_comes_before_the_variable_and_that_before_the_default() -> None:
    """Three ways to name the file, in one order; an empty variable is none."""
    assert Path("a") == config.config_path(Path("a"), {"AUTOSCALER_CONFIG": "b"})
    assert Path("b") == config.config_path(None, {"AUTOSCALER_CONFIG": "b"})
    assert Path("/etc/autoscaler/config.toml") == config.config_path(None, {"AUTOSCALER_CONFIG": ""})


def test_a_file_is_loaded(tmp_path: Path) -> None:
    """The whole way from a file to settings, with Windows line ends and a byte order mark as editors leave them."""
    path = tmp_path / "config.toml"
    path.write_text(DOCUMENT, encoding="utf-8", newline="\r\n")
    plain = config.load(path, ENVIRON)
    path.write_text(DOCUMENT, encoding="utf-8-sig")

    assert "shop" == plain.fleet.name
    assert plain == config.load(path, ENVIRON)


def test_a_file_that_is_not_there_says_how_to_name_or_make_one(tmp_path: Path) -> None:
    """The first thing a new user meets is a sentence with the next step."""
    told = refused(tmp_path / "absent.toml")

    assert told.startswith(f"{tmp_path}/absent.toml has one problem:\n  found no file there")
    assert "--config" in told
    assert "autoscaler init" in told


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    """A directory, bytes that are no text, a file too large, a path that cannot be."""
    binary = tmp_path / "binary"
    binary.write_bytes(b'a = 1\nb = "\xff"\n')
    large = tmp_path / "large"
    large.write_bytes(b"#" * 5_000_000)

    assert "found a directory" in refused(tmp_path)
    assert "line 2: found bytes that are not UTF-8" in refused(binary)
    assert "found more than 4194304 bytes" in refused(large)
    assert "found" in refused(binary / "below")
    assert "found a path that no file can have" in refused(Path("a\0b"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_the_right_to_read_says_so(tmp_path: Path) -> None:
    """The service's user often lacks it."""
    path = tmp_path / "config.toml"
    path.write_text(DOCUMENT)
    path.chmod(0)

    assert "Permission denied" in refused(path)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_report(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No file raises anything but a ConfigError."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)

    assert refused(path)
