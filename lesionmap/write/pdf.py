"""The report as a PDF, A4 upright: the same sections as the HTML page, set line by line."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionmap import __version__
from lesionmap.write.content import facts_line, heading, sections
from lesionmap.write.figure import draw_map
from lesionmap.write.lettering import figure_settings, put, width_in, wrap
from lesionmap.write.mapmaker import map_model
from lesionmap.write.mapmodel import MapDot
from lesionmap.write.pdfimages import IMAGE_ROW_IN, draw_image_row, image_rows, timelines
from lesionmap.write.skeletons import draw_dot
from lesionmap.write.style import FAINT, INK, PAPER
from lesionmap.write.timeline import draw_timeline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from lesionmap.write.results import Results
    from lesionmap.write.sections import Cell, Section, Table

__all__ = ["make_pages", "write_pages"]

_WIDTH, _HEIGHT = 8.27, 11.69
_MARGIN = 0.6
_ROOM = _WIDTH - 2 * _MARGIN
_FOOT = 0.75
_TEXT, _SMALL, _HEAD, _TITLE = 9.0, 8.0, 12.0, 17.0
_LINE, _SMALL_LINE = 0.175, 0.155
_RULE, _FAINT_RULE = "#b9c3cb", "#e3e8ec"
_MARK_IN = 0.18
_AIR = 0.1  # between columns, inches
_LONGEST_WORD_IN, _LEAST_SCALE = 1.9, 0.7  # what is longer is cut, and letters shrink no further
_WHOLE_OR_BROKEN = (1.0, 0.62, 0.42)  # of a long word of a header: the room that it takes in one, two, three lines
_LEAST_MAP_IN = 4.6
_MOST_PANELS = 6
"""Visits on one page."""
_DOT = MapDot("", "", "", "", "marked", (0.0, 0.0), (0.0, 0.0), 0.0, volume_ml=1.0)


@dataclass(slots=True)
class _Paper:
    """Pages under way: the figures, and how far down the last one is filled, inches from below."""

    pages: list[Figure] = field(default_factory=list)
    y: float = 0.0

    @property
    def page(self) -> Figure:
        return self.pages[-1]

    def turn(self) -> None:
        """Begin a new page."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        page = Figure(figsize=(_WIDTH, _HEIGHT), facecolor=PAPER)
        FigureCanvasAgg(page)
        self.pages.append(page)
        self.y = _HEIGHT - _MARGIN

    def need(self, height: float) -> bool:
        """Turn the page if so many inches do not fit any more; say whether it was turned."""
        if self.y - height >= _FOOT:
            return False
        self.turn()
        return True

    def line(self, text: str, size: float, step: float, **style: Any) -> None:
        """Set one line and go down by ``step`` inches."""
        self.y -= step
        put(self.page, (_MARGIN, self.y), text, size, va="baseline", **style)

    def paragraph(self, text: str, size: float = _TEXT, colour: str = INK) -> None:
        """Set a text on as many lines as it needs."""
        step = _LINE if size >= _TEXT else _SMALL_LINE
        for line in wrap(text, _ROOM, size):
            self.need(step)
            self.line(line, size, step, color=colour)
        self.y -= 0.04

    def stroke(self, y: float, colour: str, width: float) -> None:
        """Draw a line across the page."""
        from matplotlib.lines import Line2D

        ends = [_MARGIN / _WIDTH, 1 - _MARGIN / _WIDTH]
        level = y / _HEIGHT
        self.page.add_artist(Line2D(ends, [level, level], color=colour, linewidth=width))


def write_pages(results: Results, path: Path, *, with_notes: bool = False) -> None:
    """Write the report's pages to a file."""
    from matplotlib.backends.backend_pdf import PdfPages

    facts = {"Title": heading(results), "Creator": f"lesionmap {__version__}", "CreationDate": None, "ModDate": None}
    with figure_settings(), PdfPages(path, metadata=facts) as book:
        for page in make_pages(results, with_notes=with_notes):
            book.savefig(page)


