"""The placed skeleton in the window: its cut in every plane, its surfaces in 3-D, and a landmark that is dragged."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from lesionmap.skeleton import anatomy, locate, site
from lesionmap.write import segment_colour
from napari_lesionmap import layers, load, proposals
from napari_lesionmap.cursor import name_at
from napari_lesionmap.dots import DOTS
from napari_lesionmap.session import Session
from napari_lesionmap.skeleton_lines import LINES, cut, rgba, with_room
from napari_lesionmap.solid import BONES, first_site, solid
from napari_lesionmap.stage import Stage
from plugin.drive import Driver
from plugin.small import EARLIER, LATER, READER, SITES, spot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lesionmap.skeleton import Placement

CLAVICLE, TIBIA = SITES[LATER]


@pytest.fixture
def session(study_path: Path) -> Iterator[Session]:
    study, patients = load.open_study(str(study_path))
    made = Session()
    made.enter_study(study, patients)
    made.enter_patient(load.load_patient(study, "P001", READER))
    assert made.work is not None
    made.enter_visit(load.open_visit(study, made.work.visit(LATER).visit, READER))
    yield made
    made.close()


@pytest.fixture
def staged(session: Session) -> tuple[ViewerModel, Stage]:
    viewer = ViewerModel()
    stage = Stage(viewer, session)
    stage.show_visit()
    return viewer, stage


def placement_of(session: Session) -> Placement:
    now = session.now
    assert now is not None
    assert now.placement is not None
    return now.placement


def test_the_cut_has_the_colours_of_the_segments_and_white_dashes(session: Session) -> None:
    placement = placement_of(session)
    knee = layers.world_from_lps(placement.positions()["knee_left"])
    made = cut(placement, (0, float(knee[0])))
    assert len(made.vectors) == len(made.colours)
    near = np.linalg.norm(made.vectors[:, 0, 1:] - knee[1:], axis=1) < 45.0
    seen = {tuple(np.round(colour[:3], 3)) for colour in made.colours[near].tolist()}
    wanted = {f"tibia.{segment}.left" for segment in ("proximal_epiphysis", "proximal_metaphysis")}
    assert {tuple(np.round(rgba(segment_colour(name))[:3], 3)) for name in wanted} <= seen
    dashes = made.vectors[near & (made.colours[:, :3] == 1.0).all(axis=1)]
    assert len(dashes) >= 6
    assert np.linalg.norm(dashes[:, 1], axis=1).max() < 3.01


def test_neighbouring_segments_differ_in_colour() -> None:
    for bone, pairs in {
        "tibia": ("proximal_epiphysis proximal_metaphysis diaphysis distal_metaphysis distal_epiphysis"),
        "femur": ("proximal_epiphysis proximal_metaphysis greater_trochanter"),
        "clavicle": "medial middle lateral",
        "ilium": "sacroiliac wing acetabular",
    }.items():
        names = pairs.split()
        colours = [segment_colour(f"{bone}.{name}.left") for name in names]
        assert all(a != b for a, b in pairwise(colours)), bone
    assert all(len(segment_colour(x.id)) == 7 for x in anatomy.sites())


def test_surfaces_are_made_when_3d_is_entered_and_seen_there_only(staged: tuple[ViewerModel, Stage]) -> None:
    viewer, stage = staged
    assert BONES not in viewer.layers
    assert viewer.layers[LINES].visible
    viewer.dims.ndisplay = 3
    assert viewer.layers[BONES].visible
    assert LINES not in viewer.layers
    vertices, faces = viewer.layers[BONES].data[:2]
    assert len(viewer.layers[BONES].vertex_colors) == len(vertices)
    assert faces.max() == len(vertices) - 1
    heel = layers.world_from_lps(placement_of(stage.session).positions()["heel_left"])
    assert np.linalg.norm(vertices - heel, axis=1).min() < 12.0
    made = viewer.layers[BONES]
    viewer.dims.ndisplay = 2
    assert BONES not in viewer.layers
    assert viewer.layers[LINES].visible
    viewer.dims.ndisplay = 3
    assert viewer.layers[BONES] is made
    stage.show_bones(lines=False, landmarks=False)
    assert BONES not in viewer.layers
    viewer.dims.ndisplay = 2
    assert BONES not in [layer.name for layer in viewer.layers if layer.visible]


def test_the_sliders_step_from_slice_to_slice_after_3d(staged: tuple[ViewerModel, Stage]) -> None:
    viewer, _ = staged
    before = [axis.step for axis in viewer.dims.range]
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    assert [axis.step for axis in viewer.dims.range] == before


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_lines_are_as_thick_along_thick_slices(staged: tuple[ViewerModel, Stage], order: tuple[int, ...]) -> None:
    viewer, _ = staged
    before = [axis.step for axis in viewer.dims.range]
    viewer.dims.order = order
    layer = viewer.layers[LINES]
    assert layer.scale[order[1]] == layer.scale[order[2]]
    assert [axis.step for axis in viewer.dims.range] == before
    world = layer.data[:, 0] * layer.scale
    assert np.allclose(world[:, order[0]], viewer.dims.point[order[0]])


def test_names_that_would_run_into_one_another_are_left_out() -> None:
    names = ["hip right", "hip left", "SI joint left", ""]
    places = np.array([[100.0, 40.0], [100.0, 60.0], [104.0, 90.0], [500.0, 0.0]])
    right, left, hidden, nothing = with_room(names, places, "")
    assert right.startswith("hip right ")
    assert left.endswith(" hip left")
    assert (hidden, nothing) == ("", "")
    assert with_room(names, places, "SI joint left")[1] == ""
    assert with_room(names, places * 20, "")[3] == ""
    assert all(with_room(names[:3], places[:3] * 20, ""))


def test_3d_is_seen_from_the_front_and_the_plane_comes_back(staged: tuple[ViewerModel, Stage]) -> None:
    viewer, _ = staged
    viewer.dims.order = (2, 1, 0)
    viewer.dims.ndisplay = 3
    assert viewer.dims.order == (0, 1, 2)
    viewer.dims.ndisplay = 2
    assert viewer.dims.order == (2, 1, 0)


def test_all_lesions_are_seen_in_3d_at_their_places(session: Session, staged: tuple[ViewerModel, Stage]) -> None:
    viewer, _ = staged
    series, volume, placement = session.series, session.volume, placement_of(session)
    assert series is not None
    assert volume is not None
    for name in SITES[LATER]:
        session.add(proposals.propose(series, volume, spot(placement, name), placement))
    viewer.dims.ndisplay = 3
    rings = viewer.layers[DOTS].data * np.asarray(viewer.layers[DOTS].scale)
    for name in SITES[LATER]:
        away = np.linalg.norm(rings - layers.world_from_lps(spot(placement, name)), axis=1)
        assert away.min() < 6.0


def test_the_ray_of_sight_meets_the_near_bone_first(session: Session) -> None:
    placement = placement_of(session)
    x, y, z = placement.positions()["T8"]
    assert first_site(placement, (x, y - 500.0, z), (0.0, 1.0, 0.0)).startswith("sternum.")
    assert first_site(placement, (x, y + 500.0, z), (0.0, -1.0, 0.0)).startswith("vertebra_")
    assert first_site(placement, (900.0, y - 500.0, z), (0.0, 1.0, 0.0)) == ""


def test_the_solid_holds_every_bone(session: Session) -> None:
    placement = placement_of(session)
    made = solid(placement)
    used = np.unique(locate(layers.lps_from_world(made.vertices[::200]), placement).site.astype(str))
    assert len({name.split(".")[0] for name in used.tolist()}) > 60


def test_the_name_under_the_cursor(session: Session) -> None:
    placement = placement_of(session)
    words = name_at(placement, spot(placement, TIBIA))
    assert words.splitlines()[0].lower() == site(TIBIA).name.lower()
    assert words.splitlines()[1].endswith("mm from the physis")
    assert name_at(placement, (900.0, 0.0, 0.0)) == ""


def test_a_moved_landmark_draws_another_skeleton_and_keeps_none(staged: tuple[ViewerModel, Stage]) -> None:
    viewer, stage = staged
    stage.show_bones(lines=True, landmarks=True)
    session, placement = stage.session, placement_of(stage.session)
    x, y, z = placement.positions()["knee_left"]
    viewer.dims.point = tuple(layers.world_from_lps((x, y, z)))
    stage.show_bones(lines=True, landmarks=False)  # the centrelines of all bones are not drawn now
    before = viewer.layers[LINES].data.copy()
    stage.lines.landmarks_visible = True
    assert stage.lines.landmark_at((x + 3.0, y, z), 5.0) == "knee_left"
    assert stage.lines.landmark_at((x + 9.0, y, z), 5.0) == ""
    marks = {**session.placed(), "knee_left": (x + 30.0, y, z)}
    stage.lines.settle_move(stage.lines.move(marks)())
    after = viewer.layers[LINES].data
    assert before.shape != after.shape or np.abs(before - after).max() > 5.0
    assert stage.lines.placement is not placement
    assert placement_of(session) is placement
    late = stage.lines.move(marks)()
    stage.show_skeleton()
    assert stage.lines.placement is placement
    stage.lines.settle_move(late)
    assert stage.lines.placement is placement


def test_a_first_guess_is_put_right_and_not_thrown_away(session: Session) -> None:
    assert session.work is not None
    assert session.now is not None
    placement = placement_of(session)
    marks = tuple(replace(m, placed=False, radius90_mm=40.0) for m in placement.landmarks)
    guess = replace(placement, landmarks=marks, how="silhouette")
    x, y, z = placement.positions()["knee_left"]
    made = load.put_skeleton({"knee_left": (x + 12.0, y, z)}, session.work.patient, session.now.visit, guess)
    assert made.how == "silhouette"
    assert [mark.name for mark in made.landmarks if mark.placed] == ["knee_left"]
    assert made.coverage is not None
    away = {m.name: float(np.linalg.norm(np.subtract(m.lps_mm, placement.positions()[m.name]))) for m in made.landmarks}
    assert away["knee_left"] == pytest.approx(12.0)
    assert away["vertex"] < 12.0
    plain = load.put_skeleton(session.placed(), session.work.patient, session.now.visit, placement)
    assert plain.how == "landmarks"


@pytest.mark.gui
def test_a_landmark_is_dragged_and_the_image_stays(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, study_path: Path
) -> None:
    driver = Driver(make_napari_viewer(show=True), tmp_path / "shots")
    session, camera = driver.dock.desk.session, driver.viewer.scene.camera
    driver.dock.visits.open_study(str(study_path))
    driver.wait(lambda: session.results is not None, "opening the study")
    driver.row(driver.dock.visits.visits, LATER)
    driver.wait(lambda: session.key == LATER, "opening the visit")
    driver.page("Skeleton")
    driver.idle()
    ways = [words for words, _ in driver.dock.skeleton.ways_to_place()]
    assert ways == ["Landmarks file…", "Bone label map…", "Outline of the body, a first guess", f"As in {EARLIER}"]
    driver.click(driver.dock.skeleton.place)
    x, y, z = placement_of(session).positions()["knee_left"]
    driver.show((x, y, z), 1.5)
    driver.idle()
    centre = camera.center
    driver.drag_image((x, y, z), (x + 24.0, y, z - 10.0))
    driver.wait(lambda: session.placed()["knee_left"][0] > x + 15.0, "moving the knee")
    assert session.placed()["knee_left"] == pytest.approx((x + 24.0, y, z - 10.0), abs=4.0)
    assert camera.center == pytest.approx(centre)
    assert camera.mouse_pan
    assert session.landmark == "knee_left"
    driver.idle()
    driver.shot("dragged")
    driver.click(driver.dock.skeleton.solid, driver.dock.skeleton.solid.rect().topLeft() + _box())
    driver.wait(lambda: BONES in driver.viewer.layers, "showing the bones in 3-D")
    driver.idle()
    driver.shot("solid")
    driver.viewer.dims.ndisplay = 2
    assert not driver.dock.skeleton.solid.isChecked()
    driver.leave()


def _box() -> Any:
    from qtpy.QtCore import QPoint

    return QPoint(8, 10)
