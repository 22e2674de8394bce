"""A consensus starts from two maps; what differs is listed until it is settled."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lesionmap.agreement import CONSENSUS, Difference, differences, start_consensus
from lesionmap.annotate import change_lesion, remove_lesion, sign, unlock
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Attributes, LesionMap
from test_agreement import FEMUR, FIBULA, TIBIA, VISIT, box, read

if TYPE_CHECKING:
    from lesionmap.compare import VisitFacts

EMPTY = LesionMap("P001", VISIT.key, CONSENSUS)


def changed(facts: VisitFacts, lesion: str, **fields: object) -> VisitFacts:
    """Change fields of a lesion of a signed map."""
    opened = unlock(facts.lesion_map)
    return replace(facts, lesion_map=sign(change_lesion(opened, lesion, **fields)))  # type: ignore[arg-type]


@pytest.fixture
def maps() -> tuple[VisitFacts, VisitFacts]:
    """Both have L1 alike; L2 with other certainty and findings; anna's L3 and L4 are bert's L3; each has one alone."""
    anna = read(
        "anna",
        (TIBIA, box((5, 5, 5), (4, 4, 4))),
        (FEMUR, box((20, 5, 5), (4, 4, 4))),
        (TIBIA, box((5, 15, 5), (4, 4, 4))),
        (TIBIA, box((12, 15, 5), (4, 4, 4))),
        (FIBULA, box((30, 20, 5), (3, 3, 3))),
    )
    bert = read(
        "bert",
        (TIBIA, box((5, 6, 5), (4, 4, 4))),
        (FEMUR, box((20, 5, 6), (4, 4, 4)), "STIR", "probable"),
        (TIBIA, box((5, 15, 5), (11, 4, 4))),
        (FIBULA, box((30, 5, 14), (3, 3, 3)), "STIR", "not_bone"),
    )
    anna = changed(anna, "L2", attributes=Attributes(bone_expansion=True, joint_involved=True), note="check")
    bert = changed(bert, "L2", attributes=Attributes(bone_expansion=False, periosteal_reaction=True))
    return anna, bert


def by_kind(found: tuple[Difference, ...]) -> dict[str, Difference]:
    return {x.differs[0]: x for x in found}


def test_what_both_say_is_taken_over(maps: tuple[VisitFacts, VisitFacts]) -> None:
    new, _ = start_consensus(*maps, EMPTY)
    assert new.reader == CONSENSUS
    assert not new.signed
    lesion = new.lesions[0]
    assert (lesion.id, lesion.sites, lesion.certainty) == ("L1", (TIBIA,), "definite")
    first = maps[0].lesion_map.lesions[0]
    assert (lesion.extents, lesion.tracks) == (first.extents, first.tracks)
    assert lesion.note == "[anna L1 | bert L1]"


def test_differences_are_listed_with_what_either_says(maps: tuple[VisitFacts, VisitFacts]) -> None:
    new, found = start_consensus(*maps, EMPTY)
    assert [x.differs for x in found] == [
        ("certainty", "findings"), ("merged",), ("only_first",), ("only_second",),
    ]  # fmt: skip
    known = by_kind(found)
    assert known["certainty"].words == (
        "certainty: definite | probable; findings: bone expansion yes | bone expansion no"
    )
    assert (known["merged"].ones, known["merged"].others) == (("L3", "L4"), ("L3",))
    assert known["merged"].lesions == ("L3", "L4")
    assert not any(x.settled for x in found)
    second = new.lesion("L2")
    assert second.certainty == "probable"
    assert second.attributes == Attributes(joint_involved=True, periosteal_reaction=True)
    assert second.note.splitlines()[1:] == ["anna: check"]


def test_what_one_reader_has_alone_does_not_count_before_it_is_settled(maps: tuple[VisitFacts, VisitFacts]) -> None:
    new, found = start_consensus(*maps, EMPTY)
    known = by_kind(found)
    assert new.lesion(known["only_first"].lesions[0]).certainty == "equivocal"
    assert new.lesion(known["only_second"].lesions[0]).certainty == "not_bone"


def test_sites_of_both_are_kept_and_other_primary_sites_are_a_difference() -> None:
    anna = read("anna", (TIBIA, box((5, 5, 5), (4, 4, 4))))
    bert = changed(read("bert", (TIBIA, box((5, 5, 5), (4, 4, 4)))), "L1", sites=(FIBULA, TIBIA))
    new, found = start_consensus(anna, bert, EMPTY)
    assert new.lesions[0].sites == (TIBIA, FIBULA)
    assert [x.words for x in found] == ["site: left distal tibial metaphysis | left distal fibular metaphysis"]


def test_states_that_differ_are_told_where_both_are_known() -> None:
    anna, bert = (read(who, (TIBIA, box((5, 5, 5), (4, 4, 4)))) for who in ("anna", "bert"))
    found = differences(anna, bert, states=({"L1": "new"}, {"L1": "recurrent"}))
    assert [x.words for x in found] == ["state: new | recurrent"]
    assert differences(anna, bert, states=({"L1": "new"}, {})) == ()


def test_an_edit_a_removal_or_the_signature_settles(maps: tuple[VisitFacts, VisitFacts]) -> None:
    new, found = start_consensus(*maps, EMPTY)
    known = by_kind(found)
    edited = change_lesion(new, known["only_first"].lesions[0], certainty="definite")
    edited = remove_lesion(edited, known["only_second"].lesions[0])
    edited = change_lesion(edited, "L2", note=f"{edited.lesion('L2').note}\nseen again")
    now = by_kind(differences(*maps, edited))
    assert {kind: x.settled for kind, x in now.items()} == {
        "certainty": False, "merged": False, "only_first": True, "only_second": True,
    }  # fmt: skip
    assert now["only_second"].lesions == ()
    assert all(x.settled for x in differences(*maps, sign(edited)))
    assert not any(x.settled for x in differences(*maps))


def test_a_consensus_started_anew_has_new_numbers(maps: tuple[VisitFacts, VisitFacts]) -> None:
    new, _ = start_consensus(*maps, EMPTY)
    again, found = start_consensus(*maps, new)
    assert [x.id for x in again.lesions] == [f"L{n}" for n in range(len(new.lesions) + 1, 2 * len(new.lesions) + 1)]
    assert not any(x.settled for x in found)


def test_an_unsigned_map_starts_nothing() -> None:
    anna, bert = read("anna"), read("bert", signed=False)
    with pytest.raises(LesionmapError, match=re.escape("that of bert of visit 2012-03-04 is not; sign it")):
        start_consensus(anna, bert, EMPTY)
