"""``table``, ``compare``, ``map``, ``report``, ``export``: what a reader found, on paper."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionmap.cli.common import (
    Asker,
    OptionalPatient,
    OptionalVisit,
    Out,
    Overwrite,
    PatientId,
    Reader,
    Rule,
    StudyPath,
    VisitKey,
    VolumeChange,
    busy,
    open_study,
    say,
)
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from lesionmap.lesions import LesionMap
    from lesionmap.visits import Patient, Visit
    from lesionmap.write import Results

__all__ = ["compare", "export", "map_", "patients_of", "report", "results_for", "table"]

_CHANGE = 30.0
"""The default threshold, in %."""


def results_for(
    study: str,
    patient: str,
    reader: str | None,
    rule: str = "default",
    *,
    change: float = _CHANGE,
    pictures: bool = False,
    asker: str | None = None,
) -> "Results":
    """Give the results of a patient as one reader sees them; key images only where they are wanted."""
    from lesionmap.compare import Threshold
    from lesionmap.evaluate import patient_results, the_reader, with_key_images
    from lesionmap.measure import rule_named

    with open_study(study) as opened, busy("measuring"):
        limit, how = Threshold(change / 100), rule_named(rule)
        name = the_reader(opened, patient, reader, asker=asker)
        found = patient_results(opened, patient, reader=name, rule=how, threshold=limit)
        return with_key_images(found) if pictures else found


def table(
    study: StudyPath,
    output: Out,
    patient: OptionalPatient = None,
    visit: OptionalVisit = None,
    reader: Reader = None,
    asker: Asker = None,
    rule: Rule = "default",
    change: VolumeChange = _CHANGE,
    modalities: Annotated[
        bool,
        typer.Option("--modalities", help="Instead: at which sites slices and bone scan of a visit show a lesion."),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write the lesion table.

    CSV, XLSX, Parquet or JSON by the ending.
    """
    from lesionmap.write import LESION_COLUMNS, MODALITY_COLUMNS, lesion_rows, modality_rows, notes, write_table

    make, columns = (modality_rows, MODALITY_COLUMNS) if modalities else (lesion_rows, LESION_COLUMNS)
    found = [results_for(study, who, reader, rule, change=change, asker=asker) for who in patients_of(study, patient)]
    rows = [row for one in found for row in make(one, [visit] if visit else None)]
    told = [note for one in found for note in notes(one)]
    write_table(rows, columns, output, overwrite=overwrite, notes=list(dict.fromkeys(told)))
    for line in dict.fromkeys(one.rule.sentence for one in found):
        say(line)
    say(f"{len(rows)} {'sites' if modalities else 'lesions'} written to {output}")


def patients_of(study: str, patient: str | None) -> list[str]:
    """Give the patient named, or all that have marks."""
    if patient is not None:
        return [patient]
    with open_study(study) as opened:
        read = [who.id for who in opened.patients() if opened.readers(who.id)]
    if not read:
        raise LesionmapError(f"{study} has no marks yet; add some with 'lesionmap add' or in the window")
    return read


def compare(
    study: StudyPath,
    patient: PatientId,
    output: Out,
    reader: Reader = None,
    asker: Asker = None,
    change: VolumeChange = _CHANGE,
    overwrite: Overwrite = False,
) -> None:
    """Write the state of each lesion at each visit.

    CSV, XLSX, Parquet or JSON by the ending.
    """
    from lesionmap.write import comparison_columns, comparison_rows, notes, write_table

    found = results_for(study, patient, reader, change=change, asker=asker)
    rows = comparison_rows(found)
    write_table(rows, comparison_columns(found), output, overwrite=overwrite, notes=notes(found))
    say(f"{len(rows)} tracks over {len(found.visits)} visits written to {output}")


