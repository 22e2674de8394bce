"""``clinic``: treatments and observations of a patient."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionmap.cli.common import AsJson, PatientId, StudyPath, open_study, put_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from lesionmap.clinic import Observation, Treatment
    from lesionmap.store import Study

__all__ = ["clinic"]


def clinic(
    study: StudyPath,
    patient: PatientId,
    treatments: Annotated[Path | None, typer.Option("--treatments", help="CSV: drug,start,end.")] = None,
    observations: Annotated[
        Path | None, typer.Option("--observations", help="CSV: date,item,value; or date and a column for each item.")
    ] = None,
    items: Annotated[Path | None, typer.Option("--items", help="Further items of your own (TOML).")] = None,
    reader: Annotated[str, typer.Option("--reader", help="Who enters them.")] = "clinic",
    remove: Annotated[bool, typer.Option("--remove", help="Take the rows of these files away again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add what the clinic knows, or list it.

    The same rows again change nothing; another value, or another end, takes the place of the one before.
    """
    from lesionmap.intake import days_moved

    if (remove or items) and not (treatments or observations):
        raise typer.BadParameter("--remove and --items go with --treatments or --observations")
    with open_study(study) as opened:
        n_given = n_changed = 0
        if treatments or observations:
            facts = _read(opened, patient, treatments, observations, items)
            n_given, n_changed = len(facts), opened.save_clinic(patient, facts, reader, remove=remove)
        drugs, seen = opened.treatments(patient), opened.observations(patient)
        moved = bool(n_given and days_moved(opened, patient))
    if as_json:
        put_json(_plain(drugs, seen))
    elif n_given:
        done = "taken away" if remove else "new or changed"
        say(f"{n_changed} of {n_given} rows {done}; {patient} has {len(drugs)} treatments, {len(seen)} observations")
        if moved:
            say(f"the dates of {patient} in this study are moved; those of these rows moved alike")
    else:
        _tell(drugs, seen)


def _read(
    study: "Study", patient: str, treatments: Path | None, observations: Path | None, items: Path | None
) -> "list[Treatment | Observation]":
    """Read the files; days move as those of the patient's images did."""
    from lesionmap.clinic import clinic_items, items_from_file
    from lesionmap.intake import days_moved
    from lesionmap.read import read_observations, read_treatments

    known = {**clinic_items(), **(items_from_file(items) if items else {})}
    born, by = study.patient(patient).birth_date, timedelta(days=days_moved(study, patient))

    def moved(day: "date") -> "date":
        return day + by

    drugs = read_treatments(treatments, born=born) if treatments else ()
    seen = read_observations(observations, known, born=born) if observations else ()
    return [
        *(replace(one, start=moved(one.start), end=one.end and moved(one.end)) for one in drugs),
        *(replace(one, date=moved(one.date)) for one in seen),
    ]


def _plain(treatments: "Sequence[Treatment]", observations: "Sequence[Observation]") -> dict[str, object]:
    return {
        "treatments": [
            {"drug": one.drug, "start": one.start.isoformat(), "end": one.end.isoformat() if one.end else None}
            for one in treatments
        ],
        "observations": [{"date": one.date.isoformat(), "item": one.item, "value": one.value} for one in observations],
    }


def _tell(treatments: "Sequence[Treatment]", observations: "Sequence[Observation]") -> None:
    from lesionmap.clinic import value_words

    if not treatments and not observations:
        say("no treatments and no observations yet; add them with --treatments and --observations")
    for one in treatments:
        say(f"{one.drug}: {one.start.isoformat()} to {one.end.isoformat() if one.end else '…'}")
    for seen in observations:
        say(f"{seen.date.isoformat()} {seen.item}: {value_words(seen)}")
