"""What a planar view is expected to show, its strengths fitted to the view itself: bones, growth plates, soft tissue.

The atlas is painted as the camera blurs it, one pattern for each kind of bone (left and right share one strength), one
for each growth plate, and the body's outline for the rest. How strong each is, the counts say (least squares, none
below 0; what is far hotter than expected has little weight). No norm is used: a plate may be as hot as it is, but left
and right differ by 20 % at most, for the mirrored plate is the only norm that a scan has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lesionmap.skeleton import growth
from lesionmap.skeleton.coverage import site_of_ball
from lesionmap.skeleton.limits import LONG, physis_planes
from lesionmap.skeleton.seen import ATTENUATION_PER_MM
from lesionmap.skeleton.shape import pose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.seen import Face
    from lesionmap.space import Volume

    Array = NDArray[np.float64]
    Indices = NDArray[np.int_]
    _Plate = tuple[str, str, tuple[str, str], Array, Array, float]

__all__ = ["Fitted", "fitted"]

_BLUR_MM = 4.0  # of the camera, at the depth of bones (assumed)
_EDGE_MM = 6.0  # of soft tissue's pattern
_BODY_MM, _BODY, _TRACER = 5.0, 0.25, 0.02  # body: smoothed counts over so much of the median of what has tracer
_THICK_MM = 60.0  # so far from its edge a body grows no thicker (assumed)
_SIDES = 1.2  # a plate over its like of the other side, at most (asked of the phantom; assumed of children)
_LATE_Y = 2.0  # a plate that closed in the last years still is hot (assumed)
_ALIGN_MM, _ALIGN_SD_MM = 9.0, 8.0  # a plate is looked for so far from its place in the atlas
_MODEL = 0.2  # error of the model, share of the counts (assumed)
_FLOOR = 0.3  # of the median: noise of what is nearly empty must not count most
_OUTLIER = 0.6  # what is hotter by such a share weighs less
_ROUNDS = 3
_DISC_STEPS = 14
# Centre, sides and corners of each ball, as shares of its radius: a ball painted as one point is lumpy.
_IN_BALL = np.array([[x, 0.0, z] for x in (-0.55, 0.0, 0.55) for z in (-0.55, 0.0, 0.55)])
_KINDS = {
    "ischium": "pubis", "calcaneus": "hindfoot", "talus": "hindfoot", "navicular": "hindfoot", "cuboid": "hindfoot",
    "sternum": "rib.0",
}  # fmt: skip
_HOTTER = {"sacroiliac": 1.4, "sternum": 1.5}  # than the rest of its kind, by segment or bone (assumed)
_LIMBS = {
    "humerus": 2, "radius": 3, "ulna": 3, "carpals": 3, "metacarpal": 3, "finger": 3, "femur": 4, "patella": 4,
    "tibia": 5, "fibula": 5, "hindfoot": 5, "cuneiform": 5, "metatarsal": 5, "toe": 5,
}  # fmt: skip
_HEAD = ("skull", "mandible")


class _Pattern(NamedTuple):
    """Where something is seen, and how brightly: its brightest pixel is 1."""

    cells: Indices
    """Into the flat picture."""
    values: Array


class _Canvas(NamedTuple):
    """A view to paint on."""

    view: Volume
    counts: Array
    """Shape (columns, rows)."""
    body: NDArray[np.bool_]
    level: float
    """Median counts a pixel where there is tracer."""

    def smooth(self, picture: Array, mm: float) -> Array:
        """Blur a picture by so many mm (standard deviation)."""
        from scipy.ndimage import gaussian_filter

        return np.asarray(gaussian_filter(picture, [mm / one for one in self.view.grid.spacing_mm[:2]]))


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A view and what is expected of it."""

    counts: Array
    """As acquired, shape (columns, rows)."""
    expected: Array
    """Counts, as the fit explains them; 0 outside the body."""
    body: NDArray[np.bool_]
    level: float
    """Median counts a pixel where there is tracer."""


