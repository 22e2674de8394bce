"""Whole-body MR volumes of the phantom's children, coarse and quick, each with the body that it shows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom import Plan, acquire, body, tissues
from lesionmap.read.blend import join
from lesionmap.read.stations import joined_grid
from lesionmap.space import Volume

if TYPE_CHECKING:
    from lesionmap.phantom import Body
    from lesionmap.phantom.tissue import Contrast

__all__ = ["COARSE", "Marks", "child_at", "errors_mm", "from_to", "scanned", "true_marks"]

Marks = dict[str, tuple[float, float, float]]
COARSE = (5.0, 8.0, 5.0)


def scanned(
    child: Body,
    contrast: Contrast = "STIR",
    *,
    spacing_mm: tuple[float, float, float] = COARSE,
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    seed: int = 0,
) -> Volume:
    """Scan a child in four coronal stations; ``shift_mm`` moves the slices, not the child."""
    marks = np.array(list(child.landmarks().values()))
    low = marks.min(axis=0) - [28.0, 22.0, 34.0] + shift_mm
    high = np.add(marks.max(axis=0), (28.0, 20.0, 26.0))
    high[1] = max(high[1], child.marks["T8"][1] + 62.0)
    counts = [int((b - a) / h) + 1 for a, b, h in zip(low, high, spacing_mm, strict=True)]
    x, y, z = low.tolist()
    plan = Plan((x, y, z), (counts[0], counts[1], counts[2]), spacing_mm, stations=4, overlap=6)
    stacks = acquire(tissues(child, plan.lattice()), plan, contrast, seed)
    volumes = [Volume(s.pixels.transpose(2, 1, 0), s.grid) for s in stacks]
    grid = joined_grid([v.grid for v in volumes])
    return Volume(join(volumes, grid), grid)


@cache
def child_at(age_y: float, pose: int) -> tuple[Body, Volume]:
    """Give one girl at an age in a pose, and her STIR, slices and table elsewhere each time."""
    child = body(age_y, "F", 7, pose=pose)
    return child, scanned(child, shift_mm=(1.7 * pose, 2.3, 5.1 * pose), seed=pose)


def from_to(volume: Volume, bottom_mm: float, top_mm: float) -> Volume:
    """Cut a coronal volume to what lies between two heights."""
    grid = volume.grid
    z = grid.lps(np.column_stack([np.zeros(grid.shape[1]), np.arange(grid.shape[1]), np.zeros(grid.shape[1])]))[:, 2]
    rows = np.flatnonzero((z >= bottom_mm) & (z <= top_mm))
    first, count = int(rows[0]), len(rows)
    return Volume(
        volume.array[:, first : first + count], grid.crop((0, first, 0), (grid.shape[0], count, grid.shape[2]))
    )


def true_marks(child: Body) -> Marks:
    """Give the 43 landmarks and all vertebrae."""
    return {**child.vertebrae(), **child.landmarks()}


def errors_mm(found: Marks, child: Body) -> dict[str, float]:
    """Give how far each of the 43 landmarks is from the truth."""
    return {n: float(np.linalg.norm(np.subtract(found[n], p))) for n, p in child.landmarks().items()}