def map_(
    study: StudyPath,
    patient: PatientId,
    output: Out,
    visit: OptionalVisit = None,
    reader: Reader = None,
    asker: Asker = None,
    rule: Rule = "default",
    overwrite: Overwrite = False,
) -> None:
    """Draw the lesion map, one skeleton a visit.

    SVG, PNG or PDF by the ending.
    """
    from lesionmap.write import body_map, map_model

    found = results_for(study, patient, reader, rule, asker=asker)
    panels = map_model(found, [visit] if visit else None)
    with busy("drawing"):
        body_map(panels, output, title=f"{found.patient.id} · read by {found.reader}", overwrite=overwrite)
    for panel in panels:
        say(f"{panel.visit}: {panel.count}")
    say(f"map written to {output}")


def report(
    study: StudyPath,
    patient: PatientId,
    output: Out,
    reader: Reader = None,
    asker: Asker = None,
    rule: Rule = "default",
    change: VolumeChange = _CHANGE,
    language: Annotated[str, typer.Option("--language", help="Of the report: en, or a file (TOML).")] = "en",
    overwrite: Overwrite = False,
) -> None:
    """Write a report: map, counts, comparison.

    HTML or PDF by the ending.
    """
    from lesionmap.write import language_named, write_report

    texts = language_named(language)
    found = results_for(study, patient, reader, rule, change=change, pictures=True, asker=asker)
    found = replace(found, texts=texts)
    with busy("writing the report"):
        write_report(found, output, overwrite=overwrite)
    say(f"report written to {output}")


