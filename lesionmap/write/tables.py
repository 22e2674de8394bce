"""Rows become a file: CSV, XLSX, Parquet or JSON by the ending. Unknown stays empty in each of them."""

from __future__ import annotations

import csv
import json
import math
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionmap.errors import LesionmapError
from lesionmap.write.columns import decimals, kind_of, meaning
from lesionmap.write.files import ending, saving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Row", "Sheet", "write_book", "write_table"]

Row = dict[str, Any]
"""Column → value. None (or NaN, or a missing key) is unknown."""


class Sheet(NamedTuple):
    """One sheet of a book."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")
_HEADER = "#2f4858"


def write_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    path: str | Path,
    *,
    overwrite: bool = False,
    notes: Sequence[str] = (),
    fixed: bool = False,
) -> None:
    """Write rows to a file, CSV, XLSX, Parquet or JSON by its ending.

    Numbers are rounded by what they are (``volume_ml`` to 3 decimals). Text that a spreadsheet would take for a
    formula is made harmless in CSV (a leading apostrophe) and XLSX (a text cell).

    Parameters
    ----------
    rows : sequence of mapping
        Column → value; None, NaN and missing are unknown and stay empty.
    columns : sequence of str
        Which columns, in which order; units stand in their names.
    path : str or Path
        ``.csv``, ``.xlsx``, ``.parquet`` or ``.json`` (a list of objects).
    overwrite : bool
        Whether an existing file may be replaced.
    notes : sequence of str
        What a reader of the table must know (the counting rule, versions): the sheet *About* of XLSX, the schema's
        metadata of Parquet. CSV and JSON hold rows only.
    fixed : bool
        Take the types of Parquet from the names of the columns alone, so that files written one by one are one data
        set.

    Raises
    ------
    LesionmapError
        If the ending is unknown, the file exists, or it cannot be written.
    """
    suffix = ending(path, (".csv", ".xlsx", ".parquet", ".json"))
    names = tuple(columns)
    cells = [[_plain(row.get(name), name) for name in names] for row in rows]
    with saving(path, overwrite=overwrite) as temporary:
        if suffix == ".csv":
            _write_csv(cells, names, temporary)
        elif suffix == ".json":
            _write_json(cells, names, temporary)
        elif suffix == ".parquet":
            kinds = [kind_of(name, () if fixed else [row[at] for row in cells]) for at, name in enumerate(names)]
            _write_parquet(cells, dict(zip(names, kinds, strict=True)), temporary, tuple(notes))
        else:
            _write_xlsx(cells, names, temporary, tuple(notes))


def write_book(
    sheets: Sequence[Sheet],
    path: str | Path,
    *,
    overwrite: bool = False,
    notes: Sequence[str] = (),
    meanings: Mapping[str, str] | None = None,
) -> None:
    """Write several tables as the sheets of one XLSX, with a sheet *About* at the end.

    Parameters
    ----------
    sheets : sequence of Sheet
        In their order.
    path : str or Path
        ``.xlsx``.
    overwrite : bool
        Whether an existing file may be replaced.
    notes : sequence of str
        For the sheet *About*.
    meanings : mapping of str to str, optional
        What columns mean here; of others as everywhere.

    Raises
    ------
    LesionmapError
        If the file exists, or it cannot be written.
    """
    import xlsxwriter

    ending(path, (".xlsx",))
    columns = tuple(dict.fromkeys(name for sheet in sheets for name in sheet.columns))
    with (
        saving(path, overwrite=overwrite) as temporary,
        temporary.open("xb") as stream,
        xlsxwriter.Workbook(stream, {"in_memory": True}) as book,
    ):
        book.set_properties({"title": "lesionmap", "comments": "Research use only"})
        for sheet in sheets:
            cells = [[_plain(row.get(name), name) for name in sheet.columns] for row in sheet.rows]
            _fill_sheet(book, cells, tuple(sheet.columns), sheet.name)
        _fill_about(book, columns, notes, meanings or {})


def _plain(value: Any, column: str) -> str | int | float | bool | None:
    """Turn a value into what every format can hold: text, number, truth or None."""
    if value is None:
        return None
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        digits = decimals(column)
        return value if digits is None else round(value, digits) + 0.0  # never -0.0
    return value if isinstance(value, (str, int)) else str(value)


def _write_csv(cells: list[list[Any]], columns: tuple[str, ...], path: Path) -> None:
    with path.open("x", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_csv_text(name) for name in columns)
        writer.writerows([_csv_cell(value) for value in row] for row in cells)


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return _csv_text(value) if isinstance(value, str) else repr(value)


def _csv_text(text: str) -> str:
    """Make text harmless that a spreadsheet would run as a formula (CWE-1236); one kind of line end only."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _write_json(cells: list[list[Any]], columns: tuple[str, ...], path: Path) -> None:
    rows = [dict(zip(columns, row, strict=True)) for row in cells]
    with path.open("x", encoding="utf-8") as stream:
        json.dump(rows, stream, ensure_ascii=False, indent=1, allow_nan=False)
        stream.write("\n")


