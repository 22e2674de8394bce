"""Sizes of the posed skeleton against published anthropometry, at 2, 6, 10, 14 and 18 years, both sexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_child import AGES, LONG, balls, of_ages, of_children, placed
from lesionmap import skeleton
from lesionmap.skeleton import growth
from lesionmap.skeleton.anatomy import table
from lesionmap.skeleton.segments import axis_of
from lesionmap.skeleton.shape import pose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.shape import Tube

    Array = NDArray[np.float64]


def span_mm(placement: Placement, axis: int, chosen: Callable[[Tube], bool]) -> tuple[float, float]:
    """Give how far bones reach along a patient axis, lowest and highest value, LPS mm."""
    centres, radii = balls(placement, chosen)
    return float((centres[:, axis] - radii).min()), float((centres[:, axis] + radii).max())


# Standard errors of estimate of KS-Stature's quadratics, mm (domain.md section 11).
SEE_MM = {
    "humerus_length": 12.3, "radius_length": 9.8, "ulna_length": 9.6, "femur_length": 17.2, "tibia_length": 15.0,
    "fibula_length": 15.2, "humerus_proximal_breadth": 2.3, "humerus_distal_breadth": 3.4,
    "radius_proximal_breadth": 1.4, "radius_distal_breadth": 2.2, "femur_distal_breadth": 4.4,
    "tibia_proximal_breadth": 5.0, "tibia_distal_breadth": 3.8,
}  # fmt: skip


def joined(child: Placement) -> float:
    """Give how far growth plates have joined: published measures then hold the epiphyses too."""
    return 1 - growth.open_share(child.age_y, child.sex)


@of_children
@pytest.mark.parametrize("bone", LONG)
def test_size_of_long_bones_within_two_standard_errors(age: int, sex: str, bone: str) -> None:
    """Ossified shaft (between the physes; the femur's from its top), once joined the whole bone, against KS-Stature."""
    child = placed(age, sex)
    axis = axis_of(bone, "left", child)
    shaft = float(axis.limits[3] - (0.0 if bone == "femur" else axis.limits[0]))
    ours = axis.length_mm * (shaft + (1 - shaft) * joined(child))
    assert ours == pytest.approx(growth.length_mm(f"{bone}_length", child.stature_cm), abs=2 * SEE_MM[f"{bone}_length"])


def breadths_mm(child: Placement, bone: str) -> tuple[Array, Array]:
    """Give places along the axis of a long bone, and the side-to-side breadth of its shaft there."""
    axis = axis_of(bone, "left", child)
    tube = max((t for t in pose(child).tubes if t.bone == bone and t.side == "left"), key=lambda t: len(t.nodes))
    centre, wide, _ = tube.at(np.linspace(0, 1, 401))
    return (centre - axis.origin) @ axis.direction / axis.length_mm, 2 * np.linalg.norm(wide, axis=1)


@of_children
@pytest.mark.parametrize("measure", [m for m in SEE_MM if m.endswith("breadth")])
def test_size_of_ends_within_two_standard_errors(age: int, sex: str, measure: str) -> None:
    """At the physis, once joined where the end is widest, against KS-Stature at that stature.

    Grown-up ends are the reference body's own, of one adult: three standard errors.
    """
    bone, end = measure.removesuffix("_breadth").split("_")
    child = placed(age, sex)
    limits = axis_of(bone, "left", child).limits
    at, breadth = breadths_mm(child, bone)
    physis = float(breadth[np.abs(at - limits[0 if end == "proximal" else 3]).argmin()])
    widest = float(breadth[at < 0.25 if end == "proximal" else at > 0.75].max())
    ours = physis + (widest - physis) * joined(child)
    errors = 2 + joined(child)
    assert ours == pytest.approx(growth.length_mm(measure, child.stature_cm), abs=errors * SEE_MM[measure])


@of_children
@pytest.mark.parametrize("bone", ["humerus", "femur", "tibia"])
def test_size_of_midshafts_roughly(age: int, sex: str, bone: str) -> None:
    """A limb has one breadth, chosen for its ends; the middle of the reference body's humerus is thin."""
    child = placed(age, sex)
    at, breadth = breadths_mm(child, bone)
    ours = float(breadth[np.abs(at - 0.5).argmin()])
    assert ours == pytest.approx(growth.length_mm(f"{bone}_midshaft", child.stature_cm), rel=0.4)


def shares(age: int, sex: str) -> Iterator[tuple[str, float, float, float]]:
    """Give measure, share of stature in the posed skeleton, published share, and how far they may differ."""
    child = placed(age, sex)
    mm, at = child.stature_cm * 10, child.positions()

    def between(axis: int, *bones: str) -> float:
        low, high = span_mm(child, axis, lambda tube: tube.bone in bones)
        return (high - low) / mm

    def published(name: str) -> float:
        values = table()["growth"][name]
        return float(np.interp(age, table()["growth"]["age_y"], values[sex] if isinstance(values, dict) else values))

    top = span_mm(child, 2, lambda tube: tube.bone == "skull")[1]
    seat = span_mm(child, 2, lambda tube: tube.bone == "ischium")[0]
    floor = span_mm(child, 2, lambda tube: skeleton.bone(tube.bone).region == "foot")[0]
    hand = np.linalg.norm(np.subtract(at["wrist_left"], at["fingertip3_left"])) / mm
    # Two standard deviations of the Berkeley breadths are 10 % (biacromial) and 12 % (bi-iliac) of the mean.
    yield "biacromial", between(0, "scapula"), published("biacromial_share"), 0.10
    yield "bi-iliac", between(0, "ilium"), published("biiliac_share"), 0.12
    # Scalp, soles, seat and heel pads are no bone: up to 3 % of stature, 6 % of a foot.
    yield "head height", between(2, "skull", "mandible"), published("head_share"), 0.12
    yield "sitting height", (top - seat) / mm, published("sitting_share"), 0.05
    yield "stature", (top - floor) / mm, 0.99, 0.01
    yield "hand", float(hand), published("hand_share"), 0.10
    feet = {bone.id for bone in skeleton.bones() if bone.region == "foot"}
    forward = np.subtract(at["toe2_left"], at["heel_left"]) / np.linalg.norm(
        np.subtract(at["toe2_left"], at["heel_left"])
    )
    centres, radii = balls(child, lambda tube: tube.bone in feet and tube.side == "left")
    reach = float((centres @ forward + radii).max() - (centres @ forward - radii).min())
    yield "foot", reach / mm, published("foot_share"), 0.08


@of_children
@pytest.mark.parametrize(
    "measure", ["biacromial", "bi-iliac", "head height", "sitting height", "stature", "hand", "foot"]
)
def test_size_of_body_parts_within_published_ranges(age: int, sex: str, measure: str) -> None:
    name, ours, published, tolerance = next(row for row in shares(age, sex) if row[0] == measure)
    assert ours == pytest.approx(published, rel=tolerance), name


@pytest.mark.parametrize(("age", "sex"), [(age, sex) for age in AGES if age >= 6 for sex in ("F", "M")])
def test_size_of_the_clavicle_within_two_standard_deviations(age: int, sex: str) -> None:
    """161 ± 11 and 149 ± 12 mm at 18 y, + 8.4 mm a year up to 12 y, then 5.4 and 2.6 (PMC2806601).

    Not at 2 years: one rate from birth on gives 45 mm there, with the shoulders of Snyder 1977 199 mm apart.
    """
    at_18, sd, later = (161.0, 11.0, 5.4) if sex == "M" else (149.0, 12.0, 2.6)
    expected = at_18 - later * (18 - max(age, 12)) - 8.4 * max(12 - age, 0)
    ours = next(t for t in pose(placed(age, sex)).tubes if t.bone == "clavicle").lengths_mm()[-1]
    assert ours == pytest.approx(expected, abs=2 * sd)


@of_children
def test_size_of_the_thigh_is_its_share_of_the_leg(age: int, sex: str) -> None:
    """The thigh is .53 of hip to ankle at all ages (Snyder 1977, second-hand)."""
    hip, knee, ankle = (np.array(placed(age, sex).positions()[f"{n}_left"]) for n in ("hip", "knee", "ankle"))
    thigh, shank = float(np.linalg.norm(hip - knee)), float(np.linalg.norm(knee - ankle))
    assert thigh / (thigh + shank) == pytest.approx(0.53, abs=0.02)


@of_ages
def test_size_of_vertebral_bodies_by_region(age: int) -> None:
    """Thoracic bodies are about 3/4 as high as lumbar, 4/3 of cervical ones (doi 10.1007/s00276-013-1107-3)."""
    height: dict[str, list[float]] = {"C": [], "T": [], "L": []}
    for tube in pose(placed(age)).tubes:
        name = tube.bone.removeprefix("vertebra_")
        if tube.segment == "body" and name != tube.bone and name not in ("C1", "C2"):
            height[name[0]].append(float(tube.lengths_mm()[-1]))
    neck, chest, loin = (float(np.mean(height[region])) for region in "CTL")
    assert chest / loin == pytest.approx(0.75, abs=0.10)
    assert chest / neck == pytest.approx(1.33, abs=0.20)
