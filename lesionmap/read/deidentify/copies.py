"""Copies: de-identified files, prepared out of sight and put in place together, or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.read.deidentify.dicom import dicom_copy
from lesionmap.read.deidentify.nifti import nifti_copy
from lesionmap.read.deidentify.places import Places
from lesionmap.read.nifti import is_nifti
from lesionmap.read.sidecar import sidecar_path
from lesionmap.read.stack import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lesionmap.read.deidentify.disguise import Disguise

__all__ = ["Copies", "check_apart", "copying"]


class Copies:
    """The copies that are being made below one folder."""

    def __init__(self, into: Path, stage: Path) -> None:
        self._into, self._stage = into, stage
        self._made: dict[str, Path] = {}
        self._places: dict[str, Places] = {}
        self.refused: list[Refused] = []
        """Originals that could not be copied, and why."""
        self.may_show: dict[str, str] = {}
        """Folder or file of a copy (relative): why there may be text burned into its pixels."""

    def add(self, visit: str, path: str, disguise: Disguise, age_y: float | None) -> None:
        """Prepare the copy of one file; one that cannot be read whole is refused.

        Parameters
        ----------
        visit : str
            Folder of the visit, relative: ``P001/2010-05-04``.
        path : str
            The original: DICOM or NIfTI.
        disguise : Disguise
            Of its patient.
        age_y : float, optional
            At the visit, years.
        """
        places = self._places_of(visit, disguise)
        try:
            if is_nifti(path):
                image = nifti_copy(path, disguise)
                place = f"{visit}/{places.nifti(image)}"
                self._write(place, image.content)
                if image.sidecar is not None:
                    self._write(sidecar_path(place), image.sidecar)
                return
            copy = dicom_copy(path, disguise, age_y)
        except LesionmapError as error:
            self.refused.append(Refused(path, str(error)))
            return
        place = f"{visit}/{places.dicom(copy)}"
        self._write(place, copy.content)
        if copy.may_show:
            self.may_show.setdefault(place.rpartition("/")[0], copy.may_show)

    def _places_of(self, visit: str, disguise: Disguise) -> Places:
        if visit not in self._places:
            self._places[visit] = Places(self._into / visit, disguise.patient_key)
        return self._places[visit]

    def _write(self, place: str, content: bytes) -> None:
        target = self._stage / place
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            stream.write(content)
            os.fsync(stream.fileno())
        self._made[place] = target

    def put(self, *, overwrite: bool = False) -> tuple[str, ...]:
        """Put all copies in place and give their paths (images only, in the order in which they came).

        Raises
        ------
        LesionmapError
            If another file lies where a copy belongs and ``overwrite`` is False; nothing is put in place then.
        """
        others = [place for place, made in self._made.items() if not _free_or_equal(self._into / place, made)]
        if others and not overwrite:
            raise LesionmapError(
                f"{len(others)} other files lie where copies belong, first {self._into / others[0]}; "
                "choose another folder or ask for it with --overwrite"
            )
        for place, made in self._made.items():
            target = self._into / place
            target.parent.mkdir(parents=True, exist_ok=True)
            made.replace(target)
        return tuple(str(self._into / place) for place in self._made if not place.endswith(".json"))


def _free_or_equal(target: Path, made: Path) -> bool:
    if not target.exists():
        return True
    return (
        target.is_file() and target.stat().st_size == made.stat().st_size and target.read_bytes() == made.read_bytes()
    )


def check_apart(into: str | Path, sources: Iterable[str | Path]) -> None:
    """Refuse a folder of copies that lies among the originals: copies would be read as originals next time.

    Raises
    ------
    LesionmapError
        If one lies in the other.
    """
    home = Path(into).expanduser().resolve()
    for source in sources:
        one = Path(source).expanduser().resolve()
        if one == home or one in home.parents or home in one.parents:
            raise LesionmapError(
                f"copies and originals were expected in different folders, {into} and {source} lie in each other; "
                "choose another folder for the copies"
            )


@contextmanager
def copying(into: str | Path) -> Iterator[Copies]:
    """Prepare copies below a folder; whatever was not put in place is gone when the block ends.

    Parameters
    ----------
    into : path-like
        Folder of the copies; made where missing.

    Raises
    ------
    LesionmapError
        If the folder cannot be written.
    """
    home = Path(into).expanduser().absolute()
    made = _made_folder(home)
    stage = home / f".copies-{token_hex(4)}"
    try:
        stage.mkdir()
        yield Copies(home, stage)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LesionmapError(f"copies cannot be written to {home} ({reason}); choose another folder") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        _remove_empty(made)


def _made_folder(home: Path) -> list[Path]:
    """Make the folder; give those that were missing, the innermost first."""
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LesionmapError(f"the folder {home} cannot be made ({reason}); choose another for the copies") from error
    return missing


def _remove_empty(made: list[Path]) -> None:
    """Take the folders that were made for nothing away again."""
    for folder in made:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
