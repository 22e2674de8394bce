"""Study: patients, visits, placements and lesion maps in and out, and what it refuses."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64encode
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Answer, Lesion, LesionMap, Mask
from lesionmap.space import Grid
from lesionmap.store import Conflict, Study, conflict_words, plain
from lesionmap.store.history import facts
from lesionmap.visits import Patient, Reference, Visit
from strategies import lesion_maps, lesions, masks, patients, placements, references, texts, visits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lesionmap.skeleton import Placement

DAY = "2010-05-04"
TIBIA = Lesion("L1", ("tibia.distal_metaphysis.left",), tracks=("2.25.7",))
CLAVICLE = Lesion("L2", ("clavicle.medial.left",), "probable", tracks=("2.25.8",))
few = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def shared(place: Callable[[], str]) -> Iterator[Study]:
    """One study for all examples of the laws; each example makes a visit of its own."""
    with Study.open(place(), create=True) as study:
        study.add_patient(Patient("P001"))
        yield study


@pytest.fixture
def study(where: str) -> Iterator[Study]:
    with Study.open(where, create=True) as made:
        made.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        made.add_visit(Visit("P001", date(2010, 5, 4)))
        yield made


def a_visit(study: Study) -> str:
    return study.add_visit(Visit("P001", date(2010, 5, 4))).key


def said(call: object, words: str) -> None:
    assert re.search(words, str(call)), call
    assert "\n" not in str(call)


# Laws


@given(mask=masks())
def test_a_mask_comes_back_at_the_same_millimetres(mask: Mask) -> None:
    again = plain.loads(plain.dumps(mask, Mask), Mask)
    assert again == mask
    np.testing.assert_array_equal(again.lps_mm(), mask.lps_mm())
    assert not again.box.flags.writeable


@given(lesion=lesions())
def test_a_lesion_comes_back_equal_and_its_text_is_plain_ascii(lesion: Lesion) -> None:
    text = plain.dumps(lesion, Lesion)
    assert plain.loads(text, Lesion) == lesion
    assert text.isascii()
    assert "\n" not in text


@few
@given(lesion_map=lesion_maps())
def test_a_lesion_map_comes_back_equal(shared: Study, lesion_map: LesionMap) -> None:
    key = a_visit(shared)
    empty = shared.lesion_map("P001", key, "anna")
    assert facts(empty) == {}
    mine = replace(lesion_map, visit=key)
    shared.save(empty, mine)
    again = shared.lesion_map("P001", key, "anna")
    assert again == mine
    assert again.used == mine.used
    assert shared.readers("P001", key) == (("anna",) if facts(mine) else ())


@few
@given(maps=st.lists(lesion_maps(most=3), min_size=1, max_size=5))
def test_undo_walks_back_through_equal_maps_and_redo_forth(shared: Study, maps: list[LesionMap]) -> None:
    key = a_visit(shared)
    states = [shared.lesion_map("P001", key, "anna")]
    used: set[str] = set()
    for drawn in maps:
        here = {lesion.id for lesion in states[-1].lesions}
        kept = tuple(lesion for lesion in drawn.lesions if lesion.id in here or lesion.id not in used)
        new = replace(drawn, visit=key, lesions=kept, signed=False)
        if new != states[-1]:
            shared.save(states[-1], new)
            states.append(new)
        used |= {lesion.id for lesion in kept}
    for state in reversed(states[:-1]):
        assert facts(shared.undo("P001", key, "anna")) == facts(state)
    with pytest.raises(LesionmapError, match=f"there is nothing to undo in visit {key}"):
        shared.undo("P001", key, "anna")
    for state in states[1:]:
        assert facts(shared.redo("P001", key, "anna")) == facts(state)
    with pytest.raises(LesionmapError, match=f"there is nothing to redo in visit {key}"):
        shared.redo("P001", key, "anna")


@few
@given(visit=visits())
def test_a_visit_with_its_series_comes_back_equal(shared: Study, visit: Visit) -> None:
    stored = shared.add_visit(visit)
    assert shared.visit("P001", stored.key) == stored
    assert replace(stored, ordinal=visit.ordinal) == visit
    changed = replace(stored, stature_cm=140.5, series=())
    shared.replace_visit(changed)
    assert shared.visit("P001", stored.key) == changed
    assert changed in shared.visits("P001")


@few
@given(placement=placements(), reference=references(), other=references(series_name="T1/sagittal'; --"))
def test_placement_and_references_come_back_equal(
    shared: Study, placement: Placement, reference: Reference, other: Reference
) -> None:
    key = a_visit(shared)
    assert shared.placement("P001", key) is None
    assert shared.references("P001", key) == ()
    shared.save_placement("P001", key, placement, "anna")
    shared.save_reference("P001", key, reference, "anna")
    shared.save_reference("P001", key, other, "ben")
    assert shared.placement("P001", key) == placement
    assert shared.references("P001", key) == (reference, other)
    shared.remove_reference("P001", key, reference.series, "anna")
    assert shared.references("P001", key) == (other,)
    shared.undo_visit("P001", key, "ben")
    assert shared.references("P001", key) == (reference, other)
    shared.redo_visit("P001", key, "ben")
    assert [e.title for e in shared.history("P001", key)] == [
        "place the skeleton",
        "add the reference on STIR coronal",
        "add the reference on T1/sagittal'; --",
        "remove the reference on STIR coronal",
        "undo: remove the reference on STIR coronal",
        "redo: remove the reference on STIR coronal",
    ]
    assert shared.readers("P001", key) == ()


@few
@given(name=texts(64), lesion=lesions())
def test_any_reader_who_is_allowed_gets_back_what_he_wrote(shared: Study, name: str, lesion: Lesion) -> None:
    key = a_visit(shared)
    try:
        empty = shared.lesion_map("P001", key, name)
    except LesionmapError as error:
        said(error, "a reader's name has 1 to 64 characters, without '/', control characters .* choose another name")
        return
    shared.save(empty, replace(empty, lesions=(lesion,)))
    assert shared.lesion_map("P001", key, name).lesions == (lesion,)
    assert shared.readers("P001", key) == (name,)


@settings(max_examples=5, deadline=None)
@given(patient=patients())
def test_patients_come_back_equal(place: Callable[[], str], patient: Patient) -> None:
    with Study.open(place(), create=True) as study:
        study.add_patient(patient)
        assert study.patients() == (patient,)
        assert study.patient("P001") == patient


# Lesion maps


def test_readers_have_maps_of_their_own(study: Study) -> None:
    names = ["anna", "consensus", "O'Brien", 'x"; DROP TABLE edit; --', "%", "_", "a_na", "読影者", "P001"]
    for name in names:
        old = study.lesion_map("P001", DAY, name)
        study.save(old, replace(old, lesions=(replace(TIBIA, note=name),)))
    for name in names:
        assert study.lesion_map("P001", DAY, name).lesions[0].note == name
        assert [edit.reader for edit in study.history("P001", DAY, name)] == [name]
    assert study.readers("P001") == study.readers("P001", DAY) == tuple(sorted(names))


def test_readers_of_patients_with_names_alike_are_kept_apart(study: Study) -> None:
    for name in ("p001", "P0010", "P_01"):
        study.add_patient(Patient(name))
        study.add_visit(Visit(name, date(2010, 5, 4)))
        empty = study.lesion_map(name, DAY, f"reader of {name}")
        study.save(empty, replace(empty, lesions=(TIBIA,)))
    assert study.readers("P001") == ()
    assert study.readers("P_01") == ("reader of P_01",)


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", "a\x00", " anna", "x" * 65, "\ud800"])
def test_names_that_no_reader_may_have(study: Study, name: str) -> None:
    with pytest.raises(LesionmapError, match="a reader's name has 1 to 64 characters, without '/', control"):
        study.lesion_map("P001", DAY, name)
    with pytest.raises(LesionmapError, match="a reader's name has 1 to 64 characters, without '/', control"):
        study.save_placement("P001", DAY, None, name)


def test_two_windows_on_two_lesions_are_no_conflict(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    study.save(empty, replace(empty, lesions=(TIBIA,)))
    study.save(empty, replace(empty, lesions=(CLAVICLE,)))
    assert study.lesion_map("P001", DAY, "anna").lesions == (TIBIA, CLAVICLE)


def test_a_conflict_carries_both_versions_and_neither_is_lost(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    theirs = replace(empty, lesions=(TIBIA,))
    mine = replace(empty, lesions=(replace(TIBIA, certainty="equivocal"), CLAVICLE))
    study.save(empty, theirs)
    with pytest.raises(Conflict, match="another window changed lesion 1 of visit 2010-05-04 meanwhile") as caught:
        study.save(empty, mine)
    conflict = caught.value
    assert (conflict.mine, conflict.theirs, conflict.what) == (mine, theirs, ("lesion/L1",))
    assert study.lesion_map("P001", DAY, "anna") == theirs  # all or nothing: lesion 2 was not saved either
    study.save(conflict.theirs, conflict.mine)
    assert study.lesion_map("P001", DAY, "anna") == mine
    assert study.undo("P001", DAY, "anna") == theirs


def test_ours_on_top_of_theirs_keeps_what_else_they_did(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    both = replace(empty, lesions=(TIBIA, CLAVICLE))
    study.save(empty, both)
    rib = Lesion("L3", ("rib_7.whole.left",), tracks=("2.25.9",))
    study.save(both, replace(both, lesions=(replace(TIBIA, note="theirs"), replace(CLAVICLE, note="theirs"), rib)))
    skull = Lesion("L3", ("skull.whole.midline",), tracks=("2.25.10",))
    with pytest.raises(Conflict, match="another window changed lesion 1, lesion 3 of visit 2010-05-04") as caught:
        study.save(both, replace(both, lesions=(replace(TIBIA, certainty="equivocal"), CLAVICLE, skull)))
    conflict = caught.value
    assert conflict_words(conflict) == (
        ("lesion 1", "certainty of L1: equivocal", "wrote the note of L1"),
        ("lesion 3", "marked L3 at skull", "marked L3 at left seventh rib"),
    )
    study.save(conflict.theirs, conflict.merged)
    again = study.lesion_map("P001", DAY, "anna")
    assert again.lesions == (
        replace(TIBIA, certainty="equivocal"),
        replace(CLAVICLE, note="theirs"),
        rib,
        replace(skull, id="L4"),
    )
    assert study.undo("P001", DAY, "anna") == conflict.theirs


def test_the_same_change_in_two_windows_is_no_conflict_and_stored_once(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    for _ in range(2):
        study.save(empty, replace(empty, lesions=(TIBIA,)))
    assert len(study.history("P001", DAY, "anna")) == 1


def test_a_removal_against_a_change_is_a_conflict(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    one = replace(empty, lesions=(TIBIA,))
    study.save(empty, one)
    study.save(one, replace(one, lesions=(replace(TIBIA, note="larger"),)))
    with pytest.raises(Conflict) as caught:
        study.save(one, empty)
    assert caught.value.theirs.lesion("L1").note == "larger"


def test_a_map_signed_meanwhile_is_not_changed(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    study.save(empty, replace(empty, signed=True))
    with pytest.raises(Conflict, match="another window changed the signature of visit"):
        study.save(empty, replace(empty, lesions=(TIBIA,)))
    signed = study.lesion_map("P001", DAY, "anna")
    assert signed.signed
    with pytest.raises(LesionmapError, match="map of visit 2010-05-04 is signed and so read-only; unlock it first"):
        study.save(signed, replace(signed, lesions=(TIBIA,)))
    study.save(signed, replace(signed, lesions=(TIBIA,), signed=False))
    assert study.lesion_map("P001", DAY, "anna").lesions == (TIBIA,)


def test_a_lesion_number_is_not_given_twice(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    two = replace(empty, lesions=(TIBIA, CLAVICLE))
    study.save(empty, two)
    one = replace(two, lesions=(TIBIA,))
    study.save(two, one)
    found = study.lesion_map("P001", DAY, "anna")
    assert (found, found.used) == (one, 2)
    other = replace(one, lesions=(TIBIA, replace(CLAVICLE, sites=("rib_7.whole.left",))))
    with pytest.raises(LesionmapError, match="lesion L2 was removed from this map and its number is not given again"):
        study.save(one, other)
    study.save(one, two)  # the removed lesion itself may come back
    assert study.lesion_map("P001", DAY, "anna") == two


def test_what_is_no_pair_of_versions_is_refused(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    with pytest.raises(LesionmapError, match="two versions of one map are needed, got maps of two visits or two read"):
        study.save(empty, replace(empty, reader="ben"))
    with pytest.raises(LesionmapError, match="each lesion and each answer once, got lesion 1 twice"):
        study.save(empty, replace(empty, lesions=(TIBIA, TIBIA)))
    with pytest.raises(LesionmapError, match=r"once, got the answer on track …2\.25\.8 twice"):
        study.save(empty, replace(empty, answers=(Answer("2.25.8", "resolved"), Answer("2.25.8", "not_imaged"))))
    study.save(empty, empty)
    assert study.history("P001", DAY, "anna") == ()


# Damage


def test_values_that_are_damaged_or_newer_are_refused_in_a_line() -> None:
    grid = Grid((5, 7, 11), np.array([[0, 0, 3.5, 1], [-1.2, 0, 0, 2], [0, -1.3, 0, 3], [0, 0, 0, 1]]))
    good = json.loads(plain.dumps(Mask.of_voxels(np.array([[1, 2, 3], [2, 4, 3]]), grid), Mask))
    bits_of_a_bomb = b64encode(zlib.compress(bytes(10**6))).decode()
    for wrong in (
        {"bits": "AAAA"},
        {"bits": bits_of_a_bomb},
        {"shape": [9, 9, 9]},
        {"origin": [-1, 0, 0]},
        {"grid": 1},
    ):
        with pytest.raises(LesionmapError, match=r"a stored Mask is damaged \(.*\); take the study from a backup"):
            plain.loads(json.dumps(good | wrong), Mask)
    with pytest.raises(LesionmapError, match="a stored Lesion is damaged"):
        plain.loads('{"id": "L1", "si', Lesion)
    newer = json.loads(plain.dumps(TIBIA, Lesion)) | {"suv": 3}
    with pytest.raises(LesionmapError, match=r"fields that this lesionmap does not know \(suv\); open it with a newer"):
        plain.loads(json.dumps(newer), Lesion)
