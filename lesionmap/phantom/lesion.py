"""The phantom's lesions: lumpy solids, cut by the bone or by a physis, and their true volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.raster import Lattice

if TYPE_CHECKING:
    from lesionmap.phantom.body import Body
    from lesionmap.phantom.shapes import Array, Blob, Cut

__all__ = ["LesionShape", "truth"]


@dataclass(frozen=True, slots=True, eq=False)
class LesionShape:
    """One lesion of one visit."""

    name: str
    """Which lesion, the same at every visit."""
    site: str
    lumps: tuple[Blob, ...]
    """It is their union …"""
    bone: str
    side: str
    inset_mm: float | None = 0.6
    """… kept inside the bone by so much; None: it may swell beyond the bone."""
    cuts: tuple[Cut, ...] = ()
    """… and only where all of these are negative."""
    strength: float = 1.0
    """1: as bright as an active lesion."""

    @property
    def box(self) -> tuple[Array, Array]:
        """Lowest and highest corner, LPS mm."""
        boxes = [lump.box for lump in self.lumps]
        return np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)

    def distance(self, points: Array, body: Body) -> Array:
        """Give the distance of points (n, 3), LPS mm, to its surface, negative inside."""
        best = np.min([lump.distance(points) for lump in self.lumps], axis=0)
        if self.inset_mm is not None:
            bone = np.full(len(points), 20.0)
            for shape in body.shapes:
                if shape.bone == self.bone and shape.side == self.side:
                    bone = np.minimum(bone, shape.distance(points))
            best = np.maximum(best, bone + self.inset_mm)
        for cut in self.cuts:
            best = np.maximum(best, cut.value(points))
        return np.asarray(best)


def truth(lesion: LesionShape, body: Body, step_mm: float = 0.4) -> tuple[float, Array]:
    """Give the true volume in ml and the centroid in LPS mm, from points every ``step_mm`` mm."""
    low, high = lesion.box
    lattice = Lattice.spanning(low - 1, high + 1, (step_mm,) * 3)
    points = lattice.points((slice(None),) * 3)
    inside = points[lesion.distance(points, body) < 0]
    return len(inside) * step_mm**3 / 1000.0, inside.mean(axis=0)
