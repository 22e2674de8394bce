"""What a reader decided: Lesion, Extent, Answer, LesionMap, as frozen facts. Numbers are computed elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from lesionmap.visits import Phase

__all__ = [
    "Answer",
    "Appearance",
    "Attributes",
    "Blinding",
    "Certainty",
    "Change",
    "Extent",
    "Lesion",
    "LesionMap",
    "Mask",
    "Physis",
    "Verdict",
]

Appearance = Literal["lytic", "sclerotic", "mixed"]
Certainty = Literal["definite", "probable", "equivocal", "normal_variant", "not_bone"]
Change = Literal["improved", "persistent", "worsened"]
Verdict = Literal["resolved", "not_imaged", "cannot_judge"]
Physis = Literal["touches", "crosses", "spares"]

_DRIFT_VOXELS = 0.1
"""By how much two lattices may drift apart over a grid and still have the same voxels."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Voxels of a Series that belong to a lesion: a box cut out of the Series' grid.

    Two masks are equal when grid, origin and box are.
    """

    grid: Grid
    """Of the whole Series."""
    origin: tuple[int, int, int]
    """Voxel of the Series at which the box begins."""
    box: NDArray[np.bool_]
    """Shape (ni, nj, nk). Read-only, tight around the voxels that are set."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self.grid == other.grid and self.origin == other.origin and np.array_equal(self.box, other.box)

    def __hash__(self) -> int:
        return hash((self.grid, self.origin, self.box.tobytes()))

    @classmethod
    def of(cls, volume: Volume) -> Mask:
        """Cut the mask out of a Volume; voxels that are not 0 are set.

        Raises
        ------
        LesionmapError
            If no voxel is set.
        """
        return cls.of_voxels(np.argwhere(volume.array), volume.grid)

    @classmethod
    def of_voxels(cls, voxels: NDArray[np.int_], grid: Grid) -> Mask:
        """Make the mask of voxels i, j, k, shape (n, 3), of a grid."""
        if len(voxels) == 0:
            raise LesionmapError("a mask needs at least one voxel, got an empty one")
        low, high = voxels.min(axis=0), voxels.max(axis=0)
        if low.min() < 0 or np.any(high >= grid.shape):
            raise LesionmapError(f"voxels {low.tolist()} to {high.tolist()} do not lie in a grid of shape {grid.shape}")
        box = np.zeros(high - low + 1, dtype=bool)
        box[tuple((voxels - low).T)] = True
        box.setflags(write=False)
        i, j, k = low.tolist()
        return cls(grid, (i, j, k), box)

    @classmethod
    def ball(cls, grid: Grid, middle_lps_mm: ArrayLike, radius_mm: float) -> Mask:
        """Make the mask of the voxels whose middles lie within a distance of a place; its own voxel at least.

        Raises
        ------
        LesionmapError
            If the place lies outside the grid.
        """
        middle = np.asarray(middle_lps_mm, dtype=np.float64)
        at, reach = grid.voxels(middle), radius_mm / np.array(grid.spacing_mm)
        low = np.maximum(np.floor(at - reach), 0).astype(int)
        high = np.minimum(np.ceil(at + reach) + 1, grid.shape).astype(int)
        around = np.argwhere(np.ones(np.maximum(high - low, 0), dtype=bool)) + low
        near = around[np.linalg.norm(grid.lps(around) - middle, axis=1) <= radius_mm]
        return cls.of_voxels(np.concatenate([near, np.rint(at).astype(int)[None]]), grid)

    @classmethod
    def united(cls, masks: Sequence[Mask]) -> Mask:
        """Give the voxels that are set in any of several masks on one grid."""
        if len(masks) == 1:
            return masks[0]
        if any(mask.grid != masks[0].grid for mask in masks):
            raise LesionmapError("masks to be united lie on one grid, got several; bring them onto one first")
        return cls.of_voxels(np.concatenate([mask.voxels() for mask in masks]), masks[0].grid)

    @property
    def n_voxels(self) -> int:
        """Number of voxels set."""
        return int(np.count_nonzero(self.box))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Where the box lies in the Series' array."""
        i, j, k = (slice(o, o + n) for o, n in zip(self.origin, self.box.shape, strict=True))
        return i, j, k

    def voxels(self) -> NDArray[np.int_]:
        """Voxels set, i, j, k in the Series' grid, shape (n, 3)."""
        return np.asarray(np.argwhere(self.box) + np.array(self.origin))

    def lps_mm(self) -> NDArray[np.float64]:
        """Centres of the voxels set, LPS mm, shape (n, 3)."""
        return self.grid.lps(self.voxels())

    def volume(self) -> Volume:
        """Give the mask as a whole boolean Volume on the Series' grid."""
        array = np.zeros(self.grid.shape, dtype=bool)
        array[self.slices] = self.box
        return Volume(array, self.grid)

    def on(self, grid: Grid) -> Mask | None:
        """Bring the mask onto another grid of the same patient; None where no voxel of it falls inside.

        Voxels that are the same but for their order, their flips and a shift are copied, a shift by a fraction of a
        voxel rounded; so the way back gives the same mask. On other voxels each takes the value of the nearest one.

        Examples
        --------
        >>> grid = Grid((5, 7, 11), np.diag([2.0, 3.0, 4.0, 1.0]))
        >>> mask = Mask.of_voxels(np.array([[1, 2, 3], [1, 2, 4]]), grid)
        >>> mask.on(grid.crop((1, 1, 4), (4, 6, 7))).voxels().tolist()
        [[0, 1, 0]]
        """
        other_from_own = grid.voxel_from_lps @ self.grid.lps_from_voxel
        low, high = _reach(self, other_from_own, grid.shape)
        if np.any(low > high):
            return None
        steps = np.rint(other_from_own[:3, :3])
        drift = np.abs(other_from_own[:3, :3] - steps) @ np.array(self.grid.shape)
        if drift.max() < _DRIFT_VOXELS and np.array_equal(np.abs(steps).sum(axis=0), [1, 1, 1]):
            there = self.voxels() @ steps.T.astype(np.int_) + np.rint(np.round(other_from_own[:3, 3], 6)).astype(
                np.int_
            )
            set_ = there[np.all((there >= 0) & (there < grid.shape), axis=1)]
        else:
            set_ = _nearest(self, np.linalg.inv(other_from_own), low, high)
        return Mask.of_voxels(set_, grid) if len(set_) else None