def fitted(view: Volume, placement: Placement, face: Face) -> Fitted:
    """Fit what the atlas expects to a view.

    Parameters
    ----------
    view : Volume
        A projection of counts.
    placement : Placement
        Of the scan.
    face : "anterior" or "posterior"
        What lies deeper, seen from there, is seen less.
    """
    canvas = _canvas(view)
    rows = np.flatnonzero(canvas.body.ravel())
    fixed = _matrix([*_bones(canvas, placement, face), *_soft(canvas, placement)], canvas, rows)
    plates = _plates(placement)
    tied = _tied([(bone, side, pair[0]) for bone, side, pair, *_ in plates])
    drawn = [_disc(canvas, at, normal, radius) for *_, at, normal, radius in plates]
    found = drawn
    counts = canvas.counts.ravel()[rows]
    spread = canvas.smooth(canvas.counts, _BLUR_MM).ravel()[rows]
    variance = spread + _FLOOR * canvas.level + (_MODEL * spread) ** 2
    weights = 1.0 / variance
    expected = np.zeros(canvas.counts.shape)
    for round_ in range(_ROUNDS):
        painted = _matrix(found, canvas, rows)
        strength = _strengths(fixed, painted @ tied, weights, counts)
        base, each = fixed @ strength[: fixed.shape[1]], tied @ strength[fixed.shape[1] :]
        expected = _picture(base + painted @ each, rows, canvas)
        if round_ < _ROUNDS - 1:
            over = canvas.smooth(canvas.counts - expected, _BODY_MM) / (
                canvas.smooth(expected, _BODY_MM) + _FLOOR * canvas.level
            )
            weights = (_OUTLIER / np.maximum(over.ravel()[rows], _OUTLIER)) ** 2 / variance
            inverse = _picture(1.0 / variance, rows, canvas)
            rest = (canvas.counts - expected).ravel()
            found = [
                _aligned(drawn[n], _with(rest, one, float(each[n])), inverse, canvas) for n, one in enumerate(found)
            ]
    return Fitted(canvas.counts, expected, canvas.body, canvas.level)


def _canvas(view: Volume) -> _Canvas:
    counts = np.maximum(np.asarray(view.array[:, :, 0], dtype=np.float64), 0.0)
    empty = _Canvas(view, counts, np.zeros(counts.shape, dtype=bool), 0.0)
    whole = empty.smooth(counts, _BODY_MM)
    level = float(np.median(whole[whole > _TRACER * whole.max()])) if whole.max() > 0 else 0.0
    return empty._replace(body=whole > _BODY * level, level=level)


def _picture(values: Array, rows: Indices, canvas: _Canvas) -> Array:
    flat = np.zeros(canvas.counts.size)
    flat[rows] = values
    return flat.reshape(canvas.counts.shape)


def _matrix(patterns: Sequence[_Pattern], canvas: _Canvas, rows: Indices) -> csr_matrix:
    """Give the patterns as columns, a row for each pixel of the body."""
    from scipy.sparse import csr_matrix

    if not patterns:
        return csr_matrix((len(rows), 0))
    column = np.repeat(np.arange(len(patterns)), [len(one.cells) for one in patterns])
    cells, values = (np.concatenate(both) for both in zip(*patterns, strict=True))
    return csr_matrix((values, (cells, column)), shape=(canvas.counts.size, len(patterns)))[rows]


def _painted(canvas: _Canvas, points: Array, weights: Array) -> _Pattern:
    """Paint points, (n, 3) LPS mm, as the camera blurs them; nothing of what lies outside the view."""
    from scipy.ndimage import gaussian_filter

    none = _Pattern(np.empty(0, dtype=int), np.empty(0))
    shape, sigma = np.array(canvas.counts.shape), _BLUR_MM / np.array(canvas.view.grid.spacing_mm[:2])
    flat = points * [1.0, 0.0, 1.0] + [0.0, canvas.view.grid.lps_from_voxel[1, 3], 0.0]
    cells = np.rint(canvas.view.grid.voxels(flat)[:, :2]).astype(int)
    inside = ((cells >= 0) & (cells < shape)).all(axis=1)
    if not inside.any():
        return none
    cells, pad = cells[inside], np.ceil(3 * sigma).astype(int) + 1
    low, high = np.maximum(cells.min(axis=0) - pad, 0), np.minimum(cells.max(axis=0) + pad + 1, shape)
    picture = np.zeros(high - low)
    np.add.at(picture, tuple((cells - low).T), weights[inside])
    picture = gaussian_filter(picture, sigma, mode="constant")
    first, second = np.nonzero(picture > 1e-3 * picture.max())
    where = np.ravel_multi_index((first + low[0], second + low[1]), canvas.counts.shape)
    return _Pattern(where, picture[first, second] / picture.max())


