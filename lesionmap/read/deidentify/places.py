"""Where the copies of one visit lie: ``series-03/0001.dcm``, ``image-01_stir_cor.nii.gz``; neutral, and stable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.read.files import open_file
from lesionmap.read.header import person, read_header

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.read.deidentify.dicom import Copy
    from lesionmap.read.deidentify.nifti import NiftiCopy

__all__ = ["Places"]


class Places:
    """The places of one visit: a copy that lies there already keeps its place, another one gets the next free one.

    Raises
    ------
    LesionmapError
        If copies of another patient lie there: another study names its patients P001 too.
    """

    def __init__(self, home: Path, patient_key: str) -> None:
        self._home = home
        self._patient_key = patient_key
        self._folder_of: dict[str, str] = {}
        self._place_of: dict[str, str] = {}
        self._taken: dict[str, int] = {}
        self._images: list[str] = []
        for path in sorted(home.glob("series-*/*.dcm")):
            self._take(path)
        self._images += sorted(path.name for path in home.glob("image-*.nii*"))

    def _take(self, path: Path) -> None:
        folder = path.parent.name
        try:
            with open_file(str(path)) as file:
                header = read_header(str(path), file)
        except LesionmapError:
            header = None
        if header is not None:
            if person(header.tags).key != self._patient_key:
                raise LesionmapError(
                    f"{self._home} was expected to be free, copies made for another study lie there; "
                    "choose another folder for the copies"
                )
            self._folder_of.setdefault(header.series_uid, folder)
            self._place_of[header.uid] = f"{folder}/{path.name}"
        number = int(path.stem) if path.stem.isdecimal() else 0
        self._taken[folder] = max(self._taken.get(folder, 0), number)

    def dicom(self, copy: Copy) -> str:
        """Give the place of a DICOM copy, relative to the visit's folder."""
        if copy.uid not in self._place_of:
            folder = self._folder_of.setdefault(copy.series_uid, self._free_folder(copy.series_number))
            self._taken[folder] = self._taken.get(folder, 0) + 1
            self._place_of[copy.uid] = f"{folder}/{self._taken[folder]:04d}.dcm"
        return self._place_of[copy.uid]

    def _free_folder(self, number: int) -> str:
        first = name = f"series-{max(number, 0):02d}"
        again = 1
        while name in self._taken:
            again += 1
            name = f"{first}-{again}"
        return name

    def nifti(self, copy: NiftiCopy) -> str:
        """Give the place of a NIfTI copy, relative to the visit's folder."""
        for name in self._images:
            there = self._home / name
            if there.is_file() and there.stat().st_size == len(copy.content) and there.read_bytes() == copy.content:
                return name
        numbers = [int(found.group(1)) for name in self._images if (found := re.match(r"image-(\d+)", name))]
        words = f"_{copy.words}" if copy.words else ""
        self._images.append(f"image-{max(numbers, default=0) + 1:02d}{words}{copy.ending}")
        return self._images[-1]
