"""The placed skeleton cut by planes: lines in the plane, around what locate calls inside, parted by site."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionmap.errors import LesionmapError
from lesionmap.skeleton import Placement, anatomy, cut, cut_physes, locate
from lesionmap.skeleton.limits import physis_planes
from test_surface import crooked

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLACEMENT = crooked()
MARKS = {name: np.array(xyz) for name, xyz in PLACEMENT.positions().items()}
SITES = {site.id for site in anatomy.sites()}


def rings(
    placement: Placement, point: NDArray[np.float64], normal: NDArray[np.float64], bone: str, side: str
) -> list[NDArray[np.float64]]:
    """Join the lines of a bone to closed ones again."""
    lines = [
        line
        for site, line in cut(placement, point.tolist(), normal.tolist())
        if site.startswith(f"{bone}.") and (side == "midline" or site.endswith(f".{side}"))
    ]
    found = []
    while lines:
        ring = lines.pop(0)
        while not np.allclose(ring[0], ring[-1], atol=1e-6):
            following = next(i for i, line in enumerate(lines) if np.allclose(line[0], ring[-1], atol=1e-6))
            ring = np.concatenate([ring, lines.pop(following)[1:]])
        found.append(ring)
    return found


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(MARKS)),
    normal=st.tuples(*[st.floats(-1, 1, allow_nan=False)] * 3).filter(lambda n: np.linalg.norm(n) > 0.1),
    shift=st.floats(-40, 40, allow_nan=False),
)
def test_every_line_lies_in_the_plane_and_has_a_site(
    name: str, normal: tuple[float, float, float], shift: float
) -> None:
    unit = np.array(normal) / np.linalg.norm(normal)
    point = MARKS[name] + shift * unit
    lines = cut(PLACEMENT, point.tolist(), normal)
    for site, line in lines:
        assert site in SITES
        assert line.shape[1] == 3
        assert len(line) >= 2
        assert np.abs((line - point) @ unit).max() < 1e-6
    ends: dict[tuple[float, ...], int] = {}
    for _, line in lines:
        for end, way in ((line[0], 1), (line[-1], -1)):
            key = tuple(np.round(end, 5).tolist())
            ends[key] = ends.get(key, 0) + way
    assert not any(ends.values())  # where a line ends another one begins, or the same


@pytest.mark.parametrize(
    ("bone", "side", "mark", "normal"),
    [
        ("tibia", "left", "knee_left", (0.0, 1.0, 0.0)),
        ("femur", "right", "hip_right", (0.2, 1.0, 0.1)),
        ("humerus", "left", "shoulder_left", (0.3, 0.2, 1.0)),
        ("vertebra_T12", "midline", "T12", (1.0, 0.0, 0.1)),
        ("sacrum", "midline", "S1", (1.0, 0.3, -0.2)),
    ],
)
def test_an_outline_is_around_what_locate_calls_inside(
    bone: str, side: str, mark: str, normal: tuple[float, float, float]
) -> None:
    across = np.array(normal) / np.linalg.norm(normal)
    other = "ankle_left" if bone == "tibia" else ""
    point = MARKS[mark] * 0.97 + MARKS[other] * 0.03 if other else MARKS[mark]
    first = np.cross(across, [0.31, 0.4, 0.86])
    first /= np.linalg.norm(first)
    basis = np.stack([first, np.cross(across, first)])
    found = rings(PLACEMENT, point, across, bone, side)
    assert found
    flat = [(ring - point) @ basis.T for ring in found]
    area = shapely.Polygon()
    for ring in flat:
        area = area.symmetric_difference(shapely.Polygon(ring).buffer(0))
    low, high = np.concatenate(flat).min(axis=0) - 4, np.concatenate(flat).max(axis=0) + 4
    grid = np.random.default_rng(1).uniform(low, high, (4000, 2))
    located = locate(point + grid @ basis, PLACEMENT)
    own = np.char.startswith(located.site.astype(str), f"{bone}.") & located.inside
    drawn = shapely.contains_xy(area, grid[:, 0], grid[:, 1])
    near = shapely.distance(area.boundary, shapely.points(grid)) < 1.0
    other_bone = located.inside & ~own
    judged = ~near & ~other_bone
    assert judged.sum() > 300
    assert (own == drawn)[judged].mean() > 0.97


def test_sites_change_where_the_limits_are() -> None:
    (axis,) = [
        row for row in physis_planes(PLACEMENT) if row[:2] == ("tibia", "left") and "proximal_epiphysis" in row[2]
    ]
    middle, along = axis[3], axis[4]
    lines = cut(PLACEMENT, middle.tolist(), [0.0, 1.0, 0.0])
    upper = np.concatenate([line for site, line in lines if site == "tibia.proximal_epiphysis.left"])
    lower = np.concatenate([line for site, line in lines if site == "tibia.proximal_metaphysis.left"])
    assert ((upper - middle) @ along).max() < 4.5
    assert ((lower - middle) @ along).min() > -4.5


def test_physes_are_cut_from_edge_to_edge() -> None:
    knee = MARKS["knee_right"]
    found = {
        bone: line
        for bone, side, line in cut_physes(PLACEMENT, knee.tolist(), [0.0, 1.0, 0.0])
        if side == "right" and abs(line[:, 2].mean() - knee[2]) < 60.0
    }
    assert {"femur", "tibia"} <= set(found)
    for bone in ("femur", "tibia"):
        line = found[bone]
        assert np.abs(line[:, 1] - knee[1]).max() < 1e-6
        ((_, _, pair, point, normal, radius),) = [
            row
            for row in physis_planes(PLACEMENT)
            if row[:2] == (bone, "right") and np.linalg.norm(row[3] - line.mean(axis=0)) < 25.0
        ]
        assert np.abs((line - point) @ normal).max() < 1e-6
        assert 0.7 * radius < np.linalg.norm(line[1] - line[0]) < 2.6 * radius
        sides = locate(line.mean(axis=0) + np.array([[-2.0], [2.0]]) * normal, PLACEMENT).site
        assert sides.tolist() == [f"{bone}.{segment}.right" for segment in pair]


def test_a_plane_along_a_physis_draws_no_line_of_it() -> None:
    (row,) = [r for r in physis_planes(PLACEMENT) if r[:2] == ("radius", "left") and "distal_epiphysis" in r[2]]
    found = cut_physes(PLACEMENT, row[3].tolist(), row[4].tolist())
    assert not [line for bone, side, line in found if (bone, side) == ("radius", "left")]
    assert cut(PLACEMENT, row[3].tolist(), row[4].tolist())


def test_a_plane_beside_the_body_cuts_nothing() -> None:
    assert cut(PLACEMENT, [5000.0, 0.0, 0.0], [1.0, 0.0, 0.0]) == ()
    assert cut_physes(PLACEMENT, [5000.0, 0.0, 0.0], [1.0, 0.0, 0.0]) == ()


@pytest.mark.parametrize("normal", [[0.0, 0.0, 0.0], [np.nan, 0.0, 1.0]])
def test_a_plane_without_a_normal_is_refused(normal: list[float]) -> None:
    words = "a plane needs a point in LPS mm and a normal that is not zero"
    with pytest.raises(LesionmapError, match=re.escape(words)):
        cut(PLACEMENT, [0.0, 0.0, 0.0], normal)
