"""Where voxels are: Grid and Volume, in LPS millimetres, and nothing else.

One frame, the one of DICOM: x to the patient's left, y to the back (posterior), z to the head (superior).
Matrices are named ``target_from_source``. Arrays are indexed ``[i, j, k]``; for DICOM that is column, row,
slice, as it comes from the file, never re-oriented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Grid", "Volume", "joining_axis", "off_lattice", "resample"]

_ON_LATTICE = 0.02
"""Voxels by which a grid may be off another one's lattice and still lie on it."""
_LETTERS = (("R", "L"), ("A", "P"), ("F", "H"))


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A lattice of voxel centres in patient space.

    Examples
    --------
    >>> grid = Grid((5, 7, 11), np.diag([2.0, 3.0, 4.0, 1.0]))
    >>> grid.spacing_mm
    (2.0, 3.0, 4.0)
    >>> grid.lps([1, 1, 1]).tolist()
    [2.0, 3.0, 4.0]
    """

    shape: tuple[int, int, int]
    """Number of voxels along the three array axes."""
    lps_from_voxel: NDArray[np.float64]
    """4×4, mm: LPS millimetres of the centre of voxel [i, j, k]. Read-only."""

    def __post_init__(self) -> None:
        matrix = np.array(self.lps_from_voxel, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise LesionmapError(f"lps_from_voxel must be a finite 4×4 matrix in mm, got shape {matrix.shape}")
        if not np.array_equal(matrix[3], [0, 0, 0, 1]) or abs(np.linalg.det(matrix[:3, :3])) < 1e-12:
            raise LesionmapError(f"lps_from_voxel must be an invertible affine matrix, got {matrix.tolist()}")
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise LesionmapError(f"a grid has three axes of at least one voxel, got shape {self.shape}")
        matrix.setflags(write=False)
        object.__setattr__(self, "lps_from_voxel", matrix)
        object.__setattr__(self, "shape", shape)

    def __eq__(self, other: object) -> bool:
        """Say whether shape and matrix are equal to the last bit."""
        if not isinstance(other, Grid):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.lps_from_voxel, other.lps_from_voxel)

    def __hash__(self) -> int:
        return hash((self.shape, self.lps_from_voxel.tobytes()))

    @property
    def voxel_from_lps(self) -> NDArray[np.float64]:
        """4×4: continuous voxel index of a point in LPS mm."""
        return np.asarray(np.linalg.inv(self.lps_from_voxel), dtype=np.float64)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxel centres along i, j, k."""
        x, y, z = np.linalg.norm(self.lps_from_voxel[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.lps_from_voxel[:3, :3]))) / 1000.0

    @property
    def letters(self) -> tuple[str, str, str]:
        """Patient direction that each array axis runs to: two of R/L, A/P, F/H for the ends, the growing one told.

        The axes are matched one to one with the patient axes nearest to them.
        """
        names = ["", "", ""]
        for patient, axis, sign in self._nearest_axes():
            names[axis] = _LETTERS[patient][int(sign > 0)]
        return names[0], names[1], names[2]

    @property
    def obliquity_deg(self) -> float:
        """Largest angle between an array axis and the patient axis it is matched with, in degrees."""
        directions = self.lps_from_voxel[:3, :3] / np.linalg.norm(self.lps_from_voxel[:3, :3], axis=0)
        cosines = [abs(directions[patient, axis]) for patient, axis, _ in self._nearest_axes()]
        return float(np.degrees(np.arccos(np.clip(min(cosines), -1, 1))))

    def _nearest_axes(self) -> list[tuple[int, int, float]]:
        """List (patient axis, array axis, sign) of the one-to-one match with the largest cosines."""
        from itertools import permutations

        directions = self.lps_from_voxel[:3, :3] / np.linalg.norm(self.lps_from_voxel[:3, :3], axis=0)
        best = max(permutations(range(3)), key=lambda p: sum(abs(directions[p[a], a]) for a in range(3)))
        return [(best[axis], axis, float(np.sign(directions[best[axis], axis]))) for axis in range(3)]

    def lps(self, voxels: ArrayLike) -> NDArray[np.float64]:
        """Give the LPS mm of voxel indices.

        Parameters
        ----------
        voxels : array-like, shape (..., 3)
            Indices i, j, k; fractions are allowed.

        Returns
        -------
        ndarray, shape (..., 3)
        """
        matrix = self.lps_from_voxel
        return np.asarray(voxels, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]

    def voxels(self, lps_mm: ArrayLike) -> NDArray[np.float64]:
        """Give the continuous voxel indices of points in LPS mm, shape (..., 3)."""
        matrix = self.voxel_from_lps
        return np.asarray(lps_mm, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]

    def contains(self, lps_mm: ArrayLike) -> NDArray[np.bool_]:
        """Say for points in LPS mm, shape (..., 3), whether they lie inside a voxel of the grid."""
        index = self.voxels(lps_mm)
        return np.asarray(np.all((index >= -0.5) & (index < np.array(self.shape) - 0.5), axis=-1))

    def corners_lps_mm(self) -> NDArray[np.float64]:
        """Give the 8 outer corners of the box of voxels (not voxel centres), LPS mm, shape (8, 3)."""
        ends = np.array([[-0.5, n - 0.5] for n in self.shape])
        i, j, k = np.meshgrid(*ends, indexing="ij")
        return self.lps(np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1))

    def crop(self, origin: tuple[int, int, int], shape: tuple[int, int, int]) -> Grid:
        """Give the grid of the box that begins at voxel ``origin`` and has ``shape`` voxels."""
        matrix = self.lps_from_voxel.copy()
        matrix[:3, 3] = self.lps(origin)
        return Grid(shape, matrix)

    def box_of(self, other: Grid) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Give the box of this grid's voxels that another grid fills.

        Parameters
        ----------
        other : Grid
            Of nearly the same directions: a station on the grid of all stations.

        Returns
        -------
        low, shape : ndarray, shape (3,)
            First voxel of the box, and its size: the voxels whose centres lie between the outer voxel centres of
            ``other``. A single slice between two slices of this grid fills the nearer one.
        """
        matrix = self.voxel_from_lps @ other.lps_from_voxel
        far = np.array(other.shape) - 1
        if off_lattice(matrix, far) <= 2 * _ON_LATTICE:
            low, high = np.rint(matrix[:3, 3]).astype(int), np.rint(matrix[:3, 3]).astype(int) + far
        else:
            ends = np.stack([matrix[:3, 3], matrix[:3, :3] @ far + matrix[:3, 3]])
            low = np.ceil(ends.min(axis=0) - _ON_LATTICE).astype(int)
            high = np.floor(ends.max(axis=0) + _ON_LATTICE).astype(int)
            thin = low > high
            low[thin] = high[thin] = np.rint(ends.mean(axis=0)).astype(int)[thin]
        low, high = np.maximum(low, 0), np.minimum(high, np.array(self.shape) - 1)
        return low, np.maximum(high - low + 1, 0)


def off_lattice(voxel_from_voxel: NDArray[np.float64], far: NDArray[np.int_]) -> float:
    """Give by how many voxels a grid is off being a shifted copy of another one, at most, up to voxel ``far``."""
    low = np.rint(voxel_from_voxel[:3, 3])
    turned = np.abs((voxel_from_voxel[:3, :3] - np.eye(3)) * far).sum(axis=1)
    return float((turned + np.abs(voxel_from_voxel[:3, 3] - low)).max())


def joining_axis(boxes: Sequence[tuple[NDArray[np.int_], NDArray[np.int_]]]) -> int:
    """Give the array axis along which boxes (first voxel, size) of one grid follow each other."""
    middles = np.array([low + size / 2 for low, size in boxes])
    return int(np.argmax(np.ptp(middles, axis=0)))


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """An array and where its voxels are. Images, bone labels and masks are all this."""

    array: NDArray[Any]
    """Values, indexed [i, j, k]; may be a memory map."""
    grid: Grid
    """Where the voxels are."""
    projection: bool = False
    """True for a planar view: one voxel deep, and what is seen lies somewhere along that depth."""

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise LesionmapError(f"array of shape {self.array.shape} does not fit a grid of shape {self.grid.shape}")
        if self.projection and self.grid.shape[2] != 1:
            raise LesionmapError(f"a projection is one voxel deep, got shape {self.grid.shape}")


def resample(volume: Volume, grid: Grid, *, order: int = 1, outside: float = 0.0) -> Volume:
    """Bring a volume onto another grid.

    Parameters
    ----------
    volume : Volume
        What to bring over.
    grid : Grid
        Where to.
    order : int
        0 nearest neighbour (labels, masks), 1 linear.
    outside : float
        Value of voxels that the volume does not reach.

    Returns
    -------
    Volume
        On ``grid``, with the type of ``volume``.
    """
    from scipy.ndimage import affine_transform

    matrix = volume.grid.voxel_from_lps @ grid.lps_from_voxel
    # Without the rounding error of inv(A) @ A, by which a crop or the grid itself would lose its border voxels.
    whole = np.round(matrix)
    matrix = np.where(np.abs(matrix - whole) < 1e-9, whole, matrix)
    # A voxel reaches half a voxel from its centre; "constant" would cut nearest neighbours at the outer centres.
    mode = "grid-constant" if order == 0 else "constant"
    array = affine_transform(
        volume.array, matrix[:3, :3], matrix[:3, 3], output_shape=grid.shape, order=order, mode=mode, cval=outside
    )
    return Volume(array, grid, volume.projection)