def export(
    study: StudyPath,
    patient: PatientId,
    visit: VisitKey,
    output: Out,
    nifti: Annotated[bool, typer.Option("--nifti", help="A label volume for each series that has masks.")] = False,
    seg: Annotated[bool, typer.Option("--seg", help="DICOM Segmentations on the images that were drawn on.")] = False,
    png: Annotated[bool, typer.Option("--png", help="The views of a bone scan, with the outlines on them.")] = False,
    sr: Annotated[
        bool, typer.Option("--sr", help="A DICOM report of all that was found, and the Segmentations it points to.")
    ] = False,
    fhir: Annotated[bool, typer.Option("--fhir", help="A FHIR R4B bundle (JSON) of all that was found.")] = False,
    labelmap: Annotated[
        bool, typer.Option("--labelmap", help="With --seg or --sr: labels, small, but read by fewer programs.")
    ] = False,
    identified: Annotated[
        bool,
        typer.Option(
            "--identified", help="With --seg or --sr: the patient's name and numbers from the images, for a PACS."
        ),
    ] = False,
    notes: Annotated[
        bool, typer.Option("--notes", help="With --sr: the reader's notes as well; they may hold personal data.")
    ] = False,
    reader: Reader = None,
    asker: Asker = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the masks of a visit, or all that was found, for other programs.

    Pseudonymous, unless --identified asks otherwise.
    """
    from lesionmap.evaluate import patient_results, the_reader
    from lesionmap.write.drawn import drawn_series

    _check_wishes(nifti or seg or sr or png or fhir, labelmap or identified, seg or sr, notes and not sr)
    with open_study(study) as opened, busy("measuring"):
        who, stored = opened.patient(patient), opened.visit(patient, visit)
        name = the_reader(opened, patient, reader, visit, asker)
        lesion_map = opened.lesion_map(patient, visit, name)
        results = patient_results(opened, patient, reader=name) if sr or fhir else None
    if (nifti or seg) and not drawn_series(lesion_map):
        raise LesionmapError(f"visit {visit} has no mask to export; its lesions are marked by points or sites only")
    output.mkdir(parents=True, exist_ok=True)
    with busy("exporting"):
        if seg or sr:
            how = _HowDicom(labelmap, identified, notes, overwrite)
            _export_dicom(who, stored, lesion_map, results if sr else None, output, how)
            if sr and not seg and drawn_series(lesion_map):
                say("the report points to the Segmentations, so they are written with it")
        for write in (_export_nifti,) * nifti + (_export_png,) * png:
            write(stored, lesion_map, output, overwrite=overwrite)
        if fhir and results:
            _export_fhir(results, stored, output, overwrite=overwrite)


def _check_wishes(anything: bool, for_dicom: bool, dicom: bool, stray_notes: bool) -> None:
    """Refuse options that ask for nothing, or for what is not written."""
    if not anything:
        raise typer.BadParameter("say what to export: --nifti, --seg, --sr, --png or --fhir")
    if for_dicom and not dicom:
        raise typer.BadParameter("--labelmap and --identified are for --seg and --sr")
    if stray_notes:
        raise typer.BadParameter("--notes is for --sr")


@dataclass(frozen=True, slots=True)
class _HowDicom:
    """The options of DICOM exports."""

    labelmap: bool
    identified: bool
    notes: bool
    overwrite: bool


def _export_dicom(
    patient: "Patient",
    visit: "Visit",
    lesion_map: "LesionMap",
    results: "Results | None",
    folder: Path,
    how: _HowDicom,
) -> None:
    """Write the Segmentations, and with ``results`` the report that points to them."""
    from lesionmap.write import report_sr, segmentations, write_segs, write_sr
    from lesionmap.write.drawn import drawn_series

    drawn = drawn_series(lesion_map)
    options = {"labelmap": how.labelmap, "identified": how.identified}
    files = segmentations(patient, visit, lesion_map, **options) if drawn else ()
    if results is None:
        write_segs(files, folder, overwrite=how.overwrite)
    else:
        path = folder / f"{patient.id}_{visit.key}_sr.dcm"
        report = report_sr(results, visit.key, files, identified=how.identified, with_notes=how.notes)
        write_sr(report, path, segs=files, overwrite=how.overwrite)
        say(f"report: {path}, {len(lesion_map.lesions)} lesions, {len(lesion_map.answers)} answers")
        notes = [*(x.note for x in lesion_map.lesions), *(x.note for x in lesion_map.answers)]
        if any(notes) and not how.notes:
            say("the reader's notes were left out; --notes writes them")
    for file in files:
        say(f"{file.series}: {folder / file.name}, {len(file.segments)} segments")
    for name in sorted(drawn - {file.series for file in files}):
        say(f"{name}: read from NIfTI, no DICOM images to lay segments on; export it with --nifti")
    lost = {lesion: (n, file.series) for file in files for lesion, n in file.not_imaged.items()}
    for lesion, (n, series) in lost.items():
        say(f"{lesion}: {n} voxels between the stations of {series} have no image and were left out")


def _export_fhir(results: "Results", visit: "Visit", folder: Path, *, overwrite: bool) -> None:
    from lesionmap.write import write_fhir

    path = folder / f"{results.patient.id}_{visit.key}_fhir.json"
    write_fhir(results, visit.key, path, overwrite=overwrite)
    say(f"FHIR bundle: {path}")


def _export_png(visit: "Visit", lesion_map: "LesionMap", folder: Path, *, overwrite: bool) -> None:
    from lesionmap.read import pixels
    from lesionmap.write import scan_picture

    path = folder / f"{lesion_map.patient}_{visit.key}_bone_scan.png"
    views = {series.name: pixels(series) for series in visit.series if series.projection}
    scan_picture(visit, lesion_map, views, path, overwrite=overwrite)
    say(f"bone scan: {path}")


def _export_nifti(visit: "Visit", lesion_map: "LesionMap", folder: Path, *, overwrite: bool) -> None:
    from lesionmap.write import write_nifti_labels
    from lesionmap.write.drawn import drawn_series

    drawn = drawn_series(lesion_map)
    for series in (x for x in visit.series if x.name in drawn):
        path = folder / f"{lesion_map.patient}_{visit.key}_{series.name.replace(' ', '-')}.nii.gz"
        image, sidecar = write_nifti_labels(lesion_map, series, path, overwrite=overwrite)
        say(f"{series.name}: {image} and {sidecar.name}")
