"""What the tests of the PACS share: studies of one's own in a PACS that all share, and files compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from keyring.backend import KeyringBackend
from pydicom import dcmread
from pydicom.uid import generate_uid

from dicom_files import grid, noise, write_series
from lesionmap.errors import LesionmapError
from lesionmap.pacs import open_pacs, send

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom import Dataset

    from lesionmap.pacs import Pacs
    from lesionmap.space import Volume

__all__ = ["NAME", "Drawer", "Stored", "body", "by_uid", "put", "said", "stored"]

NAME = "Müller^Zoë"


class Stored:
    """A study that was put into a PACS, and the files it was made of."""

    def __init__(self, folder: Path, *, patient_id: str, accession: str) -> None:
        self.folder = folder
        self.patient_id, self.accession = patient_id, accession
        self.study_uid = generate_uid(prefix=None)

    def add(self, name: str, volume: Volume | None = None, **tags: Any) -> list[Path]:
        """Write a series of the study."""
        facts = {
            "StudyInstanceUID": self.study_uid,
            "SeriesInstanceUID": generate_uid(prefix=None),
            "PatientID": self.patient_id,
            "PatientName": NAME,
            "SpecificCharacterSet": "ISO_IR 100",
            "AccessionNumber": self.accession,
            "StudyDescription": "Ganzkörper",
            "StudyID": "1",
            "StudyTime": "101010",
            "SeriesNumber": "3",
            "ReferringPhysicianName": "",
            "PositionReferenceIndicator": "",
        }
        return write_series(self.folder / name, volume or noise(grid()), **{**facts, **tags})

    def files(self) -> list[Path]:
        """List all files of the study."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def slices(self, name: str) -> list[Dataset]:
        """Read the slices of a series."""
        return [dcmread(path) for path in sorted((self.folder / name).iterdir())]


def stored(folder: Path, url: str, **volumes: Volume | None) -> Stored:
    """Put a study of a patient of its own into a PACS: by default one series of 11 slices."""
    uid = generate_uid(prefix=None)
    study = Stored(folder, patient_id=f"ID-{uid[-12:]}", accession=f"A{uid[-12:]}")
    for name, volume in (volumes or {"stir": None}).items():
        study.add(name, volume)
    put(url, study.folder)
    return study


def put(url: str, *paths: Path) -> None:
    """Send files that must be taken."""
    with open_pacs(url) as pacs:
        assert {(sent.why, sent.listed) for sent in send(pacs, paths)} == {("", True)}


def body(path: Path) -> bytes:
    """Give the bytes of the data set, without the meta information of the file."""
    from pynetdicom.dsutils import split_dataset

    return path.read_bytes()[split_dataset(path)[1] :]


def by_uid(paths: list[Path] | tuple[Path, ...]) -> dict[str, tuple[str, bytes]]:
    """Give transfer syntax and data set of each file by its SOP Instance UID."""
    found = {}
    for path in paths:
        header = dcmread(path, stop_before_pixels=True)
        found[str(header.SOPInstanceUID)] = (str(header.file_meta.TransferSyntaxUID), body(path))
    assert len(found) == len(paths)
    return found


def said(pacs: Pacs) -> str:
    """Give the line that a check fails with."""
    with pacs, pytest.raises(LesionmapError) as caught:
        pacs.check()
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Drawer(KeyringBackend):
    """A keyring that lasts as long as a test."""

    priority = 1.0

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]
