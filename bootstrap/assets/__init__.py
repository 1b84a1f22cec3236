"""The files a machine is given, as they will stand there, with a few places to fill in.

In goes a file's name and the values for its `@PLACES@`; out comes its text, without lines that are comments where it is
for user data, which is scarce. A place that nobody fills is an error, and a value is never searched for places itself.
What never happens here: quoting. The caller knows whose syntax it is.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_PLACE = re.compile(r"@([A-Z]+)@")
_COMMENT = re.compile(r"^ *#(?!!).*\n|^\n", re.MULTILINE)
"""A line that is one, or empty; not the first one of a program, which says what runs it."""


def fill(name: str, *, comments: bool = False, **values: str) -> str:
    """The asset `name` with every `@PLACE@` replaced. Raises KeyError for a place without a value."""
    return _PLACE.sub(lambda place: values[place[1]], _template(name, comments=comments))


@cache
def _template(name: str, *, comments: bool) -> str:
    template = resources.files(__name__).joinpath(name).read_text("utf-8")
    return template if comments else _COMMENT.sub("", template)