def _kind(site: str) -> str:
    """Name the pattern that a site is part of, of many bones: so no lesion makes its own norm."""
    bone, segment, _ = site.split(".")
    family, _, number = bone.partition("_")
    if bone in LONG:
        return f"{bone}.{segment.rpartition('_')[2]}"  # its two metaphyses are alike
    if family == "vertebra":
        return f"{family}_{number[0]}.{segment}"
    return f"rib.{(int(number) - 1) // 4}" if family == "rib" else _KINDS.get(family, family)


def _bones(canvas: _Canvas, placement: Placement, face: Face) -> list[_Pattern]:
    """Paint each kind of bone."""
    posed = pose(placement)
    sites, site = np.unique(site_of_ball(placement).astype(str), return_inverse=True)
    kinds, kind = np.unique([_kind(name) for name in sites], return_inverse=True)
    hotter = np.array([max(_HOTTER.get(part, 1.0) for part in name.split(".")[:2]) for name in sites])
    depth = posed.centres[:, 1] * (1.0 if face == "anterior" else -1.0)
    seen = hotter[site] * posed.radii**3 * np.exp(-ATTENUATION_PER_MM * (depth - np.median(depth)))
    points = posed.centres[:, None] + posed.radii[:, None, None] * _IN_BALL
    found = []
    for number in range(len(kinds)):
        mine = kind[site] == number
        found.append(_painted(canvas, points[mine].reshape(-1, 3), np.repeat(seen[mine], len(_IN_BALL))))
    return [one for one in found if len(one.cells)]


def _soft(canvas: _Canvas, placement: Placement) -> list[_Pattern]:
    """Paint the body's outline by region, once flat and once thicker towards its middle."""
    from scipy.ndimage import distance_transform_edt

    posed, shape = pose(placement), np.array(canvas.counts.shape)
    sites, site = np.unique(site_of_ball(placement).astype(str), return_inverse=True)
    region = np.array([_region(name) for name in sites])[site]
    flat = posed.centres * [1.0, 0.0, 1.0] + [0.0, canvas.view.grid.lps_from_voxel[1, 3], 0.0]
    cells = np.rint(canvas.view.grid.voxels(flat)[:, :2]).astype(int)
    inside = ((cells >= 0) & (cells < shape)).all(axis=1)
    near = np.full(canvas.counts.shape, -1)
    near[tuple(cells[inside].T)] = region[inside]
    nearest = distance_transform_edt(near < 0, return_distances=False, return_indices=True)
    near = near[tuple(nearest)]
    deep = distance_transform_edt(canvas.body, sampling=canvas.view.grid.spacing_mm[:2])
    found = []
    for number in np.unique(near).tolist():
        for thick in (np.ones(canvas.counts.shape), np.minimum(deep, _THICK_MM) / _THICK_MM):
            picture = canvas.smooth(np.where(canvas.body & (near == number), thick, 0.0), _EDGE_MM).ravel()
            where = np.flatnonzero(picture > 1e-3)
            found.append(_Pattern(where, picture[where]))
    return [one for one in found if len(one.cells)]


def _region(site: str) -> int:
    """Give the number of the part of the body that a site lies in: head, trunk, four parts of each side's limbs."""
    bone, _, side = site.split(".")
    family = bone.partition("_")[0]
    if family in _HEAD:
        return 0
    limb = _LIMBS.get(_KINDS.get(family, family), 0)
    return 2 * limb + (side == "right") if limb else 1


