"""A small picture, with words that want to be markup."""

from __future__ import annotations

from autoscaler.plots.contract import Panel, Picture, Scale, Series, Shape, Table

HOSTILE = '</script><script>alert("$x_1$ & <b>")</script>'


def a_picture(name: str = "a day", owners: tuple[str, ...] = ("configured", "keda")) -> Picture:
    def lines(*values: float) -> tuple[tuple[float, float], ...]:
        return tuple((3600.0 * hour, value) for hour, value in enumerate(values))

    return Picture(
        title=name,
        subtitle=f"about {name}",
        span_s=7200.0,
        owners=owners,
        shown=frozenset({0}),
        panels=(
            Panel(
                title="Machines",
                unit=f"of {name}",
                series=(
                    Series(name="paid", owner=0, shape=Shape.AREA, points=lines(0, 4, 2)),
                    Series(name="wanted", owner=0, shape=Shape.DASHED, points=lines(0, 3, 2)),
                    Series(name="paid", owner=1, shape=Shape.LINE, points=lines(0, 400, 9)),
                ),
            ),
            Panel(
                title="Wait",
                unit="seconds",
                scale=Scale.DURATION,
                mark=(f"target {name}", 120.0),
                series=(
                    Series(name="arrivals", owner=None, shape=Shape.LIGHT_AREA, points=lines(1, 2, 3)),
                    Series(name="nothing", owner=0, shape=Shape.LINE, points=()),
                ),
            ),
        ),
        table=Table(headers=("POLICY", "COST"), rows=((owners[0], "1.00"), (owners[1], name))),
        notes=(f"a note on {name}", "another"),
    )
