"""After a kill the window opens where it was; a damaged or an old note of it hinders nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from napari.components import ViewerModel

from lesionmap.errors import LesionmapError
from lesionmap.store import Study
from napari_lesionmap import whereabouts
from napari_lesionmap.layers import world_from_lps
from napari_lesionmap.stage import Stage
from napari_lesionmap.whereabouts import FOLDER, Whereabouts
from plugin.drive import Driver
from plugin.small import EARLIER, LATER, READER, SITES, stored
from plugin.test_session import opened

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = Path(__file__).with_name("window_process.py")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path / "state"))
    return tmp_path / "state"


def test_what_is_noted_is_found_again_and_names_nobody(study_path: Path, folder: Path) -> None:
    session, viewer = opened(study_path, EARLIER, READER), ViewerModel()
    stage = Stage(viewer, session, lambda _work, _then: None)
    stage.show_visit()
    viewer.dims.point = tuple(world_from_lps([12.0, 16.0, -300.0]))
    viewer.scene.camera.center = tuple(world_from_lps([12.0, 99.0, -300.0]))
    where = whereabouts.where_now(session, viewer)
    assert where is not None
    assert whereabouts.last() == (None, "")
    whereabouts.write(where)
    assert whereabouts.last() == (where, "")
    assert (where.study, where.patient, where.visit, where.reader) == (str(study_path), "P001", EARLIER, READER)
    assert where.lps_mm == pytest.approx((12.0, 16.0, -300.0), abs=3.1)
    assert set(json.loads((folder / "where.json").read_text())) == {*Whereabouts.__slots__}
    assert [path.name for path in folder.iterdir()] == ["where.json"]
    stage.close()
    session.close()
    assert whereabouts.where_now(session, viewer) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"study": 3}', "\x00\x01", '{"lps_mm": [1, "a", NaN]}'])
def test_a_damaged_note_is_told_in_one_line(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "where.json").write_text(text, encoding="utf-8")
    where, words = whereabouts.last()
    assert where is None
    assert "where.json" in words
    assert "\n" not in words


def test_a_visit_that_is_gone_is_told(study_path: Path) -> None:
    with pytest.raises(LesionmapError, match="has no visit 1999-01-01"):
        whereabouts.resume(Whereabouts(str(study_path), "P001", "1999-01-01", READER, "", None))
    with pytest.raises(LesionmapError):
        whereabouts.resume(Whereabouts(str(study_path) + "x", "P001", LATER, READER, "", None))


def window(what: str, study: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(WINDOW), what, str(study)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.gui
@pytest.mark.long
def test_after_a_kill_the_window_opens_where_it_was(study_path: Path) -> None:
    first = window("mark", study_path)
    assert first.stdout is not None
    assert first.stdout.readline() == "ready\n", first.communicate()[1]
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    assert [x.sites[0] for x in stored(study_path).lesions] == [SITES[LATER][1]]
    where, words = whereabouts.last()
    assert where is not None, words
    with Study.open(study_path) as study:  # not the visit that opens of itself
        assert study.visits("P001")[-1].key == LATER
    whereabouts.write(Whereabouts(where.study, "P001", EARLIER, READER, where.series.replace(LATER, EARLIER), None))
    earlier = looked_at(study_path)
    assert (earlier["visit"], len(earlier["lesions"])) == (EARLIER, 2)
    whereabouts.write(where)
    shown = looked_at(study_path)
    assert (shown["visit"], shown["reader"], shown["series"]) == (LATER, READER, where.series)
    assert shown["lesions"] == [SITES[LATER][1]]
    assert where.lps_mm is not None
    assert shown["center"][1:] == pytest.approx(world_from_lps(where.lps_mm)[1:], abs=0.1)
    assert shown["world"] == pytest.approx(world_from_lps(where.lps_mm), abs=3.1)


def looked_at(study: Path) -> dict[str, Any]:
    out, error = window("look", study).communicate(timeout=240)
    assert out, error
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.gui
def test_the_button_goes_on_and_a_damaged_note_is_said(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, study_path: Path, folder: Path
) -> None:
    folder.mkdir()
    (folder / "where.json").write_text("{", encoding="utf-8")
    driver = Driver(make_napari_viewer(show=True), tmp_path / "shots", (1366, 768))
    assert "where.json" in driver.dock.words.text()
    assert not driver.dock.visits.resume.button.isEnabled()
    driver.leave()
    place = (40.0, 10.0, -700.0)
    whereabouts.write(Whereabouts(str(study_path), "P001", EARLIER, READER, "", place))
    driver = Driver(make_napari_viewer(show=True), tmp_path / "shots", (1366, 768))
    session = driver.dock.desk.session
    driver.shot("where_before")
    driver.click(driver.dock.visits.resume.button)
    driver.wait(lambda: session.key == EARLIER, "going on")
    driver.idle()
    assert not driver.dock.visits.resume.button.isEnabled()
    driver.shot("where_after")
    assert driver.cut_off() == []
    driver.wait(lambda: noted().series == session.shown, "noting where the reader is now", 10)
    driver.leave()


def noted() -> Whereabouts:
    where, words = whereabouts.last()
    assert where is not None, words
    return where
