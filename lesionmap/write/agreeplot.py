"""Plots of readers' agreement: differences of number and volume over their mean, and kappa of each region."""

from __future__ import annotations

import io
from collections import Counter
from itertools import combinations
from math import isfinite
from typing import TYPE_CHECKING, Any

from lesionmap.skeleton import regions
from lesionmap.write.figure import slim_svg
from lesionmap.write.lettering import figure_settings, put, wrap
from lesionmap.write.sections import capital
from lesionmap.write.style import FAINT, INK, PAPER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from lesionmap.agreement import Agreement, Estimate

__all__ = ["agreement_svg", "draw_agreement"]

_MARGIN, _GAP, _PLOT_W, _FOREST_W, _NAMES_W = 0.4, 0.7, 3.5, 3.3, 1.6
_LEVEL_W = 0.75
"""Right of a plot, for the figures of its lines."""
_HEAD, _ROW, _FOOT, _RULE = 0.7, 3.3, 0.65, 0.18
_TITLE, _TEXT, _SMALL = 11.0, 9.0, 8.0
_BLUE, _RED, _GREY_BAND, _RED_BAND = "#0072b2", "#a33a00", "#d9e2ea", "#f9e4d8"
_DOT_PT2 = 26.0
_CAPTION = (
    "Dots: visits, larger where several lie. Dashed: limits of agreement. Bands and bars: 95 % intervals, by patients; "
    "by formula where there are none. In brackets: sites of visits that were rated."
)


