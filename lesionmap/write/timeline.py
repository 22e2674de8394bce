"""The course as a picture: a lane for each lesion over the dates, treatments above, curves below."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lesionmap.skeleton import leg_lengths, place_name
from lesionmap.visits import visit_key_parts
from lesionmap.write.lettering import figure_settings, wrap
from lesionmap.write.sections import capital
from lesionmap.write.style import FAINT, INK, NOT_IMAGED, NOT_IMAGED_HATCH, PAPER, state_style

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from lesionmap.clinic import Treatment
    from lesionmap.compare import Change, TrackCourse
    from lesionmap.texts import Texts
    from lesionmap.write.results import Results

__all__ = ["Lane", "draw_timeline", "lanes", "timeline_height_in", "timeline_svg"]

_WIDTH_IN, _NAME_IN, _EDGE_IN = 10.6, 2.7, 0.35
_LANE_IN, _LINE_IN, _BAR_IN = 0.3, 0.12, 0.22
_HEAD_IN, _PANEL_IN, _GAP_IN, _FOOT_IN = 0.45, 0.75, 0.28, 0.3
_TEXT, _SMALL = 8.5, 7.5
_DOT_PT2 = 62.0
_ALIVE, _OUT_OF_SIGHT = "#8b98a3", "#c4cdd4"
_BAR, _BAR_EDGE = "#d7e3ee", "#7d93a8"
_LEAST_DAYS = 180
"""A course of one visit, or of some within weeks, still has an axis."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One lesion over the visits."""

    number: int
    """Of the track among the courses; the page links by it."""
    name: str
    marks: tuple[tuple[str, str], ...]
    """Visit key and state of each visit with a row."""
    spans: tuple[tuple[date, date, bool], ...]
    """From mark to mark, where it was not resolved in between; True: seen at both ends with no visit unseen between."""
    not_imaged: tuple[date, ...]
    """Visits before the first mark at which the site was not imaged."""


def lanes(results: Results) -> tuple[Lane, ...]:
    """Give a lane for each track, in the order of the comparison."""
    return tuple(_lane(number, course, results.texts) for number, course in enumerate(results.courses))


def _lane(number: int, course: TrackCourse, texts: Texts) -> Lane:
    changes = list(course.states.values())
    spans: list[tuple[date, date, bool]] = []
    for before, after in pairwise([n for n, change in enumerate(changes) if _stands(change)]):
        between = changes[before + 1 : after]
        if changes[before].lesions:
            spans.append((_day(changes[before]), _day(changes[after]), not between))
    before_it = [key for key, how in course.imaged.items() if how == "not_imaged" and key not in course.states]
    first = changes[0].visit if changes else ""
    gone = tuple(visit_key_parts(key)[0] for key in before_it if visit_key_parts(key) < visit_key_parts(first))
    marks = tuple((change.visit, change.state) for change in changes)
    return Lane(number, capital(place_name(course.site, texts)), marks, tuple(spans), gone)


def _stands(change: Change) -> bool:
    """Say whether something was decided of the lesion: marked, or resolved."""
    return bool(change.lesions) or change.state == "resolved"


def _day(change: Change) -> date:
    return visit_key_parts(change.visit)[0]


