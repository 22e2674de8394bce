"""Study: history, its titles, clocks, and two programs that write at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

import lesionmap
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Answer, Lesion, LesionMap
from lesionmap.store import Conflict, Study, history_words
from lesionmap.store.history import Log, stacks
from lesionmap.store.rows import Rows
from lesionmap.visits import Patient, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = "2010-05-04"
TIBIA = Lesion("L1", ("tibia.distal_metaphysis.left",), tracks=("2.25.7",))
RIB = Lesion("L3", ("rib_7.whole.left",), tracks=("2.25.123456789",))
START = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture
def path(where: str) -> str:
    with Study.open(where, create=True) as made:
        made.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        made.add_visit(Visit("P001", date(2010, 5, 4)))
    return where


@pytest.fixture
def study(path: str) -> Iterator[Study]:
    """A study whose clock goes back an hour at each look."""
    hours = iter(range(1000))
    with Study.open(path, clock=lambda: START - timedelta(hours=next(hours))) as made:
        yield made


def edited(study: Study, *maps: LesionMap) -> None:
    for before, after in pairwise(maps):
        study.save(before, after)


def test_the_history_reads_like_a_diary(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    added = replace(empty, lesions=(RIB,))
    changed = replace(added, lesions=(replace(RIB, certainty="equivocal", sites=("rib_8.whole.left",)),))
    answered = replace(changed, answers=(Answer("2.25.987654321", "cannot_judge"),))
    corrected = replace(answered, answers=(Answer("2.25.987654321", "resolved"),))
    merged = replace(corrected, lesions=(TIBIA,), answers=())
    edited(study, empty, added, changed, answered, corrected, merged, replace(merged, signed=True))
    study.undo("P001", DAY, "anna")
    study.undo("P001", DAY, "anna")
    study.redo("P001", DAY, "anna")
    found = study.history("P001", DAY, "anna")
    assert [(edit.step, edit.title) for edit in found] == [
        (1, "add lesion 3"),
        (2, "change lesion 3: site, certainty"),
        (3, "add the answer on track …654321: cannot judge"),
        (4, "change the answer on track …654321: verdict"),
        (5, "add lesion 1"),
        (5, "remove lesion 3"),
        (5, "remove the answer on track …654321"),
        (8, "sign"),
        (9, "undo: sign"),
        (10, "undo: add lesion 1"),
        (10, "undo: remove lesion 3"),
        (10, "undo: remove the answer on track …654321"),
        (13, "redo: add lesion 1"),
        (13, "redo: remove lesion 3"),
        (13, "redo: remove the answer on track …654321"),
    ]
    assert [edit.n for edit in found] == list(range(1, 16))
    assert {(edit.reader, edit.version) for edit in found} == {("anna", lesionmap.__version__)}
    assert found[0].value == RIB
    assert found[5].value is None
    assert study.lesion_map("P001", DAY, "anna") == merged


def test_a_clock_set_back_disturbs_neither_order_nor_undo(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    one, two = replace(empty, lesions=(TIBIA,)), replace(empty, lesions=(TIBIA, RIB))
    edited(study, empty, one, two)
    times = [edit.time for edit in study.history("P001", DAY, "anna")]
    assert times == [START - timedelta(hours=n) for n in range(2)]
    assert all(time.tzinfo == UTC for time in times)
    assert times[0].microsecond == 250
    assert study.lesion_map("P001", DAY, "anna") == two
    assert study.undo("P001", DAY, "anna") == one


def test_an_edit_after_an_undo_ends_redo(study: Study) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    one = replace(empty, lesions=(TIBIA,))
    study.save(empty, one)
    assert study.undo("P001", DAY, "anna") == empty
    study.save(empty, replace(empty, lesions=(RIB,)))
    with pytest.raises(LesionmapError, match="there is nothing to redo in visit 2010-05-04"):
        study.redo("P001", DAY, "anna")
    assert study.undo("P001", DAY, "anna") == empty


def test_a_placement_can_be_taken_back(study: Study) -> None:
    study.save_placement("P001", DAY, None, "anna")
    assert study.history("P001", DAY) == ()  # nothing changed, nothing written
    with pytest.raises(LesionmapError, match="there is nothing to undo"):
        study.undo_visit("P001", DAY, "anna")


@pytest.mark.parametrize(
    ("undoes", "done", "undone"),
    [
        ([None, None, None], [1, 2, 3], []),
        ([None, None, 2], [1], [3]),
        ([None, None, 2, 1], [], [3, 4]),
        ([None, None, 2, 1, 4], [5], [3]),
        ([None, None, 2, 1, 4, 5], [], [3, 6]),
        ([None, None, 2, 1, 4, 3], [5, 6], []),
        ([None, None, 2, None], [1, 4], []),
    ],
)
def test_what_undo_and_redo_act_on(undoes: list[int | None], done: list[int], undone: list[int]) -> None:
    log = [Log(n, n, back, "lesion/L1") for n, back in enumerate(undoes, start=1)]
    assert stacks(log) == (done, undone)


# Two programs at once. On SQLite a writer is alone, so a slow one is played: it takes its number, and before it
# writes, another has committed. On PostgreSQL this is what happens.


def play_slow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let another program commit once between a writer's number and its rows; collect the numbers it saw."""
    top = Rows.top
    seen: list[int] = []

    def late(rows: Rows, key: str) -> int:
        seen.append(top(rows, key) - (0 if seen else 1))
        return seen[-1]

    monkeypatch.setattr(Rows, "top", late)
    return seen


