"""What `--plot FILE` makes: a page or an image, by the name's ending.

What never happens here: a run, or a file that is half written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from autoscaler.cli import exits, files, output
from autoscaler.plots import image, page
from autoscaler.plots.contract import Picture

Draw = Callable[[Picture], bytes]


def _page(picture: Picture) -> bytes:
    return page.html(picture).encode()


_BY_ENDING: Mapping[str, Draw] = {".png": image.png, ".html": _page}


def drawer(path: Path | None) -> Draw | None:
    """What draws such a file. CommandFailed for another ending; PlotsUnavailable where the library is missing."""
    if path is None:
        return None
    draw = _BY_ENDING.get(path.suffix.lower())
    if draw is None:
        says = f"--plot {str(path)!r} is neither .png nor .html; expected a name that ends in one of them."
        raise exits.CommandFailed(output.clean(says), code=exits.USAGE)
    if draw is image.png:
        image.available()
    return draw


@contextmanager
def drawn(path: Path | None, draw: Draw | None) -> Iterator[Callable[[Picture], object]]:
    """Yields what takes the picture; the file takes its place at the end of the block, if that ends well."""
    if path is None or draw is None:
        yield lambda _: None
        return
    with files.placed(path, "a plot") as file:
        yield lambda picture: file.write(draw(picture))
