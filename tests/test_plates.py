"""Growth plates of one scan compared with one another."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from lesionmap import skeleton
from lesionmap.phantom import body
from lesionmap.phantom.bone_scan import plate_name
from lesionmap.phantom.scan_case import scan_case
from lesionmap.segment import plate_evidence
from lesionmap.segment.plates import PEAK
from lesionmap.skeleton.limits import physis_planes

if TYPE_CHECKING:
    from lesionmap.segment import PlateEvidence
    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.seen import Face
    from lesionmap.space import Volume


@cache
def _scan() -> tuple[dict[Face, Volume], Placement]:
    """Give a girl of 4 whose plates are all five times their shaft, but for those of the left tibia's lower end."""
    child = body(4.0, "F", 6, pose=6)
    plates = {plate_name(shape, i): 5.0 for shape in child.shapes for i in range(len(shape.physes))}
    case = scan_case(child, seed=6, plates={**plates, "tibia.1.left": 14.0})
    placed = skeleton.place(case.landmarks(), age_y=4.0, sex="F")
    return {"anterior": case.anterior, "posterior": case.posterior}, placed


def _at(bone: str, side: str, before: str, views: dict[Face, Volume] | None = None) -> PlateEvidence:
    both, placed = _scan()
    (point,) = [at for b, s, pair, at, *_ in physis_planes(placed) if (b, s, pair[0]) == (bone, side, before)]
    found = plate_evidence(views or both, placed, point)
    assert found is not None
    return found


def test_plates_of_both_sides_alike_are_usual() -> None:
    for side in ("left", "right"):
        found = _at("femur", side, "distal_metaphysis")
        assert (found.bone, found.side, found.segments[1]) == ("femur", side, "distal_epiphysis")
        assert found.to_mirrored == pytest.approx(1.0, abs=0.2)
        assert found.to_shaft is not None
        assert 1.5 < found.to_shaft < PEAK
        assert found.usual


def test_a_plate_hotter_than_that_of_the_other_side_is_not_usual() -> None:
    hot, other = (_at("tibia", side, "distal_metaphysis") for side in ("left", "right"))
    assert hot.to_mirrored is not None
    assert other.to_mirrored is not None
    assert hot.to_mirrored > 1.35
    assert other.to_mirrored < 1.0
    assert hot.to_others is not None
    assert hot.to_others > 1.2
    assert (hot.usual, other.usual) == (False, True)


def test_one_view_alone_tells_too() -> None:
    for face, view in _scan()[0].items():
        assert _at("femur", "left", "distal_metaphysis", {face: view}).usual


def test_away_from_plates_there_is_no_evidence() -> None:
    views, placed = _scan()
    assert plate_evidence(views, placed, placed.positions()["T8"]) is None


def test_closed_plates_are_no_excuse() -> None:
    views, placed = _scan()
    grown = skeleton.place(placed.positions(), age_y=25.0, sex="F")
    assert plate_evidence(views, grown, placed.positions()["knee_left"]) is None
