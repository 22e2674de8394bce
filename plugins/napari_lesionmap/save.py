"""What can be exported, and the writing of it; run in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.write import Results

__all__ = ["KINDS", "Kind", "write"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file."""

    name: str
    title: str
    words: str
    tip: str


KINDS = (
    Kind("lesions.csv", "Lesion table", "CSV", "One row for each lesion of each visit"),
    Kind("lesions.xlsx", "Lesion table", "XLSX", "One row for each lesion of each visit"),
    Kind("comparison.csv", "Comparison", "CSV", "One row for each lesion over all visits"),
    Kind("comparison.xlsx", "Comparison", "XLSX", "One row for each lesion over all visits"),
    Kind("map.png", "Body map", "PNG", "One skeleton for each visit"),
    Kind("map.svg", "Body map", "SVG", "One skeleton for each visit"),
    Kind("map.pdf", "Body map", "PDF", "One skeleton for each visit"),
    Kind("report.html", "Report", "HTML", "One page with map, counts, course and lesions"),
    Kind("masks.nii", "Masks of this visit", "NIfTI", "A label volume for each series that was drawn on"),
)


def write(name: str, results: Results, key: str, folder: Path, *, overwrite: bool) -> list[Path]:
    """Write one kind of file, and give the paths.

    Parameters
    ----------
    name : str
        Of the kind.
    results : Results
        Of one patient.
    key : str
        Of the visit that is open, for masks.
    folder : Path
        Made where it is missing.
    overwrite : bool
        Whether files of the same name may be replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results.patient.id}_{name}"
    if name.startswith("masks"):
        return _write_masks(results, key, folder, overwrite)
    if name.startswith("map"):
        _write_map(results, path, overwrite)
    elif name.startswith("report"):
        from lesionmap.write import write_report

        write_report(results, path, overwrite=overwrite)
    else:
        _write_table(name, results, path, overwrite)
    return [path]


def _write_map(results: Results, path: Path, overwrite: bool) -> None:
    from lesionmap.write import body_map, map_model

    title = f"{results.patient.id} · read by {results.reader}"
    body_map(map_model(results), path, title=title, overwrite=overwrite)


def _write_table(name: str, results: Results, path: Path, overwrite: bool) -> None:
    from lesionmap.write import LESION_COLUMNS, comparison_columns, comparison_rows, lesion_rows, notes, write_table

    if name.startswith("lesions"):
        rows, columns = lesion_rows(results), LESION_COLUMNS
    else:
        rows, columns = comparison_rows(results), comparison_columns(results)
    write_table(rows, columns, path, overwrite=overwrite, notes=notes(results))


def _write_masks(results: Results, key: str, folder: Path, overwrite: bool) -> list[Path]:
    from lesionmap.write import write_nifti_labels

    if not key:
        raise LesionmapError("no visit is open; choose the visit whose masks are to be written on the page Visits")
    facts = results.facts(key)
    drawn = {x.series for lesion in facts.lesion_map.lesions for x in lesion.extents if x.mask is not None}
    if not drawn:
        raise LesionmapError(f"visit {key} has no mask: its lesions are markers or known by their site only")
    made: list[Path] = []
    for series in facts.visit.series:
        if series.name in drawn:
            words = "_".join(series.name.split())
            path = folder / f"{results.patient.id}_{key}_{words}_masks.nii"
            made += write_nifti_labels(facts.lesion_map, series, path, overwrite=overwrite)
    return made
