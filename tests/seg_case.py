"""Series of DICOM files with masks on them, and DICOM Segmentations as other programs read them."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np
from pydicom import dcmread
from pydicom.sr.codedict import codes

import dicom_files as df
from lesionmap import mark
from lesionmap.lesions import Extent, Lesion, LesionMap, Mask
from lesionmap.read import read_seg, scan
from lesionmap.read.stations import joined_grid
from lesionmap.space import Grid
from lesionmap.visits import Patient, Series, Visit
from lesionmap.write import segmentations, write_segs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from lesionmap.visits import Station

__all__ = [
    "DAY",
    "PATIENT",
    "SITES",
    "TILTED",
    "back",
    "boxed",
    "by_dcmqi",
    "by_highdicom",
    "drawn",
    "femur_series",
    "foreign",
    "lesion",
    "map_of",
    "points_of",
    "row",
    "same_points",
    "series_of",
    "station",
    "truth",
    "visit_of",
    "written",
]

DAY = "2010-05-04"
PATIENT = Patient("P001", "F", date(2002, 4, 5))
SITES = ("tibia.distal_metaphysis.left", "vertebra_T7.body.midline", "pubis.whole.right", "ankle.left")
TILTED = df.turned(8, -13, 21) @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
"""Coronal, turned about all three axes."""
_WHAT = (codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Lesion, "MANUAL")
_ORIGINAL = {"PatientPosition": "HFS", "ReferringPhysicianName": "Refer^Doctor", "InstitutionName": "St. Elsewhere"}


def station(folder: Path, grid: Grid, **tags: Any) -> Station:
    """Write a station as DICOM slices, and read it as an import does."""
    df.write_series(folder, df.noise(grid), **{**_ORIGINAL, **tags})
    (stack,) = scan([folder]).stacks
    return stack.station


def series_of(stations: Sequence[Station], name: str = "STIR coronal") -> Series:
    """Join stations to a Series."""
    grid = joined_grid([one.grid for one in stations])
    return Series(name, grid, "MR", "STIR", "coronal", tuple(stations), study_uid="1.2.3.4")


def row(folder: Path, grid: Grid, steps: Iterable[float], *, one_series: bool = False, **tags: Any) -> Series:
    """Write stations one beside the other along the rows' axis, each so many voxels from the first, and join them."""
    made = []
    for n, step in enumerate(steps):
        matrix = grid.lps_from_voxel.copy()
        matrix[:3, 3] = grid.lps([0, step, 0])
        uid = "1.2.3.4.1" if one_series else f"1.2.3.4.1.{n}"
        where = Grid(grid.shape, matrix)
        made.append(station(folder / f"s{n}", where, **{"SeriesInstanceUID": uid, "seed": n, **tags}))
    return series_of(made)


def visit_of(*series: Series) -> Visit:
    """Make the visit of those Series."""
    return Visit("P001", date.fromisoformat(DAY), 1, 8.1, series=series)


def lesion(number: int, *extents: Extent, site: str = "", tracks: Sequence[str] | None = None) -> Lesion:
    """Make a lesion of that number on a track of its own."""
    uids = (f"2.25.{1000 + number}",) if tracks is None else tuple(tracks)
    return Lesion(f"L{number}", (site or SITES[number % len(SITES)],), "definite", uids, tuple(extents))


def map_of(*lesions: Lesion, reader: str = "anna") -> LesionMap:
    """Make a map."""
    return LesionMap("P001", DAY, reader, lesions)


def boxed(grid: Grid, low: Sequence[int], high: Sequence[int]) -> Mask:
    """Make the mask of a box of voxels without one corner, so that no flip goes unseen."""
    ranges = [np.arange(a, b) for a, b in zip(low, high, strict=True)]
    voxels = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    return Mask.of_voxels(voxels[1:] if len(voxels) > 1 else voxels, grid)


def same_points(one: NDArray[np.float64], other: NDArray[np.float64], within_mm: float = 0.01) -> bool:
    """Say whether two lists of points are the same ones in any order, each once."""
    if len(one) != len(other):
        return False
    far = np.linalg.norm(one[:, None] - other[None], axis=2)
    return bool((far.min(axis=0) < within_mm).all() and (far.min(axis=1) < within_mm).all())


def by_highdicom(path: Path, number: int) -> NDArray[np.float64]:
    """Give the LPS mm of a segment as highdicom places it."""
    from highdicom.seg import segread

    volume = segread(path).get_volume(segment_numbers=[number], combine_segments=True, relabel=True)
    voxels = np.argwhere(np.asarray(volume.array))
    affine = np.asarray(volume.affine)
    return np.asarray(voxels @ affine[:3, :3].T + affine[:3, 3])


