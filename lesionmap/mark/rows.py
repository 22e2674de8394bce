"""From markers, named sites and answers to the lesions and answers of a LesionMap."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from lesionmap import annotate, skeleton
from lesionmap.compare import match
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent
from lesionmap.mark.sites import only_once, placed_on, proposed_sites
from lesionmap.segment.planar import likely_sites, marks_seen
from lesionmap.visits import only_planar, visit_key_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from lesionmap.compare import Match, VisitFacts
    from lesionmap.lesions import LesionMap
    from lesionmap.read.rows import MarkRow
    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.seen import SeenSite
    from lesionmap.space import Volume
    from lesionmap.visits import Series, Visit

__all__ = ["accept_tracks", "add_marks", "with_tracks"]


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
        A marker becomes an Extent on the series that it names, else on the first that holds the point; on a planar view
        on each of the pair that shows the spot. Rows of one id are one lesion, seen on several series.
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
    made: dict[str, str] = {}
    for row in rows:
        if row.answer:
            for track in _answered(row, [other for other in earlier if _day(other.visit) < _day(visit.key)]):
                lesion_map = annotate.answer(lesion_map, track, row.answer, row.note)
            continue
        extents, seen = _marks(row, visit, placement)
        for extent in extents:
            only_once(lesion_map, extent, f"marker {row.id!r}")
        if row.lps_mm is not None and row.id in made:
            for extent in extents:
                lesion_map = annotate.add_extent(lesion_map, made[row.id], extent)
            continue
        lesion_map = annotate.add_lesion(
            lesion_map,
            sites=likely_sites(seen, f"marker {row.id!r}") if seen else _sites_of(row, placement, labels),
            extents=extents,
            certainty=row.certainty,
            track=_checked_track(row) or None,
            note=row.note,
        )
        made[row.id] = lesion_map.lesions[-1].id
    return lesion_map


def _marks(row: MarkRow, visit: Visit, placement: Placement | None) -> tuple[Sequence[Extent], Sequence[SeenSite]]:
    """Give the extents of a marker, and on a planar view the sites that it may be, where the row names none."""
    if row.lps_mm is None:
        return (), ()
    named = visit.series_named(row.series) if row.series else None
    if named.projection if named else only_planar(visit):
        there = None if row.site or not placement else placed_on(placement, visit, named)
        return marks_seen(visit, row.lps_mm, there, named)
    return (_marker(row.lps_mm, visit, named),), ()


def _marker(lps_mm: tuple[float, float, float], visit: Visit, named: Series | None) -> Extent:
    if not np.isfinite(lps_mm).all():
        raise LesionmapError(
            "y_lps_mm may be empty on a planar view alone, this marker is on slices; give its depth, or name the view "
            "with --series"
        )
    for series in (named,) if named else visit.series:
        if not series.projection and bool(series.grid.contains(lps_mm)):
            return Extent(series.name, None, lps_mm, series.phase)
    where = ", ".join(f"{x:.6g}" for x in lps_mm)
    outside = f"outside {named.name}" if named else f"outside every series of visit {visit.key}"
    raise LesionmapError(
        f"the marker at ({where}) mm lies {outside}; check that it is LPS mm, "
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


def _answered(row: MarkRow, earlier: Sequence[LesionMap]) -> tuple[str, ...]:
    """Find the tracks that an answer is for: the one named, if it was marked before, else the site's lesion's."""
    if not row.track:
        if not row.site:
            raise LesionmapError(f"{row.id}: an answer needs the track that it is for, or the site of it; name one")
        return _tracks_at(row.site, earlier)
    if not any(row.track in lesion.tracks for lesion_map in earlier for lesion in lesion_map.lesions):
        raise LesionmapError(
            f"{row.id}: an answer is for a track that this reader marked in an earlier visit, {row.track!r} is none; "
            "copy it from the comparison, or name the site instead"
        )
    return (row.track,)


def _tracks_at(site: str, earlier: Sequence[LesionMap]) -> tuple[str, ...]:
    """Find the tracks of the one lesion that was marked at a site in earlier visits: several where it had merged."""
    skeleton.known(site)
    marked = [lesion for lesion_map in earlier for lesion in lesion_map.lesions]
    by_primary = {track for lesion in marked if lesion.sites[0] == site for track in lesion.tracks}
    tracks = by_primary or {track for lesion in marked if site in lesion.sites for track in lesion.tracks}
    last = [_last_lesions(track, earlier) for track in tracks]
    if tracks and all(lesions == last[0] for lesions in last):
        return tuple(sorted(tracks))
    found = f"{len(tracks)} tracks were" if tracks else "no track was"
    raise LesionmapError(
        f"an answer at {site} needs one track marked there in an earlier visit, {found}; name it in the column track"
    )


def _last_lesions(track: str, earlier: Sequence[LesionMap]) -> tuple[str, list[str]]:
    """Give the visit in which a track was last marked, and its lesions there."""
    having = [x for x in earlier if any(track in lesion.tracks for lesion in x.lesions)]
    last = max(having, key=lambda one: _day(one.visit))
    return last.visit, [lesion.id for lesion in last.lesions if track in lesion.tracks]


def accept_tracks(facts: VisitFacts, others: Sequence[VisitFacts]) -> LesionMap:
    """Give each lesion of a visit the tracks that are proposed for it: the reader has said so.

    Only lesions whose own tracks are marked in no other visit are proposed any. What is offered with a warning is left.
    """
    return with_tracks(facts.lesion_map, [one for one in match(facts, others) if not one.warning])


def with_tracks(lesion_map: LesionMap, matches: Iterable[Match]) -> LesionMap:
    """Give lesions the tracks of what they were matched with: several where they merged."""
    found: dict[str, tuple[str, ...]] = {}
    for one in matches:
        found[one.lesion] = (*found.get(one.lesion, ()), *one.tracks)
    for lesion, tracks in found.items():
        lesion_map = annotate.change_lesion(lesion_map, lesion, tracks=tuple(dict.fromkeys(tracks)))
    return lesion_map
