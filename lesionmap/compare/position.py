"""Where a lesion lies in its bone: what can be compared between children of other size and pose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.annotate.places import drawn_place, reference_place
from lesionmap.skeleton import Group, bones_of, known
from lesionmap.skeleton.limits import LONG, axis_of, limits
from lesionmap.visits import placement_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.annotate.places import ReferencePlace
    from lesionmap.compare.facts import VisitFacts
    from lesionmap.lesions import Extent, Lesion, Mask
    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.anatomy import Side

    Array = NDArray[np.float64]

__all__ = ["Drawn", "Position", "drawn_on", "position_of", "some_of"]

_AXED = (*LONG, "clavicle")
_POINTS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Where what is drawn of a lesion lies in its bone."""

    middle: ReferencePlace
    axis: Array | None
    """Of its bone in the patient, proximal to distal, unit vector; None for bones without."""
    ends_mm: tuple[float, float] | None
    """Signed distance of its middle from proximal and distal physis, mm, positive towards distal; long bones."""
    volume_ml: float | None = None
    """Of its outline on slices."""
    outline_mm: Array | None = None
    """Points of that outline about its middle, in the patient, mm, shape (n, 3)."""


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """A lesion in bone coordinates."""

    bones: frozenset[tuple[str, Side]]
    """Bones and sides of all its sites, by the reader's word."""
    drawn: Drawn | None
    """None where nothing is drawn or no skeleton is placed: its sites are all that is known."""


def position_of(facts: VisitFacts, lesion: Lesion) -> Position:
    """Give the place of a lesion of a visit.

    Parameters
    ----------
    facts : VisitFacts
        Its placement says where bones are; measurements are not needed.
    lesion : Lesion
        Of its map. Slices go before planar views, outlines before markers.
    """
    return _position(lesion, *_skeletons(facts))


@lru_cache(maxsize=1024)
def _position(
    lesion: Lesion, placement: Placement | None, on_views: Placement | None, views: tuple[str, ...]
) -> Position:
    """Remember positions: while a visit is read, the lesions of the visits before stay as they are."""
    bones = frozenset(one for name in lesion.sites for one in bones_of(name))
    found = drawn_place(lesion, placement, on_views, projections=views)
    if found is None:
        return Position(bones, None)
    extent, there, middle = found
    at = reference_place(middle, bones_of(lesion.sites[0]), there)
    axis, ends = _along(middle, lesion.sites[0], there)
    if extent.mask is None or extent.series in views:
        return Position(bones, Drawn(at, axis, ends))
    volume_ml = extent.mask.n_voxels * extent.mask.grid.voxel_volume_ml
    return Position(bones, Drawn(at, axis, ends, volume_ml, some_of(extent.mask) - middle))


def some_of(mask: Mask) -> Array:
    """Give as many voxels of an outline as are enough to tell how far two overlap, LPS mm, shape (n, 3)."""
    voxels = mask.voxels()
    return mask.grid.lps(voxels[:: max(1, len(voxels) // _POINTS)])


def _skeletons(facts: VisitFacts) -> tuple[Placement | None, Placement | None, tuple[str, ...]]:
    """Give the skeleton on a visit's slices, that on its views, and the names of these views."""
    views = [series for series in facts.visit.series if series.projection]
    on_views = placement_on(facts.visit, facts.placement, views[0]) if views else None
    return facts.placement, on_views, tuple(series.name for series in views)


def drawn_on(facts: VisitFacts, lesion: Lesion) -> tuple[Extent, Placement, Array] | None:
    """Find the Extent of a lesion that tells its place best, as ``drawn_place``, on a visit's slices and views."""
    placement, on_views, views = _skeletons(facts)
    return drawn_place(lesion, placement, on_views, projections=views)


def _along(middle: Array, name: str, placement: Placement) -> tuple[Array | None, tuple[float, float] | None]:
    place = known(name)
    if isinstance(place, Group) or place.bone not in _AXED:
        return None, None
    axis = axis_of(place.bone, place.side, placement).direction
    found = {"proximal": np.nan, "distal": np.nan}
    for limit in limits(place.bone, place.side, placement):
        for end in found:
            if limit.physis and f".{end}_epiphysis." in limit.before + limit.after:
                found[end] = float(limit.value(middle[None])[0])
    ends = (found["proximal"], found["distal"])
    return axis, None if np.isnan(ends).any() else ends
