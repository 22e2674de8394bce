"""A lesion on a planar bone scan against other places of the same view: its mirror image, its bone's shaft, the plates.

No norm by age is sourced, so a scan is compared with itself. In most children with CRMO the lesions are symmetric: what
is as hot as its mirror image may still be one, so the ratio to the shaft stands beside it. All of them are means of
counts a pixel, as acquired.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.annotate.places import mirror_place, seen_in
from lesionmap.skeleton import Group, growth, known
from lesionmap.skeleton.limits import LONG, physis_planes
from lesionmap.skeleton.shape import posed_tubes
from lesionmap.space import Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.lesions import Mask
    from lesionmap.skeleton import Placement

    Array = NDArray[np.float64]
    Pixels = NDArray[np.int_]

__all__ = ["Uptake", "disc", "geometric_mean", "mean_counts", "shaft", "uptake_of"]

_DISC_MM = 6.0  # about a plate's half breadth in the view, and what the camera blurs (assumed)
_APART_MM = 15.0  # a plate so near to a lesion is not one of the others
_SHAFT = np.linspace(1 / 3, 2 / 3, 41)  # of a bone's length: its middle third
_SHAFT_MM = 4.0
_FEWEST = 5  # pixels


@dataclass(frozen=True, slots=True)
class Uptake:
    """Mean counts of a lesion over those of other places; None is not known."""

    mirrored_ratio: float | None = None
    """The same pixels, mirrored, at the same place of the other side."""
    shaft_ratio: float | None = None
    """The middle third of its bone, the lesion left out."""
    plates_ratio: float | None = None
    """The median of the open growth plates that are not beside it."""


def uptake_of(mask: Mask, site: str, view: Volume, placement: Placement) -> Uptake:
    """Compare a lesion with other places of its view.

    Parameters
    ----------
    mask : Mask
        On the view's grid.
    site : str
        Its primary site or site group: tells its depth and its bone.
    view : Volume
        A projection of counts.
    placement : Placement
        Of the scan.
    """
    pixels = mask.voxels()
    mean = mean_counts(view, pixels)
    if mean is None:
        return Uptake()
    middle = mask.lps_mm().mean(axis=0)
    return Uptake(
        _over(mean, mean_counts(view, _mirrored(pixels, middle, site, view, placement))),
        _over(mean, mean_counts(view, _shaft(pixels, site, view, placement))),
        _over(mean, _plates(view, placement, middle)),
    )


def _over(mean: float, other: float | None) -> float | None:
    return mean / other if other else None


def mean_counts(view: Volume, pixels: Pixels) -> float | None:
    """Give the mean counts of pixels, shape (n, 3); None where one of them lies outside, or none is there."""
    if not len(pixels) or (pixels < 0).any() or (pixels >= view.grid.shape).any():
        return None
    return float(np.asarray(view.array[tuple(pixels.T)], dtype=np.float64).mean())


def _mirrored(pixels: Pixels, middle: Array, site: str, view: Volume, placement: Placement) -> Pixels:
    """Give the pixels at the same place of the other side; none where it is no other place."""
    none = np.empty((0, 3), dtype=int)
    if known(site).side == "midline":
        return none
    seen = seen_in(site, middle, placement)
    there = mirror_place(seen, placement)
    if there is None:
        return none
    # What lies beside the bone here lies as far beside it there.
    image = (view.grid.lps(pixels) - seen) * [-1.0, 1.0, 1.0] + [there[0], seen[1], there[2]]
    found = np.rint(view.grid.voxels(image)).astype(int)
    own = set(map(tuple, pixels.tolist()))
    return none if own & set(map(tuple, found.tolist())) else found


def _shaft(pixels: Pixels, site: str, view: Volume, placement: Placement) -> Pixels:
    """Give the pixels along the middle third of a long bone; none of another bone, or where the lesion holds it."""
    place = known(site)
    if isinstance(place, Group):
        return np.empty((0, 3), dtype=int)
    own = set(map(tuple, pixels.tolist()))
    cells = shaft(place.bone, place.side, view, placement)
    rest = np.array([cell for cell in cells.tolist() if tuple(cell) not in own], dtype=int).reshape(-1, 3)
    return rest if len(rest) >= _FEWEST else np.empty((0, 3), dtype=int)


def shaft(bone: str, side: str, view: Volume, placement: Placement) -> Pixels:
    """Give the pixels along the middle third of a long bone, shape (n, 3); none of another bone."""
    line = _longest(placement.shape_key()).get((bone, side))
    if line is None:
        return np.empty((0, 3), dtype=int)
    steps = np.array([[x, 0.0, z] for x in (-_SHAFT_MM, 0.0, _SHAFT_MM) for z in (-_SHAFT_MM, 0.0, _SHAFT_MM)])
    flat = line * [1.0, 0.0, 1.0] + [0.0, view.grid.lps_from_voxel[1, 3], 0.0]
    return np.unique(np.rint(view.grid.voxels((flat[:, None] + steps).reshape(-1, 3))).astype(int), axis=0)


@lru_cache(maxsize=8)
def _longest(placement: Placement) -> dict[tuple[str, str], Array]:
    """Give points along the middle third of each long bone's longest tube, LPS mm, by bone and side; remembered."""
    found: dict[tuple[str, str], tuple[float, Array]] = {}
    for tube in posed_tubes(placement):
        length = float(tube.lengths_mm()[-1])
        if tube.bone in LONG and length > found.get((tube.bone, tube.side), (0.0, None))[0]:
            found[tube.bone, tube.side] = (length, tube.at(_SHAFT)[0])
    return {key: line for key, (_, line) in found.items()}


