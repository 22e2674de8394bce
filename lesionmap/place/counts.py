"""The views of a planar bone scan, checked, and as pictures on one lattice: left to right by x, feet to head by z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.segment.counts import check_counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lesionmap.space import Grid, Volume

    Array = NDArray[np.float64]

__all__ = ["STEP_MM", "Face", "Pictures", "check_views", "pictures", "toned"]

Face = Literal["anterior", "posterior"]

STEP_MM = 4.0
"""Of the lattice; a gamma camera resolves 8 mm or more."""
_BODY, _BODY_SMOOTH = 0.04, 2.0  # share of a bright bone's counts that still is body (assumed); steps
_BRIGHT = 1.8  # times the median: beyond it, in the root of counts, all is alike: plates, lesions, bladder (assumed)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Counts of one scan on a lattice."""

    counts: dict[Face, Array]
    """Shape (columns, rows): x to the patient's left, z to the head, whatever the view."""
    low: tuple[float, float]
    """x and z of the lattice's lower corner, LPS mm."""
    body: NDArray[np.bool_]
    """Where there is tracer at all."""
    step_mm: float = STEP_MM

    def coarser(self, factor: int) -> Pictures:
        """Give the same counts on a lattice of steps so many times longer."""
        from skimage.measure import block_reduce

        counts = {face: np.asarray(block_reduce(one, factor, np.sum)) for face, one in self.counts.items()}
        return Pictures(counts, self.low, block_reduce(self.body, factor, np.max), self.step_mm * factor)

    @property
    def edges(self) -> tuple[Array, Array]:
        """Edges of the lattice's cells, LPS mm: of columns (x) and of rows (z)."""
        first, second = (
            low + self.step_mm * np.arange(n + 1, dtype=np.float64)
            for low, n in zip(self.low, self.body.shape, strict=True)
        )
        return first, second


def check_views(views: Mapping[Face, Volume]) -> None:
    """Refuse what is no planar bone scan.

    Parameters
    ----------
    views : mapping of {"anterior", "posterior"} to Volume
        One view or both of one scan.

    Raises
    ------
    LesionmapError
        If there is no view, one has depth, is no picture of counts, or the two are not of one size.
    """
    if not views:
        raise LesionmapError("an anterior or a posterior view was expected, none came; import a planar bone scan")
    for name, view in views.items():
        if not view.projection:
            raise LesionmapError(f"a planar view was expected as the {name} one, a volume with depth came; name a view")
        check_counts(name, view.array)
    if len(views) == 2:
        one, other = (view.grid for view in views.values())
        if _size(one) != _size(other):
            raise LesionmapError(
                f"two views of one scan have one size, the anterior is {_size(views['anterior'].grid)}, the posterior "
                f"{_size(views['posterior'].grid)}; choose the views of one scan, or place by one view"
            )


def _size(grid: Grid) -> str:
    """Give a view's size in words."""
    (columns, rows, _), (across, down, _) = grid.shape, grid.spacing_mm
    return f"{columns} × {rows} pixels of {across:g} × {down:g} mm"


def pictures(views: Mapping[Face, Volume]) -> Pictures:
    """Bring the views of a scan onto one lattice; no count is lost.

    Raises
    ------
    LesionmapError
        As ``check_views``.
    """
    from scipy.ndimage import gaussian_filter

    check_views(views)
    corners = np.vstack([view.grid.corners_lps_mm()[:, [0, 2]] for view in views.values()])
    low, high = corners.min(axis=0), corners.max(axis=0)
    edges = [np.arange(a, b + STEP_MM, STEP_MM) for a, b in zip(low, high, strict=True)]
    counts: dict[Face, Array] = {}
    for name, view in views.items():
        across, down = np.indices(view.grid.shape[:2]).reshape(2, -1)
        at = view.grid.lps(np.column_stack([across, down, np.zeros_like(across)]))
        counts[name] = np.histogram2d(at[:, 0], at[:, 2], bins=edges, weights=np.maximum(view.array.ravel(), 0))[0]
    whole = gaussian_filter(np.sum(list(counts.values()), axis=0), _BODY_SMOOTH)
    bone = np.percentile(whole[whole > 0.02 * whole.max()], 90)
    return Pictures(counts, (float(low[0]), float(low[1])), whole > _BODY * bone)


def toned(counts: Array, smooth: float) -> Array:
    """Give a picture in which shape tells more than brightness.

    Parameters
    ----------
    counts : ndarray
        Or what a model expects of them.
    smooth : float
        Standard deviation of the blur, steps of the lattice.

    Returns
    -------
    ndarray
        Root of the counts, the median of the body 1, bright spots cut.
    """
    from scipy.ndimage import gaussian_filter

    root = np.sqrt(gaussian_filter(counts, smooth))
    return np.asarray(np.minimum(root / np.median(root[root > 0.15 * root.max()]), _BRIGHT))