def make_pages(results: Results, *, with_notes: bool = False) -> list[Figure]:
    """Set the report; give its pages."""
    paper = _Paper()
    paper.turn()
    _set_title(paper, results)
    for section in sections(results, with_notes=with_notes):
        _set_section(paper, section, results)
    for number, page in enumerate(paper.pages, start=1):
        _set_foot(page, results, (number, len(paper.pages)))
    return paper.pages


def _set_title(paper: _Paper, results: Results) -> None:
    for line in wrap(heading(results), _ROOM, _TITLE, "bold"):
        paper.line(line, _TITLE, 0.28, color=INK, weight="bold")
    paper.y -= 0.08
    paper.paragraph(facts_line(results), colour=FAINT)


def _set_foot(page: Figure, results: Results, number: tuple[int, int]) -> None:
    say = results.texts.say
    text = f"lesionmap {__version__} · {say('use.whole')}"
    paged = say("head.page", number=number[0], last=number[1])
    put(page, (_MARGIN, 0.42), text, _SMALL, color=FAINT)
    put(page, (_WIDTH - _MARGIN, 0.42), f"{results.patient.id} · {paged}", _SMALL, color=FAINT, ha="right")


def _set_section(paper: _Paper, section: Section, results: Results) -> None:
    paper.need(_least_in(section, results))
    paper.y -= 0.14
    for line in wrap(section.title, _ROOM, _HEAD, "bold"):
        paper.line(line, _HEAD, 0.2, color=INK, weight="bold")
    paper.y -= 0.08
    if section.kind == "map":
        _set_map(paper, results)
    elif section.kind == "timeline":
        _set_timeline(paper, results)
    elif section.kind == "images":
        _set_images(paper, results)
    bullet = "• " if section.kind == "warning" else ""
    for line in section.lines:
        paper.paragraph(bullet + line)
    if section.table is not None:
        _set_table(paper, section.table)
    for line in section.below:
        paper.paragraph(line, _SMALL, FAINT)


def _least_in(section: Section, results: Results) -> float:
    """Give the room that a section needs to begin on a page: no heading stands alone at its foot."""
    if section.kind == "map":
        return _LEAST_MAP_IN + 0.5
    return (
        next(timelines(results))[1] + 0.5
        if section.kind == "timeline"
        else 1.3 + IMAGE_ROW_IN * (section.kind == "images")
    )


def _set_map(paper: _Paper, results: Results) -> None:
    """Draw the map into what is left of the page, or onto pages of its own where that is too little."""
    panels = map_model(results)
    for begin in range(0, len(panels), _MOST_PANELS):
        if paper.y - _FOOT < _LEAST_MAP_IN:
            paper.turn()
        paper.y -= 0.1
        room = _ROOM, min(paper.y - _FOOT, 7.6)
        paper.y = draw_map(paper.page, panels[begin : begin + _MOST_PANELS], (_MARGIN, paper.y), room) - 0.1


def _set_timeline(paper: _Paper, results: Results) -> None:
    for part, height in timelines(results):
        paper.need(height)
        draw_timeline(paper.page, part, (_MARGIN, paper.y), _ROOM)
        paper.y -= height + 0.05


def _set_images(paper: _Paper, results: Results) -> None:
    for row in image_rows(results):
        paper.need(IMAGE_ROW_IN)
        draw_image_row(paper.page, results, row, (_MARGIN, paper.y))
        paper.y -= IMAGE_ROW_IN


def _set_table(paper: _Paper, table: Table) -> None:
    columns = _columns(table)
    head = [
        wrap(name, one.width - _AIR, one.size, "bold", break_words=True)
        for name, one in zip(table.header, columns, strict=True)
    ]
    _set_head(paper, head, columns)
    for row in table.rows:
        lines = [
            wrap(cell.text, one.width - _AIR - _MARK_IN * bool(cell.state), one.size)
            for cell, one in zip(row, columns, strict=True)
        ]
        if paper.need(max(map(len, lines)) * _SMALL_LINE + 0.1):
            _set_head(paper, head, columns)
        _set_row(paper, row, lines, columns)
    paper.y -= 0.08


class _Column(NamedTuple):
    """One column of a table on paper."""

    width: float
    """Inches."""
    size: float
    """Of its letters, points."""
    number: bool
    """Its header is set to the right."""


