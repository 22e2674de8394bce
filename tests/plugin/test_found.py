"""Offers without a window: what waits, what is left out, and that nothing is a lesion before it is accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari.components import ViewerModel

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Mask
from lesionmap.space import Grid
from lesionmap.store import Study
from napari_lesionmap import load
from napari_lesionmap.found import Found
from napari_lesionmap.found_line import CANDIDATE, FoundLine, contours, dashes
from napari_lesionmap.layers import world_from_lps
from napari_lesionmap.proposals import Offer, Proposal
from napari_lesionmap.resolve import least_certain
from napari_lesionmap.session import Session
from plugin.small import EARLIER, LATER, READER, SITES, spot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLAVICLE, TIBIA = SITES[LATER]


@pytest.fixture
def session(study_path: Path) -> Iterator[Session]:
    session = Session()
    study, patients = load.open_study(str(study_path))
    session.enter_study(study, patients)
    session.enter_patient(load.load_patient(study, "P001", READER))
    open_visit(session, LATER)
    yield session
    session.close()


def open_visit(session: Session, visit: str) -> None:
    assert session.study is not None
    assert session.work is not None
    session.enter_visit(load.open_visit(session.study, session.work.visit(visit).visit, READER))


def candidate(session: Session, site: str, radius_mm: float = 9.0, reason: str = "bright") -> Offer:
    now, volume = session.now, session.volume
    assert now is not None
    assert now.placement is not None
    assert volume is not None
    middle = spot(now.placement, site)
    extent = Extent(session.shown, Mask.ball(volume.grid, middle, radius_mm))
    return Offer(site, reason, Proposal((site,), extent))


def listed(session: Session, *sites: str) -> Found:
    found = Found(session)
    take(found, session, *(candidate(session, site) for site in sites))
    return found


def take(found: Found, session: Session, *those: Offer) -> None:
    now, volume = session.now, session.volume
    assert now is not None
    assert now.placement is not None
    assert volume is not None
    found.take(volume, now.placement, (those, ""))


def tool(session: Session) -> str:
    return session.tool


def looked(found: Found) -> str:
    return found.looked.site if found.looked else ""


def sites(found: Found) -> list[str]:
    return [one.site for one in found.waiting]


def lesions(path: Path) -> list[tuple[str, ...]]:
    with Study.open(path) as study:
        return [x.sites for x in study.lesion_map("P001", LATER, READER).lesions]


def test_the_search_finds_both_spots_and_counts_none(session: Session, study_path: Path) -> None:
    found, said = Found(session), list[str]()
    found.said.connect(said.append)
    assert not found.searched
    work, then = found.search()
    then(work())
    assert sorted(sites(found)) == sorted(SITES[LATER])
    assert found.looked is found.waiting[0]
    assert said[-1].startswith("candidate 1 of 2, Left distal tibial metaphysis: 5.5 times the marrow of the same bone")
    assert session.lesion_map.lesions == ()
    assert session.n_acts == 0
    assert lesions(study_path) == []


def test_accepted_it_is_a_lesion_in_one_step_and_undo_lets_it_wait_again(session: Session, study_path: Path) -> None:
    found = listed(session, TIBIA, CLAVICLE)
    mask = found.waiting[0].mask
    found.accept()
    (lesion,) = session.lesion_map.lesions
    assert (lesion.sites, lesion.extents[0].mask) == ((TIBIA,), mask)
    assert session.undo_words == f"mark lesion {lesion.id}"
    assert session.n_acts == 1
    assert lesions(study_path) == [(TIBIA,)]
    assert sites(found) == [CLAVICLE]
    assert found.looked is found.waiting[0]
    assert session.selected == ""  # 1 to 5 are not meant for the lesion before
    session.undo()
    assert sites(found) == [TIBIA, CLAVICLE]
    assert found.looked is found.waiting[1]


def test_rejected_it_is_not_listed_again_until_another_visit_is_opened(session: Session, study_path: Path) -> None:
    found, said = listed(session, TIBIA, CLAVICLE), list[str]()
    found.said.connect(said.append)
    found.reject()
    assert said[-1] == "rejected; candidate 2 of 2, Left medial clavicle: bright"
    assert sites(found) == [CLAVICLE]
    found.put_away()
    assert not found.searched
    assert sites(found) == []
    take(found, session, candidate(session, TIBIA, 10.0), candidate(session, CLAVICLE))
    assert sites(found) == [CLAVICLE]
    found.reject()
    assert said[-1] == "rejected; no candidate is left on STIR coronal"
    found.next()
    assert said[-1] == "no candidate is left on STIR coronal"
    assert lesions(study_path) == []
    open_visit(session, EARLIER)
    assert not found.searched
    open_visit(session, LATER)
    take(found, session, candidate(session, TIBIA))
    assert sites(found) == [TIBIA]


def test_a_neighbour_of_a_rejected_one_stays(session: Session) -> None:
    found = listed(session, TIBIA)
    found.reject()
    one = candidate(session, TIBIA)
    x, y, z = one.mask.lps_mm().mean(axis=0).tolist()
    assert session.volume is not None
    moved = Extent(session.shown, Mask.ball(session.volume.grid, (x, y, z + 15.0), 9.0))
    beside = replace(one, proposal=replace(one.proposal, extent=moved))
    take(found, session, beside)
    assert list(found.waiting) == [beside]


def test_what_is_drawn_already_is_left_out(session: Session) -> None:
    found, one = Found(session), candidate(session, TIBIA)
    series = session.series
    assert series is not None
    first = session.add(Proposal((TIBIA,), Extent(series.name, Mask.of_voxels(one.mask.voxels()[:1], one.mask.grid))))
    take(found, session, one, candidate(session, CLAVICLE))
    assert sites(found) == [CLAVICLE]
    session.remove(first)
    x, y, z = candidate(session, CLAVICLE).mask.lps_mm().mean(axis=0).tolist()
    session.add(Proposal((CLAVICLE,), Extent(series.name, None, (x, y, z))))
    assert sites(found) == []
    assert looked(found) == ""
    take(found, session, one)
    assert list(found.waiting) == [one]


def test_a_lesion_or_a_tool_that_is_chosen_takes_the_place_of_the_candidate(session: Session) -> None:
    lesion = session.add_site("skull.whole.midline")
    found = listed(session, TIBIA, CLAVICLE)
    assert session.selected == ""
    session.select(lesion)
    assert looked(found) == ""
    with pytest.raises(LesionmapError, match="no candidate is looked at; C goes to the next one"):
        found.accept()
    found.next()
    assert looked(found) == TIBIA  # it was left undecided
    session.choose_tool("paint")
    assert looked(found) == ""
    found.look(1)
    assert tool(session) == "look"
    found.next()
    assert found.looked is found.waiting[0]


def test_a_skeleton_that_moved_puts_the_list_away(session: Session) -> None:
    found = listed(session, TIBIA)
    session.skeleton_changed.emit()  # shown or hidden only
    assert sites(found) == [TIBIA]
    now, work = session.now, session.work
    assert now is not None
    assert work is not None
    moved = {**session.placed(), "heel_left": (80.0, 60.0, -1230.0)}
    session.keep_placement(load.put_skeleton(moved, work.patient, now.visit))
    assert not found.searched
    assert looked(found) == ""


def test_the_result_of_a_search_in_what_is_shown_no_more_is_dropped(session: Session) -> None:
    found, one = Found(session), candidate(session, TIBIA)
    now, volume = session.now, session.volume
    assert now is not None
    assert now.placement is not None
    assert volume is not None
    open_visit(session, EARLIER)
    found.take(volume, now.placement, ((one,), ""))
    assert sites(found) == []


def test_where_nothing_can_be_looked_for_it_says_what_to_do(session: Session) -> None:
    found, said = Found(session), list[str]()
    found.said.connect(said.append)
    take(found, session)
    assert said == ["nothing stands out; no candidate is left on STIR coronal"]
    now, work = session.now, session.work
    assert now is not None
    assert work is not None
    series = replace(now.visit.series[0], sequence="T1")
    facts = replace(now, visit=replace(now.visit, series=(series,)))
    session._replace(facts)
    with pytest.raises(LesionmapError, match=r"in which fat is dark \(STIR\), got STIR coronal; X shows the next"):
        found.search()
    session._replace(replace(now, placement=None))
    with pytest.raises(LesionmapError, match="none is placed on these images; place it first"):
        found.search()
    session.enter_patient(work)
    with pytest.raises(LesionmapError, match="open a visit that has images"):
        found.search()


def test_the_hint_on_normal_findings_comes_before_the_decision(session: Session) -> None:
    found = listed(session, TIBIA)
    assert found.hint(found.waiting[0]) == ""
    heel = replace(candidate(session, TIBIA), site="calcaneus.body.left")
    assert "healthy children under 16 years" in found.hint(heel)


# ---- the line -------------------------------------------------------------------------------------------------------

_TURNED = np.array([[-2.9, 0.2, 0.5, 80.0], [0.1, -0.4, 5.9, -30.0], [-0.3, -3.1, -0.2, 200.0], [0, 0, 0, 1.0]])
_STRAIGHT = np.array([[-3.0, 0, 0, 80.0], [0, 0, 6.0, -30.0], [0, -2.0, 0, 200.0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("matrix", [_STRAIGHT, _TURNED], ids=["straight", "tilted"])
def test_the_line_goes_around_the_mask(matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]], axis: int) -> None:
    grid, radius = Grid((50, 70, 15), matrix), 18.0
    voxels = np.argwhere(np.ones(grid.shape, bool))
    middle = grid.lps((24, 33, 7))
    mask = Mask.of_voxels(voxels[np.linalg.norm(grid.lps(voxels) - middle, axis=1) < radius], grid)
    at = float(world_from_lps(middle)[axis])
    (line,) = contours(mask, axis, at)
    assert line[:, axis] == pytest.approx(at)
    away = np.linalg.norm(line - world_from_lps(middle), axis=1)
    assert away.mean() == pytest.approx(radius, abs=2.5)
    assert contours(mask, axis, at + 3 * radius) == []


def test_dashes_lie_on_the_line_and_leave_gaps() -> None:
    angle = np.linspace(0, 2 * np.pi, 100)
    ring = np.stack([np.zeros(100), 20 * np.cos(angle), 20 * np.sin(angle)], axis=1)
    parts = dashes(ring, 3.0, 2.0)
    assert np.linalg.norm(parts[:, 0], axis=1) == pytest.approx(20, abs=0.05)
    assert float(np.linalg.norm(parts[:, 1], axis=1).sum()) == pytest.approx(0.6 * 2 * np.pi * 20, rel=0.02)
    assert len(dashes(ring, 300.0, 200.0)) >= 6  # seen from afar it is a dashed line still


def test_the_line_is_there_in_its_slices_only(session: Session) -> None:
    viewer, found = ViewerModel(), Found(session)
    viewer.add_image(np.zeros((24, 500, 150)), scale=(6, 3, 3), translate=(-62, -1257, -226))
    line = FoundLine(viewer, found)
    take(found, session, candidate(session, TIBIA), candidate(session, CLAVICLE))
    layer = viewer.layers[CANDIDATE]
    here = viewer.dims.point
    assert layer.visible
    assert viewer.layers.selection.active is viewer.layers[0]
    assert viewer.dims.range[0].step == 6.0
    middle = (layer.data[:, 0] * np.asarray(layer.scale)).mean(axis=0)
    assert middle == pytest.approx(world_from_lps(found.waiting[0].mask.lps_mm().mean(axis=0)), abs=4.0)
    viewer.dims.point = (here[0] + 30, *here[1:])
    assert not layer.visible
    viewer.dims.point = here
    assert layer.visible
    viewer.dims.ndisplay = 3
    assert CANDIDATE not in viewer.layers
    viewer.dims.ndisplay = 2
    assert CANDIDATE in viewer.layers
    found.put_away()
    assert CANDIDATE not in viewer.layers
    line.close()
    found.close()
    take(found, session, candidate(session, TIBIA))
    assert CANDIDATE not in viewer.layers


# ---- landmarks ------------------------------------------------------------------------------------------------------


def test_the_least_certain_landmark_comes_first(session: Session) -> None:
    now = session.now
    assert now is not None
    assert now.placement is not None
    radius = {mark.name: mark.radius90_mm for mark in now.placement.landmarks}
    assert session.volume is not None
    grid, places = session.volume.grid, now.placement.positions()
    names = least_certain(now, grid)
    assert len(names) > 5
    assert not set(names) & set(session.placed())
    assert [radius[name] for name in names] == sorted((radius[name] for name in names), reverse=True)
    assert all(grid.contains(places[name]) for name in names)  # fingertips are not imaged here
    assert "fingertip3_left" not in names
    assert least_certain(replace(now, placement=None), grid) == []
