"""A study that is read blind, in a real window: who was chosen first sits there, and the other's map stays closed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lesionmap import annotate
from lesionmap.errors import LesionmapError
from lesionmap.store import Study
from napari_lesionmap import load
from plugin.drive import Driver
from plugin.small import EARLIER, LATER, READER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def blind(study_path: Path) -> Path:
    """Give the small study with a second reader; both read blind, and only anna has signed."""
    with Study.open(study_path) as study:
        for key in (EARLIER, LATER):
            told = study.lesion_map("P001", key, READER)
            second = study.lesion_map("P001", key, "bert")
            study.save(second, replace(second, lesions=told.lesions[:1]))
            study.save(told, annotate.sign(told))
        study.save_blinding((READER, "bert"), "chief")
    return study_path


@pytest.mark.gui
@pytest.mark.long
def test_the_first_blind_reader_who_is_chosen_sits_in_the_window(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, blind: Path
) -> None:
    driver = Driver(make_napari_viewer(show=True), tmp_path / "shots")
    driver.open_last(blind)
    desk, chooser = driver.dock.desk, driver.dock.lesions.reader

    def reads(name: str) -> Callable[[], bool]:
        return lambda: bool(desk.session.key) and desk.session.lesion_map.reader == name

    assert reads("reader")()  # nobody's map is shown unasked
    assert desk.session.lesion_map.lesions == ()
    driver.type_choice(chooser, "bert")
    driver.wait(reads("bert"), "taking bert's seat")
    driver.type_choice(chooser, READER)
    driver.wait(lambda: "is hidden" in driver.told, "being refused")
    assert driver.told == (
        f"the map of {READER} of P001 {EARLIER} is hidden: the study is read blind and bert must sign first"
    )
    assert reads("bert")()
    assert chooser.currentText() == "bert"
    with Study.open(blind) as study:
        for key in (EARLIER, LATER):
            told = study.lesion_map("P001", key, "bert")
            study.save(told, annotate.sign(told))
    driver.type_choice(chooser, READER)
    driver.wait(reads(READER), "seeing it after both have signed")
    driver.leave()


def test_a_patient_is_loaded_for_who_asks(blind: Path) -> None:
    with Study.open(blind) as study:
        assert load.load_patient(study, "P001", "").reader == "reader"
        assert load.load_patient(study, "P001", "", "bert").reader == "bert"
        assert load.load_patient(study, "P001", "", "zoe").reader == "reader"
        own = load.load_patient(study, "P001", READER)
        assert [own.seat(before) for before in ("", "bert")] == [READER, "bert"]
        assert load.load_patient(study, "P001", "zoe").seat("") == ""
        with pytest.raises(LesionmapError, match="is hidden: the study is read blind and bert must sign first"):
            load.load_patient(study, "P001", READER, "bert")
