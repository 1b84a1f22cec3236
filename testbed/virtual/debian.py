"""Debian packages for machines: where this computer takes its own from, and a folder of some as a small archive.

What never happens here: the name of an archive's host. Whoever installs this computer chose where packages come from,
and machines take them from the same place, or from loopback.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

_DEADLINE_S = 60.0
_PLACE = Path("/etc/apt")
_LINE = re.compile(r"^deb\s+(?P<options>\[[^\]]*\]\s+)?(?P<address>\S+)\s+(?P<suite>\S+)\s+(?P<parts>.+)$")


def sources(suite: str, place: Path = _PLACE) -> tuple[str, ...]:
    """Lines of a sources.list: those of this computer's own that are Debian's `suite`, with its updates.

    None where this computer runs another release; mmdebstrap then knows where Debian is by itself.
    """
    found: list[str] = []
    for file in (place / "sources.list", *sorted((place / "sources.list.d").glob("*.list"))):
        if file.is_file():
            found += _of_lines(file.read_text(encoding="utf-8"), suite)
    for file in sorted((place / "sources.list.d").glob("*.sources")):
        found += _of_stanzas(file.read_text(encoding="utf-8"), suite)
    return tuple(dict.fromkeys(found))


def _of_lines(text: str, suite: str) -> Iterator[str]:
    for line in text.splitlines():
        match = _LINE.match(line.strip())
        if match and match["suite"] in _suites(suite) and "main" in match["parts"].split():
            options = f"{match['options'].strip()} " if match["options"] else ""
            yield f"deb {options}{match['address']} {match['suite']} main"


def _of_stanzas(text: str, suite: str) -> Iterator[str]:
    """The newer form, in which a field may hold several words."""
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, flags=re.MULTILINE))
        told = {name.lower(): value.split() for name, value in fields.items()}
        usable = "deb" in told.get("types", ()) and told.get("enabled") != ["no"]
        if not usable or "main" not in told.get("components", ()):
            continue
        key = [each for each in told.get("signed-by", ()) if each.startswith("/")]
        options = f"[signed-by={key[0]}] " if key else ""
        yield from (
            f"deb {options}{address} {each} main"
            for address in told.get("uris", ())
            for each in told.get("suites", ())
            if each in _suites(suite)
        )


def _suites(suite: str) -> tuple[str, ...]:
    """Third parties publish under the same names, but call no component `main`."""
    return suite, f"{suite}-updates", f"{suite}-security"


def write_index(folder: Path) -> None:
    """Make an archive of a folder of packages: `deb [trusted=yes] ADDRESS ./`."""
    stanzas = []
    for package in sorted(folder.glob("*.deb")):
        fields = subprocess.run(
            ["dpkg-deb", "--field", str(package)],
            check=True,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
        ).stdout
        content = package.read_bytes()
        stanzas.append(
            f"{fields.rstrip()}\nFilename: ./{package.name}\nSize: {len(content)}\n"
            f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
        )
    (folder / "Packages").write_text("\n".join(stanzas), encoding="utf-8")
