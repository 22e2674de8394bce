"""Planar masks as closed lines along pixel edges, and back; beside matplotlib's test of points in a polygon."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lesionmap.lesions import Mask
from lesionmap.read.regions import pixels_inside, region_polygons
from lesionmap.space import Grid


def mask_of(picture: list[str]) -> Mask:
    """Read a mask from rows of text: # is set."""
    rows = np.array([[char == "#" for char in row] for row in picture])
    shape = (rows.shape[1], rows.shape[0], 1)
    return Mask.of_voxels(np.argwhere(rows.T[:, :, np.newaxis]), Grid(shape, np.diag([2.4, 1.7, 1.0, 1.0])))


@st.composite
def pictures(draw: Any) -> np.ndarray[Any, Any]:
    """Draw a picture of up to 13 by 9 pixels, with holes, corners that touch and parts apart."""
    shape = draw(st.tuples(st.integers(1, 13), st.integers(1, 9)))
    seed, share = draw(st.integers(0, 2**32 - 1)), draw(st.floats(0.05, 0.95))
    picture = np.random.default_rng(seed).random(shape) < share
    picture[0, 0] |= not picture.any()
    return np.asarray(picture)


@given(pictures())
def test_there_and_back(picture: np.ndarray[Any, Any]) -> None:
    grid = Grid((*picture.shape, 1), np.diag([2.4, 1.7, 1.0, 1.0]))
    mask = Mask.of_voxels(np.argwhere(picture[:, :, np.newaxis]), grid)
    polygons = [points.astype(np.float32).astype(np.float64) for points in region_polygons(mask)]  # as DICOM keeps them
    assert np.array_equal(pixels_inside(polygons, picture.shape), np.argwhere(picture))
    for points in polygons:
        assert np.array_equal(points[0], points[-1])
        assert np.array_equal(points, np.rint(points))


def test_a_part_by_part_and_a_hole_by_a_line_there_and_back() -> None:
    ring, dot = region_polygons(mask_of(["......", ".###..", ".#.#..", ".###.#"]))
    assert ring.min(axis=0).tolist() == [1, 1]
    assert ring.max(axis=0).tolist() == [4, 4]
    assert [2.0, 2.0] in ring.tolist()  # a corner of the hole
    assert sorted(map(tuple, dot[:4].tolist())) == [(5, 3), (5, 4), (6, 3), (6, 4)]


@given(st.lists(st.tuples(st.floats(-3, 14), st.floats(-3, 10)), min_size=3, max_size=9))
def test_any_polygon_as_matplotlib_has_it(corners: list[tuple[float, float]]) -> None:
    from matplotlib.path import Path

    polygon = np.array(corners)
    ours = np.zeros((11, 7), dtype=bool)
    ours[tuple(pixels_inside([polygon], ours.shape).T)] = True
    edges = np.stack([polygon, np.roll(polygon, -1, axis=0)], axis=1)
    for column, row in np.ndindex(*ours.shape):
        centre = np.array([column + 0.5, row + 0.5])
        if _distance(centre, edges) > 1e-6:  # on the line either answer is right
            simple = _crossings(centre, edges) % 2 == 1
            assert ours[column, row] == simple
            if len(corners) == 3:  # matplotlib counts windings, which differ where a line crosses itself
                assert simple == Path(np.vstack([polygon, polygon[:1]])).contains_point(tuple(centre))


def _distance(point: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> float:
    start, along = edges[:, 0], edges[:, 1] - edges[:, 0]
    length = np.maximum((along**2).sum(axis=1), 1e-30)
    share = np.clip(((point - start) * along).sum(axis=1) / length, 0, 1)
    return float(np.linalg.norm(start + share[:, np.newaxis] * along - point, axis=1).min())


def _crossings(point: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> int:
    """Count the edges that a ray upwards crosses: another direction than the one that is tested."""
    (x0, y0), (x1, y1) = edges[:, 0].T, edges[:, 1].T
    spans = (x0 > point[0]) != (x1 > point[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        y = y0 + (point[0] - x0) * (y1 - y0) / (x1 - x0)
    return int(np.count_nonzero(spans & (y < point[1])))
