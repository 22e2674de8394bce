"""Which site is a mark in? Proposed by the skeleton as it lies on the series that was marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.segment.planar import view_sites
from lesionmap.visits import placement_on

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lesionmap.lesions import Extent, LesionMap
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from lesionmap.visits import Series, Visit

__all__ = ["only_once", "placed_on", "proposed_sites", "sites_at", "sites_on"]

_SECOND_SITE = 0.15
"""A further segment of the bone is touched from this share on; below, it is the edge of a voxel."""


def proposed_sites(
    points_lps_mm: NDArray[np.float64], placement: Placement, labels: Volume | None = None
) -> tuple[str, ...]:
    """Propose the sites of a lesion: the site that holds most of it, then other segments of the same bone.

    Parameters
    ----------
    points_lps_mm : ndarray, shape (n, 3)
        The voxels or the marker of the lesion, LPS mm.
    placement : Placement
        The skeleton on this visit.
    labels : Volume, optional
        Its bone label map: where it names a bone, that bone and side win.

    Returns
    -------
    tuple of str
        Site ids, the primary one first; empty where the points lie in no bone.
    """
    shares = [share for share in skeleton.site_shares(points_lps_mm, placement, labels) if share.site]
    if not shares:
        return ()
    first = skeleton.site(shares[0].site)
    more = [skeleton.site(share.site) for share in shares[1:] if share.share >= _SECOND_SITE]
    return (first.id, *(found.id for found in more if (found.bone, found.side) == (first.bone, first.side)))


def placed_on(placement: Placement | None, visit: Visit, series: Series | None = None) -> Placement:
    """Give the skeleton on a series of a visit, else on the visit.

    Raises
    ------
    LesionmapError
        If none is placed there.
    """
    there = placement if series is None else placement_on(visit, placement, series)
    if there is None and placement is not None and series is not None:
        raise LesionmapError(
            f"the skeleton lies on the slices of visit {visit.key}, not on {series.name}; place it there too, with "
            "'lesionmap place --scan --auto', or name the site"
        )
    if there is None:
        raise LesionmapError(
            f"visit {visit.key} has no skeleton to propose sites; place it with 'lesionmap place' first"
        )
    return there


def sites_on(
    points_lps_mm: NDArray[np.float64],
    placement: Placement | None,
    visit: Visit,
    series: Series,
    labels: Volume | None,
    what: str,
) -> tuple[str, ...]:
    """Propose the sites of what was drawn on a series, points of shape (n, 3), LPS mm."""
    there = placed_on(placement, visit, series)
    if series.projection:
        return view_sites(points_lps_mm, there, series, what)
    return sites_at(points_lps_mm, there, labels, what)


def sites_at(
    points_lps_mm: NDArray[np.float64], placement: Placement, labels: Volume | None, what: str
) -> tuple[str, ...]:
    """Propose the sites of what was drawn on slices; an error that names it where it lies in no bone."""
    sites = proposed_sites(points_lps_mm, placement, labels)
    if not sites:
        middle = ", ".join(f"{x:.0f}" for x in points_lps_mm.mean(axis=0))
        raise LesionmapError(
            f"{what}, at ({middle}) mm, lies in no bone of the placed skeleton; "
            "correct the landmarks, or mark it by its site with --markers or --sites"
        )
    return sites


def only_once(lesion_map: LesionMap, extent: Extent, what: str) -> None:
    """Refuse what is drawn already, voxel for voxel: the same file was given twice."""
    for lesion in lesion_map.lesions:
        if extent in lesion.extents:
            raise LesionmapError(
                f"{what} is marked already as {lesion.id} of visit {lesion_map.visit} by {lesion_map.reader}; "
                "the file was added before, or has it twice"
            )
