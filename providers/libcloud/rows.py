"""What the answers to a listing say by themselves, held against what the driver made of them.

In go the answers of a call and the driver's machines, out comes each machine with its row, and why they may not be all.
Raises ValueError where an answer is no listing, or where the driver read another number of machines than were answered.
Pure. What never happens here: a machine left out without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from providers.dialects.contract import Json, Xml
from providers.libcloud.marks import dig
from providers.libcloud.wire import Answer

Row = Mapping[str, Any]
Seen = tuple[Any, Row]
"""The driver's machine, and what is known of it besides."""


def listed(reads: Xml | Json, nodes: Sequence[Any], answers: Sequence[Answer]) -> tuple[list[Seen], str]:
    """Each machine of a listing with its row, and why there may be more."""
    if isinstance(reads, Xml):
        return _in_xml(reads, nodes, answers), ""
    of_listing = _of_listing(reads, answers)
    pages = [json.loads(answer.body) for answer in of_listing]
    if not pages:
        raise ValueError("no answer is a listing")
    rows, moved = _joined([_rows(page, reads) for page in pages], reads)
    if len(rows) != len(nodes):
        raise ValueError(f"{len(rows)} machines were answered and {len(nodes)} could be read")
    by_id = {_id_of(row, reads): row for row in rows}
    missing = [node for node in nodes if str(node.id) not in by_id]
    if missing:
        raise ValueError("a machine was read under an id that was not answered")
    headers = [answer.headers for answer in of_listing]
    unseen = reads.doubt and any(re.search(reads.doubt, answer.body) for answer in of_listing)
    doubt = "the cloud says that it did not look everywhere" if unseen else moved
    doubt = doubt or _doubt(reads, _totals(reads, pages, headers), len(pages), rows, by_id)
    return [(node, by_id[str(node.id)]) for node in nodes], doubt


def pages(reads: Xml | Json, answers: Sequence[Answer]) -> int:
    """How many of the answers are pages of the listing."""
    return 1 if isinstance(reads, Xml) else len(_of_listing(reads, answers))


def _of_listing(reads: Json, answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if re.search(reads.path, answer.asked)]


def _joined(pages: Sequence[list[Row]], reads: Json) -> tuple[list[Row], str]:
    """The rows of all pages, and whether something moved between two that overlap."""
    rows: list[Row] = []
    moved = ""
    for page in pages:
        if rows and reads.overlapping:
            if not page or _id_of(page[0], reads) != _id_of(rows[-1], reads):
                moved = "what was listed moved between the pages"
            page = page[1:]  # noqa: PLW2901 - its first row is the last one of the page before
        rows += page
    return rows, moved


def made(reads: Xml | Json, node: Any, answer: Answer) -> Row:
    """The row of one machine, from the answer it was read from."""
    if isinstance(reads, Xml):
        return node.extra  # type: ignore[no-any-return]
    row = dig(json.loads(answer.body), reads.row)
    if not isinstance(row, dict) or _id_of(row, reads) != str(node.id):
        raise ValueError("the answer holds no machine")
    return row


def _in_xml(reads: Xml, nodes: Sequence[Any], answers: Sequence[Answer]) -> list[Seen]:
    """One page; the driver reads no more of them by itself."""
    body = answers[-1].body if answers else ""
    if not re.search(reads.sign, body):
        raise ValueError("the answer is no listing")
    if len(nodes) != (rows := len(re.findall(reads.row_sign, body))):
        raise ValueError(f"{rows} machines were answered and {len(nodes)} could be read")
    return [(node, node.extra) for node in nodes]


def _id_of(row: Row, reads: Json) -> str:
    key = dig(row, reads.id)
    a_key = isinstance(key, (int, str)) and not isinstance(key, bool)
    if not a_key or not re.fullmatch(reads.id_pattern, str(key)):
        raise ValueError("a machine was answered under an id that is none")
    return str(key)


def _rows(page: object, reads: Json) -> list[Row]:
    rows = dig(page, reads.rows)
    around, _, last = reads.rows.partition(".*")[0].rpartition(".")
    if rows is None and reads.left_out and isinstance(there := dig(page, around), dict) and last not in there:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("the answer is no listing")
    return rows


def _total(page: object, reads: Json) -> object:
    """What a page says of all. Where an answer without machines leaves out its rows, it leaves out their number too."""
    total = dig(page, reads.total)
    return 0 if total is None and reads.left_out and not _rows(page, reads) else total


def _totals(reads: Json, pages: Sequence[object], headers: Sequence[Mapping[str, str]]) -> list[object]:
    """What each page says of how many machines there are; None where it should and does not."""
    if reads.total_header:
        told = [each.get(reads.total_header, "") for each in headers]
        return [int(each) if each.isascii() and each.isdecimal() else None for each in told]
    return [_total(page, reads) for page in pages] if reads.total else []


def _doubt(
    reads: Json, totals: Sequence[object], pages: int, rows: list[Row], by_id: Mapping[str, Row]
) -> str:
    """Why a machine may be missing although every page came; empty: none can be."""
    if len(by_id) != len(rows):
        return "a machine was listed twice: what was listed moved between the pages"
    if any(isinstance(total, bool) or not isinstance(total, int) for total in totals):
        return "a page does not say how many machines there are"
    if len(set(totals)) > 1:
        return "the pages disagree about how many machines there are"
    if totals and totals[0] != len(rows):
        return f"{totals[0]} machines were announced and {len(rows)} came"
    if reads.numbered and not reads.overlapping and pages > 1 and not totals:
        return "pages are counted, and none says how many machines there are"
    return ""
