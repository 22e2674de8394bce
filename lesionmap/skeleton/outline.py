"""The skeleton as a drawing: front and back of the body map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.skeleton import growth
from lesionmap.skeleton.anatomy import Side, group, groups, table
from lesionmap.skeleton.anatomy import site as site_named
from lesionmap.skeleton.coverage import site_of_ball
from lesionmap.skeleton.drawing import draw
from lesionmap.skeleton.nearest import FAR_MM, nearest_bones
from lesionmap.skeleton.placement import PlacedLandmark, Placement
from lesionmap.skeleton.shape import carriers_of, pose, posed_tubes
from lesionmap.skeleton.tubes import in_tube

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Outline", "SiteShape", "View", "bone_lines", "map_points", "map_site", "outline", "seen_lines"]

View = Literal["front", "back"]
Sex = Literal["F", "M"]

_DRAWN_AT: tuple[float, None] = (10.0, None)
"""Age and sex that the sites are drawn at; the drawing is carried to others."""


@dataclass(frozen=True, slots=True, eq=False)
class SiteShape:
    """A piece of a site as it is seen from front or back."""

    site: str
    polygons: tuple[NDArray[np.float64], ...]
    """Closed outlines, each (m, 2) picture mm: x to the right of the picture, y up."""
    depth_mm: float
    """Larger is nearer to the viewer."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The skeleton drawn from front or back, in picture mm: x to the right, y up, feet at 0, middle at x = 0."""

    view: View
    width_mm: float
    height_mm: float
    shapes: tuple[SiteShape, ...]
    """Ordered from far to near."""
    openings: tuple[NDArray[np.float64], ...] = ()
    """Orbits and nose, drawn dark on the front view; closed outlines (m, 2), picture mm."""


@lru_cache(maxsize=16)
def map_placement(age_y: float, sex: Sex | None) -> Placement:
    """Give the placement that the body map is drawn in: arms a little away, feet pointing down and out."""
    stature = growth.stature_for_age(age_y, sex)
    model = growth.landmark_model(age_y, sex, stature)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = [f"{n}_{side}" for n in ("elbow", "wrist", "mcp3", "fingertip3")]
        _turn(model, arm, f"shoulder_{side}", (0, 2), sign * 9.0)
        _turn(model, arm[1:], f"elbow_{side}", (0, 2), sign * 4.0)
        foot = [f"{n}_{side}" for n in ("heel", "toe2")]
        _turn(model, foot, f"ankle_{side}", (1, 2), 50.0)
        _turn(model, foot, f"ankle_{side}", (0, 2), sign * 5.0)
        leg = [f"{n}_{side}" for n in ("knee", "ankle", "heel", "toe2")]
        _turn(model, leg, f"hip_{side}", (0, 2), sign * 1.5)
    # The map shows the palms; a hand that a reader places is taken to lie as on a scanner's table.
    hand = ("mcp3", "fingertip3")
    marks = (
        PlacedLandmark(name, (float(x), float(y), float(z)), not name.startswith(hand), 0.0)
        for name, (x, y, z) in model.items()
    )
    return Placement(tuple(marks), age_y, sex, stature)


