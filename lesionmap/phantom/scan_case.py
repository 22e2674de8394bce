"""A phantom child's planar bone scan with its truth: the pair of views, growth plates, lesions, what is not bone.

Every scan is drawn by its seed: counts of 500 to 2,000 k, growth plates of 2 to 9 times their shaft with up to 20 %
between left and right, the fill of the bladder, the arm that was injected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.bone_scan import ATTENUATION_PER_MM, MATRIX, PIXEL_MM, plate_name, uptake
from lesionmap.phantom.raster import Lattice
from lesionmap.phantom.shapes import Blob, Frame
from lesionmap.phantom.soft import organs
from lesionmap.read.planar import planar_grid
from lesionmap.space import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from lesionmap.phantom.body import Body
    from lesionmap.phantom.lesion import LesionShape

    Array = NDArray[np.float64]

__all__ = ["ScanCase", "scan_case"]

_COUNTS = (5.0e5, 2.0e6)
_RATIOS, _SIDES = (2.0, 9.0), 0.2
_BLADDER, _INJECTION = (10.0, 60.0), 250.0  # uptake, soft tissue = 1 (assumed)
_INJECTION_MM = 5.0
_BLUR_MM, _SCATTER_MM, _SCATTERED = 3.6, 25.0, 0.15  # collimator and scatter (assumed)
_DEPTH_STEP_MM = 4.8
_MARGIN_MM = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class ScanCase:
    """One scan and its truth."""

    body: Body
    anterior: Volume
    """Counts, placed by the convention of planar views (``read.planar``)."""
    posterior: Volume
    up_mm: float
    """What is added to a z of the body (LPS mm) to get its z in the views; x is the same."""
    counts: float
    """Expected counts in both views together."""
    plates: dict[str, float]
    """Growth plate (``plate_name``) → ratio to its shaft that was drawn."""
    lesions: tuple[LesionShape, ...]
    not_bone: dict[str, tuple[float, float, float]]
    """``bladder``, ``injection`` → LPS mm in the views' frame."""

    def in_views(self, points_lps_mm: ArrayLike) -> Array:
        """Carry points of the body, shape (..., 3), LPS mm, to the views' frame; their depth stays the body's."""
        return np.asarray(points_lps_mm, dtype=np.float64) + np.array([0.0, 0.0, self.up_mm], dtype=np.float64)

    def landmarks(self) -> dict[str, tuple[float, float, float]]:
        """Give the true 43 landmarks in the views' frame, LPS mm."""
        return {n: (x, y, z) for n, p in self.body.landmarks().items() for x, y, z in [self.in_views(p).tolist()]}


def _drawn_plates(body: Body, rng: np.random.Generator) -> dict[str, float]:
    """Draw a ratio for each growth plate, and how much left and right differ."""
    names = sorted({plate_name(s, i) for s in body.shapes for i in range(len(s.physes))})
    found: dict[str, float] = {}
    for pair in sorted({name.rsplit(".", 1)[0] for name in names}):
        ratio, apart = rng.uniform(*_RATIOS), rng.uniform(-_SIDES, _SIDES) / 2
        found |= {f"{pair}.left": ratio * (1 + apart), f"{pair}.right": ratio * (1 - apart)}
    return {name: found[name] for name in names if name in found}


def _lattice(body: Body, z: Array) -> Lattice:
    columns = MATRIX[1]
    x = np.asarray((np.arange(columns) - (columns - 1) / 2) * PIXEL_MM, dtype=np.float64)
    marks = np.array(list(body.landmarks().values()))
    low, high = marks.min(axis=0) - _MARGIN_MM, marks.max(axis=0) + _MARGIN_MM
    wide = (x > low[0]) & (x < high[0])
    return Lattice(x[wide], np.arange(low[1], high[1], _DEPTH_STEP_MM), z[z > low[2]])


def _fill(tracer: NDArray[np.float32], lattice: Lattice, form: Blob, level: float) -> None:
    found = lattice.distance(form, form.box, 0.0)
    if found is not None:
        tracer[found[0]][found[2] < 0] = level


def scan_case(
    body: Body, lesions: Sequence[LesionShape] = (), *, seed: int, plates: Mapping[str, float] | None = None
) -> ScanCase:
    """Scan a child by a gamma camera with two heads.

    Parameters
    ----------
    body : Body
        The child as it lies.
    lesions : sequence of LesionShape
        Hot by their strength.
    seed : int
        Draws counts, growth plates, bladder, injected arm and noise.
    plates : mapping of str to float, optional
        Ratio of each growth plate to its shaft, by ``plate_name``, instead of drawn ones.
    """
    rng = np.random.default_rng([141, seed])
    ratios, counts = dict(plates) if plates else _drawn_plates(body, rng), float(rng.uniform(*_COUNTS))
    top = float(body.marks["vertex"][2]) + _MARGIN_MM
    lattice = _lattice(body, top - np.arange(MATRIX[0] - 1, -1, -1, dtype=np.float64) * PIXEL_MM)
    tracer, inside = uptake(body, lattice, lesions, ratios or None)
    bladder = next(form for kind, form in organs(body) if kind == "bladder" and isinstance(form, Blob))
    arm = str(rng.choice(["left", "right"]))
    vein = np.asarray(0.7 * body.marks[f"elbow_{arm}"] + 0.3 * body.marks[f"wrist_{arm}"] + [0.0, -12.0, 0.0])
    _fill(tracer, lattice, bladder, float(rng.uniform(*_BLADDER)))
    _fill(tracer, lattice, Blob(Frame(vein, np.eye(3)), np.full(3, _INJECTION_MM)), _INJECTION)
    rate = _projected(tracer, inside, lattice)
    noisy = rng.poisson(rate * counts / rate.sum()).astype(np.uint16)
    views = [
        Volume(view.T[:, :, None], planar_grid(MATRIX[::-1], (PIXEL_MM, PIXEL_MM), posterior=behind), projection=True)
        for view, behind in zip(noisy, (False, True), strict=True)
    ]
    up = PIXEL_MM * (MATRIX[0] - 0.5) - top
    spots = {"bladder": bladder.frame.origin, "injection": vein}
    not_bone = {n: (x, y, z + up) for n, p in spots.items() for x, y, z in [list(map(float, p))]}
    return ScanCase(body, views[0], views[1], up, counts, ratios, tuple(lesions), not_bone)


def _projected(tracer: NDArray[np.float32], inside: NDArray[np.bool_], lattice: Lattice) -> Array:
    """Give the rate in both views, shape (2, rows, columns), the posterior one as acquired (left on image left)."""
    from scipy.ndimage import gaussian_filter

    depth = np.cumsum(inside, axis=1, dtype=np.float32) * _DEPTH_STEP_MM
    first = int(np.rint(lattice.x[0] / PIXEL_MM + (MATRIX[1] - 1) / 2))
    views = []
    for shown in (depth, depth[:, -1:, :] - depth):
        seen: Array = np.asarray(np.sum(tracer * np.exp(-ATTENUATION_PER_MM * shown), axis=1, dtype=np.float64))
        view = np.zeros(MATRIX)
        view[: seen.shape[1], first : first + seen.shape[0]] = seen[:, ::-1].T
        sharp, wide = (gaussian_filter(view, mm / PIXEL_MM) for mm in (_BLUR_MM, _SCATTER_MM))
        views.append((1 - _SCATTERED) * sharp + _SCATTERED * wide + 1e-3)
    return np.stack([views[0], views[1][:, ::-1]])
