"""What can be exported, and the writing of it; run in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.compare import VisitFacts
    from lesionmap.write import Results, SegFile

__all__ = ["KINDS", "Kind", "Written", "write"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file."""

    name: str
    title: str
    words: str
    tip: str


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    paths: tuple[Path, ...]
    left_out: tuple[str, ...] = ()
    """What of the visit is in none of the files, and why; in words."""


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
    Kind(
        "seg.dcm", "DICOM of this visit", "SEG", "The masks, a Segmentation for each series of images; with pseudonym"
    ),
    Kind("sr.dcm", "DICOM of this visit", "SR", "A report, and the Segmentations that it points to; with pseudonym"),
)


def write(name: str, results: Results, key: str, folder: Path, *, overwrite: bool) -> Written:
    """Write one kind of file.

    Parameters
    ----------
    name : str
        Of the kind.
    results : Results
        Of one patient.
    key : str
        Of the visit that is open, for masks and DICOM.
    folder : Path
        Made where it is missing.
    overwrite : bool
        Whether files of the same name may be replaced.
    """
    path = folder / f"{results.patient.id}_{name}"
    if name.endswith(".dcm"):
        return _write_dicom(name, results, _facts(results, key), folder, overwrite)
    if name.startswith("masks"):
        return _write_masks(results, _facts(results, key), folder, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    if name.startswith("map"):
        _write_map(results, path, overwrite)
    elif name.startswith("report"):
        from lesionmap.evaluate import with_key_images
        from lesionmap.write import write_report

        write_report(with_key_images(results), path, overwrite=overwrite)
    else:
        _write_table(name, results, path, overwrite)
    return Written((path,))


def _facts(results: Results, key: str) -> VisitFacts:
    if not key:
        raise LesionmapError("no visit is open; choose the visit that is to be written on the page Visits")
    return results.facts(key)


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


def _write_masks(results: Results, facts: VisitFacts, folder: Path, overwrite: bool) -> Written:
    from lesionmap.write import write_nifti_labels

    key, drawn = facts.visit.key, _drawn(facts)
    if not drawn:
        raise _no_mask(key)
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for series in facts.visit.series:
        if series.name in drawn:
            words = "_".join(series.name.split())
            path = folder / f"{results.patient.id}_{key}_{words}_masks.nii"
            made += write_nifti_labels(facts.lesion_map, series, path, overwrite=overwrite)
    return Written(tuple(made))


def _drawn(facts: VisitFacts) -> frozenset[str]:
    from lesionmap.write.drawn import drawn_series

    return drawn_series(facts.lesion_map)


def _no_mask(key: str) -> LesionmapError:
    return LesionmapError(f"visit {key} has no mask: its lesions are markers or known by their site only")


def _write_dicom(name: str, results: Results, facts: VisitFacts, folder: Path, overwrite: bool) -> Written:
    """Write the Segmentations of a visit, and with them the report that points to them; all or none."""
    from lesionmap.write import report_sr, segmentations, write_segs, write_sr

    patient, visit, drawn = results.patient, facts.visit, _drawn(facts)
    _need_dicom(facts, drawn, report=name.startswith("sr"))
    files = segmentations(patient, visit, facts.lesion_map) if drawn else ()
    if name.startswith("seg"):
        folder.mkdir(parents=True, exist_ok=True)
        return Written(write_segs(files, folder, overwrite=overwrite), _left_out(files, drawn))
    report = report_sr(results, visit.key, files)
    path = folder / f"{patient.id}_{visit.key}_sr.dcm"
    folder.mkdir(parents=True, exist_ok=True)
    write_sr(report, path, segs=files, overwrite=overwrite)
    return Written((path, *(folder / file.name for file in files)), (*_left_out(files, drawn), *_notes(facts)))


def _need_dicom(facts: VisitFacts, drawn: frozenset[str], *, report: bool) -> None:
    """Refuse a visit without DICOM images to lay segments on; the words name what the page Export can do."""
    from lesionmap.write.stacks import from_nifti

    key, dicom = facts.visit.key, {series.name for series in facts.visit.series if not from_nifti(series)}
    if not dicom:
        raise LesionmapError(
            f"DICOM SEG and SR lie on DICOM images, visit {key} has none (it has NIfTI, or no images); write its masks "
            "as NIfTI, a table or the report"
        )
    if not report and not drawn:
        raise _no_mask(key)
    nifti = sorted(drawn - dicom)
    if nifti and (report or not drawn & dicom):
        raise LesionmapError(
            f"DICOM SEG and SR lie on DICOM images, lesions of visit {key} are drawn on {', '.join(nifti)}, read from "
            "NIfTI; write the masks as NIfTI"
        )


def _left_out(files: tuple[SegFile, ...], drawn: frozenset[str]) -> tuple[str, ...]:
    """Say which masks are in no Segmentation, whole or in part."""
    nifti = sorted(drawn - {file.series for file in files})
    lost = {lesion: (n, file.series) for file in files for lesion, n in file.not_imaged.items()}
    return (
        *(f"{name} was read from NIfTI: its masks are left out" for name in nifti),
        *(f"{n} voxels of {lesion} between the stations of {name} left out" for lesion, (n, name) in lost.items()),
    )


def _notes(facts: VisitFacts) -> tuple[str, ...]:
    noted = [*(x.note for x in facts.lesion_map.lesions), *(x.note for x in facts.lesion_map.answers)]
    return ("notes are left out, as they may hold personal data",) if any(noted) else ()