def timeline_svg(results: Results) -> str:
    """Give the timeline as SVG text, to stand inside an HTML page; a mark's id is ``lane-N-visit``."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with figure_settings():
        figure = Figure(figsize=(_WIDTH_IN, timeline_height_in(results)), facecolor=PAPER)
        FigureCanvasAgg(figure)
        draw_timeline(figure, results, (0.0, timeline_height_in(results)), _WIDTH_IN)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue().decode("utf-8")
    return text[text.index("<svg") :]


def _lane_heights(results: Results) -> list[float]:
    return [_LANE_IN + _LINE_IN * (len(_name_lines(lane.name)) - 1) for lane in lanes(results)]


def _name_lines(name: str) -> list[str]:
    return wrap(name, _NAME_IN - 0.15, _TEXT)


def timeline_height_in(results: Results) -> float:
    """Give the height that the timeline takes at its own width, inches."""
    bars = len(results.treatments) * _BAR_IN + (0.1 if results.treatments else 0.0)
    return _HEAD_IN + bars + sum(_lane_heights(results)) + len(_curves(results)) * (_GAP_IN + _PANEL_IN) + _FOOT_IN


def draw_timeline(figure: Figure, results: Results, corner: tuple[float, float], width_in_: float) -> None:
    """Draw the timeline into a figure.

    Parameters
    ----------
    figure : Figure
        Drawn into.
    results : Results
    corner : (float, float)
        Upper left corner, inches from the left and from below.
    width_in_ : float
        Room to the right, inches; letters keep their size.
    """
    wide, tall = figure.get_size_inches()
    left, y = corner
    box = left + _NAME_IN, width_in_ - _NAME_IN - _EDGE_IN
    days = _span(results)
    y -= _HEAD_IN

    def axes(height: float, label: str) -> Any:
        made = figure.add_axes((box[0] / wide, y / tall, box[1] / wide, height / tall), label=label)
        made.set_xlim(days[0].toordinal(), days[1].toordinal())
        for edge in made.spines.values():
            edge.set_visible(False)
        made.set_yticks([])
        made.set_xticks([])
        made.patch.set_alpha(0.0)
        return made

    if results.treatments:
        height = len(results.treatments) * _BAR_IN
        y -= height
        _treatments(axes(height, "treatments"), results.treatments, days)
        y -= 0.1
    heights = _lane_heights(results)
    y -= sum(heights)
    _lanes(axes(sum(heights), "lanes"), lanes(results), heights, -_NAME_IN / box[1])
    _dates(figure, results, (box, days), (y, corner[1] - _HEAD_IN))
    for curve in _curves(results):
        y -= _GAP_IN + _PANEL_IN
        _draw_curve(axes(_PANEL_IN, curve.name), curve)


def _span(results: Results) -> tuple[date, date]:
    """Give the first and the last day of the axis, with some room beside them."""
    days = [facts.visit.date for facts in results.visits]
    days += [day for one in results.treatments for day in (one.start, one.end) if day is not None]
    first, last = min(days), max(days)
    room = timedelta(days=max((last - first).days, _LEAST_DAYS) * 0.05)
    return first - room, max(last, first + timedelta(days=_LEAST_DAYS)) + room


def _treatments(axes: Any, treatments: tuple[Treatment, ...], days: tuple[date, date]) -> None:
    axes.set_ylim(len(treatments), 0)
    for row, one in enumerate(treatments):
        start, end = one.start.toordinal(), (one.end or days[1]).toordinal()
        axes.barh(row + 0.5, end - start, 0.72, start, color=_BAR, edgecolor=_BAR_EDGE, linewidth=0.6)
        _name(axes, row + 0.5, one.drug if one.end else f"{one.drug} …", colour=FAINT)


def _lanes(axes: Any, rows: tuple[Lane, ...], heights: list[float], begin: float) -> None:
    axes.set_ylim(sum(heights), 0)
    y = 0.0
    for lane, height in zip(rows, heights, strict=True):
        middle = y + height / 2
        axes.axhline(y + height, color="#e8ecef", linewidth=0.6, xmin=begin, clip_on=False)
        _name(axes, middle, lane.name, most=None)
        for start, end, seen in lane.spans:
            style: dict[str, Any] = {"color": _ALIVE if seen else _OUT_OF_SIGHT, "linewidth": 2.2}
            axes.plot([start.toordinal(), end.toordinal()], [middle] * 2, linestyle="-" if seen else ":", **style)
        for day in lane.not_imaged:
            hatched = {"color": NOT_IMAGED, "edgecolors": NOT_IMAGED_HATCH, "hatch": "//////", "linewidths": 0.4}
            axes.scatter([day.toordinal()], [middle], s=_DOT_PT2 * 1.5, marker="s", zorder=2, **hatched)
        for key, state in lane.marks:
            at = visit_key_parts(key)[0].toordinal(), middle
            _mark(axes, at, state, f"lane-{lane.number}-{key}")
        y += height


def _mark(axes: Any, at: tuple[float, float], state: str, name: str) -> None:
    from matplotlib.path import Path

    style = state_style(state)
    face, edge, line = (PAPER, style.colour, 1.4) if style.hollow else (style.colour, PAPER, 0.8)
    reach = max(abs(value) for corner in style.shape for value in corner)  # a marker is drawn as large as its reach
    shape = Path([*style.shape, style.shape[0]], closed=True)
    drawn = axes.scatter([at[0]], [at[1]], s=_DOT_PT2 * reach**2, marker=shape, color=face, edgecolors=edge, zorder=3)
    drawn.set_linewidth(line)
    drawn.set_gid(name)


def _name(axes: Any, y: float, text: str, colour: str = INK, most: int | None = 2) -> None:
    """Set a name to the left of the axes, on so many lines at most."""
    words = "\n".join(_name_lines(text)[:most])
    place = axes.get_yaxis_transform()
    axes.annotate(
        words, (0.0, y), xycoords=place, xytext=(-72 * (_NAME_IN - 0.02), 0), textcoords="offset points", va="center",
        fontsize=_TEXT, color=colour, annotation_clip=False, parse_math=False, linespacing=1.05,
    )  # fmt: skip


def _dates(
    figure: Figure,
    results: Results,
    axis: tuple[tuple[float, float], tuple[date, date]],
    ends_in: tuple[float, float],
) -> None:
    """Draw a line for each visit with its date over it; dates that would run into each other are set higher in turn."""
    from matplotlib.lines import Line2D

    (left, room), (first, last) = axis
    wide, tall = figure.get_size_inches()
    taken = [-9.0, -9.0]
    for facts in results.visits:
        x = left + room * (facts.visit.date - first).days / (last - first).days
        figure.add_artist(Line2D([x / wide] * 2, [y / tall for y in ends_in], color="#e1e6ea", linewidth=0.8, zorder=0))
        level = next((n for n, end in enumerate(taken) if x - 0.42 > end), None)
        if level is not None:
            taken[level] = x + 0.42
            style: dict[str, Any] = {"ha": "center", "color": FAINT, "fontsize": _SMALL}
            figure.text(x / wide, (ends_in[1] + 0.06 + 0.14 * level) / tall, facts.visit.key, **style)


@dataclass(frozen=True, slots=True)
class _Curve:
    """A figure over the visits."""

    name: str
    values: tuple[tuple[date, float, float], ...]
    """Day, value, standard error; visits at which it is not known are left out."""
    form: str


def _curves(results: Results) -> list[_Curve]:
    """Give count and volume, where the visit was read, and the difference of the legs, where landmarks tell it."""
    days = [facts.visit.date for facts in results.visits]
    found = list(zip(days, results.disease.visits, strict=True))
    counts = tuple((day, float(x.lesions), 0.0) for day, x in found if x.lesions is not None)
    volumes = tuple((day, x.volume_ml, 0.0) for day, x in found if x.volume_ml is not None)
    legs = tuple(_legs_apart(results))
    say = results.texts.say
    curves = [_Curve(say("timeline.lesions"), counts, ".0f"), _Curve(say("timeline.volume"), volumes, ".1f")]
    return curves + [_Curve(say("timeline.legs"), legs, "+.0f")] * bool(legs)


def _legs_apart(results: Results) -> Iterator[tuple[date, float, float]]:
    for facts in results.visits:
        for length in leg_lengths(facts.placement) if facts.placement is not None else ():
            if length.name == "leg" and length.difference_mm is not None and length.difference_se_mm is not None:
                yield facts.visit.date, length.difference_mm, length.difference_se_mm


def _draw_curve(axes: Any, curve: _Curve) -> None:
    ends = [value + sign * error for _, value, error in curve.values for sign in (-1, 1)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = (high - low) or 1.0
    axes.set_ylim(low - 0.15 * room * (low < 0), high + 0.45 * room)
    axes.axhline(0, color="#b9c3cb", linewidth=0.8)
    _name(axes, (low + high) / 2, curve.name, colour=FAINT)
    if curve.values:
        days, values, errors = zip(*((day.toordinal(), *more) for day, *more in curve.values), strict=True)
        axes.plot(days, values, color=INK, linewidth=1.1, marker="o", markersize=3.6)
        if any(errors):
            axes.errorbar(days, values, errors, fmt="none", ecolor=_ALIVE, elinewidth=1.0, zorder=1)
    for day, value, error in curve.values:
        style: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": _SMALL, "color": INK}
        at, figures = (day.toordinal(), value + error), f"{round(value, 1):{curve.form}}"
        axes.annotate(figures, at, xytext=(0, 5), annotation_clip=False, **style)
