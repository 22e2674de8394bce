"""``table``, ``compare``, ``map``, ``report``, ``export``: what a reader found, on paper."""

from typing import TYPE_CHECKING, Annotated

import typer

from lesionmap.cli.common import (
    OptionalPatient,
    OptionalVisit,
    Out,
    Overwrite,
    PatientId,
    Reader,
    Rule,
    StudyPath,
    VisitKey,
    busy,
    say,
)
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from lesionmap.write import Results

__all__ = ["compare", "export", "map_", "report", "table"]


def _results(study: str, patient: str, reader: str | None, rule: str = "default") -> "Results":
    from lesionmap.evaluate import patient_results
    from lesionmap.measure import rule_named
    from lesionmap.store import Study

    with Study.open(study) as opened, busy("measuring"):
        return patient_results(opened, patient, reader=reader, rule=rule_named(rule))


def table(
    study: StudyPath,
    output: Out,
    patient: OptionalPatient = None,
    visit: OptionalVisit = None,
    reader: Reader = None,
    rule: Rule = "default",
    overwrite: Overwrite = False,
) -> None:
    """Write the lesion table.

    CSV, XLSX, Parquet or JSON by the ending.
    """
    from lesionmap.write import LESION_COLUMNS, lesion_rows, notes, write_table

    found = [_results(study, who, reader, rule) for who in _patients(study, patient)]
    rows = [row for one in found for row in lesion_rows(one, [visit] if visit else None)]
    told = [note for one in found for note in notes(one)]
    write_table(rows, LESION_COLUMNS, output, overwrite=overwrite, notes=list(dict.fromkeys(told)))
    for line in dict.fromkeys(one.rule.sentence for one in found):
        say(line)
    say(f"{len(rows)} lesions written to {output}")


def _patients(study: str, patient: str | None) -> list[str]:
    """Give the patient named, or all that have marks."""
    from lesionmap.store import Study

    if patient is not None:
        return [patient]
    with Study.open(study) as opened:
        read = [who.id for who in opened.patients() if opened.readers(who.id)]
    if not read:
        raise LesionmapError(f"{study} has no marks yet; add some with 'lesionmap add' or in the window")
    return read


def compare(
    study: StudyPath, patient: PatientId, output: Out, reader: Reader = None, overwrite: Overwrite = False
) -> None:
    """Write the state of each lesion at each visit.

    CSV, XLSX, Parquet or JSON by the ending.
    """
    from lesionmap.write import comparison_columns, comparison_rows, notes, write_table

    found = _results(study, patient, reader)
    rows = comparison_rows(found)
    write_table(rows, comparison_columns(found), output, overwrite=overwrite, notes=notes(found))
    say(f"{len(rows)} tracks over {len(found.visits)} visits written to {output}")


def map_(
    study: StudyPath,
    patient: PatientId,
    output: Out,
    visit: OptionalVisit = None,
    reader: Reader = None,
    rule: Rule = "default",
    overwrite: Overwrite = False,
) -> None:
    """Draw the lesion map, one skeleton a visit.

    SVG, PNG or PDF by the ending.
    """
    from lesionmap.write import body_map, map_model

    found = _results(study, patient, reader, rule)
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
    rule: Rule = "default",
    overwrite: Overwrite = False,
) -> None:
    """Write a report: map, counts, comparison.

    HTML or PDF by the ending.
    """
    from lesionmap.write import write_report

    found = _results(study, patient, reader, rule)
    with busy("writing the report"):
        write_report(found, output, overwrite=overwrite)
    say(f"report written to {output}")


def export(
    study: StudyPath,
    patient: PatientId,
    visit: VisitKey,
    output: Out,
    nifti: Annotated[bool, typer.Option("--nifti", help="A label volume for each series that has masks.")] = False,
    reader: Reader = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the masks of a visit for other programs."""
    from lesionmap.evaluate import the_reader
    from lesionmap.store import Study
    from lesionmap.write import write_nifti_labels

    if not nifti:
        raise typer.BadParameter("say what to export: --nifti")
    with Study.open(study) as opened:
        stored = opened.visit(patient, visit)
        lesion_map = opened.lesion_map(patient, visit, the_reader(opened, patient, reader, visit))
    drawn = {x.series for lesion in lesion_map.lesions for x in lesion.extents if x.mask is not None}
    if not drawn:
        raise LesionmapError(f"visit {visit} has no mask to export; its lesions are marked by points or sites only")
    output.mkdir(parents=True, exist_ok=True)
    for series in (x for x in stored.series if x.name in drawn):
        path = output / f"{patient}_{visit}_{series.name.replace(' ', '-')}.nii.gz"
        image, sidecar = write_nifti_labels(lesion_map, series, path, overwrite=overwrite)
        say(f"{series.name}: {image} and {sidecar.name}")
