"""A consensus in a real window: begun from the menu, settled in the list, finished by signing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from lesionmap.lesions import Lesion
from lesionmap.store import Study
from plugin.drive import Driver
from plugin.small import LATER, SITES
from plugin.test_window import open_later

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.gui

CLAVICLE, TIBIA = SITES[LATER]


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots")
    yield made
    made.leave()


def read(path: Path, reader: str, *lesions: Lesion, sign: bool = True) -> None:
    """Let a reader mark the later visit, and sign."""
    with Study.open(path) as study:
        old = study.lesion_map("P001", LATER, reader)
        study.save(old, replace(old, lesions=lesions, signed=sign))


def rows(driver: Driver) -> list[tuple[str, ...]]:
    table = driver.dock.lesions.consensus.table
    return [tuple(table.item(row, column).text() for column in range(3)) for row in range(table.rowCount())]


def ticked(driver: Driver) -> list[str]:
    return [row[0] for row in rows(driver)]


def wait_for_map_of(driver: Driver, reader: str) -> None:
    session = driver.dock.desk.session
    driver.wait(lambda: session.now is not None and session.now.lesion_map.reader == reader, f"the map of {reader}")


def begin(driver: Driver, path: Path) -> None:
    """Two readers who differ in two things; begin their consensus from the menu."""
    both = Lesion("L1", (TIBIA,), "definite")
    read(path, "anna", both, Lesion("L2", (CLAVICLE,), "definite"))
    read(path, "bert", replace(both, certainty="probable"))
    open_later(driver, path)
    driver.dock.show_page("Lesions")
    assert not driver.dock.lesions.consensus.widget.isVisible()
    driver.dock.more.consensus_action.trigger()
    wait_for_map_of(driver, "consensus")
    driver.wait(lambda: len(rows(driver)) == 2, "the differences")


def test_differences_are_settled_one_by_one(driver: Driver, study_path: Path) -> None:
    begin(driver, study_path)
    dock, session = driver.dock, driver.dock.desk.session
    driver.wait(dock.lesions.consensus.widget.isVisible, "the list")
    assert dock.lesions.consensus.heading.text() == "Differences of anna and bert: 2 of 2 to settle"
    assert {row[1:] for row in rows(driver)} == {
        ("Left medial clavicle", "only anna"),
        ("Left distal tibial metaphysis", "certainty: definite | probable"),
    }
    driver.shot("consensus")
    at = next(i for i, row in enumerate(rows(driver)) if row[2] == "only anna")
    table = dock.lesions.consensus.table
    table.setCurrentCell(at, 1)
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert session.lesion is not None
    assert session.lesion.sites == (CLAVICLE,)
    assert session.lesion.certainty == "equivocal"  # what only one has does not count yet
    session.change(session.selected, "certainty", certainty="definite")
    driver.wait(lambda: ticked(driver)[at] == "✓", "the tick")
    assert dock.lesions.consensus.heading.text().endswith(": 1 of 2 to settle")
    driver.shot("consensus half")
    dock.more.sign()
    driver.wait(lambda: ticked(driver) == ["✓", "✓"], "all settled by signing")
    assert dock.lesions.consensus.heading.text().endswith(": 0 of 2 to settle")


def test_the_list_is_of_the_consensus_alone(driver: Driver, study_path: Path) -> None:
    begin(driver, study_path)
    dock = driver.dock
    dock.visits.load_patient("P001", "anna", LATER)
    wait_for_map_of(driver, "anna")
    driver.wait(lambda: not dock.lesions.consensus.widget.isVisible(), "no list")
    dock.more.consensus_action.trigger()  # there is one: it is opened
    wait_for_map_of(driver, "consensus")
    driver.wait(dock.lesions.consensus.widget.isVisible, "the list again")


def test_a_map_that_is_unlocked_elsewhere_is_told(driver: Driver, study_path: Path) -> None:
    begin(driver, study_path)
    dock = driver.dock
    with Study.open(study_path) as study:
        old = study.lesion_map("P001", LATER, "bert")
        study.save(old, replace(old, signed=False))
    dock.desk.session.map_changed.emit()
    driver.wait(lambda: "that of bert of P001" in dock.lesions.consensus.heading.text(), "why there is no list")
    assert "is not signed; sign it first" in dock.lesions.consensus.heading.text()
    assert rows(driver) == []


def test_without_two_signed_maps_there_is_none(driver: Driver, study_path: Path) -> None:
    read(study_path, "anna", Lesion("L1", (TIBIA,)))
    read(study_path, "bert", Lesion("L1", (TIBIA,)), sign=False)
    open_later(driver, study_path)
    driver.dock.more.consensus_action.trigger()
    driver.wait(lambda: "signed" in driver.dock.words.text(), "the refusal")
    assert driver.dock.words.text() == (
        "a consensus starts from two signed maps of the visit, only anna has signed yet; sign first"
    )
    with Study.open(study_path) as study:
        assert "consensus" not in study.readers("P001", LATER)
