"""Series of DICOM files with masks on them, and DICOM Segmentations as other programs read them."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import dicom_files as df
from lesionmap.lesions import Extent, Lesion, LesionMap, Mask
from lesionmap.read import scan
from lesionmap.read.stations import joined_grid
from lesionmap.space import Grid
from lesionmap.visits import Patient, Series, Visit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lesionmap.visits import Station

__all__ = [
    "DAY",
    "PATIENT",
    "SITES",
    "boxed",
    "by_dcmqi",
    "by_highdicom",
    "lesion",
    "map_of",
    "row",
    "same_points",
    "series_of",
    "station",
    "visit_of",
]

DAY = "2010-05-04"
PATIENT = Patient("P001", "F", date(2002, 4, 5))
SITES = ("tibia.distal_metaphysis.left", "vertebra_T7.body.midline", "pubis.whole.right", "ankle.left")
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
