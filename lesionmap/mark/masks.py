"""From masks, segmentations, markers or named sites to the lesions of a LesionMap; sites are proposed if not given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap import annotate
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent
from lesionmap.mark.sites import only_once, placed_on, sites_on
from lesionmap.read.segplace import extents_of, lesions_of, told_grid, told_grids
from lesionmap.space import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.lesions import LesionMap
    from lesionmap.read.seg import ReadSeg
    from lesionmap.read.sr import ReadReport
    from lesionmap.skeleton import Placement
    from lesionmap.space import Grid
    from lesionmap.visits import Series, Visit

__all__ = ["add_masks", "add_report", "add_segs", "onto_grid"]

_TOLERANCE_VOXELS = 0.1


def onto_grid(mask: Volume, grid: Grid) -> Volume | None:
    """Give a mask on a grid that has the same voxels, maybe along other axes; None where it has others.

    A NIfTI file made from a series often has its rows flipped: the voxels are the same, their order is not.
    """
    matrix = grid.voxel_from_lps @ mask.grid.lps_from_voxel
    steps = np.rint(matrix[:3, :3])
    if not np.array_equal(np.abs(steps).sum(axis=0), [1, 1, 1]) or abs(round(float(np.linalg.det(steps)))) != 1:
        return None
    axes = [int(np.flatnonzero(steps[row])[0]) for row in range(3)]
    flips = [row for row in range(3) if steps[row, axes[row]] < 0]
    array = np.flip(np.transpose(mask.array, axes), tuple(flips))
    if array.shape != grid.shape:
        return None
    ends = mask.grid.corners_lps_mm()
    low, high = grid.voxels(ends).min(axis=0), grid.voxels(ends).max(axis=0)
    off = max(np.abs(low + 0.5).max(), np.abs(high - np.array(grid.shape) + 0.5).max())
    return Volume(array, grid, mask.projection) if off < _TOLERANCE_VOXELS else None


def _on_series(mask: Volume, visit: Visit, name: str | None) -> tuple[Series, Volume]:
    """Find the Series that a mask was drawn on."""
    candidates = (visit.series_named(name),) if name else visit.series
    for series in candidates:
        if (fitted := onto_grid(mask, series.grid)) is not None:
            return series, fitted
    raise LesionmapError(
        f"a mask has the shape and place of a series of visit {visit.key}; this one has {told_grid(mask.grid)} "
        f"and fits none ({told_grids(candidates)}); draw it on one of the series or resample it to one"
    )


def add_masks(
    lesion_map: LesionMap,
    visit: Visit,
    placement: Placement | None,
    mask: Volume,
    series_name: str | None = None,
    labels: Volume | None = None,
) -> LesionMap:
    """Mark every lesion of a mask, its site proposed by the placement.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is.
    visit : Visit
        Whose series the mask was drawn on.
    placement : Placement or None
        The skeleton on this visit; needed.
    mask : Volume
        Each value but 0 is one lesion; a mask of 0 and 1 is split into 26-neighbour components.
    series_name : str, optional
        The series it was drawn on; without it, the first series with the same voxels.
    labels : Volume, optional
        The bone label map of the placement.

    Raises
    ------
    LesionmapError
        If no skeleton is placed, no series has these voxels, or a lesion lies in no bone or is marked already.
    """
    placed_on(placement, visit)
    series, fitted = _on_series(mask, visit, series_name)
    for number, found in enumerate(annotate.lesions_from_mask(fitted), start=1):
        what = f"lesion {number} of the mask"
        sites = sites_on(found.lps_mm(), placement, visit, series, labels, what)
        extent = Extent(series.name, found, None, series.phase)
        only_once(lesion_map, extent, what)
        lesion_map = annotate.add_lesion(lesion_map, sites=sites, extents=[extent])
    return lesion_map


def add_segs(
    lesion_map: LesionMap,
    visit: Visit,
    placement: Placement | None,
    segs: Sequence[ReadSeg],
    series_name: str | None = None,
    labels: Volume | None = None,
) -> LesionMap:
    """Mark the lesions of DICOM Segmentations.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is.
    visit : Visit
        On whose series they were drawn.
    placement : Placement or None
        Proposes the sites of segments by other programs; those of lesionmap tell theirs.
    segs : sequence of ReadSeg
        From ``lesionmap.read.seg.read_seg``, in any order. The segments of one Tracking UID, over all of them, are one
        lesion, and what several of them show of one voxel counts once; segments without one are a lesion each. A
        lesion marked already under that track, but on other series, gets the extents.
    series_name : str, optional
        The series that they were drawn on; without it, those that they refer to, else the first with their voxels.
    labels : Volume, optional
        The bone label map of the placement.

    Raises
    ------
    LesionmapError
        If nothing is set, no series has the voxels of a segment, a site is neither told nor found, or a lesion is
        marked already.
    """
    before = lesion_map
    for parts in lesions_of(segs):
        what = f"segment {parts[0][1].number} of {parts[0][0].path}"
        extents = extents_of(parts, visit, series_name)
        for extent in extents:
            only_once(before, extent, what)
        told = parts[0][1].told
        tracks = told.tracks if told else tuple(x for x in [parts[0][1].tracking_uid] if x)
        host = _host(before, tracks, extents)
        if host is not None:
            for extent in extents:
                lesion_map = annotate.add_extent(lesion_map, host, extent)
            continue
        sites = told.sites if told else _drawn_sites(extents, placement, visit, labels, what)
        certainty = told.certainty if told else "definite"
        lesion_map = annotate.add_lesion(lesion_map, sites=sites, extents=extents, certainty=certainty)
        if told or tracks:
            lesion_map = annotate.change_lesion(lesion_map, lesion_map.lesions[-1].id, tracks=tracks)
    return lesion_map


def _host(lesion_map: LesionMap, tracks: Sequence[str], extents: Sequence[Extent]) -> str | None:
    """Find the one lesion that is marked already under these tracks, to be drawn on more series."""
    same = [lesion for lesion in lesion_map.lesions if tracks and set(lesion.tracks) == set(tracks)]
    if len(same) != 1:
        return None
    drawn = {x.series for x in same[0].extents if x.mask is not None} & {x.series for x in extents}
    if drawn:
        raise LesionmapError(
            f"lesion {same[0].id} of visit {lesion_map.visit} has the same track and is drawn on {', '.join(drawn)} "
            "in another way; remove it first, or leave the file out"
        )
    return same[0].id


def add_report(
    lesion_map: LesionMap, visit: Visit, placement: Placement | None, report: ReadReport, labels: Volume | None = None
) -> LesionMap:
    """Take over the lesions and answers of a DICOM SR.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is. Into one that never held anything they come under their own ids, and signed if they were.
    visit : Visit
        That the report was read for.
    placement : Placement or None
        Proposes the sites of what another program drew without naming a site.
    report : ReadReport
        From ``lesionmap.read.read_sr``.
    labels : Volume, optional
        The bone label map of the placement.

    Raises
    ------
    LesionmapError
        If the map is signed, a site is neither told nor found, or a lesion or an answer is there already.
    """
    lesions = []
    for lesion in report.lesion_map.lesions:
        what = f"lesion {lesion.id} of the report"
        sites = lesion.sites or _drawn_sites(lesion.extents, placement, visit, labels, what)
        tracks = lesion.tracks if lesion.tracks or report.ours else (annotate.new_track(),)
        lesions.append(replace(lesion, sites=sites, tracks=tracks))
    return annotate.take_over(lesion_map, replace(report.lesion_map, lesions=tuple(lesions)))


def _drawn_sites(
    extents: Sequence[Extent], placement: Placement | None, visit: Visit, labels: Volume | None, what: str
) -> tuple[str, ...]:
    """Propose the sites of what is drawn: on slices, where there are some, else on the first planar view."""
    series = {extent.series: visit.series_named(extent.series) for extent in extents}
    solid = [x for x in extents if not series[x.series].projection]
    drawn = [x.mask.lps_mm() if x.mask else np.array([x.marker_lps_mm]) for x in solid or extents[:1]]
    return sites_on(np.concatenate(drawn), placement, visit, series[(solid or extents)[0].series], labels, what)
