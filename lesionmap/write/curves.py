"""Figures of a cohort over time: counts of lesions, each child a thin line, and the survival of lesions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lesionmap.write.figure import rendered
from lesionmap.write.files import ending, saving
from lesionmap.write.lettering import figure_settings, put, wrap
from lesionmap.write.style import FAINT, INK, PAPER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

__all__ = ["CountBin", "Survival", "counts_figure", "survival_figure"]

_WIDE, _TALL = 8.0, 5.6
_LEFT, _RIGHT, _TOP = 0.85, 0.3, 0.86
_SMALL, _LINE = 9.5, 0.19
_BLUE, _RED = "#0072b2", "#8a1c2b"
_MOST_ENDS = 120  # more marks would hide the line
_MANY = 400  # lines above this number are drawn paler, and as a picture inside a drawing


@dataclass(frozen=True, slots=True)
class CountBin:
    """Counts of lesions at about the same time."""

    years: float
    """Middle of the time, since the first visit."""
    children: int
    low: float
    """First quartile of the lesions counted."""
    median: float
    high: float
    """Third quartile."""


@dataclass(frozen=True, slots=True)
class Survival:
    """Share of lesions not yet resolved, after Kaplan and Meier."""

    years: tuple[float, ...]
    """At which lesions resolved, increasing."""
    share: tuple[float, ...]
    """Not resolved after that time."""
    at_risk: tuple[int, ...]
    """Followed up to that time and not resolved before."""
    resolved: tuple[int, ...]
    """At that time."""
    spans: tuple[float, ...]
    """Years that each lesion was followed."""
    censored: tuple[float, ...]
    """Of them, those at whose end the lesion was not resolved."""

    def share_at(self, years: float) -> float:
        """Give the share not resolved at a time."""
        before = [share for time, share in zip(self.years, self.share, strict=True) if time <= years]
        return before[-1] if before else 1.0

    def at_risk_at(self, years: float) -> int:
        """Give how many lesions were followed for so long and not resolved before."""
        return sum(span >= years for span in self.spans)

    @property
    def median_y(self) -> float | None:
        """Time at which half of them were resolved; None where it was not reached."""
        return next((time for time, share in zip(self.years, self.share, strict=True) if share <= 0.5), None)


def counts_figure(
    lines: Sequence[Sequence[tuple[float, int]]],
    bins: Sequence[CountBin],
    paths: Sequence[Path],
    *,
    notes: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Draw the counted lesions of each child over the years since the first visit, median and quartiles.

    Parameters
    ----------
    lines : sequence of sequence of (years, lesions)
        One for each child.
    bins : sequence of CountBin
        By time.
    paths : sequence of Path
        ``.svg``, ``.png`` or ``.pdf``.
    """
    with figure_settings():
        figure, axes = _sheet("Lesions counted, by years since the first visit", notes)
        _draw_lines(axes, lines)
        times = [one.years for one in bins]
        axes.fill_between(
            times, [b.low for b in bins], [b.high for b in bins], color=_BLUE, alpha=0.22, linewidth=0, zorder=3,
            label="first to third quartile",
        )  # fmt: skip
        axes.plot(times, [b.median for b in bins], color=_BLUE, marker="o", linewidth=2.4, zorder=4, label="median")
        _frame(axes, "lesions counted", max(1, *(n for line in lines for _, n in line)) * 1.04)
        end = max([1.0, *times, *(years for line in lines for years, _ in line)])
        axes.set_xlim(-0.02 * end, 1.02 * end)
        axes.set_xticks(_ticks(end))
        _numbers(axes, "children", [(one.years, one.children) for one in bins])
        _save(figure, paths, overwrite=overwrite)


