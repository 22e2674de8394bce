"""From the results of a patient to the description of the lesion map: where each dot lies, front and back."""

from __future__ import annotations

from dataclasses import replace
from math import cos, hypot, pi, sin
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.annotate.places import seen_in
from lesionmap.compare import marked_on
from lesionmap.skeleton import Site, imaged, known, locate, map_points, map_site, place_name, sites
from lesionmap.visits import placement_on
from lesionmap.write.mapmodel import MapDot, MapPanel, dot_radius_mm
from lesionmap.write.rows import count_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.compare import Change, TrackCourse, VisitFacts
    from lesionmap.lesions import Extent, Lesion
    from lesionmap.skeleton import Placement
    from lesionmap.write.results import Results

__all__ = ["DEFAULT_AGE_Y", "map_model"]

DEFAULT_AGE_Y = 10.0
"""Of the skeleton drawn where no age is known."""

View = Literal["front", "back"]
XY = tuple[float, float]
_VIEWS: tuple[View, View] = ("front", "back")
_MOST_POINTS = 400
_LEAST_SHRINK = 0.66  # of a dot in a crowd: smaller ones could not be read


def map_model(results: Results, visits: Sequence[str] | None = None) -> tuple[MapPanel, ...]:
    """Describe the lesion maps of a patient, one panel a visit.

    A dot lies where the lesion was drawn, carried over to the drawn skeleton by bone coordinates; of a planar view, at
    that place of its site. Where nothing was drawn, no skeleton lies there, or the reader gave another site than that
    of the drawing, it lies in the middle of the site and is marked ``approximate``. Tracks that are not marked in a
    visit stand where they were last.

    Parameters
    ----------
    results : Results
        Of one patient.
    visits : sequence of str, optional
        Keys of the visits wanted; all where not given.

    Returns
    -------
    tuple of MapPanel
        By date.
    """
    wanted = [results.facts(key) for key in visits] if visits is not None else results.visits
    return tuple(_panel(results, facts) for facts in wanted)


def _panel(results: Results, facts: VisitFacts) -> MapPanel:
    visit = facts.visit
    age_y = visit.age_y if visit.age_y is not None or facts.placement is None else facts.placement.age_y
    not_imaged, partly, is_known = _coverage(facts)
    texts, tally = results.texts, count_words(results, facts)
    age = "" if visit.age_y is None else f" · {texts.say('map.age', age=f'{visit.age_y:.1f}')}"
    panel = MapPanel(
        visit=visit.key,
        title=f"{visit.key}{age}",
        count=tally if is_known else texts.say("map.unknown", count=tally),
        rule=results.rule.told(texts),
        not_imaged=not_imaged,
        partly=partly,
        coverage_known=is_known,
        age_y=age_y,
        sex=results.patient.sex,
        texts=texts,
    )
    dots = [_marked(results, facts, lesion, panel) for lesion in facts.lesion_map.lesions]
    for course in results.courses:
        change = course.states.get(visit.key)
        if change is not None and not change.lesions:
            dots.append(_not_marked(results, course, change, panel))
    return replace(panel, dots=_uncrowded(_apart(dots)))


def _coverage(facts: VisitFacts) -> tuple[frozenset[str], frozenset[str], bool]:
    """Give the sites not imaged and those imaged in part, and whether anything is known of it."""
    if facts.placement is None or facts.placement.coverage is None:
        return frozenset(), frozenset(), False
    found = {site.id: imaged(facts.placement, site.id) for site in sites()}
    gone = frozenset(name for name, how in found.items() if how == "not_imaged")
    return gone, frozenset(name for name, how in found.items() if how == "partly"), True


def _marked(results: Results, facts: VisitFacts, lesion: Lesion, panel: MapPanel) -> MapDot:
    change = results.change(panel.visit, lesion)
    volume_ml = _volume_ml(facts, lesion)
    front, back, approximate = _place(facts, lesion, panel)
    return MapDot(
        lesion=lesion.id,
        track=lesion.tracks[0] if lesion.tracks else "",
        label=place_name(lesion.sites[0], results.texts),
        site=lesion.sites[0],
        state=change.state if change else "marked",
        front_mm=front,
        back_mm=back,
        radius_mm=dot_radius_mm(volume_ml),
        volume_ml=volume_ml,
        approximate=approximate,
        marked_on=marked_on(facts.visit, lesion),
        counted=results.counts[panel.visit].of(lesion.id).counted,
    )


def _volume_ml(facts: VisitFacts, lesion: Lesion) -> float | None:
    from lesionmap.measure import main_measurement

    return main_measurement(facts.measurements.get(lesion.id, ())).volume_ml


def _not_marked(results: Results, course: TrackCourse, change: Change, panel: MapPanel) -> MapDot:
    """Describe a track without a mark in this visit: at its last place, as large as it was."""
    earlier = [past for key, past in course.states.items() if key < panel.visit and past.lesions]
    front, back, approximate, volume_ml = *_site_middle(course.site, panel), True, None
    if earlier:
        last = results.facts(earlier[-1].visit)
        lesion = last.lesion_map.lesion(earlier[-1].lesions[0])
        front, back, approximate = _place(last, lesion, panel)
        volume_ml = _volume_ml(last, lesion)
    return MapDot(
        lesion="",
        track=course.track,
        label=place_name(course.site, results.texts),
        site=course.site,
        state=change.state,
        front_mm=front,
        back_mm=back,
        radius_mm=dot_radius_mm(volume_ml),
        volume_ml=volume_ml,
        approximate=approximate,
    )


