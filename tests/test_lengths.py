"""Lengths of the legs against bodies whose lengths are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landmark_bodies import SETS, Known, jittered, phantoms, placed, turned
from lesionmap.skeleton import Length, leg_lengths
from lesionmap.write import results_of
from lesionmap.write.content import sections
from write_case import case

LEG = ("knee", "ankle", "heel", "toe")


def lengths(who: Known, marks: dict[str, np.ndarray]) -> dict[str, Length]:
    return {length.name: length for length in leg_lengths(placed(marks, who))}


def shorter(who: Known, mm: float) -> dict[str, np.ndarray]:
    """Give the body with a left femur that is so much shorter."""
    thigh = who.marks["knee_left"] - who.marks["hip_left"]
    step = -mm * thigh / np.linalg.norm(thigh)
    moved = {n: p + step for n, p in who.marks.items() if n.startswith(LEG) and n.endswith("_left")}
    return who.marks | moved


def test_a_short_femur_is_found_as_short_as_it_is() -> None:
    who = phantoms(3)[0]
    marks = shorter(who, 18.0)
    found = lengths(who, {name: marks[name] for name in SETS["16"]})
    assert found["femur"].difference_mm == pytest.approx(-18.0, abs=1e-6)
    assert found["tibia"].difference_mm == pytest.approx(0.0, abs=1e-6)
    assert found["leg"].difference_mm == pytest.approx(-18.0, abs=1e-6)
    assert found["femur"].left_mm == pytest.approx(np.linalg.norm(marks["knee_left"] - marks["hip_left"]))


def test_a_bent_knee_shortens_no_leg() -> None:
    who = phantoms(3)[1]
    names = [name for name in who.marks if name.startswith(LEG[1:]) and name.endswith("_left")]
    bent = turned({name: who.marks[name] - who.marks["knee_left"] for name in names}, "x", 60.0)
    marks = who.marks | {name: at + who.marks["knee_left"] for name, at in bent.items()}
    found = lengths(who, {name: marks[name] for name in SETS["16"]})["leg"]
    assert found.difference_mm == pytest.approx(0.0, abs=1e-6)


def test_standard_errors_are_those_of_repeated_placing() -> None:
    who = phantoms(3)[2]
    truth = lengths(who, {name: who.marks[name] for name in SETS["16"]})
    tries = [lengths(who, jittered(who.marks, SETS["16"], seed)) for seed in range(150)]
    for name in ("femur", "tibia", "leg"):
        left = np.array([one[name].left_mm for one in tries], dtype=np.float64)
        apart = np.array([one[name].difference_mm for one in tries], dtype=np.float64)
        assert truth[name].left_se_mm == pytest.approx(left.std(), rel=0.2)
        assert truth[name].difference_se_mm == pytest.approx(apart.std(), rel=0.2)


def test_who_places_better_has_smaller_errors() -> None:
    placement = placed(jittered(phantoms(3)[0].marks, SETS["16"], 0))
    usual, careful = leg_lengths(placement)[0], leg_lengths(placement, placing_mm=2.5)[0]
    assert usual.left_mm == careful.left_mm
    assert usual.left_se_mm == pytest.approx(2 * (careful.left_se_mm or 0))
    assert usual.left_se_mm == pytest.approx(5 * np.sqrt(2))


@pytest.mark.parametrize(
    ("missing", "unknown"),
    [("knee_left", {"femur", "tibia"}), ("ankle_left", {"tibia", "leg"}), ("hip_left", {"femur", "leg"})],
)
def test_an_estimated_end_tells_no_length(missing: str, unknown: set[str]) -> None:
    who = phantoms(3)[0]
    found = lengths(
        who, {name: who.marks[name] for name in SETS["5"] + ("ankle_left", "knee_right") if name != missing}
    )
    for name, length in found.items():
        assert (length.left_mm is None) == (name in unknown), name
        assert (length.left_se_mm is None) == (length.left_mm is None)
        assert (length.difference_mm is None) == (name in unknown)
        assert length.right_mm is not None


def test_an_end_that_its_neighbours_fix_counts_with_its_radius() -> None:
    """The hip centre is not given, but the pelvis about it is."""
    placement = placed({name: at for name, at in phantoms(3)[0].marks.items() if name != "hip_left"})
    hip = next(mark for mark in placement.landmarks if mark.name == "hip_left")
    assert 0 < hip.radius90_mm < 15
    femur = leg_lengths(placement)[0]
    assert femur.left_se_mm == pytest.approx(np.hypot(5.0, hip.radius90_mm / 2.5003))
    wider = tuple(replace(m, radius90_mm=16.0) if m.name == "hip_left" else m for m in placement.landmarks)
    assert leg_lengths(replace(placement, landmarks=wider))[0].left_mm is None


def test_no_landmarks_no_lengths() -> None:
    placement = replace(placed({"C7": np.zeros(3)}), landmarks=())
    assert leg_lengths(placement) == tuple(
        Length(name, None, None, None, None, None, None) for name in ("femur", "tibia", "leg")
    )


def test_the_report_tells_lengths_with_their_errors() -> None:
    who = phantoms(3)[0]
    marks = shorter(who, 18.0)
    told = placed({name: marks[name] for name in SETS["16"] if name != "ankle_right"}, who)
    results = case()
    visits = [replace(results.visits[0], placement=told), *results.visits[1:]]
    section = next(s for s in sections(results_of(results.patient, visits)) if s.title == "Leg lengths")
    assert section.table is not None
    words = [[cell.text for cell in row] for row in section.table.rows]
    assert [row[1].split(":")[0] for row in words] == ["Femur", "Tibia", "Leg"]
    assert words[0][4] == "-18 ± 10"
    assert words[1][2].endswith(" ± 7")
    assert words[1][3:] == ["–", "–"]
    assert "taken to err by 5 mm" in section.below[0]
    assert "Leg lengths" not in [s.title for s in sections(results)]
