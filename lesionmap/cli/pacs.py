"""``pacs find|get|send|check|login``: studies from the hospital's archive, and results back into it."""

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lesionmap.cli.common import AsJson, StudyPath, busy, put_json, say
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from lesionmap.pacs import FoundStudy, Pacs, Query, Retrieved

__all__ = ["app", "check", "days", "find", "get", "login", "send"]

app = typer.Typer(
    help="Find studies in the PACS, get one into a study, send results back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Url = Annotated[
    str,
    typer.Argument(metavar="URL", help="https://host/dicom-web, or dicom://[CALLING@]CALLED@host:port (dicoms://)."),
]
PatientKey = Annotated[str, typer.Option("--patient", help="Patient ID, as the hospital writes it.")]
Accession = Annotated[str, typer.Option("--accession", help="Accession number.")]
Days = Annotated[str, typer.Option("--date", help="Day of the study, FROM-TO, FROM- or -TO; 2010-05-04 or 20100504.")]
Modality = Annotated[str, typer.Option("--modality", help="MR, NM …; narrows the search.")]
Ca = Annotated[Path | None, typer.Option("--ca", help="Certificates (PEM) to trust in place of the system's.")]
Cert = Annotated[Path | None, typer.Option("--cert", help="Own certificate and key (PEM), where the PACS wants one.")]

_DAY = r"\d{4}-?\d{2}-?\d{2}"


@app.command("find")
def find(
    url: Url,
    patient: PatientKey = "",
    accession: Accession = "",
    day: Days = "",
    modality: Modality = "",
    names: Annotated[bool, typer.Option("--names", help="Show name and ID of the patient and the title too.")] = False,
    ca: Ca = None,
    cert: Cert = None,
    as_json: AsJson = False,
) -> None:
    """List the studies of a patient, an accession number or of days.

    Without any of these nothing is asked.
    """
    from lesionmap.pacs import open_pacs

    query = _query(patient, accession, day, modality)
    with busy("asking the PACS"), open_pacs(url, ca=ca, cert=cert) as pacs:
        found = pacs.find(query)
    if as_json:
        put_json({"studies": [_row(study, names=names) for study in found]})
        return
    for study in found:
        say(_line(study, names=names))
    if not found:
        typer.echo("lesionmap: no study of the PACS matches", err=True)


@app.command("get")
def get(
    url: Url,
    study: StudyPath,
    study_uid: Annotated[str, typer.Option("--study-uid", help="As 'find' shows it.")] = "",
    patient: PatientKey = "",
    accession: Accession = "",
    day: Days = "",
    modality: Modality = "",
    folder: Annotated[Path | None, typer.Option("--folder", help="For the files; else STUDY.images.")] = None,
    pseudonym: Annotated[str | None, typer.Option("--as", help="Pseudonym; P001, P002 … where not given.")] = None,
    ca: Ca = None,
    cert: Cert = None,
) -> None:
    """Retrieve a study from the PACS and import it as a visit.

    What was interrupted goes on where it stopped when the same is said again.
    """
    from lesionmap.cli.studies import import_
    from lesionmap.pacs import open_pacs
    from lesionmap.visits import Patient

    if bool(study_uid) == any((patient, accession, day, modality)):
        raise typer.BadParameter("one of --study-uid, --accession and --patient (with --date) is needed")
    query = None if study_uid else _query(patient, accession, day, modality)
    if pseudonym is not None:
        Patient(pseudonym)  # before anything is asked for
    target = _folder(study, folder)
    with open_pacs(url, ca=ca, cert=cert) as pacs:
        found = _retrieved(pacs, study_uid if query is None else _only_one(pacs, query), target)
    say(f"{len(found.files)} files in {found.folder}")
    import_(study, [found.folder], patient=pseudonym)


@app.command("send")
def send(
    url: Url,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="DICOM files (SEG, SR, images) or folders.")],
    ca: Ca = None,
    cert: Cert = None,
) -> None:
    """Send DICOM files to the PACS.

    Files that it refuses are listed with the reason, the others are sent.
    """
    from lesionmap.pacs import open_pacs
    from lesionmap.pacs import send as send_all

    with open_pacs(url, ca=ca, cert=cert) as pacs, busy("sending") as tell:
        results = send_all(pacs, files, progress=tell)
    refused = [sent for sent in results if sent.why]
    for sent in refused:
        typer.echo(f"refused {sent.path}: {sent.why}", err=True)
    unlisted = sum(sent.listed is False for sent in results)
    if unlisted:
        typer.echo(
            f"lesionmap: warning: the PACS accepted {unlisted} files that it does not list; look again in a while with "
            "'lesionmap pacs find'",
            err=True,
        )
    say(f"{len(results) - len(refused)} of {len(results)} files accepted")
    if refused:
        raise typer.Exit(1)


@app.command("check")
def check(url: Url, ca: Ca = None, cert: Cert = None) -> None:
    """Say whether the PACS answers and lets us in."""
    from lesionmap.pacs import open_pacs

    with busy("asking the PACS"), open_pacs(url, ca=ca, cert=cert) as pacs:
        pacs.check()
    say("the PACS answers")


