"""The report of a patient: one self-contained HTML page, or the same content as a PDF on A4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.write.files import ending, saving
from lesionmap.write.page import report_page
from lesionmap.write.pdf import write_pages

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.write.results import Results

__all__ = ["write_report"]


def write_report(results: Results, path: str | Path, *, overwrite: bool = False, with_notes: bool = False) -> None:
    """Write the report: map, counts with their rule, course, lesions, what was not imaged, method.

    Parameters
    ----------
    results : Results
        Of one patient.
    path : str or Path
        ``.html`` (one file, no network) or ``.pdf`` (A4).
    overwrite : bool
        Whether an existing file may be replaced.
    with_notes : bool
        Whether the readers' free text goes in; it may hold personal data, so it is left out unless asked for.

    Raises
    ------
    LesionmapError
        If the ending is unknown, the file exists, or it cannot be written.
    """
    suffix = ending(path, (".html", ".pdf"))
    with saving(path, overwrite=overwrite) as temporary:
        if suffix == ".html":
            temporary.write_text(report_page(results, with_notes=with_notes), encoding="utf-8")
        else:
            write_pages(results, temporary, with_notes=with_notes)