def survival_figure(
    found: Survival, paths: Sequence[Path], *, notes: Sequence[str] = (), overwrite: bool = False
) -> None:
    """Draw the share of lesions not yet resolved, with how many were followed for so long.

    Parameters
    ----------
    found : Survival
    paths : sequence of Path
        ``.svg``, ``.png`` or ``.pdf``.
    """
    with figure_settings():
        figure, axes = _sheet("Lesions not yet resolved, by years since the first mark", notes)
        end = max([1.0, *found.spans])
        axes.step([0.0, *found.years, end], [1.0, *found.share, found.share_at(end)], where="post", color=_RED, lw=2.2)
        ends = sorted(set(found.censored))
        if len(ends) <= _MOST_ENDS:
            axes.plot(ends, [found.share_at(t) for t in ends], "|", color=INK, ms=7, mew=0.9, label="end of follow-up")
        half = found.median_y
        if half is not None:
            axes.plot([0, half, half], [0.5, 0.5, 0], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                f"half resolved after {half:.1f} years", (half, 0.5), (7, 5), textcoords="offset points", fontsize=10,
                color=FAINT,
            )  # fmt: skip
        _frame(axes, "share not resolved", 1.03)
        axes.set_xlim(-0.02 * end, end * 1.02)
        axes.set_xticks(_ticks(end))
        _numbers(axes, "at risk", [(years, found.at_risk_at(years)) for years in _ticks(end)])
        _save(figure, paths, overwrite=overwrite)


def _draw_lines(axes: Any, lines: Sequence[Sequence[tuple[float, int]]]) -> None:
    from matplotlib.collections import LineCollection

    many = len(lines) > _MANY
    alpha = max(0.02, 60.0 / len(lines)) if many else 0.3
    drawn = LineCollection([list(line) for line in lines], colors=FAINT, linewidths=0.7, alpha=alpha, zorder=1)
    drawn.set_rasterized(many)
    drawn.set_label("a child")
    axes.add_collection(drawn)
    single = [line[0] for line in lines if len(line) == 1]
    if single:
        axes.plot(*zip(*single, strict=True), ".", color=FAINT, ms=3, alpha=alpha, zorder=1, rasterized=many)


def _sheet(title: str, notes: Sequence[str]) -> tuple[Figure, Any]:
    """Make a figure with title, axes, room for a row of numbers, and notes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = wrap(" ".join(notes), _WIDE - 2 * _RIGHT, _SMALL)
    foot = 1.05 + _LINE * len(lines) + 0.12
    height = _TALL + foot - 1.05
    figure = Figure(figsize=(_WIDE, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    put(figure, (_RIGHT, height - 0.34), title, 14, weight="bold", color=INK)
    for at, line in enumerate(lines):
        put(figure, (_RIGHT, foot - 1.05 - _LINE * (at + 1) + 0.05), line, _SMALL, color=FAINT)
    box = (_LEFT / _WIDE, foot / height, (_WIDE - _LEFT - _RIGHT) / _WIDE, (height - foot - _TOP) / height)
    return figure, figure.add_axes(box)


def _ticks(end: float) -> list[float]:
    """Give round years from 0 on, ten at the most."""
    step = next((s for s in (0.5, 1.0, 2.0, 5.0, 10.0) if end / s <= 10), 20.0)
    return [step * n for n in range(int(end / step + 1e-9) + 1)]


def _frame(axes: Any, words: str, top: float) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=10, loc="lower right", bbox_to_anchor=(1.01, 0.99), ncols=3)
    axes.set_ylim(0, top)
    axes.set_ylabel(words, fontsize=11, color=INK)
    axes.set_xlabel("years", fontsize=11, color=INK, labelpad=1)
    axes.tick_params(labelsize=10, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=FAINT, alpha=0.18, linewidth=0.6)


def _numbers(axes: Any, words: str, numbers: Sequence[tuple[float, int]]) -> None:
    """Write a row of numbers under the axis, each at its time; those that would touch the one before are left out."""
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top", "fontsize": 9.5}
    axes.annotate(words, (0, 0), (-8, -44), xycoords="axes fraction", textcoords="offset points", ha="right",
                  va="top", fontsize=9.5, color=FAINT)  # fmt: skip
    low, high = axes.get_xlim()
    last = low - (high - low)
    for years, n in numbers:
        if (years - last) / (high - low) > 0.015 * (len(f"{n:,}") + 1):
            axes.annotate(f"{n:,}", (years, 0), (0, -44), ha="center", color=INK, **place)
            last = years


def _save(figure: Figure, paths: Sequence[Path], *, overwrite: bool) -> None:
    for path in paths:
        with saving(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(rendered(figure, ending(path, (".svg", ".png", ".pdf"))))
