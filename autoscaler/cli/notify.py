"""`notify`: try one webhook of the configuration, as the daemon would use it.

In go its name and the settings, out comes one real notice that says that it is a trial, and what came back. What never
happens here: the address or the token in what is shown, or a second try.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli import exits, opened, options, output

if TYPE_CHECKING:
    from autoscaler.notices.contract import Answer

_CODES: Mapping[str, int] = {"taken": exits.DONE, "refused": exits.FAILED, "not now": exits.UNREACHABLE}
_NEXT: Mapping[str, str] = {
    "refused": "Look at its url, token, room and shape: docs/notices.md has what each answer means.",
    "not now": "The daemon would try again; see whether this computer reaches it.",
}


def notify(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The name of one of [[notices]].", show_default=False)
    ],
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Send one trial notice, and tell what came back.

    It goes out from here and now, whether a daemon runs or not, and needs the daemon's environment.
    """
    from autoscaler.notices import trying  # noqa: PLC0415 - brings an HTTP client along, which others do without

    settings = opened.settings(config)
    known = trying.names(settings)
    if name not in known:
        has = f"has: {', '.join(known)}" if known else "has none; docs/notices.md shows how to write one"
        says = f"There is no notice {name!r}; the configuration {has}."
        raise exits.CommandFailed(says, code=exits.USAGE)
    began = opened.CLOCK.monotonic()
    answer = trying.send(settings, name, opened.CLOCK)
    took_s = opened.CLOCK.monotonic() - began
    if as_json:
        output.say_json(
            {
                "notice": name,
                "ending": answer.ending.value,
                "status": answer.status,
                "says": answer.says,
                "after_s": answer.after_s,
                "took_s": round(took_s, 3),
            }
        )
    else:
        _tell(name, answer, took_s)
    raise typer.Exit(_CODES[answer.ending.value])


def _tell(name: str, answer: Answer, took_s: float) -> None:
    line = f"{name}: {answer.says}, after {took_s:.2f} s"
    advice = _NEXT.get(answer.ending.value)
    if advice is None:
        output.say(output.words(line, output.OK))
        return
    after = f"; it wants to be asked again in {answer.after_s:.0f} s" if answer.after_s is not None else ""
    output.complain(f"{line}{after}. {advice}")