def _plates(view: Volume, placement: Placement, middle: Array) -> float | None:
    """Give the median of the means at the open growth plates that are not beside a lesion; None in a grown person."""
    if growth.open_share(placement.age_y, placement.sex) <= 0:
        return None
    found = []
    for _, _, _, at, *_ in physis_planes(placement):
        mean = mean_counts(view, disc(view, at))
        if mean is not None and np.hypot(at[0] - middle[0], at[2] - middle[2]) > _APART_MM:
            found.append(mean)
    return float(np.median(found)) if found else None


def disc(view: Volume, at: Array) -> Pixels:
    """Give the pixels of a disc about a place of a view, shape (n, 3); depth is left out. Some may lie outside."""
    flat = [at[0], view.grid.lps_from_voxel[1, 3], at[2]]
    reach = int(np.ceil(_DISC_MM / min(view.grid.spacing_mm[:2])))
    first, second = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    steps = np.column_stack([first.ravel(), second.ravel(), np.zeros(first.size, dtype=int)])
    cells = np.rint(view.grid.voxels(flat)).astype(int) + steps
    return np.asarray(cells[np.linalg.norm(view.grid.lps(cells) - flat, axis=1) <= _DISC_MM])


def geometric_mean(anterior: Volume, posterior: Volume) -> Volume:
    """Give the root of the product of both views: what lies deep is less dimmed by the body than in either.

    Parameters
    ----------
    anterior, posterior : Volume
        Projections of one scan.

    Returns
    -------
    Volume
        On the anterior grid; each pixel with the one of the posterior view that holds its middle. NaN where the
        posterior view shows nothing.
    """
    voxels = np.argwhere(np.ones(anterior.grid.shape, dtype=bool))
    there = np.rint(posterior.grid.voxels(anterior.grid.lps(voxels))).astype(int)
    there[:, 2] = 0  # a projection holds all of its depth
    inside = np.all((there >= 0) & (there < posterior.grid.shape), axis=1)
    behind = np.full(len(voxels), np.nan)
    behind[inside] = posterior.array[tuple(there[inside].T)]
    product = anterior.array.clip(0) * behind.reshape(anterior.grid.shape).clip(0)
    return Volume(np.sqrt(product), anterior.grid, projection=True)