def test_a_number_taken_meanwhile_is_a_second_look(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    study.save(empty, replace(empty, lesions=(TIBIA,)))
    seen = play_slow(monkeypatch)
    study.save(empty, replace(empty, lesions=(RIB,)))
    assert seen == [0, 1]
    assert study.lesion_map("P001", DAY, "anna").lesions == (TIBIA, RIB)


def test_a_number_taken_by_the_same_lesion_is_a_conflict(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    study.save(empty, replace(empty, lesions=(TIBIA,)))
    latest = Rows.latest
    looks: Iterator[dict[str, str | None]] = iter([{}])
    monkeypatch.setattr(Rows, "latest", lambda rows, key: next(looks, latest(rows, key)))
    play_slow(monkeypatch)
    with pytest.raises(Conflict):
        study.save(empty, replace(empty, lesions=(replace(TIBIA, note="mine"),)))
    assert len(study.history("P001", DAY, "anna")) == 1


def test_a_map_that_others_never_leave_alone_is_given_up(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = study.lesion_map("P001", DAY, "anna")
    study.save(empty, replace(empty, lesions=(TIBIA,)))
    monkeypatch.setattr(Rows, "top", lambda *_: 0)
    with pytest.raises(LesionmapError, match="others write to the map of visit 2010-05-04 without a pause; try again"):
        study.save(empty, replace(empty, lesions=(RIB,)))


def test_two_open_studies_see_each_others_edits(study: Study, path: str) -> None:
    with Study.open(path) as other:
        empty = other.lesion_map("P001", DAY, "anna")
        study.save(empty, replace(empty, lesions=(TIBIA,)))
        assert other.lesion_map("P001", DAY, "anna").lesions == (TIBIA,)
        with pytest.raises(Conflict):
            other.save(empty, replace(empty, lesions=(replace(TIBIA, note="other"),)))


def test_blind_reading_is_a_decision_of_the_whole_study(tmp_path: Path) -> None:
    with Study.open(tmp_path / "s.lesionmap", create=True) as study:
        assert study.blind_readers() == ()
        study.save_blinding(("anna", "bert"), "chief")
        study.save_blinding(("anna", "bert"), "chief")  # the same again is no edit
        assert study.blind_readers() == ("anna", "bert")
        study.save_blinding((), "chief")
        assert study.blind_readers() == ()
        edits = study.study_history()
        assert [(x.reader, x.title) for x in edits] == [
            ("chief", "read blind: anna, bert"),
            ("chief", "end blind reading"),
        ]
        assert [x.words for x in history_words(edits)] == ["blind reading by anna and bert", "ended blind reading"]
        with pytest.raises(LesionmapError, match="a reader's name has 1 to 64 characters"):
            study.save_blinding(("anna", "b/c"), "chief")
        assert study.patients() == ()
