"""The word by which a machine of ours proves which one it is, while it becomes a worker.

In go the fleet's name and the daemon's own password at the broker, out comes a token for each node's name. Who leads
next derives the same, so nothing is stored. What never happens here: a token or the key in a repr, a log or a file.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

TOKEN_CHARACTERS = 64
_COST = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
"""For one start of a daemon some 50 ms and 16 MB; for who holds one machine's token as much for each guess at the
password it came from."""
_PURPOSE = "autoscaler enrolment\n"
"""Keeps a key that is derived from the same password for another purpose from being this one."""


class Tokens:
    """Gives each node its token, and tells whether one is that node's."""

    __slots__ = ("_fleet", "_key")

    def __init__(self, *, password: str, fleet: str) -> None:
        self._fleet = fleet
        self._key = hashlib.scrypt(password.encode(), salt=f"{_PURPOSE}{fleet}".encode(), **_COST)

    def of(self, node: str) -> str:
        """The token of the machine of that name, in lower case hexadecimal digits."""
        # A name that is no text (a lone surrogate) is nobody's, and has a token that nobody was given.
        said = f"{self._fleet}\n{node}".encode(errors="surrogatepass")
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()

    def password_of(self, node: str) -> str:
        """The password of that machine's own user at the broker, once it has proved itself; always the same."""
        # A fleet's name has no space, so that no token is made of the same text.
        said = f"granted password\n{self._fleet}\n{node}".encode(errors="surrogatepass")
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()

    def prove(self, node: str, token: str) -> bool:
        """Whether that is the token of that node. Takes as long for a wrong one as for the right one."""
        return hmac.compare_digest(self.of(node).encode(), token.encode(errors="surrogatepass"))

    def __repr__(self) -> str:
        return "Tokens(********)"


@lru_cache(maxsize=4)
def derive(password: str, fleet: str) -> Tokens:
    """The same as making them, once in a process: the key is dear to derive on purpose."""
    return Tokens(password=password, fleet=fleet)
