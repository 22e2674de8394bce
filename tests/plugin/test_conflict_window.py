"""A conflict in a real window: both versions are shown, the reader says which counts, and both are in the history."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtWidgets import QMessageBox

from lesionmap import annotate
from lesionmap.lesions import Lesion
from lesionmap.store import Study
from napari_lesionmap import load
from plugin.drive import Driver
from plugin.small import LATER, READER, SITES, stored
from plugin.test_window import open_later

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.gui


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots")
    yield made
    made.leave()


def box_of(driver: Driver) -> Any:
    driver.wait(lambda: bool(driver.dock.findChildren(QMessageBox)), "the question")
    (box,) = driver.dock.findChildren(QMessageBox)
    return box


def change_in_both(driver: Driver, path: Path, theirs: str, mine: str, *, sign: bool = False) -> Any:
    """Change lesion 1 elsewhere, and then here; give the question that comes."""
    with Study.open(path) as elsewhere:
        old = elsewhere.lesion_map("P001", LATER, READER)
        lesions = (replace(old.lesion("L1"), note=theirs), *old.lesions[1:])
        elsewhere.save(old, replace(old, lesions=lesions, signed=sign))
    desk = driver.dock.desk
    assert not desk.attempt(desk.session.change, "L1", "note", note=mine)
    return box_of(driver)


def notes(path: Path) -> list[str]:
    with Study.open(path) as study:
        edits = study.history("P001", LATER, READER)
    return [edit.value.note for edit in edits if edit.what == "lesion/L1" and isinstance(edit.value, Lesion)]


def test_both_versions_are_shown_and_both_are_kept(driver: Driver, study_path: Path) -> None:
    open_later(driver, study_path)
    desk = driver.dock.desk
    desk.session.commit(annotate.add_lesion(desk.session.lesion_map, sites=[SITES[LATER][0]]), "mark lesion L1")
    box = change_in_both(driver, study_path, "theirs", "mine")
    assert "lesion 1\n    here: wrote the note of L1\n    elsewhere: wrote the note of L1" in box.text()
    driver.shot("conflict")
    box.mine.click()
    driver.wait(lambda: not driver.dock.findChildren(QMessageBox), "the end of the question")
    assert desk.session.lesion_map.lesion("L1").note == stored(study_path).lesion("L1").note == "mine"
    assert notes(study_path) == ["", "theirs", "mine"]
    change_in_both(driver, study_path, "theirs again", "mine again").theirs.click()
    driver.wait(lambda: not driver.dock.findChildren(QMessageBox), "the end of the question")
    assert desk.session.lesion_map.lesion("L1").note == stored(study_path).lesion("L1").note == "theirs again"
    assert notes(study_path)[3:] == ["theirs again", "mine again", "theirs again"]
    box = change_in_both(driver, study_path, "signed", "too late", sign=True)
    assert "signed elsewhere" in box.informativeText()
    box.button(QMessageBox.StandardButton.Ok).click()
    driver.wait(lambda: not driver.dock.findChildren(QMessageBox), "the end of the question")
    assert desk.session.lesion_map.signed


@pytest.mark.parametrize("which", ["mine", "theirs"])
def test_a_skeleton_moved_in_two_places_is_asked_for(driver: Driver, study_path: Path, which: str) -> None:
    open_later(driver, study_path)
    session = driver.dock.desk.session
    now, work = session.now, session.work
    assert now is not None
    assert work is not None
    here, there = (
        load.put_skeleton({**session.placed(), "heel_left": (x, 60.0, -1230.0)}, work.patient, now.visit)
        for x in (80.0, 91.0)
    )
    with Study.open(study_path) as elsewhere:
        elsewhere.save_placement("P001", LATER, there, "bert", over=now.placement)
    assert not driver.dock.desk.attempt(session.keep_placement, here)
    box = box_of(driver)
    assert "the placement\n    here: moved landmark heel_left\n    elsewhere: moved landmark heel_left" in box.text()
    driver.shot(f"skeleton conflict {which}")
    getattr(box, which).click()
    driver.wait(lambda: not driver.dock.findChildren(QMessageBox), "the end of the question")
    kept = here if which == "mine" else there
    assert session.now is not None
    with Study.open(study_path) as study:
        assert session.now.placement == study.placement("P001", LATER) == kept
        history = [edit.value for edit in study.history("P001", LATER)]
    assert history[-2:] == [there, here] if which == "mine" else history[-3:] == [there, here, there]
    assert "is in the history" in driver.dock.words.text()
    assert driver.dock.desk.attempt(session.keep_placement, here)  # and the work goes on


def test_that_no_backup_could_be_made_is_told_once(driver: Driver, study_path: Path) -> None:
    with closing(sqlite3.connect(study_path)) as raw, raw:
        raw.execute("UPDATE meta SET value = '2010-05-04T12:00:00+00:00' WHERE name = 'created'")
    study_path.with_name(f"{study_path.name}.backups").touch()  # in the way of the folder
    open_later(driver, study_path)
    desk = driver.dock.desk
    said, seen = list[str](), list[str]()
    desk.said.connect(lambda words, _error: said.append(words))
    for _ in range(3):
        desk.session.commit(annotate.add_lesion(desk.session.lesion_map, sites=[SITES[LATER][0]]), "mark lesion")
        desk.say("marked")  # as an act does
        driver.idle()
        seen.append(driver.dock.words.text())
    (told,) = [words for words in said if "backup" in words]
    assert told in seen  # it stands after the act's own words, until the next act
    assert told.startswith("no backup could be made (")
    assert "the study itself is as it should be" in told
    assert len(stored(study_path).lesions) == 3
