"""Bones as a label map holds them: voxels of one bone (or of bones that share a label) of one side, LPS mm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.place.names import members

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lesionmap.place.names import Names
    from lesionmap.space import Volume

    Array = NDArray[np.float64]
    Key = tuple[str, str]

__all__ = ["Bones", "Piece", "bones_of"]

_ISLAND = 0.01  # parts smaller than this share of the largest are noise of the segmentation
_FINE_MM = 1.4  # finer maps are thinned out: landmarks are not known better than this
_TWO = 4.5  # centres of two limbs are farther apart than this many of their own standard deviations


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Voxels of a bone."""

    points: Array
    """(n, 3) LPS mm."""
    edge: NDArray[np.bool_]
    """(n,) True where the voxel lies on the border of the map: the bone may go on beyond it."""
    shell: NDArray[np.bool_]
    """(n,) True on the bone's surface; a face cut by the border of the map is none."""
    step: float
    """Largest distance of neighbouring voxels, mm."""

    def part(self, chosen: NDArray[np.bool_]) -> Piece:
        """Give the voxels that are chosen."""
        return Piece(self.points[chosen], self.edge[chosen], self.shell[chosen], self.step)

    def __add__(self, other: Piece) -> Piece:
        """Join two pieces."""
        joined = (np.concatenate([getattr(self, n), getattr(other, n)]) for n in ("points", "edge", "shell"))
        points, edge, shell = joined
        return Piece(points, edge, shell, max(self.step, other.step))


@dataclass(frozen=True, slots=True, eq=False)
class Bones:
    """All that the map names, by what a label may be."""

    pieces: tuple[tuple[frozenset[Key], Piece], ...]
    """(bones and sides that the label may be, its voxels)."""

    def only(self, bones: Iterable[str], side: str) -> Piece | None:
        """Give the voxels that are surely of these bones and of this side; None where there are none."""
        wanted = {(bone, side) for bone in bones}
        found = [piece for keys, piece in self.pieces if keys <= wanted]
        return sum(found[1:], found[0]) if found else None

    def having(self, bone: str, side: str) -> Piece | None:
        """Give the voxels of all labels that may be this bone, alone or with others."""
        found = [piece for keys, piece in self.pieces if (bone, side) in keys]
        return sum(found[1:], found[0]) if found else None


def bones_of(labels: Volume, names: Names) -> Bones:
    """Take the bones out of a label map; labels that hold both sides are parted into left and right."""
    stride = tuple(max(int(_FINE_MM / mm), 1) for mm in labels.grid.spacing_mm)
    array = labels.array[tuple(slice(None, None, n) for n in stride)]
    matrix = labels.grid.lps_from_voxel.copy()
    matrix[:3, :3] *= stride
    border = [(np.arange(0, full, n) == 0) | (np.arange(0, full, n) + n >= full)
              for full, n in zip(labels.grid.shape, stride, strict=True)]  # fmt: skip
    may_be: dict[int, frozenset[Key]] = {}
    for label, bone, side in names:
        may_be[label] = may_be.get(label, frozenset()) | members(bone, side)
    boxes = _boxes(array, may_be)
    pieces = {n: _piece(array, n, box, matrix, border) for n, box in boxes.items()}
    middle = _midline(pieces, may_be)
    found: list[tuple[frozenset[Key], Piece]] = []
    for label, piece in pieces.items():
        found += _sided(may_be[label], piece, middle)
    return Bones(tuple(found))


def _boxes(array: NDArray[Any], wanted: Iterable[int]) -> dict[int, tuple[slice, ...]]:
    """Give the box of each wanted label that is in the map."""
    from scipy.ndimage import find_objects

    labels = np.array(sorted(wanted))
    number = np.searchsorted(labels, array)
    number[number == len(labels)] = 0
    found = find_objects(np.where(labels[number] == array, number + 1, 0), len(labels))
    return {int(label): box for label, box in zip(labels, found, strict=True) if box is not None}


def _piece(
    array: NDArray[Any], label: int, box: tuple[slice, ...], matrix: Array, border: list[NDArray[np.bool_]]
) -> Piece:
    from scipy.ndimage import binary_erosion
    from scipy.ndimage import label as components

    mask = array[box] == label
    parts, count = components(mask, np.ones((3, 3, 3)))
    if count > 1:
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        mask = (sizes >= _ISLAND * sizes.max())[parts] & mask
    index = np.argwhere(mask)
    shell = (mask & ~binary_erosion(mask, border_value=True))[tuple(index.T)]
    index += [s.start for s in box]
    edge = np.any([border[axis][index[:, axis]] for axis in range(3)], axis=0)
    step = float(np.linalg.norm(matrix[:3, :3], axis=0).max())
    return Piece(index @ matrix[:3, :3].T + matrix[:3, 3], edge, shell | edge, step)


def _midline(pieces: dict[int, Piece], may_be: dict[int, frozenset[Key]]) -> float | None:
    """Give x of the body's midline from bones of the midline, else from bones whose side is known."""
    sides: dict[str, list[float]] = {"left": [], "right": [], "midline": []}
    for label, piece in pieces.items():
        its_sides = {side for _, side in may_be[label]}
        if len(its_sides) == 1:
            sides[its_sides.pop()].append(float(piece.points[:, 0].mean()))
    if sides["midline"]:
        return float(np.median(sides["midline"]))
    if sides["left"] and sides["right"]:
        return float(np.mean(sides["left"]) + np.mean(sides["right"])) / 2
    return None


def _sided(keys: frozenset[Key], piece: Piece, middle: float | None) -> list[tuple[frozenset[Key], Piece]]:
    """Part a label of paired bones that may lie on either side; one whose side nobody can tell is left out."""
    left, right = (frozenset(key for key in keys if key[1] == side) for side in ("left", "right"))
    if not (left and right) or left | right != keys:
        return [(keys, piece)]
    x = piece.points[:, 0]
    cut = _between(x)
    if cut is None:
        cut = middle
    if cut is None:
        return []
    parts = [(half, piece.part(chosen)) for half, chosen in ((left, x > cut), (right, x <= cut)) if chosen.any()]
    # A few voxels over the midline are no other bone.
    most = max(len(part.points) for _, part in parts)
    return [(half, part) for half, part in parts if len(part.points) >= 0.05 * most]


def _between(x: Array) -> float | None:
    """Give x between two limbs, by two means; None where it looks like one limb."""
    low, high = float(x.min()), float(x.max())
    for _ in range(20):
        cut = (low + high) / 2
        low, high = float(x[x <= cut].mean()), float(x[x > cut].mean()) if (x > cut).any() else high
    spread = np.sqrt(np.mean(np.minimum((x - low) ** 2, (x - high) ** 2)))
    return (low + high) / 2 if high - low > _TWO * max(spread, 1.0) else None