def _reach(
    mask: Mask, other_from_own: NDArray[np.float64], shape: tuple[int, int, int]
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Give the first and last voxel of a grid of that shape that the box of a mask may reach."""
    ends = np.array([mask.origin, np.add(mask.origin, mask.box.shape) - 1]) + np.array([[-0.5], [0.5]])
    corners = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(-1, 3)
    there = corners @ other_from_own[:3, :3].T + other_from_own[:3, 3]
    low = np.maximum(np.floor(there.min(axis=0)), 0).astype(np.int_)
    return low, np.minimum(np.ceil(there.max(axis=0)), np.array(shape) - 1).astype(np.int_)


def _nearest(
    mask: Mask, own_from_other: NDArray[np.floating], low: NDArray[np.int_], high: NDArray[np.int_]
) -> NDArray[np.int_]:
    """List the voxels between ``low`` and ``high`` of another grid whose nearest voxel of the mask is set."""
    ranges = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    voxels = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    own = np.floor(voxels @ own_from_other[:3, :3].T + own_from_other[:3, 3] + 0.5).astype(np.int_)
    own -= np.array(mask.origin)
    inside = np.all((own >= 0) & (own < mask.box.shape), axis=1)
    voxels, own = voxels[inside], own[inside]
    return np.asarray(voxels[mask.box[tuple(own.T)]])


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the reader says of a lesion beside its place. None is *not assessed*, never *no*."""

    soft_tissue_oedema: bool | None = None
    periosteal_reaction: bool | None = None
    bone_expansion: bool | None = None
    """Expansion or hyperostosis."""
    vertebral_height_loss: bool | None = None
    disc_involved: bool | None = None
    physeal_damage: bool | None = None
    joint_involved: bool | None = None
    """Effusion or synovitis of the joint beside it."""
    appearance: Appearance | None = None
    painful: bool | None = None
    """None: not asked."""
    biopsied: bool | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """A lesion on one Series: a mask, a marker, or nothing drawn."""

    series: str
    """Name of the Series in the visit."""
    mask: Mask | None = None
    marker_lps_mm: tuple[float, float, float] | None = None
    phase: Phase | None = None


@dataclass(frozen=True, slots=True)
class Lesion:
    """One decision of one reader in one visit."""

    id: str
    """Unique in its LesionMap; never used again after the lesion is gone."""
    sites: tuple[str, ...]
    """Site ids or site-group names; the first is the primary one."""
    certainty: Certainty = "definite"
    tracks: tuple[str, ...] = ()
    """Tracking UIDs; two or more: merged. The same in two Lesions of a visit: split."""
    extents: tuple[Extent, ...] = ()
    attributes: Attributes = field(default_factory=Attributes)
    change: Change | None = None
    """The reader's own word on the change since the last visit in which the track was marked."""
    physis: Physis | None = None
    """The reader's correction of the computed relation to the physis; None: as computed."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reader says of a track that is not marked in this visit."""

    track: str
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True, slots=True)
class Blinding:
    """Readers who do not see one another's maps of a visit before all of them have signed it."""

    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LesionMap:
    """All Lesions and Answers of one reader in one visit. A consensus is a reader named ``consensus``."""

    patient: str
    visit: str
    """The visit's key, ``2010-05-04``."""
    reader: str
    lesions: tuple[Lesion, ...] = ()
    answers: tuple[Answer, ...] = ()
    signed: bool = False
    """Signed maps are read-only until they are unlocked."""
    used: int = field(default=0, compare=False)
    """Highest lesion number ever used in this map, removed lesions included; the next is max(used, those here) + 1."""

    def lesion(self, lesion_id: str) -> Lesion:
        """Give the lesion of that id.

        Raises
        ------
        LesionmapError
            If there is none.
        """
        for lesion in self.lesions:
            if lesion.id == lesion_id:
                return lesion
        have = ", ".join(x.id for x in self.lesions) or "none"
        raise LesionmapError(f"visit {self.visit} has no lesion {lesion_id!r}; it has: {have}")
