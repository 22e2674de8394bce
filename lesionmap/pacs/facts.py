"""What is asked of a PACS and what it answers, as frozen facts; and the Protocol that both ways to speak keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Contents", "FoundStudy", "Outgoing", "Pacs", "Query", "Retrieved", "Sent", "Take", "fitting", "found_study"]

Contents = Mapping[str, Mapping[str, str]]
"""The files of a study: Series Instance UID → SOP Instance UID → SOP Class UID (empty where the PACS does not say)."""

Take = Callable[[str, Callable[[BinaryIO], object]], bool]
"""Gets the SOP Instance UID of a file that came and what writes it; says False when no more is wanted."""

STUDY_KEYWORDS = (
    *("StudyInstanceUID", "StudyDate", "AccessionNumber", "ModalitiesInStudy", "StudyDescription"),
    *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "PatientID", "PatientName"),
)
"""What is asked of each study."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which studies are wanted: a patient, an accession number, days or one UID, all of them as far as they are given.

    Raises
    ------
    LesionmapError
        Without any of these, which would list the whole PACS, or with a wildcard, which would list more than one
        patient.
    """

    patient_id: str = field(default="", repr=False)
    """As the hospital writes it, whole."""
    accession: str = field(default="", repr=False)
    first_day: date | None = None
    last_day: date | None = None
    """None: open on that side."""
    modality: str = ""
    """MR, NM … Narrows the search, is none by itself."""
    study_uid: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not (self.patient_id or self.accession or self.first_day or self.last_day or self.study_uid):
            raise LesionmapError(
                "a patient ID, an accession number or days were expected, none came: that would list the whole PACS; "
                "say --patient, --accession or --date"
            )
        whole = {"patient ID": self.patient_id, "accession number": self.accession, "study UID": self.study_uid}
        for name, value in whole.items():
            if re.search(r"[*?\\\x00-\x1f]", value) or len(value) > 64:
                raise LesionmapError(
                    f"a whole {name} of at most 64 characters was expected, without * ? and \\; write it out"
                )
        if not re.fullmatch(r"[A-Z0-9]{0,16}", self.modality):
            raise LesionmapError(f"a modality such as MR or NM was expected, got {self.modality!r}")
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise LesionmapError(f"the days run backwards, from {self.first_day} to {self.last_day}; exchange them")

    def keys(self) -> dict[str, str]:
        """Give the DICOM keywords to match and their values; days as a DICOM range."""
        first, last = (x.strftime("%Y%m%d") if x else "" for x in (self.first_day, self.last_day))
        days = first if first == last else f"{first}-{last}"
        keys = {
            "PatientID": self.patient_id,
            "AccessionNumber": self.accession,
            "StudyDate": days,
            "ModalitiesInStudy": self.modality,
            "StudyInstanceUID": self.study_uid,
        }
        return {keyword: value for keyword, value in keys.items() if value}


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """One study of the PACS. What names the patient is not in its ``repr``."""

    study_uid: str
    date: date | None = None
    modalities: tuple[str, ...] = ()
    n_series: int | None = None
    """None where the PACS does not count."""
    n_files: int | None = None
    accession: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What came of a study."""

    folder: Path
    files: tuple[Path, ...]
    """All of the study that lie in the folder now, in the order of the PACS' list; some may have come earlier."""
    missing: tuple[str, ...] = field(default=(), repr=False)
    """SOP Instance UIDs of those that did not come."""
    why: tuple[str, ...] = ()
    """Reasons of the PACS or the network for what is missing."""
    stopped: bool = False
    """True where ``cancel`` asked for it."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A DICOM file to be sent, and what both sides must agree on before."""

    path: str
    sop_class: str
    syntax: str
    """Transfer Syntax UID."""
    uid: str = field(default="", repr=False)
    """SOP Instance UID."""
    study_uid: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one file."""

    path: str
    why: str = ""
    """Why it was refused; empty where the PACS took it."""
    listed: bool | None = None
    """Whether the PACS lists it afterwards: some say yes and discard, some file later. None: not known."""


class Pacs(Protocol):
    """A PACS, however it is spoken with. Every method raises LesionmapError with one line that says what to do."""

    def check(self) -> None:
        """Ask for a sign of life, by which a wrong address or a wrong password shows."""

    def find(self, query: Query) -> tuple[FoundStudy, ...]:
        """Give the studies that match, oldest first."""

    def contents(self, study_uid: str) -> Contents:
        """List the files of a study; empty where the PACS has no such study."""

    def fetch(self, study_uid: str, series_uid: str, classes: Sequence[str], take: Take) -> None:
        """Have a series sent and hand each file to ``take``, one by one, in the transfer syntax in which it is stored.

        ``classes`` are the SOP Classes of its files, as far as ``contents`` knows them.
        """

    def store(self, files: Sequence[Outgoing]) -> Iterator[Sent]:
        """Send files one by one, and say of each what became of it, in their order."""

    def close(self) -> None:
        """Let go of connections."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def found_study(values: Mapping[str, Any]) -> FoundStudy:
    """Make a FoundStudy of what a PACS says, by DICOM keyword; lists for what may have several values."""
    modalities = values.get("ModalitiesInStudy") or ()
    return FoundStudy(
        study_uid=str(values["StudyInstanceUID"]),
        date=_day(str(values.get("StudyDate") or "")),
        modalities=(modalities,) if isinstance(modalities, str) else tuple(sorted(map(str, modalities))),
        n_series=_count(values.get("NumberOfStudyRelatedSeries")),
        n_files=_count(values.get("NumberOfStudyRelatedInstances")),
        accession=str(values.get("AccessionNumber") or "").strip(),
        description=str(values.get("StudyDescription") or "").strip(),
        patient_id=str(values.get("PatientID") or "").strip(),
        patient_name=str(values.get("PatientName") or "").strip(),
    )


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written.replace(".", "")[:8])
    except ValueError:
        return None


def _count(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def fitting(query: Query, found: Iterator[FoundStudy]) -> tuple[FoundStudy, ...]:
    """Give the studies that were asked for, oldest first: a PACS that ignores a key answers with other patients too."""
    kept = {study.study_uid: study for study in found if _fits(query, study)}
    return tuple(sorted(kept.values(), key=lambda study: (study.date or date.min, study.study_uid)))


def _fits(query: Query, study: FoundStudy) -> bool:
    same = (
        not asked or asked.strip().casefold() == answered.casefold()
        for asked, answered in ((query.patient_id, study.patient_id), (query.accession, study.accession))
    )
    return (
        all(same)
        and (query.first_day is None or study.date is None or study.date >= query.first_day)
        and (query.last_day is None or study.date is None or study.date <= query.last_day)
        and (not query.modality or not study.modalities or query.modality in study.modalities)
    )
