"""No file or database work but the one-row commit of an act runs where the window would wait for it."""

from __future__ import annotations

import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event

from napari_lesionmap import load
from plugin.drive import Driver
from plugin.small import EARLIER, LATER, SITES, spot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lesionmap.skeleton import Placement

pytestmark = pytest.mark.gui

_STORING = ("save", "save_placement", "save_reference", "undo", "redo", "close", "release")
"""What a Study may be asked in the main thread: to store one act, or to let go."""


class Watch:
    """Notes what the main thread does with files of the study's folder and with databases."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen, self.on = folder, [], False  # type: tuple[Path, list[str], bool]
        sys.addaudithook(self._opened)  # a hook cannot be removed, only be quiet
        event.listen(Engine, "before_cursor_execute", self._asked)

    def close(self) -> None:
        self.on = False
        event.remove(Engine, "before_cursor_execute", self._asked)

    def _opened(self, name: str, arguments: tuple[Any, ...]) -> None:
        if not self.on or name not in ("open", "sqlite3.connect") or not _is_main():
            return
        path = str(arguments[0])
        if str(self.folder) in path or path.endswith((".dcm", ".nii", ".gz")):
            self._note(f"{name} {path}")

    def _asked(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if self.on and _is_main():
            self._note(statement[:80])

    def _note(self, what: str) -> None:
        frames = traceback.extract_stack()
        asked = [f.name for f in frames if "lesionmap/store" in f.filename]
        if not set(asked) & set(_STORING):
            caller = next((f for f in reversed(frames) if "napari_lesionmap" in f.filename), frames[0])
            self.seen.append(f"{what} <- {Path(caller.filename).name}:{caller.lineno} {caller.name} {asked[:2]}")


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


@pytest.fixture
def watch(study_path: Path) -> Iterator[Watch]:
    made = Watch(study_path.parent)
    yield made
    made.close()


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path_factory.mktemp("shots"))
    yield made
    made.leave()


def test_the_watch_sees_what_it_is_there_for(study_path: Path, watch: Watch) -> None:
    watch.on = True
    study, _ = load.open_study(str(study_path))
    study.patients()
    study.close()
    assert any("open" in words for words in watch.seen)
    assert any("SELECT" in words for words in watch.seen)


def _mark(driver: Driver, placement: Placement) -> None:
    session = driver.dock.desk.session
    clavicle, tibia = (spot(placement, site) for site in SITES[LATER])
    driver.press("M")
    driver.show(tibia, 1.6)
    driver.click_image(tibia)
    driver.wait(lambda: len(session.lesion_map.lesions) == 1, "marking")
    driver.press("2")
    driver.press("S")
    driver.press("Ctrl+Z")
    driver.press("B")
    driver.drag_image(tibia, (tibia[0] + 12, tibia[1], tibia[2] + 9))
    driver.press("N")
    driver.press("R")
    driver.press("K", over=clavicle)
    driver.press("G", over=clavicle)


def test_the_window_never_waits_for_a_file(driver: Driver, study_path: Path, watch: Watch) -> None:
    dock, session = driver.dock, driver.dock.desk.session
    watch.on = True
    dock.visits.open_study(str(study_path), last=True)
    driver.wait(lambda: session.key == LATER, "opening the visit")
    driver.idle()
    now = session.now
    assert now is not None
    assert now.placement is not None
    _mark(driver, now.placement)
    driver.press("P")
    driver.wait(lambda: dock.views.prior.key == EARLIER, "the earlier visit beside")
    for page in ("Skeleton", "Lesions", "Map", "Compare", "Export", "Visits"):
        driver.page(page)
    driver.idle()
    dock.more.show_history()
    driver.idle()
    watch.on = False
    if dock.more.history is not None:
        dock.more.history.close()
    assert watch.seen == []
