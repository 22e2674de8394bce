"""A visit placed by its images: which of them, and the way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.visits import planar_views, years_between

if TYPE_CHECKING:
    from lesionmap.skeleton import Placement
    from lesionmap.visits import Series, Sex, Visit

__all__ = ["by_counts_words", "image_of", "images_of", "place_auto", "place_from"]

_NO_ANATOMY = ("phase", "field_map", "adc", "anisotropy")
_BODY_MR = ("STIR", "T2", "T1")  # the better the earlier, where they reach equally far
_OTHER_CONTRAST = 0.7  # what a pair of two contrasts is worth against a pair of one (assumed)


def image_of(visit: Visit, *, planar: bool = True) -> Series:
    """Choose the series that shows most of the body: the whole-body MRI, else (``planar``) the anterior bone scan.

    Raises
    ------
    LesionmapError
        If the visit has no such images.
    """
    solid = _solid(visit)
    flat = [s for s in visit.series if planar and s.projection and s.plane == "anterior"]
    if not solid and not flat:
        have = ", ".join(s.name for s in visit.series) or "none"
        raise LesionmapError(
            f"images of the body (MRI{' or an anterior planar view' if planar else ''}) were expected in visit "
            f"{visit.key}, it has: {have}; import some, or place by --landmarks"
        )
    return max(solid or flat, key=_worth)


def images_of(visit: Visit, earlier: Visit) -> tuple[Series, Series]:
    """Choose a series of each visit: both reaching far, and of one contrast where possible.

    Raises
    ------
    LesionmapError
        If a visit has no images with depth.
    """
    image_of(visit, planar=False)
    image_of(earlier, planar=False)
    pairs = [(now, then) for now in _solid(visit) for then in _solid(earlier)]
    return max(pairs, key=lambda pair: min(map(_worth, pair)) * (1.0 if _alike(*pair) else _OTHER_CONTRAST))


def _solid(visit: Visit) -> list[Series]:
    return [s for s in visit.series if not s.projection and not set(s.kind) & set(_NO_ANATOMY)]


def _alike(one: Series, other: Series) -> bool:
    return (one.modality, one.sequence) == (other.modality, other.sequence)


def _worth(series: Series) -> float:
    """Give how much of a body a series shows: litres of its box, depth and breadth counting less than length."""
    corners = series.grid.corners_lps_mm()
    size = np.ptp(corners, axis=0)
    order = _BODY_MR.index(series.sequence) if series.sequence in _BODY_MR else len(_BODY_MR)
    return float(size[2] * min(size[0], 300.0) * min(size[1], 150.0)) * (1.0 - 0.05 * order)


def place_from(visit: Visit, earlier: Visit, before: Placement | None, sex: Sex | None) -> tuple[Placement, str]:
    """Carry the placement of an earlier visit (or a later one) over to a visit, by their images.

    Parameters
    ----------
    visit, earlier : Visit
        Of one patient. Where the age now is not known, it is that of the other visit and the time between.
    before : Placement or None
        Of ``earlier``.
    sex : "F", "M" or None

    Returns
    -------
    Placement, str
        Without coverage, and in words which images were used.

    Raises
    ------
    LesionmapError
        If both are one visit, the other one has no placement, or as ``images_of``, ``read.pixels``, ``place_previous``.
    """
    from lesionmap.place.previous import place_previous
    from lesionmap.read import pixels

    if visit.key == earlier.key:
        raise LesionmapError(f"another visit to carry the skeleton over from was expected, got {visit.key} itself")
    if before is None:
        raise LesionmapError(
            f"a skeleton placed on visit {earlier.key} was expected, none is there; place it first, by --landmarks, say"
        )
    now, then = images_of(visit, earlier)
    age = visit.age_y
    if age is None and earlier.age_y is not None:
        age = earlier.age_y + years_between(earlier.date, visit.date)
    placed = place_previous(pixels(now), pixels(then), before, age_y=age, sex=sex, stature_cm=visit.stature_cm)
    return placed, f"by {now.name!r}, from {then.name!r} of {earlier.key}"


def by_counts_words(visit: Visit) -> str:
    """Say by which views a skeleton was placed."""
    return "by the counts of " + " and ".join(repr(one.name) for one in planar_views(visit).values())


def place_auto(visit: Visit, sex: Sex | None) -> tuple[Placement, str]:
    """Place a visit by its images: the outline of the body in slices, the counts of the views of a bone scan.

    Of a visit with both, the skeleton on the views stands beside that on the slices; a warning where it cannot.

    Returns
    -------
    Placement, str
        Without coverage, and in words which image was used.

    Raises
    ------
    LesionmapError
        As ``image_of``, ``read.pixels``, ``place_silhouette`` and ``place_views``.
    """
    from lesionmap.place.silhouette import place_silhouette
    from lesionmap.place.views import place_views
    from lesionmap.read import pixels

    def on_views() -> Placement:
        views = {face: pixels(one) for face, one in planar_views(visit).items()}
        return place_views(views, age_y=visit.age_y, sex=sex, stature_cm=visit.stature_cm)

    if planar_views(visit) and not _solid(visit):
        return on_views(), by_counts_words(visit)
    series = image_of(visit)
    placed = place_silhouette(pixels(series), age_y=visit.age_y, sex=sex, stature_cm=visit.stature_cm)
    if planar_views(visit):
        try:
            placed = replace(placed, scan=on_views())
        except LesionmapError as error:
            placed = replace(placed, warnings=(*placed.warnings, f"not placed on the bone scan: {error}"))
    return placed, f"by the outline in {series.name!r}"
