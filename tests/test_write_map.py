"""The body map: every lesion is on it, at its place, in its own look, and the file is the same each time."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lesionmap.compare import VisitFacts
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Lesion, LesionMap, Mask
from lesionmap.skeleton import bone_lines, locate, map_site, outline, place
from lesionmap.visits import Patient, Visit
from lesionmap.write import STATE_STYLE, MapDot, MapPanel, Results, body_map, map_model, map_svg, results_of
from lesionmap.write.legend import legend_items, legend_rows
from lesionmap.write.lettering import width_in, wrap
from lesionmap.write.mapmodel import dot_radius_mm
from write_case import EVIL, case, coverage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement


def test_every_lesion_and_every_open_track_is_a_dot() -> None:
    results = case()
    first, second, third = map_model(results)
    assert [dot.lesion for dot in first.dots] == ["L1"]
    assert [dot.lesion for dot in second.dots] == ["L1", "L2", "L3", "L4", "L5"]
    assert [(dot.lesion, dot.state) for dot in third.dots] == [
        ("L1", "improved"),
        ("", "resolved"),
        ("", "cannot_judge"),
        ("", "unanswered"),
        ("", "unanswered"),
    ]
    assert [dot.counted for dot in second.dots] == [True, True, True, True, False]
    assert second.dots[2].volume_ml is None
    assert third.dots[1].volume_ml == 1.25  # as large as it was


def test_panel_tells_date_age_count_and_coverage() -> None:
    first, second, third = map_model(case())
    assert first.title == "2006-03-01 · 8.1 years"
    assert third.title == "2009-05-04"
    assert second.count == "4 lesions in 4 bones (4 sites)"
    assert third.count.endswith("; what was imaged is not known")
    assert "tibia.diaphysis.left" in first.not_imaged
    assert "rib_5.whole.left" not in first.not_imaged
    assert not second.not_imaged
    assert not third.not_imaged
    assert second.rule == case().rule.sentence


def test_every_dot_is_in_the_svg_in_both_views(tmp_path: Path) -> None:
    panels = map_model(case())
    body_map(panels, tmp_path / "map.svg", title="P001")
    ids = [node.get("id") for node in ET.parse(tmp_path / "map.svg").iter()]  # noqa: S314
    for index, panel in enumerate(panels):
        for dot in panel.dots:
            for view in ("front", "back"):
                assert ids.count(f"dot-{index}-{dot.lesion or dot.track}-{view}") == 1


def test_svg_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        body_map(map_model(case()), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"dc:date" not in (tmp_path / "a.svg").read_bytes()


def test_users_own_matplotlib_settings_change_nothing(tmp_path: Path) -> None:
    import matplotlib as mpl

    body_map(map_model(case())[:1], tmp_path / "a.svg")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "font.family": "serif", "savefig.dpi": 37}):
        body_map(map_model(case())[:1], tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_pdf_and_png_are_written(tmp_path: Path) -> None:
    from PIL import Image

    panels = map_model(case())
    body_map(panels, tmp_path / "map.pdf")
    assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF")
    body_map(panels, tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as image:
        image.load()
        width, height = image.size
        assert width > 2400
        assert 1.3 < width / height < 2.6
        colours = {tuple(pixel) for pixel in np.asarray(image.convert("RGB"))[::2, ::2].reshape(-1, 3).tolist()}
    for state in ("first_seen", "worsened", "improved", "unanswered"):
        colour = STATE_STYLE[state].colour
        assert tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) in colours


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    panels = tuple(replace(panel, title=f"--> {EVIL}", rule=EVIL) for panel in map_model(case())[:1])
    body_map(panels, tmp_path / "map.svg", title=EVIL)
    tree = ET.parse(tmp_path / "map.svg")  # noqa: S314
    assert not [node for node in tree.iter() if node.tag.endswith("script")]
    assert "<script" not in map_svg(panels)


def test_no_pyplot() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from write_case import case; from lesionmap.write import *; body_map(map_model(case())[:1]);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=False).returncode
        == 0
    )


def test_states_differ_by_colour_and_by_shape() -> None:
    looks = [(style.shape, style.hollow) for name, style in STATE_STYLE.items() if name != "marked"]
    assert len(set(looks)) == len(looks)
    full = [style.colour for style in STATE_STYLE.values() if not style.hollow]
    assert len(set(full)) == len(full)
    assert set(STATE_STYLE) == {
        *("new", "first_seen", "recurrent", "improved", "persistent", "worsened"),
        *("resolved", "not_imaged", "cannot_judge", "unanswered", "marked"),
    }


def _seen(colour: str, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a colour as CIE Lab, after a loss of colour vision (a matrix on linear RGB)."""
    from skimage.color import rgb2lab

    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lost = np.clip(matrix @ linear, 0, 1)
    back = np.where(lost <= 0.0031308, lost * 12.92, 1.055 * lost ** (1 / 2.4) - 0.055)
    return np.asarray(rgb2lab(back.reshape(1, 1, 3))).ravel()