def by_dcmqi(path: Path, folder: Path) -> dict[int, NDArray[np.float64]]:
    """Give the LPS mm of each segment as dcmqi's segimage2itkimage places it."""
    import SimpleITK

    folder.mkdir()
    program = Path(sys.executable).with_name("segimage2itkimage")
    arguments = ["--inputDICOM", str(path), "--outputDirectory", str(folder), "--outputType", "nrrd"]
    ran = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[int, list[NDArray[np.float64]]] = {}
    for file in folder.glob("*.nrrd"):
        image = SimpleITK.ReadImage(str(file))
        array = SimpleITK.GetArrayFromImage(image).T
        for number in np.unique(array[array > 0]).tolist():
            points = [image.TransformIndexToPhysicalPoint([int(i) for i in v]) for v in np.argwhere(array == number)]
            found.setdefault(int(number), []).append(np.array(points))
    return {number: np.concatenate(parts) for number, parts in found.items()}


def femur_series(folder: Path) -> Series:
    """Make two tilted stations of 13 × 22 × 9 that overlap by two rows and show the middle of the left femur.

    A slice has 286 voxels, no multiple of 8.
    """
    middle = df.grid((13, 22, 9), spacing=(1.5, 2.25, 4.0), directions=TILTED, origin=(0, 0, 0)).lps([6, 20, 4])
    x, y, z = (np.array([74.0, 2.0, -265.0]) - middle).tolist()
    return row(folder, df.grid((13, 22, 9), spacing=(1.5, 2.25, 4.0), directions=TILTED, origin=(x, y, z)), [0, 20])


def foreign(
    path: Path,
    series: Series,
    array: NDArray[Any],
    *,
    station: int = 0,
    kind: str = "BINARY",
    tracks: Sequence[str] = (),
    change: Callable[[Dataset], object] | None = None,
) -> Path:
    """Write a Segmentation as highdicom's users do: array (slices, rows, columns) of numbers, on one station."""
    files = series.stations[station].files
    numbers = range(1, max(int(np.ceil(array.max())), len(tracks)) + 1)
    described = [
        hd.seg.SegmentDescription(
            n,
            f"thing {n}",
            *_WHAT,
            tracking_id=f"T{n}" if tracks else None,
            tracking_uid=tracks[n - 1] if tracks else None,
            anatomic_regions=[codes.SCT.Femur],
        )
        for n in numbers
    ]
    images = [dcmread(file.path) for file in files]
    for image in images:
        for keyword in ("StudyID", "AccessionNumber", "StudyTime", "ReferringPhysicianName"):
            setattr(image, keyword, "")
    uids = {"series_instance_uid": hd.UID(), "sop_instance_uid": hd.UID()}
    made = hd.seg.Segmentation(
        images,
        array,
        kind,
        described,
        series_number=2,
        instance_number=1,
        manufacturer="m",
        manufacturer_model_name="m",
        software_versions="1",
        device_serial_number="1",
        **uids,
    )
    if change is not None:
        change(made)
    made.save_as(path)
    return path


def drawn(*boxes: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Draw a box of 3 × 4 × 2 voxels from each corner (slice, row, column), numbered from 1."""
    array = np.zeros((9, 22, 13), dtype=np.uint8)
    for number, (k, j, i) in enumerate(boxes, start=1):
        array[k : k + 2, j : j + 4, i : i + 3] = number
    return array


def truth(series: Series, array: NDArray[Any], number: int, station: int = 0) -> NDArray[np.float64]:
    """Give the LPS mm of the voxels of that number in an array (slices, rows, columns) on a station."""
    return series.stations[station].grid.lps(np.argwhere(array.transpose(2, 1, 0) == number))


def written(
    folder: Path, visit: Visit, lesion_map: LesionMap, *, labelmap: bool = False, identified: bool = False
) -> tuple[Path, ...]:
    """Write the Segmentations of a map into a folder, made where missing."""
    folder.mkdir(exist_ok=True)
    return write_segs(segmentations(PATIENT, visit, lesion_map, labelmap=labelmap, identified=identified), folder)


def points_of(paths: Iterable[Path]) -> NDArray[np.float64]:
    """Give the points of all segments of some files, those that lie twice once."""
    found = [one.mask.lps_mm() for path in paths for segment in read_seg(path).segments for one in segment.masks]
    return np.unique(np.concatenate(found).round(2) + 0.0, axis=0)


def back(visit: Visit, paths: Iterable[Path]) -> LesionMap:
    """Take the lesions of Segmentations onto an empty map; no skeleton is placed."""
    return mark.add_segs(map_of(), visit, None, [read_seg(path) for path in paths])