@app.command("login")
def login(
    url: Url,
    user: Annotated[str, typer.Option("--user", help="User name; asked for where not given.")] = "",
    token: Annotated[bool, typer.Option("--token", help="Store a token in place of user and password.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Remove what is stored for this URL.")] = False,
    ca: Ca = None,
    cert: Cert = None,
) -> None:
    """Store user and password of a DICOMweb service in the system's keyring, once the PACS took them.

    What is typed is not shown. LESIONMAP_PACS_USER and _PASSWORD, or _TOKEN, go before what is stored.
    """
    from lesionmap import pacs as core
    from lesionmap.pacs.access import Credentials, address_for_keyring

    if forget:
        say("removed from the keyring" if core.forget(url) else "the keyring holds nothing for this URL")
        return
    address_for_keyring(url)  # before a password is typed
    if token:
        credentials = Credentials(token=typer.prompt("Token", hide_input=True))
    else:
        name = user or typer.prompt("User")
        credentials = Credentials(name, typer.prompt("Password", hide_input=True))
    with busy("asking the PACS"), core.open_pacs(url, ca=ca, cert=cert, credentials=credentials) as pacs:
        pacs.check()
    core.remember(url, credentials)
    say("stored in the system's keyring")


def days(written: str) -> tuple[date | None, date | None]:
    """Read a day, or the first and the last of several; None where they are open.

    Examples
    --------
    >>> days("20100504-2010-12-31")
    (datetime.date(2010, 5, 4), datetime.date(2010, 12, 31))
    """
    parts = re.fullmatch(rf"({_DAY})?(?:(-)({_DAY})?)?", written)
    if parts is None:
        raise LesionmapError(f"--date takes 2010-05-04, or FROM-TO such as 20100101-20101231, got {written!r}")
    first, last = (_day(part) if part else None for part in (parts[1], parts[3]))
    return (first, last) if parts[2] else (first, first)


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise LesionmapError(f"a day of the calendar such as 2010-05-04 was expected, got {written!r}") from error


def _query(patient: str, accession: str, day: str, modality: str) -> "Query":
    from lesionmap.pacs import Query

    first, last = days(day) if day else (None, None)
    return Query(patient.strip(), accession.strip(), first, last, modality.strip().upper())


def _row(study: "FoundStudy", *, names: bool) -> dict[str, Any]:
    """Give a study as plain values; what names the patient only where it was asked for."""
    row: dict[str, Any] = {
        "study_uid": study.study_uid,
        "date": study.date.isoformat() if study.date else None,
        "modalities": list(study.modalities),
        "n_series": study.n_series,
        "n_files": study.n_files,
        "accession": study.accession or None,
    }
    if names:
        row |= {
            "patient_id": study.patient_id or None,
            "patient_name": study.patient_name or None,
            "description": study.description or None,
        }
    return row


def _line(study: "FoundStudy", *, names: bool) -> str:
    day = study.date.isoformat() if study.date else "no date   "
    n_files = "" if study.n_files is None else f"{study.n_files} files"
    n_series = "" if study.n_series is None else f"{study.n_series} series"
    parts = ["+".join(study.modalities), n_series, n_files, study.accession and f"accession {study.accession}"]
    if names:
        parts += [study.patient_name, study.patient_id and f"ID {study.patient_id}", study.description]
    return f"{day} {', '.join(part for part in parts if part)}: {study.study_uid}"


def _folder(study: str, folder: Path | None) -> Path:
    if folder is not None:
        return folder
    if "://" in study:
        raise typer.BadParameter("a study in a database has no folder beside it; say --folder")
    return Path(f"{study}.images")


def _only_one(pacs: "Pacs", query: "Query") -> str:
    """Give the UID of the one study that matches."""
    with busy("asking the PACS"):
        found = pacs.find(query)
    if not found:
        raise LesionmapError("no study of the PACS matches; look with 'lesionmap pacs find'")
    if len(found) > 1:
        raise LesionmapError(
            f"one study was expected, {len(found)} match; list them with 'lesionmap pacs find' and name one with "
            "--study-uid, or narrow the search with --date and --modality"
        )
    return found[0].study_uid


def _retrieved(pacs: "Pacs", study_uid: str, folder: Path) -> "Retrieved":
    """Have the files of a study; an unfinished one is not imported, since slices would be missing."""
    from lesionmap.pacs import retrieve

    try:
        with busy("retrieving") as tell:
            found = retrieve(pacs, study_uid, folder, progress=tell)
    except KeyboardInterrupt:
        raise LesionmapError("stopped; what came is kept, say the same again to get the rest") from None
    if found.missing:
        raise LesionmapError(
            f"{len(found.files)} files came into {found.folder}, {len(found.missing)} are missing: "
            f"{'; '.join(found.why) or 'the PACS did not send them'}; say the same again to get the rest, or import "
            "what came with 'lesionmap import'"
        )
    return found
