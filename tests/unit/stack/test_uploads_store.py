"""Where the example keeps uploads: each step may come twice, from several processes, and is done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from uploads_store import Incoming, NameRefused, Store, clean_name, is_id

UPLOAD = "0123456789abcdef" * 2


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path)
    made.prepare()
    return made


def _incoming(store: Store, *chunks: bytes) -> Incoming:
    incoming = store.incoming(UPLOAD)
    for chunk in chunks:
        incoming.add(chunk)
    return incoming


def _files(directory: Path) -> list[str]:
    return sorted(str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file())


def test_an_upload_that_comes_twice_is_kept_once(store: Store, tmp_path: Path) -> None:
    """A retry finds the upload there: nothing is overwritten, and no draft stays."""
    _incoming(store, b"first").keep()
    _incoming(store, b"another").keep()

    assert b"first" == store.content(UPLOAD)
    assert [f"files/01/{UPLOAD}"] == _files(tmp_path)


def test_an_upload_is_not_there_before_it_is_whole(store: Store, tmp_path: Path) -> None:
    """What was spilled, and dropped as its client went away, was never an upload and leaves nothing."""
    incoming = _incoming(store, b"a" * 10)
    incoming.spill()
    incoming.add(b"b")

    assert not store.is_kept(UPLOAD)
    incoming.drop()
    assert [] == _files(tmp_path)


def test_parts_of_an_upload_come_together_in_order(store: Store) -> None:
    """What went to the disk early stands before what came later."""
    incoming = _incoming(store, b"one ", b"two ")
    incoming.spill()
    incoming.add(b"three")
    incoming.keep()

    assert b"one two three" == store.content(UPLOAD)
    assert 13 == incoming.size


def test_of_many_workers_at_once_one_records(store: Store, tmp_path: Path) -> None:
    """True is said once for an upload, and the result is the one of whoever was told so."""
    with ThreadPoolExecutor(8) as workers:
        said = list(workers.map(lambda n: (store.record(UPLOAD, {"by": n}), n), range(24)))

    winners = [number for won, number in said if won]
    assert 1 == len(winners)
    assert {"by": winners[0]} == store.result(UPLOAD)
    assert [f"results/01/{UPLOAD}"] == _files(tmp_path)


def test_what_is_queued_is_known_to_every_node(store: Store, tmp_path: Path) -> None:
    """A node that is handed an upload by another one's end sees that its task is confirmed."""
    assert not store.is_queued(UPLOAD)
    store.mark_queued(UPLOAD)
    store.mark_queued(UPLOAD)

    assert Store(tmp_path).is_queued(UPLOAD)


def test_preparing_twice_keeps_what_is_there(store: Store) -> None:
    """A node that starts again finds its uploads."""
    _incoming(store, b"kept").keep()
    store.prepare()

    assert b"kept" == store.content(UPLOAD)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("/absolute/photo.jpg", "photo.jpg"),
        (" blåbær.png ", "blåbær.png"),
        ("-rf", "-rf"),
    ],
)
def test_a_name_loses_its_directories(given: str, name: str) -> None:
    """The name is for people; whatever path it came with is nobody's here."""
    assert name == clean_name(given)


@pytest.mark.parametrize(
    "given", ["", ".", "..", "a/", "../..", "x" * 201, "a\nb", "a\x00b", "\x1b[2Jb", "gpj.\u202eexe"]
)
def test_a_name_that_no_file_has_is_refused(given: str) -> None:
    """Empty names, long ones, and signs that would write elsewhere on a terminal or in a log."""
    with pytest.raises(NameRefused):
        clean_name(given)


@pytest.mark.parametrize(
    "text", ["", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "../" * 10 + "ab", "0" * 32 + "\n"]
)
def test_an_id_is_32_small_digits_and_nothing_else(text: str) -> None:
    """Paths are made of ids alone, so nothing else may pass for one."""
    assert not is_id(text)
    assert is_id(UPLOAD)
