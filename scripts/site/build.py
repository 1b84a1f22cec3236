"""Makes the documentation site: `build.py SITE` lays its pages out beside SITE and runs the generator over them.

Every warning is an error: a link that leads nowhere, a chapter that is not there, a page that the navigation forgot.
Nothing is fetched.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import stage
from sphinx.cmd.build import main as sphinx


def build(site: Path) -> int:
    """Make the site anew. Returns the generator's exit code."""
    source, doctrees = site.with_name(f"{site.name}-source"), site.with_name(f"{site.name}-doctrees")
    pages = stage.stage(source)
    for old in (site, doctrees):
        shutil.rmtree(old, ignore_errors=True)
    here = str(Path(__file__).parent)
    code = sphinx(
        [
            "-b",
            "html",
            "-W",
            "--keep-going",
            "-n",
            "-q",
            "-c",
            here,
            "-d",
            str(doctrees),
            str(source),
            str(site),
        ]
    )
    if code == 0:
        print(f"{site}: {pages} pages and files; begin with {site / 'index.html'}")
    return code


if __name__ == "__main__":
    try:
        sys.exit(build(Path(sys.argv[1]).resolve()))
    except stage.CannotStage as error:
        sys.exit(str(error))
