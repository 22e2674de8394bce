"""Whole studies into a folder, whole folders to the PACS, whichever way it is spoken with."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, BinaryIO

from lesionmap.errors import LesionmapError
from lesionmap.pacs.facts import Outgoing, Query, Retrieved, Sent
from lesionmap.pacs.trouble import UnreachableError
from lesionmap.read.files import kind_of_file, open_file, unique, walk
from lesionmap.read.header import broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lesionmap.pacs.facts import Contents, Pacs

    Progress = Callable[[int, int], None]
    Cancel = Callable[[], bool]

__all__ = ["folder_of", "retrieve", "send"]


_IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "PatientID")
_OTHER_PATIENT = (
    "not sent: the PACS has this study under another patient ID than the file; export it with --identified, or get the "
    "study anew"
)


def folder_of(folder: str | Path, study_uid: str) -> Path:
    """Give the folder below ``folder`` that the files of a study go to; its name tells nothing of the patient."""
    return Path(folder) / sha256(study_uid.encode()).hexdigest()[:12]


def retrieve(
    pacs: Pacs,
    study_uid: str,
    folder: str | Path,
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Retrieved:
    """Bring a study into a folder of its own below ``folder``, file by file.

    Each file is written whole or not at all, under a name that tells nothing. Files that lie there already are not
    written again, and series that are whole are not asked for: what was interrupted goes on where it stopped.

    Parameters
    ----------
    pacs : Pacs
        From ``open_pacs``.
    study_uid : str
        Study Instance UID.
    folder : path-like
        Made where missing.
    progress : callable, optional
        Is told after each file how many there are and how many there will be.
    cancel : callable, optional
        Is asked after each file; when it says True nothing more is asked for.

    Returns
    -------
    Retrieved
        What is there and what is missing, with the reasons.

    Raises
    ------
    LesionmapError
        If the PACS cannot be reached, has no such study, or the folder cannot be written.
    """
    with _quiet():
        return _retrieve(pacs, study_uid, Path(folder), progress, cancel)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pydicom's warnings back: they repeat values of the header, which may name people."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _retrieve(pacs: Pacs, study_uid: str, folder: Path, progress: Progress | None, cancel: Cancel | None) -> Retrieved:
    contents = pacs.contents(study_uid)
    if not any(contents.values()):
        raise LesionmapError(
            "the PACS has no such study, or shows us none of it; look with 'lesionmap pacs find', and check the URL"
        )
    arrival = _Arrival(folder_of(folder, study_uid), contents, progress, cancel)
    why = []
    for series_uid, files in contents.items():
        if arrival.stopped or not arrival.lacks(files):
            continue
        try:
            pacs.fetch(study_uid, series_uid, [x for x in files.values() if x], arrival.take)
        except _UnwritableError:
            raise
        except UnreachableError as error:
            why.append(str(error))
            break
        except LesionmapError as error:
            why.append(str(error))
    return arrival.result(tuple(dict.fromkeys(why)))


class _Arrival:
    """The folder of a study, and what of it has come."""

    def __init__(self, folder: Path, contents: Contents, progress: Progress | None, cancel: Cancel | None) -> None:
        self._folder = folder
        self._wanted = [uid for files in contents.values() for uid in files]
        self._progress, self._cancel = progress, cancel
        self.stopped = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error
        self._have = {uid for uid in self._wanted if self._path(uid).is_file()}

    def _path(self, uid: str) -> Path:
        return self._folder / f"{sha256(uid.encode()).hexdigest()[:20]}.dcm"

    def lacks(self, files: Iterable[str]) -> bool:
        """Say whether one of these files is not there."""
        return not self._have.issuperset(files)

    def take(self, uid: str, write: Callable[[BinaryIO], object]) -> bool:
        """Write a file that came; False when no more is wanted."""
        if uid not in self._have:
            self._write(self._path(uid), write)
            self._have.add(uid)
            if uid not in self._wanted:  # stored there since the list was made
                self._wanted.append(uid)
        if self._progress is not None:
            self._progress(len(self._have), len(self._wanted))
        self.stopped = self._cancel is not None and self._cancel()
        return not self.stopped

    def _write(self, path: Path, write: Callable[[BinaryIO], object]) -> None:
        part = path.with_name(f".{token_hex(4)}.part")  # hidden: an import passes it over
        try:
            with part.open("wb") as file:
                write(file)
            part.replace(path)
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        finally:
            part.unlink(missing_ok=True)

    def result(self, why: tuple[str, ...]) -> Retrieved:
        """Sum up."""
        files = tuple(self._path(uid) for uid in self._wanted if uid in self._have)
        missing = tuple(uid for uid in self._wanted if uid not in self._have)
        return Retrieved(self._folder, files, missing, why if missing else (), self.stopped)


class _UnwritableError(LesionmapError):
    """The disk takes no more: no series is asked for any longer."""


def _unwritable(folder: Path, error: OSError) -> _UnwritableError:
    reason = error.strerror or type(error).__name__
    return _UnwritableError(f"{folder} cannot be written ({reason}); choose another --folder or free the disk")


def send(
    pacs: Pacs,
    paths: Iterable[str | Path],
    *,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> tuple[Sent, ...]:
    """Send DICOM files to a PACS, one by one.

    A file of a study that the PACS has under another patient ID is not sent: it would become a second patient there.

    Parameters
    ----------
    pacs : Pacs
        From ``open_pacs``.
    paths : iterable of path-like
        Files and folders (and zip archives); what is no DICOM in a folder is passed over.
    progress, cancel : callable, optional
        As in ``retrieve``.

    Returns
    -------
    tuple of Sent
        One for each file: accepted and listed afterwards, or refused with the reason. Files after a cancel are not
        among them.

    Raises
    ------
    LesionmapError
        If a path is not there, there is nothing to send, or the PACS cannot be reached at all.
    """
    with _quiet():
        return _send(pacs, paths, progress, cancel)


def _send(
    pacs: Pacs, paths: Iterable[str | Path], progress: Progress | None, cancel: Cancel | None
) -> tuple[Sent, ...]:
    going, results = _outgoing(paths)
    total = len(going) + len(results)
    if not total:
        raise LesionmapError("DICOM files were expected to be sent, these folders hold none; export some first")
    going, foreign = _parted(pacs, going)
    results += foreign
    try:
        for sent in pacs.store(going):
            results.append(sent)
            if progress is not None:
                progress(len(results), total)
            if cancel is not None and cancel():
                break
    except UnreachableError as error:
        if all(sent.why for sent in results):
            raise
        known = {sent.path for sent in results}
        results += [Sent(file.path, str(error)) for file in going if file.path not in known]
    return tuple(_looked_up(pacs, going, results))


def _parted(pacs: Pacs, going: Sequence[Outgoing]) -> tuple[list[Outgoing], list[Sent]]:
    """Part what belongs to the patient whose study it is in the PACS from what would be filed under another one."""
    owners: dict[str, str] = {}
    with suppress(LesionmapError):  # who may store may not always search
        for study_uid in {file.study_uid for file in going if file.study_uid}:
            owners.update((x.study_uid, x.patient_id) for x in pacs.find(Query(study_uid=study_uid)))
    same: list[Outgoing] = []
    foreign: list[Sent] = []
    for file in going:
        owner = owners.get(file.study_uid, "")
        if owner and owner.casefold() != file.patient_id.casefold():
            foreign.append(Sent(file.path, _OTHER_PATIENT))
        else:
            same.append(file)
    return same, foreign


def _looked_up(pacs: Pacs, going: Sequence[Outgoing], results: Sequence[Sent]) -> Iterator[Sent]:
    """Say of what was accepted whether the PACS lists it."""
    sent_as = {file.path: file for file in going}
    lists: dict[str, set[str] | None] = {}
    for sent in results:
        file = sent_as.get(sent.path)
        if sent.why or file is None:
            yield sent
            continue
        if file.study_uid not in lists:
            lists[file.study_uid] = _listed(pacs, file.study_uid)
        known = lists[file.study_uid]
        yield replace(sent, listed=None if known is None else file.uid in known)


def _listed(pacs: Pacs, study_uid: str) -> set[str] | None:
    """Give the files that the PACS lists of a study; None where it does not let us look."""
    try:
        return {uid for files in pacs.contents(study_uid).values() for uid in files}
    except LesionmapError:
        return None


def _outgoing(paths: Iterable[str | Path]) -> tuple[list[Outgoing], list[Sent]]:
    """Read what must be known of each file; refuse what is named and no DICOM, or lacks its identity."""
    going: list[Outgoing] = []
    refused: list[Sent] = []
    for given in unique(paths):
        itself = str(Path(given).expanduser().absolute())
        for path in walk(given):
            try:
                found = _identity(path)
            except LesionmapError as error:
                refused.append(Sent(path, str(error)))
                continue
            if found is not None:
                going.append(found)
            elif path == itself:
                refused.append(Sent(path, "a DICOM file was expected, this is none; export it as DICOM"))
    return going, refused


def _identity(path: str) -> Outgoing | None:
    """Read SOP Class and transfer syntax; None where the file is no DICOM."""
    from pydicom import dcmread

    with open_file(path) as file:
        kind = kind_of_file(path, file)
        if kind == "damaged" and not path.lower().endswith((".nii", ".nii.gz")):
            raise LesionmapError("a DICOM file was expected by its name, the file is none; export it again")
        if kind != "dicom":
            return None
        try:
            header = dcmread(file, stop_before_pixels=True, specific_tags=list(_IDENTITY))
            return Outgoing(
                path,
                str(header.SOPClassUID),
                str(header.file_meta.TransferSyntaxUID),
                str(header.SOPInstanceUID),
                str(header.get("StudyInstanceUID") or ""),
                str(header.get("PatientID") or "").strip(),
            )
        except broken() as error:
            raise LesionmapError(
                "a DICOM file with SOP Class, SOP Instance and transfer syntax was expected, it lacks one of them"
            ) from error
