"""Skeleton and reference regions of a visit, saved at two workstations: the second is asked, and nothing is lost."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_child import placed
from cli_case import lesionmap
from lesionmap.lesions import Mask
from lesionmap.space import Grid
from lesionmap.store import Study, VisitConflict, conflict_words
from lesionmap.visits import Patient, Reference, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = "2010-05-04"
GRID = Grid((5, 7, 11), np.diag([2.0, 3.0, 4.0, 1.0]))


@pytest.fixture
def study(where: str) -> Iterator[Study]:
    """A study of one visit, in a file or on a server."""
    with Study.open(where, create=True) as study:
        study.add_patient(Patient("P001", "F", date(2000, 1, 1)))
        study.add_visit(Visit("P001", date(2010, 5, 4)))
        yield study


def test_a_skeleton_placed_meanwhile_is_not_replaced_unasked(study: Study, where: str) -> None:
    first, mine, theirs = placed(10), placed(11), placed(12)
    study.save_placement("P001", DAY, first, "anna", over=None)
    with Study.open(where) as elsewhere:
        elsewhere.save_placement("P001", DAY, theirs, "bert", over=first)
    with pytest.raises(
        VisitConflict,
        match="another window changed the placement of visit 2010-05-04 meanwhile; nothing was sav",
    ) as caught:
        study.save_placement("P001", DAY, mine, "anna", over=first)
    assert (caught.value.old, caught.value.mine, caught.value.theirs) == (first, mine, theirs)
    assert study.placement("P001", DAY) == theirs
    (row,) = conflict_words(caught.value)
    assert row[0] == "the placement"
    assert all("moved" in words and "landmarks" in words for words in row[1:])
    study.save_placement("P001", DAY, mine, "anna", over=theirs)
    assert [edit.value for edit in study.history("P001", DAY)] == [first, theirs, mine]
    study.undo_visit("P001", DAY, "anna")
    assert study.placement("P001", DAY) == theirs


def test_the_same_skeleton_twice_or_whatever_is_there_is_no_conflict(study: Study) -> None:
    first, second = placed(10), placed(11)
    study.save_placement("P001", DAY, first, "anna", over=None)
    study.save_placement("P001", DAY, first, "bert", over=None)  # the other did the same
    assert [edit.reader for edit in study.history("P001", DAY)] == ["anna"]
    study.save_placement("P001", DAY, second, "bert")  # whatever is there
    with pytest.raises(VisitConflict):
        study.save_placement("P001", DAY, None, "anna", over=first)
    study.save_placement("P001", DAY, None, "anna", over=second)
    with pytest.raises(VisitConflict) as caught:
        study.save_placement("P001", DAY, first, "bert", over=second)
    assert conflict_words(caught.value)[0][2] == "took the placement away"


def test_a_reference_region_is_asked_for_by_itself(study: Study) -> None:
    one, two, other = (
        Reference(name, Mask.of_voxels(np.array([[k, 2, 3]]), GRID))
        for name, k in (("STIR", 1), ("STIR", 2), ("T1", 1))
    )
    study.save_reference("P001", DAY, one, "anna", over=None)
    study.save_reference("P001", DAY, other, "bert", over=None)  # of another Series
    study.save_placement("P001", DAY, placed(10), "bert", over=None)
    study.save_reference("P001", DAY, two, "anna", over=one)
    with pytest.raises(VisitConflict, match="another window changed the reference on STIR of visit 2010-05-04"):
        study.save_reference("P001", DAY, Reference("STIR", other.mask), "bert", over=one)
    assert set(study.references("P001", DAY)) == {two, other}


def test_place_does_not_replace_what_came_while_it_was_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.lesionmap"
    with Study.open(path, create=True) as study:
        study.add_patient(Patient("P001", "F", date(2000, 1, 1)))
        study.add_visit(Visit("P001", date(2010, 5, 4)))
    marks = tmp_path / "landmarks.csv"
    rows = [f"{name},{x},{y},{z}" for name, (x, y, z) in placed(10).positions().items()]
    marks.write_text("\n".join(["name,x_lps_mm,y_lps_mm,z_lps_mm", *rows]) + "\n", encoding="utf-8")
    theirs = placed(12)

    def slow(placement: object, visit: object) -> object:
        with Study.open(path) as elsewhere:
            elsewhere.save_placement("P001", DAY, theirs, "bert", over=None)
        return placement

    monkeypatch.setattr("lesionmap.evaluate.with_coverage", slow)
    ran = lesionmap("place", path, "P001", DAY, "--landmarks", marks)
    assert ran.code == 1
    assert ran.line.startswith(
        "lesionmap: another window changed the placement of visit 2010-05-04 meanwhile; nothing was saved"
    )
    with Study.open(path) as study:
        assert study.placement("P001", DAY) == theirs
