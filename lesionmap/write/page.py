"""The report as one HTML page that asks the network for nothing."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from lesionmap import __version__
from lesionmap.write.content import facts_line, heading, sections
from lesionmap.write.figure import map_svg
from lesionmap.write.mapmaker import map_model
from lesionmap.write.style import INK, state_style

if TYPE_CHECKING:
    from lesionmap.write.results import Results
    from lesionmap.write.sections import Cell, Section, Table

__all__ = ["report_page"]

_STYLE = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #f3f5f7; color: {INK};
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
main {{ max-width: 1160px; margin: 0 auto; padding: 28px 24px 40px; }}
header {{ display: flex; flex-wrap: wrap; gap: 4px 24px; align-items: baseline; margin-bottom: 18px; }}
h1 {{ font-size: 26px; line-height: 1.25; margin: 0; font-weight: 650; overflow-wrap: anywhere; }}
header p {{ margin: 0; color: #55626c; overflow-wrap: anywhere; }}
.use {{ margin-left: auto; font-size: 13px; border: 1px solid #9aa7b1; border-radius: 999px; padding: 2px 12px;
  color: {INK}; background: #fff; white-space: nowrap; }}
section {{ background: #fff; border: 1px solid #dde3e8; border-radius: 10px;
  padding: 16px 20px 18px; margin: 0 0 16px; }}
section.warning {{ background: #fff8e8; border-color: #e8cf94; }}
h2 {{ font-size: 17px; margin: 0 0 8px; font-weight: 650; }}
p, ul {{ margin: 6px 0 0; }}
ul {{ padding-left: 20px; }}
.below p {{ color: #55626c; font-size: 13.5px; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th {{ text-align: left; font-size: 12.5px; font-weight: 600; color: #55626c; padding: 4px 12px 6px 0;
  border-bottom: 1.5px solid #b9c3cb; vertical-align: bottom; }}
td {{ padding: 6px 12px 6px 0; border-bottom: 1px solid #e8ecef; vertical-align: top; overflow-wrap: anywhere; }}
tr:last-child td {{ border-bottom: 0; }}
td.n, th.n {{ text-align: right; padding-right: 22px; }}
.mark {{ width: 14px; height: 14px; vertical-align: -2px; margin-right: 6px; }}
figure {{ margin: 0; }}
figure svg {{ width: 100%; height: auto; max-height: 1500px; display: block; }}
footer {{ color: #55626c; font-size: 13px; text-align: center; }}
@media print {{
  @page {{ size: A4; margin: 14mm; }}
  body {{ background: #fff; font-size: 10.5px; -webkit-print-color-adjust: exact; print-color-adjust: exact; }}
  main {{ max-width: none; padding: 0; }}
  section {{ padding: 10px 0; border: 0; border-top: 1px solid #b9c3cb; border-radius: 0; }}
  section.warning {{ padding: 10px; border: 1px solid #e8cf94; }}
  tr, figure, h2 {{ break-inside: avoid; }}
  h2 {{ break-after: avoid; }}
  th, .below p {{ font-size: 9px; }}
}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def report_page(results: Results, *, with_notes: bool = False) -> str:
    """Give the whole page; every text that people typed is escaped."""
    title = escape(heading(results))
    parts = [_section(results, section) for section in sections(results, with_notes=with_notes)]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style></head>",
            "<body><main>",
            f'<header><h1>{title}</h1><p>{escape(facts_line(results))}</p><span class="use">Research use only</span>',
            "</header>",
            *parts,
            f"<footer>lesionmap {__version__} · Research use only. Not for diagnosis or treatment.</footer>",
            "</main></body></html>",
            "",
        ]
    )


def _section(results: Results, section: Section) -> str:
    body = [f"<h2>{escape(section.title)}</h2>"]
    if section.kind == "map":
        words = f"Lesion map, front and back, of {len(results.visits)} visits; the tables below hold the same facts."
        svg = map_svg(map_model(results)).replace("<svg ", f'<svg role="img" aria-label="{escape(words)}" ', 1)
        body.append(f"<figure>{svg}</figure>")
    if section.kind == "warning":
        body.append("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in section.lines) + "</ul>")
    else:
        body += [f"<p>{escape(line)}</p>" for line in section.lines]
    if section.table is not None:
        body.append(_table(section.table))
    if section.below:
        body.append('<div class="below">' + "".join(f"<p>{escape(line)}</p>" for line in section.below) + "</div>")
    return f'<section class="{section.kind}">' + "\n".join(body) + "</section>"


def _table(table: Table) -> str:
    numbers = [bool(table.rows) and all(row[at].number for row in table.rows) for at in range(len(table.header))]
    head = "".join(
        f'<th scope="col"{_right(number)}>{escape(name)}</th>'
        for name, number in zip(table.header, numbers, strict=True)
    )
    rows = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>\n" for row in table.rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>'


def _right(number: bool) -> str:
    return ' class="n"' if number else ""


def _cell(cell: Cell) -> str:
    return f"<td{_right(cell.number)}>{_mark(cell.state) if cell.state else ''}{escape(cell.text)}</td>"


def _mark(state: str) -> str:
    """Draw the mark of a state, as on the map."""
    style = state_style(state)
    points = " ".join(f"{x:.2f},{-y:.2f}" for x, y in style.shape)
    paint = f'fill="#fff" stroke="{style.colour}" stroke-width="0.4"' if style.hollow else f'fill="{style.colour}"'
    return (
        f'<svg class="mark" viewBox="-1.6 -1.6 3.2 3.2" aria-hidden="true"><polygon points="{points}" {paint}/></svg>'
    )
