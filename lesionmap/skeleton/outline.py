"""The skeleton as a drawing: front and back of the body map, and the placed skeleton cut by a plane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lesionmap.skeleton import growth
from lesionmap.skeleton.anatomy import Side, group, groups, table
from lesionmap.skeleton.anatomy import site as site_named
from lesionmap.skeleton.coverage import site_of_ball
from lesionmap.skeleton.frames import carriers
from lesionmap.skeleton.locate import locate, owners
from lesionmap.skeleton.placement import Placement, place
from lesionmap.skeleton.section import cut
from lesionmap.skeleton.segments import around, coordinates, site_names
from lesionmap.skeleton.shape import filling, pose, posed_tubes, sections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Outline", "SiteShape", "View", "bone_lines", "map_points", "map_site", "outline", "slice_contours"]

View = Literal["front", "back"]
Sex = Literal["F", "M"]

_SMOOTH_MM = 3.0
_PLATE_MM = 10.0  # plates are drawn as fans of tubes: closes the notches between them
_STEP_MM = 3.0


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


@cache
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
    placed = place({k: v.tolist() for k, v in model.items() if k != "C1"}, age_y=age_y, sex=sex, stature_cm=stature)
    # The map shows the palms; a hand that a reader places is taken to lie as on a scanner's table.
    hand = ("mcp3", "fingertip3")
    return replace(
        placed, landmarks=tuple(replace(m, placed=False) if m.name.startswith(hand) else m for m in placed.landmarks)
    )


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
    from shapely import convex_hull, multipoints, unary_union

    placement = map_placement(age_y, sex)
    floor = _floor(placement)
    pieces: dict[tuple[str, int], list[Any]] = {}
    depths: dict[tuple[str, int], list[float]] = {}
    for names, layers, depth, edges in _slabs(placement):
        flat = _picture(edges.reshape(-1, 3), view, floor).reshape(*edges.shape[:2], 2)
        hulls = convex_hull(multipoints(flat))
        for key, hull, y in zip(zip(names, layers, strict=True), hulls, depth.tolist(), strict=True):
            pieces.setdefault(key, []).append(hull)
            depths.setdefault(key, []).append(-y if view == "front" else y)
    shapes = []
    for key, polygons in pieces.items():
        close = _PLATE_MM if key[0].startswith(("ilium", "scapula")) else _SMOOTH_MM
        merged = unary_union(polygons).buffer(close).buffer(-close - 2.0).buffer(2.0)
        shapes.append(SiteShape(key[0], _rings(merged, polygons), float(np.mean(depths[key]))))
    shapes.sort(key=lambda shape: shape.depth_mm)
    points = np.concatenate([ring for shape in shapes for ring in shape.polygons])
    width = 2.0 * float(np.abs(points[:, 0]).max())
    return Outline(view, width, float(points[:, 1].max()), tuple(shapes), _openings(view, placement, floor))


def _openings(view: View, placement: Placement, floor: float) -> tuple[NDArray[np.float64], ...]:
    """Carry the openings of the face to the drawing."""
    from shapely import Polygon

    if view == "back":
        return ()
    found = []
    carriers_found = carriers(placement)
    for row in table()["opening"]:
        sides: tuple[Side, ...] = ("left", "right") if row["paired"] else ("midline",)
        for side in sides:
            points = carriers_found["trunk", side].carry(np.array(row["points"], dtype=np.float64))
            smooth = Polygon(_picture(points, view, floor)).buffer(-2.5).buffer(4.5).buffer(-2.0)
            found.append(np.array(smooth.exterior.coords))
    return tuple(found)


def _rings(shape: Any, polygons: list[Any]) -> tuple[NDArray[np.float64], ...]:
    """Give the outer rings of a shape; of the pieces as they are where smoothing has eaten all."""
    from shapely import unary_union

    if shape.is_empty:
        shape = unary_union(polygons)
    parts = getattr(shape, "geoms", [shape])
    return tuple(np.array(p.simplify(0.3).exterior.coords) for p in parts if p.area > 4.0)


def _slabs(
    placement: Placement,
) -> Iterator[tuple[list[str], list[int], NDArray[np.float64], NDArray[np.float64]]]:
    """Cut every tube into slabs.

    Yields
    ------
    sites, layers : lists, one entry a slab
        A rib's back half is layer 1, all else is 0.
    depth : ndarray, shape (k,)
        LPS y of each slab.
    edges : ndarray, shape (k, m, 3)
        Points on the rims of each slab, LPS mm.
    """
    cuts = []
    for tube in posed_tubes(placement):
        slices = sections(tube, _STEP_MM)
        cuts.append(_round_off(*slices) if tube.ends == "round" else slices)
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)[:, None]
    sites = _slab_sites(placement, cuts)
    for tube, (centres, wide, across, _), names in zip(posed_tubes(placement), cuts, sites, strict=True):
        rims = centres[:, None] + np.cos(angle) * wide[:, None] + np.sin(angle) * across[:, None]
        behind = centres[:-1, 1] > float(np.median(centres[:, 1]))
        layers = (behind & tube.bone.startswith("rib_")).astype(int).tolist()
        yield names[:-1].tolist(), layers, centres[:-1, 1], np.concatenate([rims[:-1], rims[1:]], axis=1)


def _round_off(
    centres: NDArray[np.float64], wide: NDArray[np.float64], across: NDArray[np.float64], along: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Close a tube with rounded ends."""
    reach = [float(min(np.linalg.norm(wide[i]), np.linalg.norm(across[i]))) for i in (0, -1)]
    out = [centres[0] - centres[1], centres[-1] - centres[-2]]
    out = [v / max(float(np.linalg.norm(v)), 1e-9) for v in out]
    grow = np.array([0.95, 0.7, 0.4])
    size = np.sqrt(1 - grow**2)
    head = [centres[0] + out[0] * reach[0] * g for g in grow]
    tail = [centres[-1] + out[1] * reach[1] * g for g in grow[::-1]]
    return (
        np.concatenate([head, centres, tail]),
        np.concatenate([[wide[0] * s for s in size], wide, [wide[-1] * s for s in size[::-1]]]),
        np.concatenate([[across[0] * s for s in size], across, [across[-1] * s for s in size[::-1]]]),
        np.concatenate([np.zeros(3), along, np.ones(3)]),
    )


