"""Where a lesion lies in its bone: what can be compared between children of other size and pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.annotate.places import middle_of, reference_of, seen_in
from lesionmap.skeleton import Group, bone, known, site
from lesionmap.skeleton.limits import LONG, axis_of, limits
from lesionmap.visits import placement_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.annotate.places import Reference
    from lesionmap.compare.facts import VisitFacts
    from lesionmap.lesions import Extent, Lesion, Mask
    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.anatomy import Side

    Array = NDArray[np.float64]

__all__ = ["Position", "bones_of", "drawn_on", "position_of", "some_of"]

_AXED = (*LONG, "clavicle")
_POINTS = 200
_ML = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    """A lesion in bone coordinates."""

    bones: frozenset[tuple[str, Side]]
    """Bones and sides of all its sites, by the reader's word."""
    reference: Reference | None
    """Its middle in the reference body; None where nothing is drawn or no skeleton is placed."""
    axis: Array | None = None
    """Of its bone in the patient, proximal to distal, unit vector; None for bones without."""
    ends_mm: tuple[float, float] | None = None
    """Signed distance of its middle from proximal and distal physis, mm, positive towards distal; long bones."""
    volume_ml: float | None = None
    """Of its outline on slices."""
    outline_mm: Array | None = None
    """Points of its outline about its middle, in the patient, mm, shape (n, 3)."""


def position_of(facts: VisitFacts, lesion: Lesion) -> Position:
    """Give the place of a lesion of a visit.

    Parameters
    ----------
    facts : VisitFacts
        Its placement says where bones are; measurements are not needed.
    lesion : Lesion
        Of its map. Slices go before planar views, outlines before markers.
    """
    bones = frozenset(one for name in lesion.sites for one in bones_of(name))
    drawn = drawn_on(facts, lesion)
    if drawn is None:
        return Position(bones, None)
    extent, placement, middle = drawn
    reference = reference_of(middle, bones_of(lesion.sites[0]), placement)
    axis, ends = _along(middle, lesion.sites[0], placement)
    mask = None if extent.mask is None or _flat(facts, extent) else extent.mask
    if mask is None:
        return Position(bones, reference, axis, ends)
    volume_ml = mask.n_voxels * float(np.prod(mask.grid.spacing_mm)) / _ML
    return Position(bones, reference, axis, ends, volume_ml, some_of(mask) - middle)


def some_of(mask: Mask) -> Array:
    """Give as many voxels of an outline as are enough to tell how far two overlap, LPS mm, shape (n, 3)."""
    voxels = mask.voxels()
    return mask.grid.lps(voxels[:: max(1, len(voxels) // _POINTS)])


def bones_of(name: str) -> frozenset[tuple[str, Side]]:
    """Give the bones, with their sides, that a site or group lies in."""
    place = known(name)
    members = [site(member) for member in place.sites] if isinstance(place, Group) else [place]
    return frozenset((one.bone, one.side if bone(one.bone).paired else "midline") for one in members)


def _flat(facts: VisitFacts, extent: Extent) -> bool:
    return any(series.name == extent.series and series.projection for series in facts.visit.series)


def drawn_on(facts: VisitFacts, lesion: Lesion) -> tuple[Extent, Placement, Array] | None:
    """Find the extent of a lesion that tells its place best, the skeleton there, and its middle, LPS mm.

    Slices go before planar views, outlines before markers; None where nothing is drawn or no skeleton is placed.
    """
    order = sorted(lesion.extents, key=lambda extent: (_flat(facts, extent), extent.mask is None))
    for extent in order:
        middle = middle_of(extent)
        series = next((series for series in facts.visit.series if series.name == extent.series), None)
        placement = facts.placement if series is None else placement_on(facts.visit, facts.placement, series)
        if middle is None or placement is None:
            continue
        if _flat(facts, extent):
            middle = seen_in(lesion.sites[0], middle, placement)
        return extent, placement, middle
    return None


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
