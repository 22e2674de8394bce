"""From masks, segmentations, markers or named sites to the lesions of a LesionMap; sites are proposed if not given."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap import annotate, skeleton
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent
from lesionmap.read.segplace import extents_of, lesions_of, told_grid, told_grids
from lesionmap.segment.planar import likely_sites, marks_seen, view_sites
from lesionmap.space import Volume
from lesionmap.visits import only_planar, visit_key_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from lesionmap.lesions import LesionMap
    from lesionmap.read.rows import MarkRow
    from lesionmap.read.seg import ReadSeg
    from lesionmap.read.sr import ReadReport
    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.seen import SeenSite
    from lesionmap.space import Grid
    from lesionmap.visits import Series, Visit

__all__ = ["accept_tracks", "add_marks", "add_masks", "add_report", "add_segs", "onto_grid", "proposed_sites"]

_TOLERANCE_VOXELS = 0.1
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
    placement = _placed(placement, visit)
    series, fitted = _on_series(mask, visit, series_name)
    for number, found in enumerate(annotate.lesions_from_mask(fitted), start=1):
        what = f"lesion {number} of the mask"
        points, flat = found.lps_mm(), only_planar(visit)
        sites = view_sites(points, placement, series, what) if flat else _sites_at(points, placement, labels, what)
        extent = Extent(series.name, found, None, series.phase)
        _only_once(lesion_map, extent, what)
        lesion_map = annotate.add_lesion(lesion_map, sites=sites, extents=[extent])
    return lesion_map


def _placed(placement: Placement | None, visit: Visit) -> Placement:
    if placement is None:
        raise LesionmapError(
            f"visit {visit.key} has no skeleton to propose sites; place it with 'lesionmap place' first"
        )
    return placement


def _sites_at(
    points_lps_mm: NDArray[np.float64], placement: Placement, labels: Volume | None, what: str
) -> tuple[str, ...]:
    sites = proposed_sites(points_lps_mm, placement, labels)
    if not sites:
        middle = ", ".join(f"{x:.0f}" for x in points_lps_mm.mean(axis=0))
        raise LesionmapError(
            f"{what}, at ({middle}) mm, lies in no bone of the placed skeleton; "
            "correct the landmarks, or mark it by its site with --markers or --sites"
        )
    return sites


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
            _only_once(before, extent, what)
        told = parts[0][1].told
        tracks = told.tracks if told else tuple(x for x in [parts[0][1].tracking_uid] if x)
        host = _host(before, tracks, extents)
        if host is not None:
            for extent in extents:
                lesion_map = annotate.add_extent(lesion_map, host, extent)
            continue
        points = np.concatenate([extent.mask.lps_mm() for extent in extents if extent.mask is not None])
        sites = told.sites if told else _sites_at(points, _placed(placement, visit), labels, what)
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
        drawn = [x.mask.lps_mm() if x.mask else np.array([x.marker_lps_mm]) for x in lesion.extents]
        what = f"lesion {lesion.id} of the report"
        sites = lesion.sites or _sites_at(np.concatenate(drawn), _placed(placement, visit), labels, what)
        tracks = lesion.tracks if lesion.tracks or report.ours else (annotate.new_track(),)
        lesions.append(replace(lesion, sites=sites, tracks=tracks))
    return annotate.take_over(lesion_map, replace(report.lesion_map, lesions=tuple(lesions)))


def add_marks(
    lesion_map: LesionMap,
    visit: Visit,
    placement: Placement | None,
    rows: Iterable[MarkRow],
    earlier: Sequence[LesionMap] = (),
    labels: Volume | None = None,
) -> LesionMap:
    """Mark the lesions and give the answers of ``markers.csv`` or ``sites.csv``.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is.
    visit : Visit
        A marker becomes an Extent on the first series that holds the point.
    placement : Placement or None
        Proposes the site of a marker that names none.
    rows : iterable of MarkRow
        From ``lesionmap.read.rows``.
    earlier : sequence of LesionMap
        The other visits of the same reader: an answer is for a track marked in one before this.
    labels : Volume, optional
        The bone label map of the placement.

    Raises
    ------
    LesionmapError
        On an unknown site, a marker that needs a site and lies in no bone or is there already, a track that is none.
    """
    for row in rows:
        if row.answer:
            track = _answered(row, [other for other in earlier if _day(other.visit) < _day(visit.key)])
            lesion_map = annotate.answer(lesion_map, track, row.answer, row.note)
            continue
        extents, seen = _marks(row, visit, placement)
        for extent in extents:
            _only_once(lesion_map, extent, f"marker {row.id!r}")
        lesion_map = annotate.add_lesion(
            lesion_map,
            sites=likely_sites(seen, f"marker {row.id!r}") if seen else _sites_of(row, placement, labels),
            extents=extents,
            certainty=row.certainty,
            track=_checked_track(row) or None,
            note=row.note,
        )
    return lesion_map


def _only_once(lesion_map: LesionMap, extent: Extent, what: str) -> None:
    """Refuse what is drawn already, voxel for voxel: the same file was given twice."""
    for lesion in lesion_map.lesions:
        if extent in lesion.extents:
            raise LesionmapError(
                f"{what} is marked already as {lesion.id} of visit {lesion_map.visit} by {lesion_map.reader}; "
                "the file was added before, or has it twice"
            )


def _marks(row: MarkRow, visit: Visit, placement: Placement | None) -> tuple[Sequence[Extent], Sequence[SeenSite]]:
    if row.lps_mm is not None and only_planar(visit):
        return marks_seen(visit, row.lps_mm, None if row.site else placement)
    return () if row.lps_mm is None else (_marker(row.lps_mm, visit),), ()


def _marker(lps_mm: tuple[float, float, float], visit: Visit) -> Extent:
    for series in visit.series:
        if not series.projection and bool(series.grid.contains(lps_mm)):
            return Extent(series.name, None, lps_mm, series.phase)
    where = ", ".join(f"{x:.6g}" for x in lps_mm)
    raise LesionmapError(
        f"the marker at ({where}) mm lies outside every series of visit {visit.key}; check that it is LPS mm, "
        "or mark the lesion by its site with --sites"
    )


def _sites_of(row: MarkRow, placement: Placement | None, labels: Volume | None) -> tuple[str, ...]:
    if row.site:
        return (skeleton.known(row.site).id,)
    if placement is None or row.lps_mm is None:
        raise LesionmapError(f"marker {row.id!r} names no site and no skeleton is placed; place it first, or name one")
    sites = proposed_sites(np.array([row.lps_mm]), placement, labels)
    if not sites:
        raise LesionmapError(f"marker {row.id!r} names no site and lies in no bone of the placed skeleton; name a site")
    return sites


def _checked_track(row: MarkRow) -> str:
    if row.track and not re.fullmatch(r"[0-9]+(\.[0-9]+)+", row.track):
        raise LesionmapError(
            f"{row.id}: a track is a DICOM UID (digits and dots) as in the lesion table, got {row.track!r}; "
            "leave it empty for a new one"
        )
    return row.track


def _day(visit_key: str) -> tuple[date, int]:
    return visit_key_parts(visit_key)


def _answered(row: MarkRow, earlier: Sequence[LesionMap]) -> str:
    """Find the track that an answer is for: the one named, if it was marked before, else the one at the site."""
    if not row.track:
        if not row.site:
            raise LesionmapError(f"{row.id}: an answer needs the track that it is for, or the site of it; name one")
        return _track_at(row.site, earlier)
    if not any(row.track in lesion.tracks for lesion_map in earlier for lesion in lesion_map.lesions):
        raise LesionmapError(
            f"{row.id}: an answer is for a track that this reader marked in an earlier visit, {row.track!r} is none; "
            "copy it from the comparison, or name the site instead"
        )
    return row.track


def _track_at(site: str, earlier: Sequence[LesionMap]) -> str:
    """Find the one track that was marked at a site in earlier visits."""
    skeleton.known(site)
    marked = [lesion for lesion_map in earlier for lesion in lesion_map.lesions]
    by_primary = {track for lesion in marked if lesion.sites[0] == site for track in lesion.tracks}
    tracks = by_primary or {track for lesion in marked if site in lesion.sites for track in lesion.tracks}
    if len(tracks) == 1:
        return tracks.pop()
    found = f"{len(tracks)} tracks were" if tracks else "no track was"
    raise LesionmapError(
        f"an answer at {site} needs one track marked there in an earlier visit, {found}; name it in the column track"
    )


def accept_tracks(lesion_map: LesionMap, earlier: Sequence[LesionMap]) -> LesionMap:
    """Give each lesion the track that is proposed for it: the reader has said so.

    Only lesions whose own track is marked in no other visit are proposed one.
    """
    for lesion_id, track in annotate.propose_tracks(lesion_map, earlier).items():
        lesion_map = annotate.change_lesion(lesion_map, lesion_id, tracks=(track,))
    return lesion_map
