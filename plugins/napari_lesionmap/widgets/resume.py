"""The window comes back where it was: what is shown is noted as it changes, and a button goes there again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

from lesionmap.errors import LesionmapError
from napari_lesionmap import whereabouts
from napari_lesionmap.widgets.parts import button

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from napari_lesionmap.whereabouts import Resumed, Whereabouts
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["Resume"]

_EVERY_MS = 1000
"""The file is written no more often than this."""


class Resume:
    """Notes where the reader is, in a thread, and goes back there."""

    def __init__(self, desk: Desk, open_study: Callable[..., None]) -> None:
        self._desk, self._open_study = desk, open_study
        self.where, self.trouble = whereabouts.last()
        # A thread of its own: napari's may all be at work on something long when the window is killed.
        self._writer = ThreadPoolExecutor(1, "lesionmap-where")
        self._writing: Future[None] | None = None
        self._noted: Whereabouts | None = None
        self._told = False
        self.button = button("Continue where you were", self.go_on, "Open study, visit, series and place of last time")
        self.button.setEnabled(self.where is not None and Path(self.where.study).is_file())
        self._timer = QTimer(self.button)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._note)
        desk.session.visit_changed.connect(self._changed)
        desk.viewer.dims.events.point.connect(self._changed)
        desk.viewer.scene.camera.events.center.connect(self._changed)

    def close(self) -> None:
        """Note the place once more, and let go of the viewer."""
        self._note()
        self._timer.stop()
        self._writer.shutdown(wait=False)
        self._desk.session.visit_changed.disconnect(self._changed)
        self._desk.viewer.dims.events.point.disconnect(self._changed)
        self._desk.viewer.scene.camera.events.center.disconnect(self._changed)

    def open(self, study: str) -> None:
        """Open a study: where the reader was in it, else at its last visit."""
        if self.where is not None and Path(study).resolve() == Path(self.where.study).resolve():
            self.go_on()
        else:
            self._open_study(study, last=True)

    def go_on(self) -> None:
        """Open the study again, at the visit, Series and place where the reader was."""
        where = self.where
        if where is None:
            return

        def work() -> Resumed | str:
            try:
                return whereabouts.resume(where, self._desk.asker)
            except LesionmapError as error:  # the study has changed meanwhile: it is opened as any other
                return str(error)

        def enter(done: Resumed | str) -> None:
            if isinstance(done, str):
                self._desk.say(f"not where you were: {done}", error=True)
                self._open_study(where.study, last=True)
            else:
                self._desk.sit(done.work)
                whereabouts.go_to(where, done, self._desk.session, self._desk.viewer)

        self._desk.run("opening the study where you were", work, enter)

    def _changed(self, _event: object = None) -> None:
        if self._desk.session.key:
            self.button.setEnabled(False)
            if not self._timer.isActive():
                self._timer.start()

    def _note(self) -> None:
        """Write where the reader is now, unless that is written already."""
        where = whereabouts.where_now(self._desk.session, self._desk.viewer)
        if where is None or where == self._noted:
            return
        if self._writing is not None and not self._writing.done():
            self._timer.start()
            return
        self._tell()
        self._noted, self._writing = where, self._writer.submit(whereabouts.write, where)

    def _tell(self) -> None:
        """Say once that nothing can be noted; it hinders no work."""
        trouble = self._writing.exception() if self._writing is not None else None
        if trouble is not None and not self._told:
            self._told = True
            self._desk.say(f"where you are is not remembered: {trouble}", error=True)
