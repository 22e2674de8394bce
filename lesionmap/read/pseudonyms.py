"""The table of pseudonyms that a hospital keeps: read for one import, never stored."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.read.rows import read_rows
from lesionmap.visits import Patient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["names_of", "read_pseudonyms"]

_NEEDED = ("patient_id", "pseudonym")


def read_pseudonyms(path: str | Path) -> dict[tuple[str, str], str]:
    """Read a CSV file with the columns ``patient_id,pseudonym`` and, where ids of several hospitals meet, ``issuer``.

    Returns
    -------
    dict
        (issuer, PatientID) → pseudonym; issuer empty where the file gives none.

    Raises
    ------
    LesionmapError
        If a column is missing, a cell empty, an id or a pseudonym there twice. The message never shows an id.
    """
    _check_columns(Path(path))
    table: dict[tuple[str, str], str] = {}
    line_of: dict[str, int] = {}
    for n, row in enumerate(read_rows(path, _NEEDED), start=1):
        who, name = (row.get("issuer", ""), row["patient_id"]), row["pseudonym"]
        if not (who[1] and name):
            raise LesionmapError(f"{path}: an id and a pseudonym were expected in row {n}, one is empty; fill it in")
        if name in line_of:
            raise LesionmapError(
                f"{path}: a pseudonym for each patient was expected, rows {line_of[name]} and {n} have the same; "
                "give another one"
            )
        if who in table:
            raise LesionmapError(f"{path}: each patient was expected once, row {n} has one again; remove a row")
        Patient(name)
        table[who], line_of[name] = name, n
    return table


def _check_columns(path: Path) -> None:
    """Refuse a file without its heading before anything else shows its first line, which may be a patient's."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = next((line for line in csv.reader(stream) if any(line)), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return  # read_rows says why, without the content
    missing = [name for name in _NEEDED if name not in {cell.strip().casefold() for cell in first}]
    if missing:
        raise LesionmapError(
            f"{path}: columns {','.join(_NEEDED)} (and issuer where needed) were expected in the first line, "
            f"{', '.join(missing)} missing; write the heading, and separate the cells by commas"
        )


def names_of(table: Mapping[tuple[str, str], str], keys: Iterable[str]) -> dict[str, str]:
    """Find the pseudonym of each patient of an import.

    Parameters
    ----------
    table : mapping
        From ``read_pseudonyms``. A row without issuer stands for that id of any one issuer.
    keys : iterable of str
        Issuer and Patient ID, as ``ScannedVisit.patient_key`` has them; empty ones (files that name nobody) are
        left out.

    Raises
    ------
    LesionmapError
        If patients are not in the table (how many, never which), or one row fits patients of two issuers.
    """
    wanted = sorted({key for key in keys if key})
    names = {key: name for key in wanted if (name := _name(table, key))}
    missing = len(wanted) - len(names)
    if missing:
        who = "1 patient of these files is" if missing == 1 else f"{missing} patients of these files are"
        raise LesionmapError(f"{who} not in the table of pseudonyms ({len(wanted)} in all); add them to it")
    if len(set(names.values())) < len(names):
        raise LesionmapError(
            "patients of two issuers have the same id in these files and one row in the table of pseudonyms; "
            "add a column issuer to it"
        )
    return names


def _name(table: Mapping[tuple[str, str], str], key: str) -> str:
    issuer, _, identity = key.partition("\n")
    return table.get((issuer, identity)) or table.get(("", identity), "")