def _plates(placement: Placement) -> list[_Plate]:
    """Give bone, side, segments, point, normal and radius of the plates that are open or have just closed."""
    younger = replace(placement, age_y=max(placement.age_y - _LATE_Y, 0.0))
    if growth.open_share(younger.age_y, placement.sex) <= 0:
        return []
    found = {}
    for child in (younger, placement):  # those of today last: they replace the others
        for bone, side, pair, at, normal, radius in physis_planes(child):
            found[bone, side, pair[0]] = (bone, side, pair, at, normal, radius)
    return list(found.values())


def _disc(canvas: _Canvas, at: Array, normal: Array, radius: float) -> _Pattern:
    """Paint a growth plate: a thin disc."""
    first = np.cross(normal, [0.0, 1.0, 0.01])
    first = first / np.linalg.norm(first)
    steps = np.linspace(-1.0, 1.0, _DISC_STEPS)
    u, v = (one.ravel() for one in np.meshgrid(steps, steps))
    inside = np.hypot(u, v) <= 1.0
    points = at + radius * (u[inside, None] * first + v[inside, None] * np.cross(normal, first))
    return _painted(canvas, points, np.ones(len(points)))


def _tied(names: Sequence[tuple[str, str, str]]) -> Array:
    """Give what strengths of plates, shape (plates, free ones), the free ones make: either side hotter by 20 %.

    Two that are not below 0 make every pair whose sides differ by no more.
    """
    row = {name: n for n, name in enumerate(names)}
    found = []
    for (bone, side, before), n in row.items():
        other = row.get((bone, "right" if side == "left" else "left", before))
        column = np.zeros(len(names))
        column[n] = _SIDES if other is not None else 1.0
        if other is not None:
            column[other] = 1.0
        found.append(column)
    return np.array(found).T.reshape(len(names), len(found))


def _strengths(fixed: csr_matrix, plates: csr_matrix, weights: Array, counts: Array) -> Array:
    """Give the strength of each pattern by weighed least squares, none below 0."""
    from scipy.optimize import nnls
    from scipy.sparse import csr_matrix, hstack

    every = hstack([fixed, csr_matrix(plates)]).tocsr()
    normal = np.asarray((every.multiply(weights[:, None]).T @ every).toarray())
    normal[np.diag_indices_from(normal)] += 1e-3 * np.maximum(normal.diagonal(), 1e-6)
    root = np.linalg.cholesky(normal)
    found, _ = nnls(root.T, np.linalg.solve(root, every.T @ (weights * counts)), maxiter=50 * len(normal))
    return np.asarray(found)


def _with(rest: Array, plate: _Pattern, strength: float) -> Array:
    """Give what the fit would leave without a plate, flat."""
    found = rest.copy()
    found[plate.cells] += strength * plate.values
    return found


def _aligned(plate: _Pattern, left: Array, weights: Array, canvas: _Canvas) -> _Pattern:
    """Move a plate within 9 mm to where the counts show it: the skeleton is off by about 5 mm."""
    if not len(plate.cells):
        return plate
    across, down = canvas.counts.shape
    first, second = np.unravel_index(plate.cells, (across, down))
    heavy = weights.ravel()
    wide, high = canvas.view.grid.spacing_mm[:2]
    best, moved = 0.0, plate
    for i in range(-int(_ALIGN_MM // wide), int(_ALIGN_MM // wide) + 1):
        for j in range(-int(_ALIGN_MM // high), int(_ALIGN_MM // high) + 1):
            if min(first.min() + i, second.min() + j) < 0 or first.max() + i >= across or second.max() + j >= down:
                continue
            cells = plate.cells + i * down + j
            fit = max(float((heavy[cells] * plate.values) @ left[cells]), 0.0) ** 2
            fit /= float(heavy[cells] @ plate.values**2) + 1e-12
            fit *= float(np.exp(-0.5 * ((i * wide) ** 2 + (j * high) ** 2) / _ALIGN_SD_MM**2))
            if fit > best:
                best, moved = fit, _Pattern(cells, plate.values)
    return moved
