"""The session commits every act at once; the stage follows it. No window here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.components import ViewerModel

from lesionmap.clinic import Treatment
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Mask
from lesionmap.skeleton import place
from lesionmap.store import Study
from napari_lesionmap import layers, load
from napari_lesionmap.dots import DOTS
from napari_lesionmap.painted import label_of, painted
from napari_lesionmap.prior import Prior, counterpart
from napari_lesionmap.proposals import Proposal
from napari_lesionmap.resolve import course_rows, earlier_rows, landmark_rows, lesion_rows, next_landmark
from napari_lesionmap.session import Session
from napari_lesionmap.skeleton_lines import LANDMARKS as LANDMARK_LAYER
from napari_lesionmap.skeleton_lines import LINES
from napari_lesionmap.stage import MASKS, Stage
from plugin.small import EARLIER, LANDMARKS, LATER, READER, SITES, spot, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


TIBIA = SITES[LATER][1]


def opened(path: Path, visit: str, reader: str = "") -> Session:
    session = Session()
    study, patients = load.open_study(str(path))
    session.enter_study(study, patients)
    work = load.load_patient(study, "P001", reader)
    session.enter_patient(work)
    session.enter_visit(load.open_visit(study, work.visit(visit).visit, work.reader))
    return session


@pytest.fixture
def session(study_path: Path) -> Iterator[Session]:
    session = opened(study_path, LATER)
    yield session
    session.close()


@pytest.fixture
def staged(session: Session) -> Iterator[tuple[Session, ViewerModel, Stage]]:
    viewer = ViewerModel()
    stage = Stage(viewer, session, lambda _work, _then: None)
    stage.show_visit()
    yield session, viewer, stage
    stage.close()


def ball(session: Session, site: str, radius_mm: float = 9.0) -> Mask:
    now, series = session.now, session.series
    assert now is not None
    assert now.placement is not None
    assert series is not None
    voxels = np.argwhere(np.ones(series.grid.shape, bool))
    away = np.linalg.norm(series.grid.lps(voxels) - spot(now.placement, site), axis=1)
    return Mask.of_voxels(voxels[away < radius_mm], series.grid)


def mark(session: Session, site: str) -> str:
    series = session.series
    assert series is not None
    return session.add(Proposal((site,), Extent(series.name, ball(session, site))))


def states(session: Session) -> dict[str, list[str]]:
    assert session.results is not None
    return {row.site: [cell.state for cell in row.cells] for row in course_rows(session.results)}


def test_the_only_reader_is_taken_and_the_first_image_is_there(session: Session) -> None:
    assert session.work is not None
    assert session.work.reader == READER
    assert session.shown == "STIR coronal"
    assert session.volume is not None
    assert session.read_only == ""


def test_every_act_is_in_the_study_at_once(session: Session, study_path: Path) -> None:
    lesion = mark(session, TIBIA)
    assert [x.sites for x in stored(study_path).lesions] == [(TIBIA,)]
    session.change(lesion, "certainty", certainty="probable")
    assert stored(study_path).lesion(lesion).certainty == "probable"
    session.change(lesion, "site", sites=("ankle.left",))
    assert stored(study_path).lesion(lesion).sites == ("ankle.left",)
    session.remove(lesion)
    assert stored(study_path).lesions == ()


def test_table_count_and_states_follow_an_act(session: Session) -> None:
    assert states(session) == {
        "Left medial clavicle": ["first_seen", "unanswered"],
        "Right distal femoral metaphysis": ["first_seen", "unanswered"],
    }
    lesion = mark(session, TIBIA)
    assert session.results is not None
    assert session.results.counts[LATER].total.lesions == 1
    (row,) = lesion_rows(session.results, LATER)
    assert (row.id, row.site, row.state) == (lesion, "Left distal tibial metaphysis", "new")
    assert float(row.volume) == pytest.approx(4 / 3 * np.pi * 0.9**3, rel=0.15)
    session.change(lesion, "certainty", certainty="normal_variant")
    assert session.results.counts[LATER].total.lesions == 0
    (row,) = lesion_rows(session.results, LATER)
    assert row.why == "not counted: certainty normal variant"


def test_the_worklist_asks_for_every_earlier_lesion_until_it_is_answered(session: Session) -> None:
    assert session.results is not None
    rows = earlier_rows(session.results, LATER)
    assert [(row.site, row.last, row.answer) for row in rows] == [
        ("Left medial clavicle", EARLIER, ""),
        ("Right distal femoral metaphysis", EARLIER, ""),
    ]
    session.answer(rows[1].track, "resolved")
    mark_id = mark(session, SITES[LATER][0])
    session.change(mark_id, "track", tracks=(rows[0].track,))
    answered = earlier_rows(session.results, LATER)
    assert [(row.answer, row.lesion) for row in answered] == [("present", mark_id), ("resolved", "")]
    assert states(session)["Right distal femoral metaphysis"] == ["first_seen", "resolved"]
    session.answer(rows[1].track, None)
    assert earlier_rows(session.results, LATER)[1].answer == ""


def test_undo_and_redo_have_names_and_are_stored(session: Session, study_path: Path) -> None:
    lesion = mark(session, TIBIA)
    session.change(lesion, "certainty", certainty="equivocal")
    assert session.undo_words == f"certainty of lesion {lesion}"
    assert session.undo() == f"certainty of lesion {lesion}"
    assert stored(study_path).lesion(lesion).certainty == "definite"
    assert session.undo() == f"mark lesion {lesion}"
    assert stored(study_path).lesions == ()
    assert session.selected == ""
    assert session.redo_words == f"mark lesion {lesion}"
    session.redo()
    session.redo()
    assert stored(study_path).lesion(lesion).certainty == "equivocal"
    with pytest.raises(LesionmapError, match="nothing to redo: nothing was undone"):
        session.redo()


def test_a_second_window_on_the_map_is_read_only_until_the_first_closes(session: Session, study_path: Path) -> None:
    second = opened(study_path, LATER)
    with pytest.raises(LesionmapError, match="read-only here: another window has this map open"):
        mark(second, TIBIA)
    assert stored(study_path).lesions == ()
    session.close()
    third = opened(study_path, LATER)
    mark(third, TIBIA)
    assert len(stored(study_path).lesions) == 1
    second.close()
    third.close()


def test_a_click_without_a_bone_says_what_to_do(session: Session) -> None:
    with pytest.raises(LesionmapError, match=r"no bone of the skeleton is at this place; place the skeleton first"):
        session.add(Proposal((), Extent("STIR coronal", None, (0.0, 0.0, 0.0))))


def test_acts_without_a_visit_say_what_to_do() -> None:
    with pytest.raises(LesionmapError, match="no visit is open; open a study and choose a visit"):
        Session().add_site(TIBIA)


def test_landmarks_are_listed_placed_or_estimated(session: Session) -> None:
    now = session.now
    assert now is not None
    rows = {row.name: row for row in landmark_rows(now)}
    assert len(rows) == 43
    assert {name for name, row in rows.items() if row.state == "placed"} == set(LANDMARKS)
    assert rows["heel_left"].told.startswith("estimated ± ")
    assert next_landmark(tuple(rows.values()), "vertex") == "chin"


def test_a_placed_landmark_moves_the_skeleton_and_is_kept(session: Session, study_path: Path) -> None:
    now, work = session.now, session.work
    assert now is not None
    assert work is not None
    moved = {**session.placed(), "heel_left": (80.0, 60.0, -1230.0)}
    session.keep_placement(load.put_skeleton(moved, work.patient, now.visit))
    with Study.open(study_path) as study:
        kept = study.placement("P001", LATER)
    assert kept is not None
    assert kept.positions()["heel_left"] == (80.0, 60.0, -1230.0)
    assert kept.coverage is not None


# ---- the stage ------------------------------------------------------------------------------------------------------


def own_layers(viewer: ViewerModel) -> set[str]:
    return {layer.name for layer in viewer.layers}


def test_all_layers_share_units_axes_and_steps(session: Session) -> None:
    viewer = ViewerModel()
    stage = Stage(viewer, session)
    stage.show_visit()
    stage.show_bones(lines=True, landmarks=True)
    assert own_layers(viewer) == {"STIR coronal", MASKS, DOTS, LINES, LANDMARK_LAYER}
    for layer in viewer.layers:
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3, layer.name
        assert layer.axis_labels == ("y", "z", "x"), layer.name
        assert np.all(np.asarray(layer.scale) > 0), layer.name
        assert np.allclose(layer.rotate, np.eye(3)), layer.name
    assert viewer.dims.range[0].step == 6.0
    assert "P001" not in viewer.title


def test_a_lesion_is_drawn_where_it_was_marked(staged: tuple[Session, ViewerModel, Stage]) -> None:
    session, viewer, stage = staged
    lesion = mark(session, TIBIA)
    data = np.asarray(viewer.layers[MASKS].data)
    assert set(np.unique(data)) == {0, label_of(lesion)}
    middle = np.array(viewer.layers[MASKS].data_to_world(np.argwhere(data == label_of(lesion)).mean(axis=0)))
    now = session.now
    assert now is not None
    assert now.placement is not None
    assert layers.lps_from_world(middle) == pytest.approx(np.array(spot(now.placement, TIBIA)), abs=2.0)
    assert stage.lesion_at(spot(now.placement, TIBIA)) == lesion
    told = viewer.layers[MASKS].features.iloc[-1]
    assert (told["index"], told["lesion"], told["site"]) == (label_of(lesion), lesion, "Left distal tibial metaphysis")
    session.change(lesion, "certainty", certainty="probable")
    assert viewer.layers[MASKS].features.iloc[-1]["certainty"] == "probable"
    session.undo()
    session.undo()
    assert not np.any(viewer.layers[MASKS].data)
    assert stage.lesion_at(spot(now.placement, TIBIA)) == ""


def test_a_row_jumps_to_the_lesion(staged: tuple[Session, ViewerModel, Stage]) -> None:
    session, viewer, stage = staged
    mark(session, TIBIA)
    lesion, now = session.lesion, session.now
    assert lesion is not None
    assert now is not None
    assert now.placement is not None
    assert stage.jump_to(lesion)
    place = layers.world_from_lps(spot(now.placement, TIBIA))
    assert viewer.dims.point[0] == pytest.approx(place[0], abs=3.1)
    assert viewer.scene.camera.center[1:] == pytest.approx(place[1:], abs=2.0)
    session.add_site("skull.whole.midline")
    lesion = session.lesion
    assert lesion is not None
    assert not stage.jump_to(lesion)


def paint(viewer: ViewerModel, lps_mm: tuple[float, float, float], label: int, size: int = 9) -> None:
    """Paint one stroke as the mouse does: a stroke is told when it ends."""
    masks = viewer.layers[MASKS]
    masks.brush_size = size
    index = np.asarray(masks.world_to_data(layers.world_from_lps(lps_mm)))
    viewer.dims.point = tuple(layers.world_from_lps(lps_mm))
    with masks.block_history():
        masks.paint(index, label)


def test_a_stroke_becomes_the_mask_of_the_chosen_lesion(
    staged: tuple[Session, ViewerModel, Stage], study_path: Path
) -> None:
    session, viewer, _ = staged
    lesion = mark(session, TIBIA)
    now = session.now
    assert now is not None
    assert now.placement is not None
    x, y, z = spot(now.placement, TIBIA)
    before = stored(study_path).lesion(lesion).extents[0].mask
    assert viewer.layers[MASKS].selected_label == label_of(lesion)
    paint(viewer, (x + 9, y, z + 12), label_of(lesion))
    after = stored(study_path).lesion(lesion).extents[0].mask
    assert before is not None
    assert after is not None
    assert after.n_voxels > before.n_voxels
    shown = np.argwhere(np.asarray(viewer.layers[MASKS].data) == label_of(lesion))
    assert len(shown) == after.n_voxels
    assert session.undo_words == f"paint lesion {lesion}"
    session.undo()
    assert np.count_nonzero(viewer.layers[MASKS].data) == before.n_voxels


def test_painting_without_a_lesion_marks_one_and_rubbing_out_leaves_its_site(
    staged: tuple[Session, ViewerModel, Stage], study_path: Path
) -> None:
    session, viewer, _ = staged
    now = session.now
    assert now is not None
    assert now.placement is not None
    point = spot(now.placement, TIBIA)
    paint(viewer, point, viewer.layers[MASKS].selected_label, 5)
    (lesion,) = stored(study_path).lesions
    assert lesion.sites == (TIBIA,)
    paint(viewer, point, 0, 40)
    (left,) = stored(study_path).lesions
    assert left.extents == ()
    assert left.sites == (TIBIA,)


def test_painting_where_no_bone_is_leaves_no_paint_behind(staged: tuple[Session, ViewerModel, Stage]) -> None:
    session, viewer, stage = staged
    said: list[str] = []
    stage.failed.connect(lambda error: said.append(str(error)))
    lesion = mark(session, TIBIA)
    before = np.asarray(viewer.layers[MASKS].data).copy()
    paint(viewer, (-220.0, -60.0, 230.0), 7, 5)
    assert said[0].startswith("no bone of the skeleton is at this place")
    assert [x.id for x in session.lesion_map.lesions] == [lesion]
    assert np.array_equal(viewer.layers[MASKS].data, before)


def test_both_forms_of_the_paint_event_are_read() -> None:
    box = (slice(1, 3), slice(4, 6), slice(0, 2))
    labels, low, high = painted([(box, None, np.array([0, 2]), 5)])
    assert (labels, low.tolist(), high.tolist()) == ({2, 5}, [1, 4, 0], [2, 5, 1])
    indices = (np.array([3, 4]), np.array([7, 7]), np.array([2, 9]))
    labels, low, high = painted([(indices, np.array([0, 0]), 3)])
    assert (labels, low.tolist(), high.tolist()) == ({3}, [3, 7, 2], [4, 7, 9])


def test_the_earlier_visit_shows_the_same_place_of_the_same_bone(session: Session) -> None:
    """The child has grown and lies elsewhere: not the same millimetres, but the same place."""
    work, now = session.work, session.now
    assert work is not None
    assert now is not None
    assert now.placement is not None
    grown = {name: (x * 0.9 + 31, y * 0.9 - 12, z * 0.9 + 55) for name, (x, y, z) in LANDMARKS.items()}
    then = place(grown, age_y=8.0, sex="M")
    earlier = replace(work.visit(EARLIER), placement=then)
    assert session.study is not None
    session.enter_patient(replace(work, visits=(earlier, work.visit(LATER))))
    session.enter_visit(load.open_visit(session.study, now.visit, READER))
    prior = Prior()
    viewer = ViewerModel()
    stage = Stage(viewer, prior)
    volume = load.read_pixels(earlier.visit, ["STIR coronal"])["STIR coronal"]
    prior.show(session, EARLIER, "STIR coronal", volume)
    assert viewer.layers["STIR coronal"].data.shape
    found = counterpart(spot(now.placement, TIBIA), session, prior)
    assert found is not None
    assert np.linalg.norm(np.subtract(found, spot(then, TIBIA))) < 4.0
    assert np.linalg.norm(np.subtract(found, spot(now.placement, TIBIA))) > 30.0
    with pytest.raises(LesionmapError, match="it is the visit beside"):
        prior.remove(prior.lesion_map.lesions[0].id)
    prior.leave()
    assert not viewer.layers
    stage.close()


def test_the_skeleton_follows_slice_and_plane(session: Session) -> None:
    viewer = ViewerModel()
    stage = Stage(viewer, session)
    stage.show_visit()
    now = session.now
    assert now is not None
    assert now.placement is not None
    world = layers.world_from_lps(spot(now.placement, TIBIA))
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0)):
        viewer.dims.order = order
        viewer.dims.point = tuple(world)
        lines = viewer.layers[LINES]
        starts = lines.data[:, 0] * np.asarray(lines.scale)
        assert np.allclose(starts[:, order[0]], world[order[0]], atol=0.01)
        near = np.linalg.norm(starts[:, order[1:]] - world[list(order[1:])], axis=1)
        assert near.min() < 25.0
    stage.show_bones(lines=False, landmarks=False)
    assert not viewer.layers[LINES].visible


def test_what_the_clinic_knows_comes_along_and_stays(study_path: Path) -> None:
    with Study.open(study_path) as study:
        study.save_clinic("P001", [Treatment("infliximab", date(2012, 1, 1))], READER)
    session = opened(study_path, LATER)
    try:
        session.sign()
        assert session.results is not None
        assert [one.drug for one in session.results.treatments] == ["infliximab"]
    finally:
        session.close()