def _slab_sites(placement: Placement, cuts: list[tuple[NDArray[np.float64], ...]]) -> list[NDArray[np.object_]]:
    """Give for each tube the site of each slab: that of any ball of its bone, parted at the slab's middle."""
    first_ball = np.searchsorted(filling().tube, np.arange(len(cuts)))
    lengths = [len(one[0]) for one in cuts]
    found = coordinates(np.concatenate([one[0] for one in cuts]), np.repeat(first_ball, lengths), placement)
    return np.split(site_names()[found.code], np.cumsum(lengths)[:-1])


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
    far = locate(points, placement).site == ""
    balls = owners(points, placement)
    rows = np.flatnonzero(~far)
    angle, radius = around(points[rows], balls[rows], placement)
    reach = np.minimum(radius, 1.0)[:, None]
    # A ball lies in the same section of the same tube whatever the placement.
    centre, wide, across = (v[posed.filling.section[balls[rows]]] for v in posed.sections)
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


def slice_contours(
    placement: Placement, axis: Literal[0, 1, 2], at_mm: float
) -> tuple[tuple[str, NDArray[np.float64]], ...]:
    """Cut the placed skeleton by a plane at right angles to a patient axis.

    Parameters
    ----------
    axis : 0, 1 or 2
        x (sagittal plane), y (coronal) or z (axial).
    at_mm : float
        LPS mm of the plane on that axis.

    Returns
    -------
    tuple of (site id, line of shape (m, 3), LPS mm)
        Closed where the site is alone on its outline.
    """
    point, normal = np.zeros(3), np.zeros(3)
    point[axis], normal[axis] = at_mm, 1.0
    return cut(placement, point.tolist(), normal.tolist())


def bone_lines(placement: Placement) -> tuple[tuple[str, str, NDArray[np.float64]], ...]:
    """Give the centrelines of all bones: (bone, side, line of shape (m, 3) in LPS mm)."""
    return tuple((tube.bone, tube.side, tube.nodes) for tube in posed_tubes(placement))
