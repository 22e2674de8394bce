"""Where things of a placed skeleton and of a mask are, in patient millimetres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import Group, bone_lines, known, locate, site

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.lesions import Mask
    from lesionmap.skeleton import Placement

__all__ = ["reach", "site_place"]


def reach(mask: Mask, patient_axis: int) -> float:
    """Give half of a mask's length along a patient axis (x, y, z = 0, 1, 2), mm."""
    along = np.abs(mask.grid.lps_from_voxel[patient_axis, :3]) * mask.box.shape
    return float(along.sum()) / 2


def site_place(placement: Placement, name: str) -> NDArray[np.float64] | None:
    """Give a point of a site, or of a group's first site: the middle of the part of the bone's line in it, LPS mm."""
    place = known(name)
    wanted = site(place.sites[0]) if isinstance(place, Group) else place
    sides = (wanted.side, "midline")
    line = next((line for bone, side, line in bone_lines(placement) if bone == wanted.bone and side in sides), None)
    if line is None:
        return None
    share = np.linspace(0, len(line) - 1, 60)
    points = np.stack([np.interp(share, np.arange(len(line)), line[:, axis]) for axis in range(3)], axis=1)
    inside = points[locate(points, placement).site == wanted.id]
    return np.asarray(inside.mean(axis=0) if len(inside) else points.mean(axis=0))
