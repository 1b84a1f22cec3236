"""Fills in the files of `etc/`: by the stack on one computer, and by hand for real machines.

In goes a file with words between at signs, such as @STORE@, and values for them; out comes its text. What never
happens here: a word that is not filled in, or a value that would mean something else in nginx, supervisord or TOML.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

ETC = Path(__file__).resolve().parent / "etc"
_WORD = re.compile(r"@([A-Z][A-Z0-9_]*)@")
_UNSAFE = re.compile(r"[\x00-\x1f\"'\\$%@;{}#]")


class CannotFill(Exception):
    """What is missing or not possible, for whoever gave the values."""


def words(text: str) -> frozenset[str]:
    """The words of a file that want a value."""
    return frozenset(_WORD.findall(text))


def fill(name: str, values: Mapping[str, object]) -> str:
    """The file's text with all words filled in. Raises CannotFill, OSError. USER_LINE alone may be a line."""
    text = (ETC / name).read_text(encoding="utf-8")
    missing = sorted(words(text) - values.keys())
    if missing:
        raise CannotFill(f"{name} wants these too: {', '.join(missing)}")
    for word in sorted(words(text) - {"USER_LINE"}):
        found = _UNSAFE.search(str(values[word]))
        if found:
            raise CannotFill(f"{word}: {values[word]} has {found[0]!r}, which these files cannot hold")
    return _WORD.sub(lambda word: str(values[word[1]]), text)


def main() -> int:
    """`fill.py FILE NAME=VALUE …` prints the file."""
    name, given = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    try:
        if not any(name == file.name for file in ETC.iterdir()):
            raise CannotFill(f"expected a file of {ETC}, then NAME=VALUE for each of its words")
        sys.stdout.write(fill(name, dict(pair.split("=", 1) for pair in given if "=" in pair)))
    except CannotFill as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
