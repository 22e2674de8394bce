"""Small DICOM and NIfTI folders for the tests of the command line, and the command line itself, run in this process."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LANDMARKS", "SHAPE", "Ran", "lesionmap", "mr_slices", "nifti", "write_landmarks"]

SHAPE = (24, 40, 8)
"""Columns, rows, slices of the images made here: coronal, 8 × 8 × 12 mm."""
SPACING_MM = (8.0, 8.0, 12.0)
FIRST_MM = (-92.0, -40.0, 40.0)
"""Centre of the first voxel: right, anterior, top."""
NAME = "Doe^Jane"
HOSPITAL_ID = "HOSPITAL-4711"

LANDMARKS = {
    "L5": (0.0, 20.0, -30.0),
    "hip_left": (70.0, 0.0, -100.0),
    "hip_right": (-70.0, 0.0, -100.0),
    "knee_left": (80.0, 0.0, -430.0),
    "ankle_left": (75.0, 10.0, -760.0),
}


@dataclass(frozen=True)
class Ran:
    """What one run of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of an error; no traceback, no second line, no personal data."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("lesionmap: ")
        assert "Jane" not in lines[0]
        assert HOSPITAL_ID not in lines[0]
        return lines[0]


def lesionmap(*arguments: object) -> Ran:
    """Run the command line in this process."""
    from lesionmap.cli import main

    out, err = io.StringIO(), io.StringIO()
    code = 0
    argv = ["lesionmap", *map(str, arguments)]
    with patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as leave:
            code = int(leave.code or 0)
        finally:
            logging.disable(logging.NOTSET)
    return Ran(code, out.getvalue(), err.getvalue())


def mr_slices(
    folder: Path, *, day: str = "20100504", birth: str = "20000101", top_mm: float = 0.0, **tags: Any
) -> list[Path]:
    """Write a coronal STIR of one child as single DICOM slices; ``tags`` replace attributes (None removes)."""
    folder.mkdir(parents=True, exist_ok=True)
    uid = f"1.2.826.{crc32(str(folder).encode())}"
    rng = np.random.default_rng(1)
    paths = []
    for k in range(SHAPE[2]):
        dataset = _slice(k, top_mm, f"{uid}.1")
        dataset.StudyInstanceUID = f"1.2.826.{day}"
        dataset.SOPInstanceUID = f"{uid}.2.{k + 1}"
        dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = day
        dataset.PatientBirthDate = birth
        for name, value in tags.items():
            if value is None:
                delattr(dataset, name)
            else:
                setattr(dataset, name, value)
        dataset.PixelData = rng.integers(20, 60, size=(SHAPE[1], SHAPE[0]), dtype=np.uint16).tobytes()
        paths.append(folder / f"{k:03d}.dcm")
        _save(dataset, paths[-1])
    return paths


def _slice(k: int, top_mm: float, series_uid: str) -> Any:
    from pydicom.dataset import Dataset
    from pydicom.uid import MRImageStorage

    dataset = Dataset()
    dataset.SOPClassUID = MRImageStorage
    dataset.Modality = "MR"
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = NAME, HOSPITAL_ID, "F"
    dataset.SeriesInstanceUID = series_uid
    dataset.FrameOfReferenceUID = "1.2.3.4"
    dataset.SeriesNumber, dataset.InstanceNumber = 3, k + 1
    dataset.SeriesDescription = "STIR cor"
    dataset.SequenceName, dataset.ScanningSequence, dataset.InversionTime = "tir", ["SE", "IR"], 160
    dataset.SequenceVariant, dataset.ScanOptions, dataset.MRAcquisitionType = "SK", "", "2D"
    dataset.EchoTime, dataset.RepetitionTime = 60, 4000
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.ImagePositionPatient = [FIRST_MM[0], FIRST_MM[1] + k * SPACING_MM[2], FIRST_MM[2] + top_mm]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    dataset.PixelSpacing, dataset.SliceThickness = [SPACING_MM[1], SPACING_MM[0]], SPACING_MM[2]
    dataset.Columns, dataset.Rows, dataset.SamplesPerPixel = SHAPE[0], SHAPE[1], 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    return dataset


def _save(dataset: Any, path: Path) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)


def nifti(path: Path, array: NDArray[Any], *, lps_from_voxel: NDArray[Any] | None = None) -> Path:
    """Write a NIfTI on the grid of the images made here (or another)."""
    import nibabel as nib

    if lps_from_voxel is None:
        lps_from_voxel = np.array(
            [
                [SPACING_MM[0], 0, 0, FIRST_MM[0]],
                [0, 0, SPACING_MM[2], FIRST_MM[1]],
                [0, -SPACING_MM[1], 0, FIRST_MM[2]],
                [0, 0, 0, 1],
            ]
        )
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, -1, 1, 1]) @ lps_from_voxel), path)
    return path


def write_landmarks(path: Path) -> Path:
    """Write the landmarks of a pelvis and a left leg."""
    rows = [f"{name},{x},{y},{z}" for name, (x, y, z) in LANDMARKS.items()]
    path.write_text("\n".join(["name,x_lps_mm,y_lps_mm,z_lps_mm", *rows]) + "\n", encoding="utf-8")
    return path
