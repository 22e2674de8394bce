"""The report as one HTML page that asks the network for nothing."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from lesionmap import __version__
from lesionmap.write.content import facts_line, heading, sections
from lesionmap.write.linked import gallery_html, map_html, timeline_html, track_words
from lesionmap.write.style import state_style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.write.results import Results
    from lesionmap.write.sections import Cell, Section, Table

__all__ = ["plain_page", "report_page"]

_MANY_COLUMNS = 11
_DAY = re.compile(r"\d{4}-\d\d-\d\d(\.\d+)?")


def report_page(results: Results, *, with_notes: bool = False) -> str:
    """Give the whole page; every text that people typed is escaped."""
    style, script = (files("lesionmap.write").joinpath(f"report.{end}").read_text("utf-8") for end in ("css", "js"))
    title, say = escape(heading(results)), results.texts.say
    use = f'<span class="use">{escape(say("use.short"))}</span>'
    parts = [_section(results, section) for section in sections(results, with_notes=with_notes)]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{results.texts.language}">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>\n{style}</style></head>",
            "<body><main>",
            f"<header><h1>{title}</h1><p>{escape(facts_line(results))}</p>{use}",
            "</header>",
            *parts,
            f"<footer>lesionmap {__version__} · {escape(say('use.whole'))}</footer>",
            f"</main><script>{script}</script></body></html>",
            "",
        ]
    )


def plain_page(title: str, words: str, parts: Sequence[tuple[Section, str]]) -> str:
    """Give a page without a script: sections, each with a drawing (SVG text, or none) before its table."""
    style = files("lesionmap.write").joinpath("report.css").read_text("utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{style}</style></head>",
            f"<body><main><header><h1>{escape(title)}</h1><p>{escape(words)}</p>",
            '<span class="use">Research use only</span></header>',
            *(_plain_section(section, drawing) for section, drawing in parts),
            f"<footer>lesionmap {__version__} · Research use only. Not for diagnosis or treatment.</footer>",
            "</main></body></html>",
            "",
        ]
    )


def _plain_section(section: Section, drawing: str) -> str:
    title = escape(section.title)
    body = [f"<h2>{title}</h2>", *(f"<p>{escape(line)}</p>" for line in section.lines)]
    if drawing:
        body.append(f'<figure class="drawing" role="img" aria-label="{title}">{drawing}</figure>')
    if section.table is not None:
        body.append(_table(section.table, section.title))
    return f'<section class="{section.kind}">' + "\n".join(body) + "</section>"


def _policy(script: str) -> str:
    """Allow the page's own script by its hash, pictures that it holds, and nothing else."""
    digest = base64.b64encode(sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _section(results: Results, section: Section) -> str:
    body = [f"<h2>{escape(section.title)}</h2>"]
    if section.kind == "map":
        body.append(map_html(results))
    elif section.kind == "timeline":
        body.append(timeline_html(results))
    elif section.kind == "images":
        body.append(gallery_html(results))
    if section.kind == "warning":
        body.append("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in section.lines) + "</ul>")
    else:
        body += [f"<p>{escape(line)}</p>" for line in section.lines]
    if section.table is not None:
        body.append(_table(section.table, section.title))
    if section.below:
        body.append('<div class="below">' + "".join(f"<p>{escape(line)}</p>" for line in section.below) + "</div>")
    return f'<section class="{section.kind}">' + "\n".join(body) + "</section>"


def _table(table: Table, title: str) -> str:
    numbers = [bool(table.rows) and all(row[at].number for row in table.rows) for at in range(len(table.header))]
    head = "".join(
        f'<th scope="col"{_right(number)}>{escape(name)}</th>'
        for name, number in zip(table.header, numbers, strict=True)
    )
    tracks = table.tracks or ((),) * len(table.rows)
    rows = "".join(_row(row, own) for row, own in zip(table.rows, tracks, strict=True))
    region = f'class="wide" tabindex="0" role="region" aria-label="{escape(title)}"'
    many = ' class="many"' if len(table.header) > _MANY_COLUMNS else ""
    return f"<div {region}><table{many}><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>"


def _row(row: tuple[Cell, ...], tracks: tuple[int, ...]) -> str:
    if not tracks:
        return "<tr>" + "".join(_cell(cell) for cell in row) + "</tr>\n"
    first = f'<td><button type="button" class="go">{escape(row[0].text)}</button></td>'
    return f"<tr{track_words(tracks)}>{first}" + "".join(_cell(cell) for cell in row[1:]) + "</tr>\n"


def _right(number: bool) -> str:
    return ' class="n"' if number else ""


def _cell(cell: Cell) -> str:
    day = ' class="d"' if _DAY.fullmatch(cell.text) else ""
    return f"<td{_right(cell.number) or day}>{_mark(cell.state) if cell.state else ''}{escape(cell.text)}</td>"


def _mark(state: str) -> str:
    """Draw the mark of a state, as on the map."""
    style = state_style(state)
    points = " ".join(f"{x:.2f},{-y:.2f}" for x, y in style.shape)
    paint = f'fill="#fff" stroke="{style.colour}" stroke-width="0.4"' if style.hollow else f'fill="{style.colour}"'
    return (
        f'<svg class="mark" viewBox="-1.6 -1.6 3.2 3.2" aria-hidden="true"><polygon points="{points}" {paint}/></svg>'
    )
