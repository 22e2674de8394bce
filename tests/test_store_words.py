"""The history in words: what a panel shows of each step of a real study."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lesionmap import annotate, skeleton
from lesionmap.lesions import Attributes, Extent, LesionMap, Mask
from lesionmap.space import Grid
from lesionmap.store import Study, history_words
from lesionmap.visits import Patient, Reference, Visit
from strategies import lesion_maps

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = "2010-05-04"
GRID = Grid((5, 7, 11), np.array([[0.3, -1.6, 0.5, -40], [0.1, 0.4, 3.1, 12], [-0.9, -0.3, 1.0, 7], [0, 0, 0, 1]]))
MASK = Mask.of_voxels(np.array([[0, 0, 0], [1, 1, 1], [4, 5, 9]]), GRID)


@pytest.fixture
def study(where: str) -> Iterator[Study]:
    minutes = iter(range(1000))
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with Study.open(where, create=True, clock=lambda: start + timedelta(minutes=next(minutes))) as made:
        made.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        made.add_visit(Visit("P001", date(2010, 5, 4)))
        yield made


class _Desk:
    """A reader at work: each act is saved at once."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.map = study.lesion_map("P001", DAY, "anna")

    def keep(self, new: LesionMap) -> None:
        self.study.save(self.map, new)
        self.map = new

    def words(self, **sites: str) -> list[str]:
        edits = self.study.history("P001", DAY, "anna")
        return [row.words for row in history_words(edits, sites={k.replace("_", "."): v for k, v in sites.items()})]


def test_each_act_reads_as_what_the_reader_did(study: Study) -> None:
    desk = _Desk(study)
    desk.keep(annotate.add_lesion(desk.map, sites=["tibia.distal_metaphysis.left"], track="2.25.1"))
    desk.keep(annotate.add_lesion(desk.map, sites=["ankle.left"], certainty="probable", track="2.25.2"))
    desk.keep(annotate.change_lesion(desk.map, "L1", certainty="normal_variant"))
    desk.keep(annotate.add_extent(desk.map, "L1", Extent("STIR coronal", MASK)))
    desk.keep(annotate.add_extent(desk.map, "L1", Extent("STIR coronal", None, (1.0, 2.0, 3.0))))
    desk.keep(annotate.change_lesion(desk.map, "L1", extents=()))
    seen = Attributes(painful=False, appearance="lytic")
    desk.keep(annotate.change_lesion(desk.map, "L2", attributes=seen, physis="crosses", change="worsened"))
    desk.keep(annotate.change_lesion(desk.map, "L2", attributes=Attributes(appearance="lytic"), physis=None))
    desk.keep(annotate.change_lesion(desk.map, "L2", sites=("fibula.distal_metaphysis.left", "ankle.left"), note="a"))
    desk.keep(annotate.answer(desk.map, "2.25.9", "not_imaged"))
    desk.keep(annotate.change_lesion(desk.map, "L2", tracks=("2.25.9",)))
    desk.keep(annotate.merge_lesions(desk.map, ["L1", "L2"]))
    desk.keep(annotate.split_lesion(desk.map, "L1", annotate.parts_by_track(desk.map.lesion("L1"))))
    desk.keep(annotate.remove_lesion(desk.map, "L3"))
    desk.keep(annotate.sign(desk.map))
    desk.keep(annotate.unlock(desk.map))
    assert desk.words(**{"2_25_9": "femur.distal_metaphysis.right"}) == [
        "marked L1 at left distal tibial metaphysis",
        "marked L2 at left ankle (probable)",
        "certainty of L1: normal variant",
        "drew L1 on STIR coronal",
        "set the marker of L1 on STIR coronal",
        "erased L1 on STIR coronal",
        "appearance of L2: lytic; painful of L2: no; change of L2: worsened; relation to the physis of L2: crosses",
        "painful of L2: not assessed; relation to the physis of L2: as computed",
        "site of L2: left distal fibular metaphysis, left ankle; wrote the note of L2",
        "answered right distal femoral metaphysis: not imaged",
        "L2 is now on another track",
        "merged L1 and L2",
        "split L1 into L1 and L3",
        "removed L3",
        "signed",
        "unlocked",
    ]


