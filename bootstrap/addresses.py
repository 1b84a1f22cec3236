"""What an address gives away: whether a text holds a URL with somebody's credentials in it.

In goes any text an operator wrote, a requirement or an argument of a command; out comes yes or no. In doubt it is yes.
What never happens here: the credentials themselves in an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_AUTHORITY = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#\s]*)")
_REPOSITORY = re.compile(r"(?:^|[\s@])(?:git|hg|svn|bzr)\+(?P<address>\S*)", re.IGNORECASE)
"""pip's names of version control systems. No space is needed before them: `shop@git+https://…` is a requirement."""


def holds_credentials(text: str) -> bool:
    """Whether any URL in `text` names a user, with or without a password: a token often stands there alone.

    The bare user of an ssh address is no secret and belongs to it.
    """
    return any(_names_somebody(found["scheme"], found["authority"]) for found in _AUTHORITY.finditer(text))


def is_repository(requirement: str) -> bool:
    """Whether pip would fetch this requirement with a version control system."""
    return _REPOSITORY.search(requirement) is not None


def repository_has_query(requirement: str) -> bool:
    """Whether a repository's URL carries a query: pip hands it to git as an argument, and tokens stand in queries."""
    return any("?" in address.partition("#")[0] for address in _repositories(requirement))


def _repositories(requirement: str) -> Iterator[str]:
    return (found["address"] for found in _REPOSITORY.finditer(requirement))


def _names_somebody(scheme: str, authority: str) -> bool:
    user_information, found, host = authority.rpartition("@")
    if found:
        is_ssh = scheme.lower().rpartition("+")[2] == "ssh"
        return not is_ssh or ":" in user_information
    port = host.rpartition("]")[2].partition(":")[2]
    # No port is written so: it is half of a password that holds an unquoted `/`, `?` or `#`.
    return bool(port) and not (port.isascii() and port.isdecimal())
