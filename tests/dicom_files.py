"""DICOM files made for tests: volumes written slice by slice, bone-scan views, enhanced files."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds as ds_number

from lesionmap.read import dry_run_json, scan
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "MR",
    "NM",
    "grid",
    "noise",
    "read_entries",
    "same_world",
    "slice_dataset",
    "turned",
    "write_planar",
    "write_series",
]

MR = "1.2.840.10008.5.1.4.1.1.4"
NM = "1.2.840.10008.5.1.4.1.1.20"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"


def turned(x_deg: float, y_deg: float, z_deg: float) -> NDArray[np.float64]:
    """Rotation about x, then y, then z."""
    a, b, c = np.radians([x_deg, y_deg, z_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def grid(
    shape: tuple[int, int, int] = (5, 7, 11),
    *,
    spacing: tuple[float, float, float] = (1.5, 2.25, 4.0),
    origin: tuple[float, float, float] = (-31.0, 17.0, -140.0),
    directions: NDArray[np.float64] | None = None,
) -> Grid:
    """Make a coronal grid (columns to the left, rows to the feet, slices to the back), or another one."""
    coronal = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    matrix = np.eye(4)
    matrix[:3, :3] = (coronal if directions is None else directions) * np.array(spacing)
    matrix[:3, 3] = origin
    return Grid(shape, matrix)


def noise(where: Grid, seed: int = 3, most: int = 4000) -> Volume:
    """Make a volume of whole random numbers, each voxel another one than its neighbours."""
    array = np.random.default_rng(seed).integers(0, most, where.shape).astype(np.uint16)
    return Volume(array, where)


def slice_dataset(volume: Volume, k: int, tags: Mapping[str, Any]) -> FileDataset:
    """Make the classic MR image of slice ``k``; ``tags`` come over the rest, None removes one."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    matrix = volume.grid.lps_from_voxel
    spacing = volume.grid.spacing_mm
    plane = np.ascontiguousarray(volume.array[:, :, k].T)
    facts: dict[str, Any] = {
        "SOPClassUID": MR,
        "SOPInstanceUID": generate_uid(),
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "StudyDate": "20100504",
        "StudyInstanceUID": "1.2.3.4",
        "SeriesInstanceUID": "1.2.3.4.1",
        "FrameOfReferenceUID": "1.2.3.4.9",
        "PatientName": "Secret^Name",
        "PatientID": "SECRET-17",
        "PatientBirthDate": "20020405",
        "PatientSex": "M",
        "PatientSize": "1.34",
        "InstanceNumber": str(random.Random(k).randint(1, 10**6)),  # noqa: S311
        "ImagePositionPatient": [ds_number(x) for x in volume.grid.lps([0, 0, k])],
        "ImageOrientationPatient": [
            ds_number(x) for x in (*(matrix[:3, 0] / spacing[0]), *(matrix[:3, 1] / spacing[1]))
        ],
        "PixelSpacing": [ds_number(spacing[1]), ds_number(spacing[0])],
        "SliceThickness": ds_number(spacing[2]),
        "Rows": plane.shape[0],
        "Columns": plane.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": plane.dtype.itemsize * 8,
        "BitsStored": plane.dtype.itemsize * 8,
        "HighBit": plane.dtype.itemsize * 8 - 1,
        "PixelRepresentation": int(plane.dtype.kind == "i"),
    }
    for name, value in {**facts, **tags}.items():
        if value is not None:
            setattr(ds, name, value)
    ds.PixelData = plane.tobytes()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def write_series(
    folder: Path,
    volume: Volume,
    *,
    per_slice: Callable[[int], Mapping[str, Any]] | None = None,
    seed: int = 0,
    change: Callable[[FileDataset], object] | None = None,
    **tags: Any,
) -> list[Path]:
    """Write a volume as classic MR slices under random names without ending; give the paths in slice order.

    Parameters
    ----------
    folder : Path
        Made where missing.
    volume : Volume
        Of whole numbers.
    per_slice : callable, optional
        Tags of slice ``k``.
    seed : int
        Of the names.
    change : callable, optional
        Last word on each dataset before it is written (compression).
    **tags
        DICOM keywords of all slices; None removes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = list(range(volume.grid.shape[2]))
    random.Random(seed).shuffle(names)  # noqa: S311
    paths = []
    for k, name in enumerate(names):
        ds = slice_dataset(volume, k, {**tags, **(per_slice(k) if per_slice else {})})
        if change is not None:
            change(ds)
        path = folder / f"im{seed:02d}_{name:04d}"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_planar(
    path: Path, frames: NDArray[Any], *, detectors: list[dict[str, Any]] | None = None, **tags: Any
) -> Path:
    """Write a planar bone scan of shape (frames, rows, columns); a detector may have ``StartAngle`` and a ``view``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    where = Grid((frames.shape[2], frames.shape[1], 1), np.diag([2.4, 2.4, 1.0, 1.0]))
    ds = slice_dataset(Volume(frames[0].T[:, :, np.newaxis], where), 0, {})
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "SliceThickness"):
        delattr(ds, keyword)
    ds.SOPClassUID = NM
    ds.Modality = "NM"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    ds.NumberOfFrames = len(frames)
    ds.DetectorVector = list(range(1, len(frames) + 1))
    ds.DetectorInformationSequence = [_detector(facts) for facts in detectors or []]
    ds.PixelData = np.ascontiguousarray(frames).tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.save_as(path, enforce_file_format=True)
    return path


def _detector(facts: Mapping[str, Any]) -> Dataset:
    item = Dataset()
    item.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]  # equal in both views, as cameras write it
    for name, value in facts.items():
        if name == "view":
            code = Dataset()
            code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value
            item.ViewCodeSequence = [code]
        else:
            setattr(item, name, value)
    return item


def read_entries(*paths: Path) -> list[dict[str, Any]]:
    """Read files that are all good, as the entries of a dry run."""
    found = dry_run_json(scan(paths))
    assert found["refused"] == []
    return list(found["series"])


def same_world(a: Volume, b: Volume) -> None:
    """Every voxel of a is a voxel of b at the same millimetres with the same value."""
    index = np.argwhere(np.ones(a.grid.shape, dtype=bool))
    there = b.grid.voxels(a.grid.lps(index))
    assert np.abs(there - np.rint(there)).max() * max(b.grid.spacing_mm) < 0.01
    assert np.array_equal(a.array[tuple(index.T)], b.array[tuple(np.rint(there).astype(int).T)])
