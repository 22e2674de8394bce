"""A small study for the window's tests: two visits of one child as NIfTI, with bright spots at known sites.

The spots lie where the placed skeleton has the sites, so that the tests of the window do not depend on the sample
patient; whether the skeleton fits a body that is not the atlas is tested with the sample patient.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from lesionmap import annotate
from lesionmap.evaluate import place_visit
from lesionmap.intake import take_in
from lesionmap.lesions import Extent, Mask
from lesionmap.read import pixels, scan
from lesionmap.skeleton import place
from lesionmap.space import Grid
from lesionmap.store import Study
from lesionmap.visits import Patient
from napari_lesionmap.places import site_place

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionmap.lesions import LesionMap
    from lesionmap.skeleton import Placement

__all__ = ["EARLIER", "LANDMARKS", "LATER", "READER", "SITES", "make_study", "spot", "stored"]

EARLIER, LATER = "2008-03-02", "2010-05-04"
READER = "anna"
SITES = {
    EARLIER: ("clavicle.medial.left", "femur.distal_metaphysis.right"),
    LATER: ("clavicle.medial.left", "tibia.distal_metaphysis.left"),
}
LANDMARKS = {
    "vertex": (2.0, 6.0, 214.0),
    "C7": (0.0, 24.0, 0.0),
    "S1": (-1.0, 20.0, -410.0),
    "shoulder_left": (138.0, 10.0, -38.0),
    "shoulder_right": (-136.0, 12.0, -41.0),
    "hip_left": (72.0, 2.0, -497.0),
    "hip_right": (-70.0, 5.0, -500.0),
    "knee_left": (81.0, 3.0, -858.0),
    "knee_right": (-83.0, 0.0, -861.0),
    "ankle_left": (84.0, 12.0, -1186.0),
    "ankle_right": (-78.0, 10.0, -1189.0),
}
# Columns to the left, rows to the feet, slices to the back: a coronal series, unequal in all three axes.
_GRID = Grid((150, 500, 24), np.array([[3.0, 0, 0, -226], [0, 0, 6.0, -62], [0, -3.0, 0, 240], [0, 0, 0, 1.0]]))
_RADIUS_MM = 11.0


def spot(placement: Placement, site: str) -> tuple[float, float, float]:
    """Give the middle of a bright spot, LPS mm."""
    point = site_place(placement, site)
    assert point is not None
    x, y, z = point.tolist()
    return x, y, z


def _image(placement: Placement, visit: str) -> NDArray[np.float32]:
    rng = np.random.default_rng(len(visit) + int(visit[:4]))
    array = rng.normal(120, 9, _GRID.shape).astype(np.float32)
    voxels = np.moveaxis(np.indices(_GRID.shape), 0, -1)
    for site in SITES[visit]:
        away = np.linalg.norm(_GRID.lps(voxels) - spot(placement, site), axis=-1)
        inside = away < _RADIUS_MM
        array[inside] += 700 - 22 * away[inside].astype(np.float32)  # brighter in the middle: an outline can be chosen
    return array


def _save(array: NDArray[np.float32], path: Path) -> None:
    import nibabel as nib

    nib.save(nib.Nifti1Image(array, np.diag([-1.0, -1, 1, 1]) @ _GRID.lps_from_voxel), path)


def make_study(folder: Path) -> Path:
    """Make the study: the earlier visit read by anna (both spots marked), the later one placed but not read."""
    placement = place(LANDMARKS, age_y=10.0, sex="M")
    path = folder / "small.lesionmap"
    with Study.open(path, create=True) as study:
        study.add_patient(Patient("P001", "M", date(2000, 1, 15)))
        for visit in (EARLIER, LATER):
            image = folder / f"STIR_coronal_{visit}.nii"
            _save(_image(placement, visit), image)
            take_in(study, scan([image]), patient="P001", visit_key=visit)
            stored = study.visit("P001", visit)
            study.save_placement("P001", visit, place_visit(study.patient("P001"), stored, LANDMARKS), READER)
        series = study.visit("P001", EARLIER).series[0]
        old = new = study.lesion_map("P001", EARLIER, READER)
        volume = pixels(series)
        for site in SITES[EARLIER]:
            away = np.linalg.norm(_GRID.lps(np.argwhere(volume.array > 500)) - spot(placement, site), axis=-1)
            mask = Mask.of_voxels(np.argwhere(volume.array > 500)[away < 3 * _RADIUS_MM], series.grid)
            new = annotate.add_lesion(new, sites=(site,), extents=(Extent(series.name, mask),))
        study.save(old, new)
    return path


def stored(path: Path, visit: str = LATER) -> LesionMap:
    """Give the lesion map of a visit as it is in the file now."""
    with Study.open(path) as study:
        return study.lesion_map("P001", visit, READER)