@pytest.mark.parametrize(
    "matrix",
    [
        # Machado, Oliveira and Fernandes 2009 (doi 10.1109/TVCG.2009.113), severity 1.0
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ],
    ids=["protanopia", "deuteranopia"],
)
def test_colours_of_marked_states_can_be_told_apart_without_red_or_green(matrix: list[list[float]]) -> None:
    names = ("new", "first_seen", "recurrent", "improved", "persistent", "worsened")
    seen = {name: _seen(STATE_STYLE[name].colour, np.array(matrix)) for name in names}
    near = {pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in combinations(names, 2)}
    assert min(near.values()) > 10, min(near, key=lambda pair: near[pair])


def test_dots_grow_with_the_volume_and_unknown_is_not_a_size() -> None:
    radii = [dot_radius_mm(volume) for volume in (0.1, 0.5, 1.0, 5.0, 20.0)]
    assert all(b > a for a, b in pairwise(radii))
    words = [item.words for item in legend_items(map_model(case()), 5.6)]
    assert "not measured" in words
    assert "not counted" in words
    assert "only the site is known" in words
    assert "recurrent" not in words


def test_legend_wraps_and_stays_inside() -> None:
    items = legend_items(map_model(case()), 5.6)
    for width in (2.2, 4.0, 9.0):
        rows = legend_rows(items, width)
        assert [item for row in rows for item in row] == list(items)
        assert all(sum(item.width_in for item in row) - 0.26 <= width for row in rows if len(row) > 1)


def test_wrapped_text_fits() -> None:
    text = "Counted: definite and probable lesions of any size; " * 3 + "x" * 300
    lines = wrap(text, 2.5, 9.5)
    assert all(width_in(line, 9.5) <= 2.5 for line in lines)
    assert lines[-1].endswith("…")


def test_many_visits_wrap_into_rows_without_overlap() -> None:
    panels = map_model(case()) * 3
    figure = body_map(panels[:8])
    boxes = [axes.get_position() for axes in figure.axes if str(axes.get_label()).startswith("map-")]
    assert len(boxes) == 8
    assert len({round(box.y0, 4) for box in boxes}) > 1
    for one, other in combinations(boxes, 2):
        apart_x = one.x1 <= other.x0 + 1e-9 or other.x1 <= one.x0 + 1e-9
        apart_y = one.y1 <= other.y0 + 1e-9 or other.y1 <= one.y0 + 1e-9
        assert apart_x or apart_y
    assert all(box.x0 >= 0 and box.x1 <= 1 and box.y0 >= 0 and box.y1 <= 1 for box in boxes)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_no_text_overlaps_another_or_leaves_the_page(n: int) -> None:
    panels = tuple(replace(panel, count=panel.count * 2) for panel in (map_model(case()) * 2)[:n])
    figure = body_map(panels, title="Lesion map of P001, read by somebody with a long name " * 2)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    texts = [text for text in [*figure.texts, *(t for axes in figure.axes for t in axes.texts)] if text.get_text()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    for one, other in combinations(range(len(boxes)), 2):
        a, b = boxes[one].padded(-0.5), boxes[other].padded(-0.5)
        assert not a.overlaps(b), (texts[one].get_text(), texts[other].get_text())
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and 0 <= box.y0 <= figure.bbox.height for box in boxes)


def test_dots_of_one_site_are_moved_apart() -> None:
    results = case()
    joint = results.visits[1].lesion_map.lesions[2]
    more = tuple(replace(joint, id=f"L{n}", tracks=(f"2.25.9{n}",)) for n in range(6, 10))
    facts = replace(
        results.visits[1],
        lesion_map=replace(results.visits[1].lesion_map, lesions=(*results.visits[1].lesion_map.lesions, *more)),
    )
    (panel,) = map_model(results_of(results.patient, [facts]))
    same = [dot for dot in panel.dots if dot.site == joint.sites[0]]
    assert len(same) == 5
    for one, other in combinations(same, 2):
        assert np.hypot(*np.subtract(one.front_mm, other.front_mm)) > one.radius_mm
        assert np.hypot(*np.subtract(one.back_mm, other.back_mm)) > one.radius_mm


