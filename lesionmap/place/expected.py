"""What a gamma camera is expected to see of a placed skeleton: the atlas painted with a child's uptake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import growth
from lesionmap.skeleton.coverage import site_of_ball
from lesionmap.skeleton.segments import coordinates
from lesionmap.skeleton.shape import pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.place.counts import Face
    from lesionmap.skeleton import Placement

    Array = NDArray[np.float64]

__all__ = ["expected", "uptake_of"]

# Uptake over soft tissue by bone, shafts and the rest: only how bones differ from one another matters (assumed).
_BONES = {
    "skull": 1.3, "mandible": 1.5, "sternum": 2.5, "rib": 1.7, "vertebra": 2.5, "sacrum": 2.5, "ilium": 2.3,
    "scapula": 2.0,
}  # fmt: skip
_SHAFT, _ELSE = 1.7, 2.2
_PLATE, _PLATE_MM = 5.0, 4.0  # how much hotter it is near an open growth plate, and how near (assumed)
_PER_MM = 0.0135  # attenuation of 140 keV in soft tissue, scatter included (assumed)


def uptake_of(placement: Placement) -> Array:
    """Give what each ball of ``pose(placement)`` sends out: uptake times volume.

    It is nearly the same for every placement of one child, so one that is being fitted need not ask again.
    """
    posed = pose(placement)
    names, index = np.unique(site_of_ball(placement).astype(str), return_inverse=True)
    level = np.array([_level(*name.split(".")[:2]) for name in names])[index]
    near = coordinates(posed.centres, np.arange(len(level)), placement).physis_mm < _PLATE_MM
    hotter = 1.0 + (_PLATE - 1.0) * growth.open_share(placement.age_y, placement.sex)
    return np.asarray(np.where(near, hotter, 1.0) * level * posed.radii**3)


def _level(bone: str, segment: str) -> float:
    return _BONES.get(bone.split("_", maxsplit=1)[0], _SHAFT if segment == "diaphysis" else _ELSE)


def expected(placement: Placement, uptake: Array, edges: tuple[Array, Array], face: Face) -> Array:
    """Give what is seen of the bones, not blurred, up to a factor; shape (columns, rows) of the cells between edges.

    Parameters
    ----------
    placement : Placement
    uptake : ndarray, shape (balls,)
        From ``uptake_of``.
    edges : ndarray, ndarray
        Of columns (x) and rows (z), LPS mm.
    face : "anterior" or "posterior"
        What lies deeper, seen from there, is seen less.
    """
    centres = pose(placement).centres
    depth = centres[:, 1] if face == "anterior" else -centres[:, 1]
    seen = uptake * np.exp(-_PER_MM * (depth - np.median(depth)))
    return np.asarray(np.histogram2d(centres[:, 0], centres[:, 2], bins=edges, weights=seen)[0])
