"""``import``, ``visit``, ``list``, ``view``: what a study holds."""

import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lesionmap.cli.common import (
    AsJson,
    OptionalPatient,
    Overwrite,
    PatientId,
    StudyPath,
    busy,
    open_study,
    put_json,
    say,
    there,
)
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from lesionmap.intake import CopyRequest
    from lesionmap.read import Refused, Scan, Told
    from lesionmap.store import Study
    from lesionmap.visits import Series, Visit

__all__ = ["import_", "list_", "view", "visit", "window"]

_View = Literal["anterior", "posterior", "anterior,posterior", "posterior,anterior"]


def import_(
    study: StudyPath,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM folders, files, zips; NIfTI files.")],
    patient: Annotated[str | None, typer.Option("--patient", help="Pseudonym; P001, P002 … where not given.")] = None,
    visit: Annotated[
        str | None, typer.Option("--visit", help="Date, where the files have none or a wrong one.")
    ] = None,
    pseudonyms: Annotated[
        Path | None,
        typer.Option("--pseudonyms", metavar="CSV", help="patient_id,pseudonym[,issuer]; it is not kept."),
    ] = None,
    deidentify: Annotated[
        Path | None,
        typer.Option("--deidentify", metavar="DIR", help="Write de-identified copies below DIR; the study has those."),
    ] = None,
    ages: Annotated[
        bool, typer.Option("--ages", help="With --deidentify: move all dates of a patient alike, keep the ages.")
    ] = False,
    overwrite: Overwrite = False,
    view: Annotated[
        _View | None, typer.Option("--view", help="Of bone scans that do not say; both in the order of the file.")
    ] = None,
    phase: Annotated[
        Literal["early", "late"] | None, typer.Option("--phase", help="Of all bone scans here that do not say.")
    ] = None,
    uptake: Annotated[
        float | None, typer.Option("--uptake", help="Minutes from injection to scan, where bone scans do not say.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is there; make and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read images into a study.

    The files stay where they are. Bad files beside good ones are listed, the rest is read.
    """
    from lesionmap.intake import CopyRequest, check_request, something_read
    from lesionmap.read import Told, dry_run_json
    from lesionmap.read.deidentify import check_apart
    from lesionmap.visits import visit_key_parts

    _check_options(patient, pseudonyms, deidentify, moved=ages, overwrite=overwrite)
    told = Told.of(view or "", phase, uptake)
    day = visit_key_parts(visit)[0] if visit else None
    with busy("reading headers"):
        found = _scanned(told, paths, day, kept=not (dry_run or deidentify))
    if dry_run:
        if as_json:
            put_json(dry_run_json(found))
        else:
            _tell_scan(found)
        something_read(found)
        return
    check_request(found, patient, visit)  # before a study is made
    names = _names(found, pseudonyms) if pseudonyms else {}
    if deidentify:
        check_apart(deidentify, paths)
    request = CopyRequest(deidentify or Path(), ages, overwrite, patient, visit, names)
    _report(_taken_in(study, found, request, told if deidentify else None), as_json=as_json)


def _check_options(
    patient: str | None, pseudonyms: Path | None, deidentify: Path | None, *, moved: bool, overwrite: bool
) -> None:
    if patient and pseudonyms:
        raise LesionmapError("--patient and --pseudonyms both name the patient; give one of them")
    if deidentify is None and (moved or overwrite):
        option = "--ages" if moved else "--overwrite"
        raise LesionmapError(f"{option} concerns copies: give the folder for them with --deidentify DIR")


def _scanned(told: "Told", paths: "Sequence[Path | str]", day: "date | None", *, kept: bool) -> "Scan":
    """Scan; what is to be kept in a study is hashed, and where stations overlap their pixels are looked at."""
    from lesionmap.read import scan

    return scan(paths, hashes=kept, overlaps=kept, visit_date=day, told=told)


def _names(found: "Scan", table: Path) -> dict[str, str]:
    from lesionmap.read.pseudonyms import names_of, read_pseudonyms

    return names_of(read_pseudonyms(there(table)), (one.patient_key for one in found.studies))


def _taken_in(study: str, found: "Scan", request: "CopyRequest", told: "Told | None") -> "_Imported":
    """Import what was found, by de-identified copies where ``told`` says how to read them."""
    from lesionmap.intake import take_in, take_in_copies

    with open_study(study, create=True) as opened, busy("importing"):
        if told is None:
            visits = take_in(opened, found, patient=request.patient, visit_key=request.visit_key, names=request.names)
            return _Imported(visits, found.refused)
        visits, copies = take_in_copies(
            opened, found, request, lambda paths, day: _scanned(told, paths, day, kept=True)
        )
    return _Imported(visits, (*found.refused, *copies.refused), str(request.folder), copies.may_show)


@dataclass(frozen=True, slots=True)
class _Imported:
    """What an import gave."""

    visits: "Sequence[Visit]"
    refused: "Sequence[Refused]"
    folder: str = ""
    """Of the copies; empty where there are none."""
    may_show: "Mapping[str, str]" = field(default_factory=dict)


def _report(done: _Imported, *, as_json: bool) -> None:
    if not as_json:
        _tell(done)
        return
    value: dict[str, Any] = {
        "visits": [{"patient": x.patient, "visit": x.key} for x in done.visits],
        "refused": [{"path": str(x.path), "why": x.why} for x in done.refused],
    }
    if done.folder:
        value["may_show_text"] = [{"path": place, "why": why} for place, why in done.may_show.items()]
    put_json(value)


def _tell(done: _Imported) -> None:
    for one in done.visits:
        say(f"{one.patient} {one.key}: {', '.join(series.name for series in one.series)}")
        for series in one.series:
            _tell_note(series)
    if done.folder:
        say(f"copies without the patient's data lie below {done.folder}; nothing was looked for in the pixels")
    for place, why in done.may_show.items():
        typer.echo(f"look at {place} before it is handed on: {why}", err=True)
    _tell_refused(done.refused)


def _tell_refused(refused: "Sequence[Refused]") -> None:
    """Tell each reason once, with the file, or with the number of files and the folder that they share."""
    paths: dict[str, list[str]] = {}
    for x in refused:
        paths.setdefault(x.why, []).append(x.path)
    for why, same in paths.items():
        folder = os.path.commonpath([Path(path).absolute().parent for path in same])
        where = same[0] if len(same) == 1 else f"{len(same)} files in {folder}"
        typer.echo(f"refused {where}: {why}", err=True)


def _tell_scan(found: "Scan") -> None:
    for one in found.studies:
        for series in one.visit.series:
            stations = f", {len(series.stations)} stations joined" if len(series.stations) > 1 else ""
            say(f"{one.visit.key} {series.name}: {_shape(series.grid.shape)}{stations}")
            _tell_note(series)
    _tell_refused(found.refused)


def _tell_note(series: "Series") -> None:
    """Say what was assumed; a bone scan that does not tell its view wants an answer, so that goes to stderr."""
    if series.note:
        typer.echo(f"  {series.name}: {series.note}", err=series.projection and not series.plane)


def _shape(shape: tuple[int, int, int]) -> str:
    return " × ".join(str(n) for n in shape)


def visit(
    study: StudyPath,
    patient: PatientId,
    day: Annotated[str, typer.Argument(metavar="DATE", help="ISO date.")],
    age: Annotated[float | None, typer.Option("--age", help="Years.")] = None,
    stature: Annotated[float | None, typer.Option("--stature", help="cm.")] = None,
) -> None:
    """Add a visit without images.

    The study and the patient are made where they are new.
    """
    from lesionmap.visits import Patient, Visit, age_at, visit_key_parts

    date, ordinal = visit_key_parts(day)
    if age is not None and not 0 <= age < 120:
        raise LesionmapError(f"an age is given in years, 0 to 120, got {age:g}")
    if stature is not None and not 30 <= stature <= 250:
        raise LesionmapError(f"a stature is given in cm, 30 to 250, got {stature:g}")
    new = Visit(patient, date, ordinal, age, stature)
    who = Patient(patient)
    with open_study(study, create=True) as opened:
        have = {x.id: x for x in opened.patients()}
        known = have.get(patient)
        if known is None:
            opened.add_patient(who)
        elif known.birth_date is not None:
            new = replace(new, age_y=age_at(date, known.birth_date))
        opened.add_visit(new, same_day="refuse")
    say(f"{patient} {new.key}: no images")


def list_(study: StudyPath, as_json: AsJson = False) -> None:
    """List patients, visits, series and readers of a study."""
    with open_study(study) as opened:
        patients: list[dict[str, Any]] = [
            {"patient": who.id, "sex": who.sex, "visits": visit_rows(opened, who.id)} for who in opened.patients()
        ]
    if as_json:
        put_json({"patients": patients})
        return
    for who in patients:
        say(f"{who['patient']}{' ' + str(who['sex']) if who['sex'] else ''}")
        for row in who["visits"]:
            _tell_visit(row)


def visit_rows(study: "Study", patient: str) -> list[dict[str, Any]]:
    """Give what a study holds of each visit of a patient, as plain values."""
    return [
        {
            "visit": one.key,
            "age_y": None if one.age_y is None else round(one.age_y, 2),
            "stature_cm": one.stature_cm,
            "placed": study.placement(patient, one.key) is not None,
            "series": [
                {
                    "name": series.name,
                    "modality": series.modality,
                    "sequence": series.sequence,
                    "plane": series.plane,
                    "shape": list(series.grid.shape),
                    "spacing_mm": [round(mm, 4) for mm in series.grid.spacing_mm],
                    "n_stations": len(series.stations),
                    "note": series.note,
                }
                for series in one.series
            ],
            "readers": [_reader_row(study, patient, one.key, reader) for reader in study.readers(patient, one.key)],
        }
        for one in study.visits(patient)
    ]


def _reader_row(study: "Study", patient: str, visit_key: str, reader: str) -> dict[str, Any]:
    from lesionmap.readers import why_hidden

    lesion_map = study.lesion_map(patient, visit_key, reader)
    hidden = bool(why_hidden(study, patient, visit_key, reader, None))
    return {
        "reader": reader,
        "n_lesions": None if hidden else len(lesion_map.lesions),
        "n_answers": None if hidden else len(lesion_map.answers),
        "signed": lesion_map.signed,
        "hidden": hidden,
    }


def _tell_visit(row: dict[str, Any]) -> None:
    age = "" if row["age_y"] is None else f", {row['age_y']:.1f} y"
    placed = ", skeleton placed" if row["placed"] else ""
    say(f"  {row['visit']}{age}{placed}")
    for series in row["series"]:
        say(f"    {series['name']}: {_shape(series['shape'])}")
    for reader in row["readers"]:
        signed = ", signed" if reader["signed"] else ""
        told = f"{reader['n_lesions']} lesions, {reader['n_answers']} answers"
        say(f"    read by {reader['reader']}: {'hidden (read blind)' if reader['hidden'] else told}{signed}")


def view(study: StudyPath, patient: OptionalPatient = None) -> None:
    """Open a study in napari."""
    with open_study(study) as opened:
        if patient is not None:
            opened.patient(patient)
    raise typer.Exit(window([study, *([patient] if patient else [])]))


def window(arguments: list[str]) -> int:
    """Run napari with the plugin as a child process, and give its exit code.

    Raises
    ------
    LesionmapError
        If the packages of the extra ``napari`` are missing.
    """
    missing = [name for name in ("napari", "PySide6") if find_spec(name) is None]
    if missing:
        raise LesionmapError(
            f"the window needs {' and '.join(missing)}, not installed here: pip install 'lesionmap[napari]'"
        )
    return subprocess.call([sys.executable, "-m", "napari_lesionmap", *arguments])  # noqa: S603
