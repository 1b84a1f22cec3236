"""A picture as PNG, by matplotlib: for documents.

What never happens here: an import of matplotlib before somebody asks for a picture, a window, or text that is read as a
formula.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace
from io import BytesIO
from typing import Any

from autoscaler.plots import palette, scales
from autoscaler.plots.contract import Panel, Picture, PlotsUnavailable, Series, Shape

_INK, _FAINT = "#1c2430", "#d5dae1"
_WIDTH_IN, _PANEL_IN, _HEAD_IN, _DPI = 11.0, 1.75, 1.15, 120
_LABEL_SHARE = 0.06
"""Of the width that a moment's label takes."""
_OPACITY = {Shape.AREA: 0.55, Shape.LIGHT_AREA: 0.3, Shape.LIGHTEST_AREA: 0.15}
_SETTINGS = {
    "text.parse_math": False,  # a name may hold a dollar
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _FAINT,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "path.simplify": True,
}


def available() -> Any:
    """Matplotlib. PlotsUnavailable where it is missing."""
    try:
        return importlib.import_module("matplotlib"), importlib.import_module("matplotlib.figure")
    except ImportError as missing:
        raise PlotsUnavailable(
            f"A plot as PNG is drawn with matplotlib, which is not installed ({missing}): "
            "pip install 'vps-autoscaler[plots]'. A plot as HTML needs nothing."
        ) from missing


def png(picture: Picture) -> bytes:
    """The owners that are shown, and a line that names the others."""
    matplotlib, figures = available()
    rows = len(picture.panels)
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # A sign that the font lacks is drawn as a box; that is no news for whoever reads the terminal.
        warnings.simplefilter("ignore")
        height_in = _HEAD_IN + rows * _PANEL_IN + 0.45
        figure = figures.Figure(figsize=(_WIDTH_IN, height_in), dpi=_DPI, facecolor="white")
        grid = {
            "left": 0.075, "right": 0.985, "top": 1 - _HEAD_IN / height_in, "bottom": 0.5 / height_in, "hspace": 0.42,
        }  # fmt: skip
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, gridspec_kw=grid)[:, 0]
        for ax, panel in zip(axes, picture.panels, strict=True):
            _draw(ax, panel, picture)
        _moments(axes, picture)
        _time_axis(axes[-1], picture)
        _head(figure, picture, height_in)
        kept = BytesIO()
        figure.savefig(kept, format="png", metadata={"Software": None})
    return kept.getvalue()


def _head(figure: Any, picture: Picture, height_in: float) -> None:
    figure.text(0.012, 1 - 0.26 / height_in, picture.title, fontsize=14, fontweight="bold", va="center")
    figure.text(0.012, 1 - 0.5 / height_in, picture.subtitle, fontsize=9.5, color="#4a5563", va="center")
    lines = importlib.import_module("matplotlib.lines")
    owners = sorted(picture.shown)
    handles = [lines.Line2D([], [], color=_colour(n), linewidth=3 if n == 0 else 2) for n in owners]
    labels = [f"\u200b{picture.owners[n]}" for n in owners]
    figure.legend(
        handles, labels, loc="center left", bbox_to_anchor=(0.004, 1 - 0.76 / height_in), ncols=max(len(owners), 1),
        frameon=False, handlelength=1.6, columnspacing=1.6,
    )  # fmt: skip
    hidden = [name for n, name in enumerate(picture.owners) if n not in picture.shown]
    if hidden:
        says = f"Not drawn: {', '.join(hidden)}"
        figure.text(0.988, 1 - 0.76 / height_in, says, fontsize=8.5, color="#4a5563", va="center", ha="right")


def _draw(ax: Any, panel: Panel, picture: Picture) -> None:
    shown = tuple(series for series in panel.series if series.owner is None or series.owner in picture.shown)
    highest = scales.top(replace(panel, series=shown))
    share = scales.height(panel.scale, highest)
    ticks = scales.value_ticks(panel.scale, highest)
    ax.set_ylim(0.0, 1.0)
    ax.set_yticks([share(value) for value, _ in ticks], [label for _, label in ticks])
    ax.set_title(panel.title, loc="left", fontsize=10.5, fontweight="bold", pad=5)
    ax.set_title(panel.unit, loc="right", fontsize=8.5, color="#4a5563", pad=5)
    ax.grid(visible=True, color=_FAINT, linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelsize=8.5)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    for series in sorted(shown, key=lambda series: -(series.owner or 0)):
        for part in scales.stretches(series.points):
            _line(ax, series, [at_s for at_s, _ in part], [share(value) for _, value in part])
    if panel.mark:
        label, level = panel.mark
        ax.axhline(share(level), color=_INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=5)
        ax.annotate(
            label, (0.0, share(level)), xycoords=("axes fraction", "data"), xytext=(6, 2), textcoords="offset points",
            ha="left", va="bottom", fontsize=8.5, zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0},
        )  # fmt: skip


def _moments(axes: Any, picture: Picture) -> None:
    """A line through every panel, and on the first what there is room for."""
    for ax in axes:
        for moment in picture.moments:
            ax.axvline(moment.at_s, color=_INK, linewidth=0.6, alpha=0.35, zorder=1.5)
    for moment in scales.labelled(picture.moments, picture.span_s, _LABEL_SHARE):
        axes[0].annotate(
            moment.label, (moment.at_s, 1.0), xycoords=("data", "axes fraction"), xytext=(2, -3),
            textcoords="offset points", ha="left", va="top", fontsize=7.5, color="#4a5563", zorder=6,
        )  # fmt: skip


def _line(ax: Any, series: Series, seconds: list[float], shares: list[float]) -> None:
    own = _colour(series.owner)
    order = 3.0 if series.owner == 0 else 2.0
    if series.shape in _OPACITY:
        ax.fill_between(
            seconds, shares, 0.0, color=own, alpha=_OPACITY[series.shape], linewidth=0.0, zorder=order
        )
        return
    if series.shape is Shape.DASHED:
        ax.plot(seconds, shares, color=_INK, linestyle=(0, (2, 1.5)), linewidth=0.9, zorder=order + 2)
        return
    width = 1.6 if series.owner == 0 else 1.1
    ax.plot(seconds, shares, color=own, linewidth=width, zorder=order + 1)


def _time_axis(ax: Any, picture: Picture) -> None:
    ticks = scales.ticks_of(picture)
    ax.set_xlim(0.0, picture.span_s)
    ax.set_xticks([at_s for at_s, _ in ticks], [label for _, label in ticks])
    ax.set_xlabel(picture.axis, fontsize=8.5, labelpad=4)


def _colour(owner: int | None) -> str:
    place = palette.place(owner)
    return palette.NEUTRAL if place is None else palette.LIGHT[place]