def _write_parquet(cells: list[list[Any]], kinds: Mapping[str, str], path: Path, notes: tuple[str, ...]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"text": pa.string(), "number": pa.float64(), "whole": pa.int64(), "truth": pa.bool_()}
    arrays = [
        pa.array([_cast(row[at], kind) for row in cells], type=types[kind]) for at, kind in enumerate(kinds.values())
    ]
    table = pa.Table.from_arrays(arrays, names=list(kinds))
    metadata = {"lesionmap.notes": json.dumps(notes, ensure_ascii=False)} if notes else None
    pq.write_table(table.replace_schema_metadata(metadata), path)


def _cast(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "text":
        return str(value)
    return float(value) if kind == "number" else value


def _write_xlsx(cells: list[list[Any]], columns: tuple[str, ...], path: Path, notes: tuple[str, ...]) -> None:
    import xlsxwriter

    with path.open("xb") as stream, xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        book.set_properties({"title": "lesionmap", "comments": "Research use only"})
        _fill_sheet(book, cells, columns)
        _fill_about(book, columns, notes, {})


def _fill_sheet(book: Any, cells: list[list[Any]], columns: tuple[str, ...], title: str = "Table") -> None:
    sheet = book.add_worksheet(title)
    header = book.add_format(
        {"bold": True, "font_color": "#ffffff", "bg_color": _HEADER, "bottom": 1, "valign": "vcenter"}
    )
    sheet.set_row(0, 20)
    sheet.freeze_panes(1, 0)
    if columns:
        sheet.autofilter(0, 0, max(len(cells), 1), len(columns) - 1)
    for at, name in enumerate(columns):
        digits = decimals(name)
        style = book.add_format({"num_format": "0." + "0" * digits if digits else "General"})
        values = [row[at] for row in cells]
        sheet.set_column(at, at, _width(name, values))
        _write_text(sheet, 0, at, name, header)
        for line, value in enumerate(values, start=1):
            _write_cell(sheet, line, at, value, style)


def _width(name: str, values: list[Any]) -> float:
    """Give a column width in characters that shows most values; the header has a filter button."""
    longest = max([len(name) + 3, *(len(str(value)) + 1 for value in values if value is not None)])
    return float(min(max(longest, 8), 44))


def _write_cell(sheet: Any, line: int, at: int, value: Any, style: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, at, value)
    elif isinstance(value, str):
        _write_text(sheet, line, at, value)
    else:
        sheet.write_number(line, at, value, style)


def _write_text(sheet: Any, line: int, at: int, text: str, style: Any = None) -> None:
    """Write text as text, whatever it begins with."""
    if sheet.write_string(line, at, text, style) != 0:
        raise LesionmapError(
            f"an XLSX cell holds 32767 characters and a sheet 1048576 rows; row {line} does not fit, write .csv"
        )


def _fill_about(book: Any, columns: Sequence[str], notes: Sequence[str], meanings: Mapping[str, str]) -> None:
    from lesionmap import __version__

    sheet = book.add_worksheet("About")
    bold, wrap = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 34, wrap)
    sheet.set_column(1, 1, 100, wrap)
    _write_text(sheet, 0, 0, "Research use only", bold)
    _write_text(sheet, 0, 1, "Not for diagnosis or treatment.", wrap)
    _write_text(sheet, 1, 0, "lesionmap", bold)
    _write_text(sheet, 1, 1, __version__, wrap)
    line = 2
    for note in notes:
        _write_text(sheet, line, 1, note, wrap)
        line += 1
    _write_text(sheet, line + 1, 0, "Column", bold)
    _write_text(sheet, line + 1, 1, "Meaning. An empty cell is unknown, never 0.", bold)
    for at, name in enumerate(columns, start=line + 2):
        _write_text(sheet, at, 0, name, wrap)
        _write_text(sheet, at, 1, meanings.get(name) or meaning(name), wrap)