def _columns(table: Table) -> list[_Column]:
    """Share the room among the columns: each gets what its longest word needs, and of the rest what it asks for.

    Where the words together need more than there is, all letters shrink, and then long words of the header break.
    """
    shares = table.widths or (1.0,) * len(table.header)
    cells = [[row[at] for row in table.rows] for at in range(len(table.header))]
    words, scale = _fitting(list(zip(table.header, cells, strict=True)))
    needs = [width * scale + _AIR + 0.02 for width in words]
    more = [max(_ROOM * share / sum(shares) - need, 0.0) for share, need in zip(shares, needs, strict=True)]
    rest = max(_ROOM - sum(needs), 0.0) / (sum(more) or 1.0)
    return [
        _Column(need + rest * extra, _SMALL * scale, bool(below) and all(cell.number for cell in below))
        for need, extra, below in zip(needs, more, cells, strict=True)
    ]


def _fitting(columns: Sequence[tuple[str, Sequence[Cell]]]) -> tuple[list[float], float]:
    """Give the width of the longest word of each column, inches, and how much the letters shrink."""
    room = _ROOM - len(columns) * (_AIR + 0.02)
    words, scale = [0.0], 0.0
    for part in _WHOLE_OR_BROKEN:
        words = [_longest_in(name, below, part) for name, below in columns]
        scale = min(1.0, room / (sum(words) or 1.0))
        if scale >= _LEAST_SCALE:
            break
    return words, max(scale, _LEAST_SCALE)


def _longest_in(name: str, cells: Sequence[Cell], part: float) -> float:
    """Give the width of the longest word of a column, inches; ``part`` of it for words of the header."""
    words = [width_in(word, _SMALL, "bold") * part for word in name.split()]
    words += [width_in(word, _SMALL) + _MARK_IN * bool(cell.state) for cell in cells for word in cell.text.split()]
    return min(max(words, default=0.0), _LONGEST_WORD_IN)


def _set_head(paper: _Paper, head: Sequence[list[str]], columns: Sequence[_Column]) -> None:
    height = max(map(len, head)) * _SMALL_LINE
    left = _MARGIN
    for lines, one in zip(head, columns, strict=True):
        x = left + one.width - 0.1 if one.number else left
        for at, line in enumerate(lines):
            style = {"color": FAINT, "weight": "bold", "ha": "right" if one.number else "left"}
            put(paper.page, (x, paper.y - (at + 1) * _SMALL_LINE), line, one.size, **style)
        left += one.width
    paper.y -= height + 0.06
    paper.stroke(paper.y, _RULE, 0.9)


def _set_row(paper: _Paper, row: Sequence[Cell], lines: Sequence[list[str]], columns: Sequence[_Column]) -> None:
    top, left = paper.y - 0.03, _MARGIN
    for cell, texts, one in zip(row, lines, columns, strict=True):
        x = left + (_MARK_IN if cell.state else 0.0) if not cell.number else left + one.width - 0.1
        for at, text in enumerate(texts):
            style = {"color": INK, "ha": "right" if cell.number else "left"}
            put(paper.page, (x, top - (at + 1) * _SMALL_LINE), text, one.size, **style)
        if cell.state:
            _set_mark(paper, cell.state, (left + 0.06, top - _SMALL_LINE + 0.04))
        left += one.width
    paper.y = top - max(map(len, lines)) * _SMALL_LINE - 0.06
    paper.stroke(paper.y, _FAINT_RULE, 0.6)


def _set_mark(paper: _Paper, state: str, at: tuple[float, float]) -> None:
    half = 0.08
    box = ((at[0] - half) / _WIDTH, (at[1] - half) / _HEIGHT, 2 * half / _WIDTH, 2 * half / _HEIGHT)
    axes = paper.page.add_axes(box, label=f"mark-{len(paper.page.axes)}")
    axes.set_axis_off()
    axes.set_xlim(-half, half)
    axes.set_ylim(-half, half)
    draw_dot(axes, replace(_DOT, state=state), (0.0, 0.0), 0.045, pen=0.7)