def draw_agreement(agreement: Agreement) -> Figure:
    """Draw the plots, a row for every two readers.

    Parameters
    ----------
    agreement : Agreement

    Returns
    -------
    matplotlib.figure.Figure
        With an Agg canvas. Inside ``figure_settings()``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pairs = [pair for pair in combinations(agreement.readers, 2) if any(x.readers == pair for x in agreement.pairs)]
    width = 2 * (_GAP + _PLOT_W + _LEVEL_W) + _NAMES_W + _FOREST_W + 2 * _MARGIN
    rule = wrap(f"{_CAPTION} {agreement.rule.sentence}", width - 2 * _MARGIN, _SMALL)
    height = len(pairs) * (_HEAD + _ROW + _FOOT) + _RULE * len(rule) + _MARGIN
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    for n, pair in enumerate(pairs):
        _draw_pair(figure, agreement, pair, height - n * (_HEAD + _ROW + _FOOT))
    for n, line in enumerate(rule):
        put(figure, (_MARGIN, _MARGIN / 2 + _RULE * (len(rule) - 1 - n)), line, _SMALL, color=FAINT)
    return figure


def agreement_svg(agreement: Agreement) -> str:
    """Give the plots as SVG text, to stand inside an HTML page."""
    with figure_settings():
        buffer = io.BytesIO()
        draw_agreement(agreement).savefig(buffer, format="svg", metadata={"Date": None})
    text = slim_svg(buffer.getvalue()).decode("utf-8")
    return text[text.index("<svg") :]


def _draw_pair(figure: Figure, agreement: Agreement, pair: tuple[str, str], top: float) -> None:
    rows = {(x.statistic, x.unit, x.of): x for x in agreement.estimates if x.readers == pair}
    visits = [x for x in agreement.pairs if x.readers == pair]
    numbers = [(float(x.n_lesions[0]), float(x.n_lesions[1])) for x in visits]
    volumes = [(x.volume_ml[0], x.volume_ml[1]) for x in visits]
    known = [(a, b) for a, b in volumes if a is not None and b is not None]
    names = " and ".join(pair)
    bottom, left = top - _HEAD - _ROW, _MARGIN + _GAP
    for values, of, words, unit in ((numbers, "n_lesions", "Lesions", ""), (known, "volume_ml", "Volume", ", ml")):
        axes = _axes(figure, (left, bottom, _PLOT_W, _ROW))
        title = f"{words} of a visit: {names}" if len(names) < 24 else f"{words} of a visit"
        put(figure, (left - _GAP + 0.1, top - 0.42), title, _TITLE, color=INK, weight="bold")
        _differences(axes, values, [rows[name, "visit", of] for name in ("bias", "lower_limit", "upper_limit")])
        _label(figure, (left + _PLOT_W / 2, bottom - 0.46), f"mean of both readers{unit}")
        _label(
            figure,
            (left - _GAP + 0.17, bottom + _ROW / 2),
            f"{_short(pair[0])} less {_short(pair[1])}{unit}",
            rotation=90,
        )
        left += _PLOT_W + _LEVEL_W + _GAP
    left += _NAMES_W - _GAP
    title = "Kappa of the sites of each region"
    put(figure, (left - _NAMES_W + 0.15, top - 0.42), title, _TITLE, color=INK, weight="bold")
    axes = _axes(figure, (left, bottom, _FOREST_W, _ROW))
    _forest(axes, [(name, rows) for name in ("all", *regions())])


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def _axes(figure: Figure, box: tuple[float, float, float, float]) -> Any:
    wide, tall = figure.get_size_inches()
    axes = figure.add_axes((box[0] / wide, box[1] / tall, box[2] / wide, box[3] / tall))
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    for edge in ("bottom", "left"):
        axes.spines[edge].set_color(FAINT)
    axes.tick_params(labelsize=_SMALL, colors=INK, width=0.6, length=3)
    return axes


def _label(figure: Figure, at: tuple[float, float], text: str, rotation: float = 0) -> None:
    put(figure, at, text, _TEXT, color=INK, ha="center", va="center", rotation=rotation)


# ---- Bland and Altman -----------------------------------------------------------------------------------------------


def _differences(axes: Any, values: Sequence[tuple[float, float]], lines: Sequence[Estimate]) -> None:
    if not values:
        _nothing(axes, "no visit in which both are known")
        return
    places = Counter((round((a + b) / 2, 6), round(a - b, 6)) for a, b in values)
    x, y = zip(*places, strict=True)
    sizes = [_DOT_PT2 * n for n in places.values()]
    axes.axhline(0, color=FAINT, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    ends = [*y, 0.0]
    for line in reversed(lines):  # the bias over the limits
        if isfinite(line.value):
            ends += [line.value, *(end for end in _ends(line) if isfinite(end))]
            _level(axes, line)
    axes.scatter(x, y, s=sizes, color=_BLUE, alpha=0.75, linewidths=0, zorder=4)
    span = (max(ends) - min(ends)) or 1.0
    axes.set_ylim(min(ends) - 0.06 * span, max(ends) + 0.06 * span)
    reach = (max(x) - min(x)) or 1.0
    axes.set_xlim(min(x) - 0.06 * reach, max(x) + 0.06 * reach)


def _ends(line: Estimate) -> tuple[float, float]:
    """Give the interval to be drawn: by patients, else by formula."""
    return (line.low, line.high) if isfinite(line.low) else (line.low_formula, line.high_formula)


def _level(axes: Any, line: Estimate) -> None:
    low, high = _ends(line)
    bias = line.statistic == "bias"
    colour, band, dashes = (INK, _GREY_BAND, "-") if bias else (_RED, _RED_BAND, (0, (5, 3)))
    if isfinite(low):
        axes.axhspan(low, high, color=band, linewidth=0, alpha=0.8, zorder=0)
    axes.axhline(line.value, color=colour, linewidth=1.2, linestyle=dashes, zorder=3)
    words = f"{'bias ' if bias else ''}{line.value:.1f}".replace("-", "−")
    across = axes.get_yaxis_transform()
    axes.text(1.015, line.value, words, fontsize=_SMALL, va="center", color=colour, transform=across, zorder=5)


def _nothing(axes: Any, words: str) -> None:
    axes.text(0.5, 0.5, words, fontsize=_TEXT, color=FAINT, ha="center", va="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])


# ---- kappa ----------------------------------------------------------------------------------------------------------


def _forest(axes: Any, rows: Sequence[tuple[str, dict[Any, Estimate]]]) -> None:
    """Draw kappa of each region: Cohen's as a dot, the free-marginal one as a ring, with their intervals."""
    names = []
    for at, (of, found) in enumerate(rows):
        cohen, free = found["kappa_cohen", "site", of], found["kappa_free", "site", of]
        names.append(f"{capital(of)} ({cohen.n})")
        for line, y, filled in ((cohen, at - 0.16, True), (free, at + 0.16, False)):
            _kappa(axes, line, y, filled=filled)
    axes.axvline(0, color=FAINT, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    axes.axhline(0.5, color=FAINT, linewidth=0.5, zorder=0)
    low = min([0.0, *(x for of, found in rows for x in _lows(of, found))])
    axes.set_xlim(min(-0.05, low - 0.05), 1.05)
    axes.set_ylim(len(rows) - 0.4, -1.6)
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for x, filled, words in ((0.0, True, "Cohen"), (0.34, False, "free-marginal")):
        face = _BLUE if filled else PAPER
        axes.plot(
            [x + 0.02], [1 - 0.028], marker="o" if filled else "D", markersize=5, color=face, markeredgecolor=_BLUE,
            transform=axes.transAxes, clip_on=False,
        )  # fmt: skip
        axes.text(x + 0.06, 1 - 0.028, words, fontsize=_SMALL, color=INK, va="center", transform=axes.transAxes)


def _lows(of: str, found: dict[Any, Estimate]) -> list[float]:
    lines = [found[name, "site", of] for name in ("kappa_cohen", "kappa_free")]
    return [x for line in lines for x in (line.value, _ends(line)[0]) if isfinite(x)]


def _kappa(axes: Any, line: Estimate, y: float, *, filled: bool) -> None:
    if not isfinite(line.value):
        words = "no site imaged" if line.n == 0 else "undefined"
        if filled:
            axes.text(0.02, y + 0.16, words, fontsize=7, color=FAINT, va="center")
        return
    low, high = _ends(line)
    if isfinite(low):
        axes.plot([low, high], [y, y], color=_BLUE, linewidth=1.3, solid_capstyle="butt", zorder=2)
    axes.plot(
        [line.value], [y], marker="o" if filled else "D", markersize=4.6, color=_BLUE if filled else PAPER,
        markeredgecolor=_BLUE, markeredgewidth=1.1, zorder=3,
    )  # fmt: skip
