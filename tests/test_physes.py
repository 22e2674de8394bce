"""Growth plates by age and sex."""

from __future__ import annotations

import numpy as np
import pytest

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.skeleton.growth import landmark_model
from lesionmap.skeleton.limits import axis_of, physis_planes
from lesionmap.skeleton.physes import physis_state

STATES = ("open", "closing", "closed")


@pytest.mark.parametrize(
    ("bone", "end", "age", "sex", "state"),
    [
        ("femur", "distal", 13.9, "M", "open"),
        ("femur", "distal", 16.0, "M", "closing"),
        ("femur", "distal", 17.0, "F", "closed"),
        ("femur", "distal", 17.0, None, "closing"),
        ("radius", "distal", 16.9, "M", "open"),
        ("humerus", "distal", 15.1, "M", "closed"),
        ("ulna", "proximal", 10.0, "F", "closing"),
    ],
)
def test_states(bone: str, end: str, age: float, sex: str | None, state: str) -> None:
    assert physis_state(bone, end, age, sex) == state  # type: ignore[arg-type]


def test_what_is_not_sourced_is_not_known() -> None:
    assert physis_state("tibia", "distal", 20.0, "F") is None
    assert physis_state("femur", "proximal", 20.0, "F") is None


def test_plates_never_open_again_and_girls_are_first() -> None:
    for bone, end in (("femur", "distal"), ("radius", "distal"), ("humerus", "distal")):
        at = {
            sex: [STATES.index(physis_state(bone, end, y / 4, sex) or "") for y in range(8, 80)] for sex in ("F", "M")
        }
        for line in at.values():
            assert line == sorted(line)
        assert all(girl >= boy for girl, boy in zip(at["F"], at["M"], strict=True))


def test_a_closed_plate_has_no_relation_and_is_not_drawn() -> None:
    """At the elbow, for which ages are known; a lesion across the plate of a grown humerus disturbs no growth."""
    for age, relation in ((9.0, "crosses"), (14.0, "spares")):
        child = skeleton.place(
            {k: v.tolist() for k, v in landmark_model(age, "F", 150.0).items()}, age_y=age, sex="F", stature_cm=150.0
        )
        planes = [x for x in physis_planes(child) if x[:2] == ("humerus", "left") and "distal_epiphysis" in x[2]]
        assert len(planes) == (relation == "crosses")
        axis = axis_of("humerus", "left", child)
        at = axis.origin + axis.direction * axis.length_mm * axis.limits[3]
        ball = at + np.random.default_rng(3).uniform(-6.0, 6.0, (400, 3))
        shares = {x.site: x.physis for x in skeleton.site_shares(ball, child)}
        assert shares["humerus.distal_metaphysis.left"] == relation


def test_a_bone_without_that_plate_is_refused() -> None:
    with pytest.raises(LesionmapError, match="a long bone and proximal or distal were expected, got 'patella'"):
        physis_state("patella", "distal", 10.0, None)
