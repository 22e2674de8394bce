"""Sites in codes: those of DICOM, with side and segment, and marked where only a parent has one."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.write import site_codes
from lesionmap.write.codes import BILATERAL, LEFT, RIGHT
from shared import shared_data

_NAMES = [*(site.id for site in skeleton.sites()), *(group.id for group in skeleton.groups())]


@pytest.mark.parametrize("name", _NAMES)
def test_every_site_and_group_has_a_region_a_side_and_a_text(name: str) -> None:
    found = site_codes(name)
    assert (found.region.scheme, found.region.value.isdigit()) == ("SCT", True)
    side = name.rpartition(".")[2]
    assert found.laterality == {"left": LEFT, "right": RIGHT, "midline": None}[side]
    assert found.text == skeleton.known(name).name
    assert all(code.scheme in ("SCT", "FMA", "NCIt") and code.value for code in found.modifiers)


_CONCEPTS = {
    "spine.midline": "Spine",
    "pelvis.left": "Pelvis",
    "thorax.left": "Chest",
    "shoulder_girdle.left": "PectoralGirdle",
    "arm.left": "UpperLimb",
    "hand.left": "Hand",
    "thigh.left": "Thigh",
    "leg.left": "LowerLeg",
    "foot.left": "Foot",
    "shoulder.left": "Shoulder",
    "elbow.left": "ElbowJoint",
    "wrist.left": "WristJoint",
    "hip.left": "HipJoint",
    "knee.left": "Knee",
    "ankle.left": "AnkleJoint",
    "sacroiliac_joint.left": "SacroiliacJoint",
    "ribs.left": "Rib",
    "metacarpals.left": "Metacarpal",
    "fingers.left": "Finger",
    "toes.left": "Toe",
    "tarsals.left": "Foot",
    "hip_bone.left": "Hip",
    "cervical_spine.midline": "CervicalSpine",
    "thoracic_spine.midline": "ThoracicSpine",
    "lumbar_spine.midline": "LumbarSpine",
}


@pytest.mark.parametrize(("name", "keyword"), _CONCEPTS.items())
def test_codes_of_groups_are_those_of_dicom(name: str, keyword: str) -> None:
    from pydicom.sr.codedict import codes

    known = getattr(codes.SCT, keyword)
    found = site_codes(name).region
    assert (found.value, found.meaning) == (known.value, known.meaning)


@given(st.sampled_from(_NAMES))
def test_the_other_side_differs_in_laterality_only(name: str) -> None:
    one, other = site_codes(name), site_codes(skeleton.mirror(name))
    assert (one.region, one.region_is_parent, one.modifiers) == (other.region, other.region_is_parent, other.modifiers)
    if one.laterality is not None:
        assert {one.laterality, other.laterality} == {LEFT, RIGHT}
        assert site_codes((name, skeleton.mirror(name))).laterality == BILATERAL


def test_codes_of_a_few_sites() -> None:
    tibia = site_codes("tibia.distal_metaphysis.left")
    assert (tibia.region.value, tibia.region_is_parent) == ("12611008", False)
    assert [(code.value, code.scheme) for code in tibia.modifiers] == [("32824", "FMA")]
    pubis = site_codes("pubis.whole.right")
    assert (pubis.region.meaning, pubis.region_is_parent, pubis.text) == ("Hip", True, "right pubis")
    ankle = site_codes("ankle.left")
    assert (ankle.region.value, ankle.region.meaning, ankle.region_is_parent) == ("70258002", "Ankle joint", False)
    assert (site_codes("tarsals.left").region.meaning, site_codes("tarsals.left").region_is_parent) == ("Foot", True)
    assert site_codes("clavicle.medial.left").modifiers[0].value == "255561001"
    assert (BILATERAL.value, RIGHT.value, LEFT.value) == ("51440002", "24028007", "7771000")


def test_codes_of_groups_are_never_veterinary() -> None:
    path = shared_data("README.md").parents[1] / "site_codes.csv"
    with Path(path).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    animal = {x["sct_code"] for x in rows if set(x["dicom_cids_first6"].split(";")) <= {"7482", "7483", "8134"}} - {""}
    assert animal
    assert not animal & {group.code.value for group in skeleton.groups()}


def test_a_name_that_is_no_site_is_refused() -> None:
    with pytest.raises(LesionmapError, match=r"site 'tibia\.knee\.left' is not known; did you mean"):
        site_codes("tibia.knee.left")
