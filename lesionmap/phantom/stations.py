"""From a noiseless body to what a scanner hands over: thick slices, stations, coils, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.raster import Lattice
from lesionmap.phantom.tissue import tissues
from lesionmap.space import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.phantom.body import Body
    from lesionmap.phantom.lesion import LesionShape
    from lesionmap.phantom.tissue import Contrast, Tissues

__all__ = ["Plan", "Stack", "acquire", "render"]

_PROFILE = np.array([0.21, 0.29, 0.29, 0.21], dtype=np.float32)  # a slice's sensitivity through its thickness


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where a series' slices lie, the stations still joined; coronal or sagittal, not tilted."""

    low_mm: tuple[float, float, float]
    """Centre of the voxel farthest to the right, to the front and to the feet, LPS mm."""
    counts: tuple[int, int, int]
    """Voxels along x, y, z."""
    spacing_mm: tuple[float, float, float]
    plane: str = "coronal"
    stations: int = 1
    overlap: int = 20
    """Rows that neighbouring stations share."""

    @property
    def through(self) -> int:
        """The axis through the slices: 1 (y) for coronal, 0 (x) for sagittal."""
        return 1 if self.plane == "coronal" else 0

    def lattice(self) -> Lattice:
        """Give the lattice to paint on: four layers a slice."""
        axes = []
        for axis, (low, n, h) in enumerate(zip(self.low_mm, self.counts, self.spacing_mm, strict=True)):
            fine = 4 if axis == self.through else 1
            axes.append(low + (np.arange(n * fine) - (fine - 1) / 2) * h / fine)
        return Lattice(*axes)

    def rows(self) -> list[tuple[int, int]]:
        """Give each station's rows, counted from the head, first and one after the last."""
        n, m = self.counts[2], self.stations
        tall = -(-(n + (m - 1) * self.overlap) // m)
        firsts = [round(i * (n - tall) / max(m - 1, 1)) for i in range(m)]
        return [(first, first + tall) for first in firsts]


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """One station as acquired."""

    number: int
    """From 1, head first."""
    plane: str
    pixels: NDArray[np.uint16]
    """Indexed [slice, row, column]."""
    grid: Grid
    """Of the pixels as [column, row, slice]."""


def _grid(plan: Plan, first: int, last: int) -> Grid:
    """Give the grid of rows ``first`` to ``last`` (counted from the head), as [column, row, slice]."""
    (x, y, z), (dx, dy, dz), (nx, ny, nz) = plan.low_mm, plan.spacing_mm, plan.counts
    top = z + (nz - 1 - first) * dz
    matrix = np.eye(4)
    if plan.plane == "coronal":  # columns to the left, rows to the feet, slices to the back
        matrix[:3, :3] = np.array([[dx, 0, 0], [0, 0, dy], [0, -dz, 0]])
        matrix[:3, 3] = (x, y, top)
        return Grid((nx, last - first, ny), matrix)
    # sagittal: columns to the back, rows to the feet, slices to the right
    matrix[:3, :3] = np.array([[0, 0, -dx], [dy, 0, 0], [0, -dz, 0]])
    matrix[:3, 3] = (x + (nx - 1) * dx, y, top)
    return Grid((ny, last - first, nx), matrix)


def _coil(shape: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Give the smooth sensitivity of a station's coils, 0.8 to 1.2, falling off at its ends."""
    k, r, c = (np.linspace(-1, 1, n) for n in shape)
    along = 1.06 - 0.16 * (r - rng.uniform(-0.2, 0.2)) ** 2
    across = 1 + rng.uniform(-0.08, 0.08) * c + 0.05 * c**2
    deep = 1 + rng.uniform(-0.07, 0.07) * k
    return np.asarray(deep[:, None, None] * along[None, :, None] * across[None, None, :])


def acquire(painted: Tissues, plan: Plan, contrast: Contrast, seed: int) -> list[Stack]:
    """Scan a body that was painted on ``plan.lattice()``.

    Parameters
    ----------
    painted : Tissues
    plan : Plan
    contrast : "STIR" or "T1"
    seed : int
        Of gains, coils and noise.
    """
    picture = painted.signal(contrast)
    nx, ny, nz = plan.counts
    if plan.plane == "coronal":
        sliced = np.einsum("xyjz,j->xyz", picture.reshape(nx, ny, 4, nz), _PROFILE)
        frames = sliced[:, :, ::-1].transpose(1, 2, 0)
    else:
        sliced = np.einsum("xjyz,j->xyz", picture.reshape(nx, 4, ny, nz), _PROFILE)
        frames = sliced[::-1, :, ::-1].transpose(0, 2, 1)
    stacks = []
    for number, (first, last) in enumerate(plan.rows(), start=1):
        rng = np.random.default_rng([seed, number, 0 if contrast == "STIR" else 1])
        clean = frames[:, first:last].astype(np.float64)
        gain = 0.5 * rng.uniform(0.82, 1.2)
        clean *= gain * _coil(clean.shape, rng)
        sigma = rng.uniform(1.2, 1.8)
        noisy = np.hypot(clean + sigma * rng.standard_normal(clean.shape), sigma * rng.standard_normal(clean.shape))
        pixels = np.minimum(np.rint(noisy), 4095).astype(np.uint16)
        stacks.append(Stack(number, plan.plane, pixels, _grid(plan, first, last)))
    return stacks


def render(
    child: Body, plan: Plan, contrast: Contrast = "STIR", lesions: Sequence[LesionShape] = (), *, seed: int = 0
) -> list[Stack]:
    """Paint a body with its lesions and scan it: the stacks of one series, station by station."""
    return acquire(tissues(child, plan.lattice(), lesions), plan, contrast, seed)
