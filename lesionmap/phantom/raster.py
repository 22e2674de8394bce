"""The phantom on a lattice: signed distances of solids, only where each solid is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lesionmap.phantom.shapes import Form, Shape

    Array = NDArray[np.float64]

__all__ = ["Lattice", "painted"]


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """An axis-parallel lattice of points, LPS mm."""

    x: Array
    y: Array
    z: Array

    @classmethod
    def spanning(cls, low: Array, high: Array, spacing_mm: Sequence[float]) -> Lattice:
        """Give the lattice that begins at ``low`` and does not pass ``high``."""
        return cls(*(np.arange(a, b + 1e-6, h) for a, b, h in zip(low, high, spacing_mm, strict=True)))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of points along x, y, z."""
        return len(self.x), len(self.y), len(self.z)

    def window(self, low: Array, high: Array) -> tuple[slice, slice, slice]:
        """Give the part of the lattice inside a box."""
        x, y, z = (
            slice(int(np.searchsorted(axis, a)), int(np.searchsorted(axis, b, side="right")))
            for axis, a, b in zip((self.x, self.y, self.z), low, high, strict=True)
        )
        return x, y, z

    def points(self, window: tuple[slice, slice, slice]) -> Array:
        """Give the points of a part, shape (n, 3)."""
        x, y, z = window
        grid = np.meshgrid(self.x[x], self.y[y], self.z[z], indexing="ij")
        return np.stack(grid, axis=-1).reshape(-1, 3)

    def distance(
        self, form: Form | Shape, box: tuple[Array, Array], margin_mm: float
    ) -> tuple[tuple[slice, slice, slice], Array, Array] | None:
        """Give window, points and distances (3-D) of a solid with a margin around it; None where it is outside."""
        window = self.window(box[0] - margin_mm, box[1] + margin_mm)
        if any(w.stop <= w.start for w in window):
            return None
        points = self.points(window)
        size = tuple(w.stop - w.start for w in window)
        return window, points, form.distance(points).reshape(size)


def painted(
    shapes: Sequence[Shape], lattice: Lattice, margin_mm: float = 0.0
) -> Iterator[tuple[int, tuple[slice, slice, slice], Array, Array]]:
    """Give, one solid after the other: its index, its part of the lattice, the points, their distances."""
    for i, shape in enumerate(shapes):
        found = lattice.distance(shape, shape.form.box, margin_mm)
        if found is not None:
            yield i, *found