def _turn(
    model: dict[str, NDArray[np.float64]], names: list[str], about: str, plane: tuple[int, int], degrees: float
) -> None:
    """Turn landmarks about another one in a plane of two axes."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = plane
    for name in names:
        offset = model[name] - model[about]
        turned = offset.copy()
        turned[i], turned[j] = cos * offset[i] - sin * offset[j], sin * offset[i] + cos * offset[j]
        model[name] = model[about] + turned


def _picture(points: NDArray[np.float64], view: View, floor: float) -> NDArray[np.float64]:
    sign = 1.0 if view == "front" else -1.0
    return np.column_stack([sign * points[:, 0], points[:, 2] - floor])


def _floor(placement: Placement) -> float:
    posed = pose(placement)
    return float((posed.centres[:, 2] - posed.radii).min())


def outline(view: View, *, age_y: float = 10.0, sex: Sex | None = None) -> Outline:
    """Draw the skeleton of a child of that age and sex from front or back.

    Parameters
    ----------
    view : "front" or "back"
        Front: the patient's right is on the picture's left.
    age_y : float
        Years; rounded to whole ones.
    sex : "F", "M" or None

    Returns
    -------
    Outline
    """
    return _outline(view, float(np.clip(round(age_y), 2, 18)), sex)


@lru_cache(maxsize=8)
def _outline(view: View, age_y: float, sex: Sex | None) -> Outline:
    placement, drawn_at = map_placement(age_y, sex), map_placement(*_DRAWN_AT)
    drawing, floor = draw(drawn_at), _floor(placement)
    sign = 1.0 if view == "front" else -1.0
    points = (drawing.carried(placement) - [0.0, floor]) * [sign, 1.0]
    rings = np.split(points, drawing.starts)
    nearer = -sign * placement.stature_cm / drawn_at.stature_cm
    shapes = [
        SiteShape(site, tuple(rings[slice(*own)]), nearer * depth_mm)
        for site, depth_mm, own in zip(drawing.sites, drawing.depth_mm, drawing.rings, strict=True)
    ]
    shapes.sort(key=lambda shape: shape.depth_mm)
    width = 2.0 * float(np.abs(points[:, 0]).max())
    return Outline(view, width, float(points[:, 1].max()), tuple(shapes), _openings(view, placement, floor))


def _openings(view: View, placement: Placement, floor: float) -> tuple[NDArray[np.float64], ...]:
    """Carry the openings of the face to the drawing."""
    from shapely import Polygon

    if view == "back":
        return ()
    found = []
    found_carriers = carriers_of(placement.shape_key())
    for row in table()["opening"]:
        sides: tuple[Side, ...] = ("left", "right") if row["paired"] else ("midline",)
        for side in sides:
            points = found_carriers["trunk", side].carry(np.array(row["points"], dtype=np.float64))
            smooth = Polygon(_picture(points, view, floor)).buffer(-2.5).buffer(4.5).buffer(-2.0)
            found.append(np.array(smooth.exterior.coords))
    return tuple(found)


def map_points(
    points_lps_mm: ArrayLike, placement: Placement, view: View, *, age_y: float = 10.0, sex: Sex | None = None
) -> NDArray[np.float64]:
    """Carry points of a patient to the body map by their bone coordinates.

    Returns
    -------
    ndarray, shape (n, 2)
        Picture mm; NaN for a point that is far from every bone.
    """
    points = np.asarray(points_lps_mm, dtype=np.float64).reshape(-1, 3)
    target = map_placement(float(np.clip(round(age_y), 2, 18)), sex)
    posed = pose(target)
    found = np.full((len(points), 2), np.nan)
    balls, surface_mm = nearest_bones(points, placement)
    rows = np.flatnonzero(surface_mm[:, 0] <= FAR_MM)
    own = balls[rows, 0]
    where = in_tube(points[rows], own, placement)
    angle, reach = where.angle_rad, np.minimum(where.radius_fraction, 1.0)[:, None]
    # A ball lies in the same section of the same tube whatever the placement.
    centre, wide, across = (v[posed.filling.section[own]] for v in posed.sections)
    lps = centre + reach * (np.cos(angle)[:, None] * wide + np.sin(angle)[:, None] * across)
    found[rows] = _picture(lps, view, _floor(target))
    return found


def map_site(name: str, view: View, *, age_y: float = 10.0, sex: Sex | None = None) -> tuple[float, float]:
    """Give the middle of a site or group on the body map, picture mm."""
    members = group(name).sites if any(g.id == name for g in groups()) else (site_named(name).id,)
    target = map_placement(float(np.clip(round(age_y), 2, 18)), sex)
    posed, sites = pose(target), site_of_ball(target)
    mine = np.isin(sites.astype(str), members)
    weight = posed.radii[mine] ** 3
    middle = (posed.centres[mine] * weight[:, None]).sum(axis=0) / weight.sum()
    x, y = _picture(middle[None], view, _floor(target))[0].tolist()
    return x, y


def seen_lines(placement: Placement) -> tuple[tuple[str, NDArray[np.float64]], ...]:
    """Give the outlines of all sites of a placement as seen from the front or from behind, in its own place.

    Returns
    -------
    tuple of (site, line)
        Closed lines, shape (m, 3), LPS mm; y is 0.
    """
    drawing = draw(map_placement(*_DRAWN_AT))
    points = drawing.carried(placement)
    rings = np.split(np.column_stack([points[:, 0], np.zeros(len(points)), points[:, 1]]), drawing.starts)
    return tuple(
        (site, np.vstack([ring, ring[:1]]))
        for site, own in zip(drawing.sites, drawing.rings, strict=True)
        for ring in rings[slice(*own)]
    )


def bone_lines(placement: Placement) -> tuple[tuple[str, str, NDArray[np.float64]], ...]:
    """Give the centrelines of all bones: (bone, side, line of shape (m, 3) in LPS mm)."""
    return tuple((tube.bone, tube.side, tube.nodes) for tube in posed_tubes(placement))
