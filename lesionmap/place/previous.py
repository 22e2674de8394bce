"""The skeleton carried over from the previous visit: its images registered, part of the body by part of the body."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.place.bodyparts import carriers_of, parts
from lesionmap.place.carry import Before, Carried, carry
from lesionmap.skeleton import growth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton import PlacedLandmark, Placement
    from lesionmap.space import Volume

    Array = NDArray[np.float64]

__all__ = ["place_previous"]

_KNOWN_MM = 25.0  # a landmark that was estimated worse than this is estimated anew (assumed)
_READER_MM = 7.2  # 90 % radius of a reader's own landmark: 5 mm root mean square (as in sample_data)
# 90 % radius of the registration alone, mm, over phantoms that grew one to two years and lay otherwise.
_CARRIED_MM = {"trunk": 5.5, "limb": 7.0, "end": 9.0}
_ENDS = ("hand", "foot")
_LIMBS = ("arm", "thigh", "shank")


def place_previous(
    image: Volume,
    before_image: Volume,
    before: Placement,
    *,
    age_y: float | None = None,
    sex: Literal["F", "M"] | None = None,
    stature_cm: float | None = None,
) -> Placement:
    """Carry the placement of an earlier visit over to this one by registration of the images.

    Parameters
    ----------
    image, before_image : Volume
        Of this visit and of the earlier one; better of one contrast. Neither need show the whole body.
    before : Placement
        Of the earlier visit, in the frame of ``before_image``.
    age_y, sex, stature_cm : optional
        Of the child now, as for ``skeleton.place``.

    Returns
    -------
    Placement
        ``how="previous"``. No landmark is *placed*: nobody put one there. Those carried over have a radius; the others
        are estimated from them. A part that should be in the image and was not found is named in a warning.

    Raises
    ------
    LesionmapError
        If an image is a projection or shows no body, or nothing of the earlier body was found again.
    """
    for volume in (image, before_image):
        if volume.projection:
            raise LesionmapError(
                "images with depth (MRI) were expected in both visits, a planar view came; place by landmarks"
            )
    known = {m.name: m for m in before.landmarks if m.radius90_mm <= _KNOWN_MM and before_image.grid.contains(m.lps_mm)}
    grown = _growth(before, age_y, sex, stature_cm)
    marks = {name: np.array(mark.lps_mm) for name, mark in known.items()}
    found = carry(image, Before(before_image, marks, before.stature_cm / 150.0, grown))
    carried = {name: point for name, point in _carried(marks, found).items() if image.grid.contains(point)}
    if not carried:
        raise LesionmapError(
            "nothing of the earlier visit's body was found again in this image: the same part of the body was "
            "expected in both; choose another visit, or place by landmarks"
        )
    placement = skeleton.place(
        {name: point.tolist() for name, point in carried.items()}, age_y=age_y, sex=sex, stature_cm=stature_cm
    )
    radii = {name: float(np.hypot(_own_mm(known[name]), _error_mm(name))) for name in carried}
    rows = tuple(_estimated(mark, radii) for mark in placement.landmarks)
    warnings = tuple(
        f"the {name} was not found again in this image: its landmarks are estimated; correct them"
        for name in found.failed
    )
    return replace(placement, landmarks=rows, how="previous", warnings=(*placement.warnings, *warnings))


def _growth(
    before: Placement, age_y: float | None, sex: Literal["F", "M"] | None, stature_cm: float | None
) -> dict[str, float]:
    """Give how many times longer each part, and the body, is now by the growth model; 1 where the age is not known."""
    age = before.age_y if age_y is None else age_y
    who = sex or before.sex
    if stature_cm is None:
        stature_cm = before.stature_cm * growth.stature_for_age(age, who) / growth.stature_for_age(before.age_y, who)
    then, now = growth.landmark_model(before.age_y, who, before.stature_cm), growth.landmark_model(age, who, stature_cm)
    found = {"body": stature_cm / before.stature_cm}
    for name, part in parts().items():
        ratios = [np.linalg.norm(now[a] - now[b]) / np.linalg.norm(then[a] - then[b]) for a, b in part.line]
        found[name] = float(np.mean(ratios))
    return found


def _carried(marks: dict[str, Array], found: Carried) -> dict[str, Array]:
    """Carry the landmarks by their parts; one between two parts by both, where both were found."""
    carried: dict[str, Array] = {}
    for name, shares in carriers_of().items():
        have = {part: share for part, share in shares.items() if part in found.moves}
        if name in marks and have:
            total = sum(have.values())
            carried[name] = np.sum(
                [share / total * found.moves[part](marks[name]) for part, share in have.items()], axis=0
            )
    return carried


def _own_mm(mark: PlacedLandmark) -> float:
    return _READER_MM if mark.placed else mark.radius90_mm


def _error_mm(name: str) -> float:
    part = max(carriers_of()[name])
    kind = "end" if part.endswith(_ENDS) else "limb" if part.endswith(_LIMBS) else "trunk"
    return _CARRIED_MM[kind]


def _estimated(mark: PlacedLandmark, radii: dict[str, float]) -> PlacedLandmark:
    """Give a landmark as estimated: with its own radius if it was carried, else with that of its neighbours added."""
    radius = radii.get(mark.name)
    if radius is None:
        radius = float(np.hypot(mark.radius90_mm, _READER_MM + _CARRIED_MM["limb"]))
    return replace(mark, placed=False, radius90_mm=radius)