def test_undo_and_redo_carry_the_words_of_the_act(study: Study) -> None:
    desk = _Desk(study)
    desk.keep(annotate.add_lesion(desk.map, sites=["rib_7.whole.left"], track="2.25.1"))
    desk.keep(annotate.add_lesion(desk.map, sites=["rib_8.whole.left"], track="2.25.2"))
    desk.keep(annotate.merge_lesions(desk.map, ["L1", "L2"]))
    study.undo("P001", DAY, "anna")
    study.redo("P001", DAY, "anna")
    study.undo("P001", DAY, "anna")
    study.undo("P001", DAY, "anna")
    rows = history_words(study.history("P001", DAY, "anna"))
    assert [row.words for row in rows][2:] == [
        "merged L1 and L2",
        "undo: merged L1 and L2",
        "redo: merged L1 and L2",
        "undo: merged L1 and L2",
        "undo: marked L2 at left eighth rib",
    ]
    assert [row.undoes for row in rows][:3] == [None] * 3
    assert all(row.undoes is not None for row in rows[3:])
    assert {row.reader for row in rows} == {"anna"}
    assert [row.time for row in rows] == sorted(row.time for row in rows)


def test_answers_are_named_by_their_place_else_by_the_end_of_the_track(study: Study) -> None:
    desk = _Desk(study)
    desk.keep(annotate.answer(desk.map, "2.25.123456789", "resolved"))
    desk.keep(annotate.answer(desk.map, "2.25.123456789", "cannot_judge"))
    desk.keep(annotate.withdraw_answer(desk.map, "2.25.123456789"))
    assert desk.words() == [
        "answered track …456789: resolved",
        "answered track …456789: cannot judge",
        "withdrew the answer for track …456789",
    ]


def test_placement_and_references_have_words_too(study: Study) -> None:
    marks = {"hip_left": (90.0, 0, 0), "hip_right": (-90.0, 0, 0), "knee_left": (95.0, 5, -380)}
    first = skeleton.place(marks, age_y=8)
    second = skeleton.place({**marks, "knee_left": (95.0, 9, -384)}, age_y=8)
    third = skeleton.place({**marks, "knee_left": (95.0, 9, -384), "S1": (0, 60.0, 80), "T12": (0, 50.0, 220)}, age_y=8)
    for placement in (first, second, third):
        study.save_placement("P001", DAY, placement, "anna")
    study.save_placement("P001", DAY, replace(third, coverage=()), "ben")
    study.save_reference("P001", DAY, Reference("STIR coronal", MASK), "ben")
    study.remove_reference("P001", DAY, "STIR coronal", "ben")
    study.save_placement("P001", DAY, None, "ben")
    rows = history_words(study.history("P001", DAY))
    assert [(row.reader, row.words) for row in rows] == [
        ("anna", "placed the skeleton on 3 landmarks"),
        ("anna", "moved landmark knee_left"),
        ("anna", "moved 2 landmarks"),
        ("ben", "changed the placement"),
        ("ben", "drew the reference region on STIR coronal"),
        ("ben", "removed the reference region on STIR coronal"),
        ("ben", "took the placement away"),
    ]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(lesion_maps(), min_size=1, max_size=3))
def test_whatever_is_saved_has_a_row_with_words(study: Study, maps: list[LesionMap]) -> None:
    reader = f"r{len(study.readers('P001'))}x{id(maps) % 9973}"
    now = study.lesion_map("P001", DAY, reader)
    saved = 0
    for drawn in maps:
        new = replace(now, lesions=drawn.lesions, answers=drawn.answers) if not now.lesions else now
        if new != now:
            study.save(now, new)
            saved += 1
            now = new
    rows = history_words(study.history("P001", DAY, reader)) if saved else ()
    assert len(rows) == saved
    assert all(row.words and not row.words.endswith(".") for row in rows)
