"""Lesions drawn into the phantom's children by the published distribution, and small images around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.lesions import Mask
from lesionmap.phantom import Plan, acquire, tissues
from lesionmap.phantom.lesion import LesionShape, truth
from lesionmap.phantom.shapes import Blob, Frame, turned
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.phantom import Body

__all__ = ["PLACES", "dice", "drawn_lesion", "drawn_lesions", "image_around", "plain_image", "true_mask"]

# (bone, segment, weight): tubular bones as in Fritz 2009, the others by d'Angelo 2020 (shares of patients), roughly.
PLACES: tuple[tuple[str, str, float], ...] = (
    ("femur", "distal_metaphysis", 18), ("tibia", "proximal_metaphysis", 15), ("tibia", "distal_metaphysis", 13),
    ("fibula", "distal_metaphysis", 8), ("femur", "distal_epiphysis", 5), ("tibia", "proximal_epiphysis", 4),
    ("tibia", "diaphysis", 4), ("femur", "proximal_metaphysis", 6), ("humerus", "proximal_metaphysis", 5),
    ("radius", "distal_metaphysis", 3), ("ilium", "wing", 4), ("ilium", "acetabular", 4), ("pubis", "whole", 3),
    ("ischium", "whole", 3), ("sacrum", "sacroiliac", 6), ("vertebra_T5", "body", 3), ("vertebra_T8", "body", 4),
    ("vertebra_T11", "body", 3), ("vertebra_L2", "body", 3), ("vertebra_L4", "body", 2), ("clavicle", "medial", 7),
    ("calcaneus", "body", 4), ("talus", "whole", 3), ("sternum", "body", 2), ("scapula", "whole", 1),
)  # fmt: skip


def drawn_lesion(
    child: Body, place: tuple[str, str], name: str, rng: np.random.Generator, *, strength: float = 1.0
) -> LesionShape | None:
    """Draw a lumpy lesion in a segment of a bone; None where the phantom has no such segment."""
    bone, segment = place
    side = str(rng.choice(sorted({s.side for s in child.shapes if s.bone == bone})))
    points = child.sample_points(bone, side, 400, seed=int(rng.integers(1 << 30)))
    _, segments, _ = child.label(points)
    which, depth = child.nearest(points)
    ok = segments == segment
    if segment.endswith(("metaphysis", "epiphysis")):
        physes = [cut for s in child.shapes if s.bone == bone and s.side == side for cut, _ in s.physes]
        if physes:
            ok &= np.min([np.abs(cut.value(points)) for cut in physes], axis=0) < 13
    del which
    ok &= depth < np.quantile(depth[ok], 0.5) if ok.any() else False
    if not ok.any():
        return None
    centre = points[int(rng.choice(np.flatnonzero(ok)))]
    radius = rng.uniform(7.5, 13.0)
    axes = turned(*rng.uniform(-90, 90, 3).tolist())
    lumps = [Blob(Frame(centre, axes), radius * rng.uniform(0.75, 1.25, 3), 2.2)]
    beside = centre + axes @ (rng.uniform(-0.6, 0.6, 3) * radius)
    lumps.append(Blob(Frame(beside, axes), 0.7 * radius * rng.uniform(0.8, 1.2, 3)))
    site = f"{bone}.{segment}.{side}"
    return LesionShape(name, site, tuple(lumps), bone, side, float(rng.uniform(0.6, 1.4)), strength=strength)


def drawn_lesions(
    child: Body, n: int, seed: int, *, weakest: float = 1.0, least_ml: float = 0.0
) -> list[tuple[LesionShape, float, NDArray[np.float64]]]:
    """Draw ``n`` lesions, each in a bone of its own: (lesion, true ml, true centroid)."""
    rng = np.random.default_rng([71, seed])
    weight = np.array([w for *_, w in PLACES])
    found: list[tuple[LesionShape, float, NDArray[np.float64]]] = []
    for attempt in range(20 * n):
        bone, segment, _ = PLACES[int(rng.choice(len(PLACES), p=weight / weight.sum()))]
        lesion = drawn_lesion(
            child, (bone, segment), f"{bone} {attempt}", rng, strength=float(rng.uniform(weakest, 1.0))
        )
        if lesion is None or any((x.bone, x.side) == (lesion.bone, lesion.side) for x, *_ in found):
            continue
        ml, centre = truth(lesion, child, 0.8)
        if ml >= least_ml and np.isfinite(centre).all():
            found.append((lesion, ml, centre))
        if len(found) == n:
            break
    return found


def image_around(
    child: Body, lesions: list[LesionShape], centre: NDArray[np.float64], spacing_mm: tuple[float, float, float]
) -> Volume:
    """Scan a coronal block of 130 mm around a point."""
    counts = [int(130 / h) for h in spacing_mm]
    x, y, z = (centre - 65.0 + [0.4, 1.7, 0.9]).tolist()
    plan = Plan((x, y, z), (counts[0], counts[1], counts[2]), spacing_mm)
    (stack,) = acquire(tissues(child, plan.lattice(), lesions), plan, "STIR", 3)
    return Volume(stack.pixels.transpose(2, 1, 0), stack.grid)


def plain_image(
    child: Body, lesions: list[LesionShape], centre: NDArray[np.float64], spacing_mm: tuple[float, float, float]
) -> Volume:
    """Give a noisy coronal block of 110 mm around a point in which nothing but the lesions is bright; quick."""
    counts = [int(110 / h) for h in spacing_mm]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[spacing_mm[0], 0, 0], [0, 0, spacing_mm[1]], [0, -spacing_mm[2], 0]])
    matrix[:3, 3] = centre + [-55.4, -53.3, 54.1]
    grid = Grid((counts[0], counts[2], counts[1]), matrix)
    points = grid.lps(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1).reshape(-1, 3))
    array = np.full(len(points), 110.0)
    for lesion in lesions:
        share = np.clip(0.5 - lesion.distance(points, child) / np.mean(spacing_mm), 0, 1)
        array += share * (690.0 * lesion.strength - array)
    noise = np.random.default_rng(3).normal(0, 9, len(points))
    return Volume((array + noise).reshape(grid.shape).astype(np.float32), grid)


def true_mask(child: Body, lesion: LesionShape, volume: Volume) -> Mask:
    """Give the voxels of which at least half is lesion."""
    low, high = (np.asarray(corner) for corner in lesion.box)
    corners = volume.grid.voxels(np.array([low, high]))
    first = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    last = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, volume.grid.shape)
    axes = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    steps = [(np.arange(n) + 0.5) / n - 0.5 for n in (3, 3, 7)]
    offsets = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    share = np.mean([lesion.distance(volume.grid.lps(voxels + o), child) < 0 for o in offsets], axis=0)
    return Mask.of_voxels(voxels[share >= 0.5], volume.grid)


def dice(one: Mask, other: Mask) -> float:
    """Give the overlap of two masks of one grid, 0 to 1."""
    both = {tuple(v) for v in one.voxels().tolist()} & {tuple(v) for v in other.voxels().tolist()}
    return 2 * len(both) / (one.n_voxels + other.n_voxels)