def test_a_map_needs_a_visit_and_a_known_ending(tmp_path: Path) -> None:
    with pytest.raises(LesionmapError, match="a map needs at least one visit, got none"):
        body_map([])
    with pytest.raises(LesionmapError, match=r"ending in \.svg, \.png, \.pdf was expected, got 'map\.jpg'"):
        body_map(map_model(case()), tmp_path / "map.jpg")
    (tmp_path / "map.svg").write_text("mine")
    with pytest.raises(LesionmapError, match="exists already"):
        body_map(map_model(case())[:1], tmp_path / "map.svg")
    assert (tmp_path / "map.svg").read_text() == "mine"


# What follows stands on a placed skeleton: marks are drawn in the patient and carried over to the map.


def _placed() -> Placement:
    """Place a skeleton of 9 years, moved and tilted on the table."""
    from lesionmap.skeleton.growth import landmark_model, stature_for_age

    model = landmark_model(9.0, "M", stature_for_age(9.0, "M"))
    angle = np.radians(7.0)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    moved = {name: (turn @ point + [31.0, -12.0, 205.0]).tolist() for name, point in model.items() if name != "C1"}
    return replace(place(moved, age_y=9.0, sex="M"), coverage=coverage())


def _tibia_point(placement: Placement, wanted: str) -> NDArray[np.float64]:
    """Find a point of the left tibia's centreline that lies in a site."""
    line = next(points for bone, side, points in bone_lines(placement) if (bone, side) == ("tibia", "left"))
    fine = np.concatenate([a + (b - a) * np.linspace(0, 1, 50)[:, None] for a, b in pairwise(line)])
    inside = fine[np.asarray(locate(fine, placement).site, dtype=str) == wanted]
    return np.asarray(inside[len(inside) // 2])


def _results(placement: Placement, lesion: Lesion) -> Results:
    from datetime import date

    lesion_map = LesionMap("P001", "2010-05-04", "anna", (lesion,))
    visit = Visit("P001", date(2010, 5, 4), age_y=9.0)
    return results_of(Patient("P001", "M"), [VisitFacts(visit, lesion_map, placement)])


def _inside(dot: MapDot, panel: MapPanel) -> list[str]:
    """List the sites whose drawn outline in the front view holds the dot."""
    from matplotlib.path import Path as Curve

    shapes = outline("front", age_y=panel.age_y or 10.0, sex=panel.sex).shapes
    return [s.site for s in shapes if any(Curve(ring).contains_point(dot.front_mm) for ring in s.polygons)]


@pytest.mark.parametrize(
    "site", ["tibia.distal_metaphysis.left", "tibia.diaphysis.left", "tibia.proximal_metaphysis.left"]
)
def test_a_drawn_lesion_lies_in_its_site_on_the_map(site: str) -> None:
    placement = _placed()
    x, y, z = _tibia_point(placement, site).tolist()
    lesion = Lesion("L1", (site,), "definite", ("2.25.1",), (Extent("STIR coronal", None, (x, y, z)),))
    (panel,) = map_model(_results(placement, lesion))
    (dot,) = panel.dots
    assert not dot.approximate
    assert site in _inside(dot, panel)
    assert dot.front_mm[0] > 0 > dot.back_mm[0]  # the left leg: picture right in front, picture left from behind
    assert dot.front_mm[1] == pytest.approx(dot.back_mm[1], abs=1e-6)


def test_a_mask_lies_where_it_was_drawn_and_the_readers_site_wins() -> None:
    from lesionmap.space import Grid

    placement = _placed()
    site = "tibia.distal_metaphysis.left"
    middle = _tibia_point(placement, site)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[0, -1.5, 0], [0, 0, 4.0], [1.2, 0, 0]])
    matrix[:3, 3] = middle - matrix[:3, :3] @ [20.0, 15.0, 10.0]
    grid = Grid((41, 31, 21), matrix)
    near = np.argwhere(np.ones(grid.shape, bool))
    near = near[np.linalg.norm(grid.lps(near) - middle, axis=1) < 7.0]
    extent = Extent("STIR coronal", Mask.of_voxels(near, grid))
    here = map_model(_results(placement, Lesion("L1", (site,), "definite", ("2.25.1",), (extent,))))[0]
    assert not here.dots[0].approximate
    assert site in _inside(here.dots[0], here)
    elsewhere = "femur.proximal_epiphysis.right"
    moved = map_model(_results(placement, Lesion("L1", (elsewhere,), "definite", ("2.25.1",), (extent,))))[0]
    assert moved.dots[0].approximate
    assert moved.dots[0].front_mm == pytest.approx(map_site(elsewhere, "front", age_y=9.0, sex="M"))
    assert moved.dots[0].label == "right proximal femoral epiphysis"
