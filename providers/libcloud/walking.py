"""All machines of an account, page after page, and once more where one walk cannot prove that it passed none by.

In go a driver object, its dialect and whom to ask for; out comes each machine with its row, and why they may not be
all. Raises what the driver raises. What never happens here: a machine left out, a doubt left unsaid.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from providers.dialects.contract import FLEET_KEY, Dialect, Filter, Json, Listing, Place, Xml
from providers.libcloud import marks, rows
from providers.libcloud.rows import Row, Seen
from providers.libcloud.wire import LinkBroken, Wire

NOTHING: Mapping[str, str] = MappingProxyType({})
PAGES_MAX = 200
"""200,000 machines at EC2's page size; a listing that goes on past this is not believed."""


def walk(
    driver: Any,
    dialect: Dialect,
    *,
    fleet: str,
    wanted: Mapping[str, str] = NOTHING,
    whom: Mapping[str, str] = NOTHING,
    volumes: Listing | None = None,
) -> tuple[list[Seen], str]:
    """All pages under our mark, and why they may not be all; of machines, or of `volumes` that are listed so.

    Counted pages in an order that nobody knows are walked twice if there are several. A machine is passed by where one
    that was listed before it goes and another comes, so that the total stays: the second walk lacks the one that went.
    """
    listing = volumes or dialect.listing
    filters = {
        key: value.format(fleet=fleet, mark=marks.text(FLEET_KEY, fleet), **whom)
        for key, value in {**listing.filter.fleet, **wanted}.items()
    }
    ask = driver.list_nodes if volumes is None else driver.list_volumes
    states = dialect if volumes is None else None
    found, doubt, pages = _walk_once(driver, listing, ask, filters, states)
    if doubt or pages < 2 or not _may_pass_by(listing.reads):
        return found, doubt
    try:
        again, doubt, _ = _walk_once(driver, listing, ask, filters, states)
    except LinkBroken as trouble:
        # What the first walk showed is there, whatever else may be.
        return found, f"the pages could not be read a second time: {trouble}"
    first, second = ({str(node.id): (node, row) for node, row in each} for each in (found, again))
    if not doubt and not first.keys() <= second.keys():
        doubt = "machines went while the pages were read, and others may have moved between them"
    return [*(first | second).values()], doubt


def state_word(dialect: Dialect, row: Row) -> str:
    """What the cloud calls the state of a machine; empty: it says none."""
    word = marks.dig(row, dialect.fields.state)
    return word if isinstance(word, str) else ""


def _may_pass_by(reads: Xml | Json) -> bool:
    return isinstance(reads, Json) and reads.numbered and not (reads.overlapping or reads.newest_first)


def _walk_once(
    driver: Any,
    listing: Listing,
    ask: Callable[..., Sequence[Any]],
    filters: Mapping[str, str],
    states: Dialect | None,
) -> tuple[list[Seen], str, int]:
    """What one walk shows, why it may not be all, and how many pages it took. `states` says where a row must hold its
    state; None: it need not."""
    wire = driver.connection.wire
    arguments = dict(listing.arguments)
    params = _filter(listing.filter, filters, arguments=arguments, wire=wire)
    found: list[Seen] = []
    cursor = ""
    pages = 0
    for _ in range(PAGES_MAX):
        wire.forget()
        wire.extra_params = {**listing.params, **params}
        if listing.cursor:
            wire.extra_params |= {listing.cursor.size_param: str(listing.cursor.size)}
            wire.extra_params |= {listing.cursor.cursor_param: cursor} if cursor else {}
        page = ask(**arguments)
        seen, doubt = rows.listed(listing.reads, page, wire.answers)
        pages += rows.pages(listing.reads, wire.answers)
        # The sign stands for a state: one read without it would make up in number for one that was not read.
        if states is not None and not all(state_word(states, row) for _, row in seen):
            raise ValueError("a machine was answered without a state")
        found += seen
        following = re.search(listing.cursor.next_cursor, wire.answer.body) if listing.cursor else None
        if doubt or not following or not following[1]:
            break
        if cursor == (cursor := html.unescape(following[1])):
            doubt = "the same page was announced as the next one"
            break
    else:
        doubt = f"there are more than {PAGES_MAX} pages"
    wire.extra_params, wire.extra_headers = {}, {}
    return found, doubt, pages


def _filter(
    asked: Filter, filters: Mapping[str, str], *, arguments: dict[str, object], wire: Wire
) -> Mapping[str, str]:
    """Parameters that ask for our machines only; or the same in an argument or a header, which are changed."""
    match asked.place:
        case Place.NOWHERE:
            return {}
        case Place.QUERY:
            return filters
        case Place.ARGUMENT:
            arguments[asked.key] = filters
        case Place.HEADER:
            wire.extra_headers = {asked.key: json.dumps(filters)}
    return {}
