"""The environment that a replay is given: what it needs to run and to open the journal, and nobody's secrets besides.

The daemon's own environment and its configuration's text go in. What never happens here: a variable of the broker's, of
a cloud, or of the page.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

_NEEDED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TZDIR|TMPDIR|PYTHON[A-Z0-9_]*|LD_LIBRARY_PATH|VIRTUAL_ENV"
    r"|AUTOSCALER_ROOT|AUTOSCALER_DEBUG|CREDENTIALS_DIRECTORY"
    # How libpq finds a server and its password where the configuration says nothing of it.
    r"|PG[A-Z]+|SSL_CERT_(?:FILE|DIR)"
)
"""Not AUTOSCALER_ and anything: operators name the variables of their secrets so."""


def of_a_replay(environ: Mapping[str, str], config: Path) -> dict[str, str]:
    """Those variables of them that it is given."""
    named = _of_the_journal(config)
    return {name: of for name, of in environ.items() if _NEEDED.fullmatch(name) or name == named}


def _of_the_journal(config: Path) -> str | None:
    """The variable that the journal's password is in. A file that cannot be read is the replay's to complain of."""
    try:
        password = tomllib.loads(config.read_text(encoding="utf-8"))["journal"]["password"]["env"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return password if isinstance(password, str) else None