def _place(facts: VisitFacts, lesion: Lesion, panel: MapPanel) -> tuple[XY, XY, bool]:
    """Give the place of a lesion in both views of a panel's skeleton, and whether only its site is known."""
    drawn = _points_in_sites(facts, lesion)
    if drawn is not None:
        age_y = DEFAULT_AGE_Y if panel.age_y is None else panel.age_y
        front, back = (_mean(map_points(*drawn, view, age_y=age_y, sex=panel.sex)) for view in _VIEWS)
        if front is not None and back is not None:
            return front, back, False
    return *_site_middle(lesion.sites[0], panel), True


def _site_middle(name: str, panel: MapPanel) -> tuple[XY, XY]:
    age_y = DEFAULT_AGE_Y if panel.age_y is None else panel.age_y
    front, back = (map_site(name, view, age_y=age_y, sex=panel.sex) for view in ("front", "back"))
    return (float(front[0]), float(front[1])), (float(back[0]), float(back[1]))


def _mean(points: NDArray[np.float64]) -> XY | None:
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) == 0:
        return None
    x, y = points.mean(axis=0).tolist()
    return x, y


def _points_in_sites(facts: VisitFacts, lesion: Lesion) -> tuple[NDArray[np.float64], Placement] | None:
    """Give the drawn points that lie in the lesion's own sites, LPS mm, and the skeleton that they lie in.

    The reader's site goes before the drawing.
    """
    if facts.placement is None or not isinstance(known(lesion.sites[0]), Site):
        return None
    flat = {series.name for series in facts.visit.series if series.projection}
    for extent in sorted(lesion.extents, key=lambda one: one.mask is None):
        points = None if extent.series in flat else _points(extent)
        if points is not None:
            inside = np.isin(np.asarray(locate(points, facts.placement).site, dtype=str), lesion.sites)
            if inside.any():
                return points[inside], facts.placement
    return _seen_on_scan(facts, lesion)


def _seen_on_scan(facts: VisitFacts, lesion: Lesion) -> tuple[NDArray[np.float64], Placement] | None:
    """Give the middle of what is drawn on a planar view, in the depth of the primary site; None: not placed there."""
    flat = {series.name: series for series in facts.visit.series if series.projection}
    for extent in (extent for extent in lesion.extents if extent.series in flat):
        placement, points = placement_on(facts.visit, facts.placement, flat[extent.series]), _points(extent)
        if points is not None and placement is not None:
            return seen_in(lesion.sites[0], points.mean(axis=0), placement)[None], placement
    return None


def _points(extent: Extent) -> NDArray[np.float64] | None:
    """Give the marker, or some voxels of the mask evenly taken, LPS mm, shape (n, 3)."""
    if extent.mask is not None:
        points = extent.mask.lps_mm()
        return points[:: -(-len(points) // _MOST_POINTS)]
    return None if extent.marker_lps_mm is None else np.array([extent.marker_lps_mm])


def _apart(dots: Sequence[MapDot]) -> tuple[MapDot, ...]:
    """Move dots of which only the site is known off those that lie under them, so that each can be seen."""
    placed = [dot for dot in dots if not dot.approximate]
    for dot in dots:
        if dot.approximate:
            placed.append(next((moved for moved in _around(dot) if not _covered(moved, placed)), dot))
    order = {id_of: at for at, id_of in enumerate((dot.lesion, dot.track) for dot in dots)}
    return tuple(sorted(placed, key=lambda dot: order[dot.lesion, dot.track]))


def _uncrowded(dots: Sequence[MapDot]) -> tuple[MapDot, ...]:
    """Shrink dots that would hide their neighbours (adjoining vertebrae), to two thirds at the least."""
    found = []
    for dot in dots:
        gaps = (
            hypot(dot.front_mm[0] - o.front_mm[0], dot.front_mm[1] - o.front_mm[1])
            / (0.9 * (dot.radius_mm + o.radius_mm))
            for o in dots
            if o is not dot
        )
        found.append(replace(dot, radius_mm=dot.radius_mm * min(1.0, max(min(gaps, default=1.0), _LEAST_SHRINK))))
    return tuple(found)


def _around(dot: MapDot) -> list[MapDot]:
    """List the dot and its neighbours in two rings, never far; left and right change sides in the back view."""
    tries = [dot]
    for ring in (1, 2):
        for turn in range(6 * ring):
            angle = 2 * pi * turn / (6 * ring)
            dx, dy = ring * dot.radius_mm * cos(angle), ring * dot.radius_mm * sin(angle)
            (fx, fy), (bx, by) = dot.front_mm, dot.back_mm
            tries.append(replace(dot, front_mm=(fx + dx, fy + dy), back_mm=(bx - dx, by + dy)))
    return tries


def _covered(dot: MapDot, others: Sequence[MapDot]) -> bool:
    x, y = dot.front_mm
    return any(hypot(x - o.front_mm[0], y - o.front_mm[1]) < 0.6 * (dot.radius_mm + o.radius_mm) for o in others)
