"""What all pages share: the session, the stage, the viewer, work in threads, and the line of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from lesionmap.errors import LesionmapError
from lesionmap.store import Conflict, VisitConflict
from napari_lesionmap.canvas import caption
from napari_lesionmap.cursor import CursorName
from napari_lesionmap.found import Found
from napari_lesionmap.found_line import FoundLine
from napari_lesionmap.seams import Seams
from napari_lesionmap.session import Session
from napari_lesionmap.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_lesionmap.load import PatientWork
    from napari_lesionmap.skeleton_lines import Later

__all__ = ["Desk"]

_FOREGROUND = "foreground"
_STILL_MS = 250
"""Longer than a slice takes where the processor draws, so that scrolling cuts nothing."""
_DRAWN_MS = 20
"""Enough for Qt to draw what was changed."""

_SHOWN = (LesionmapError, OSError)
"""Errors that are told in words; any other is a fault of the program."""


class Desk(QObject):  # type: ignore[misc]  # qtpy has no types
    """The session at work in a viewer. Errors of the data or the request become one line."""

    said = Signal(str, bool)
    """A line for the reader, and whether it tells an error."""
    conflicted = Signal(object)
    """A Conflict or VisitConflict: somebody else changed the same thing meanwhile."""
    busy = Signal(str)
    """What is being done in a thread; empty: nothing any more."""

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.session = Session()
        self.asker = ""
        """Which of the blind readers sits here: the first who was chosen; empty: none was."""
        self._turns: dict[str, int] = {}
        self._workers: set[Any] = set()
        self._waiting: dict[str, tuple[Callable[[], Any], Callable[[Any], object]] | None] = {}
        self.stage = Stage(viewer, self.session, *self.hands("image"))
        self.stage.failed.connect(self._tell)
        self._caption()  # stands above what the cursor tells
        self.cursor = CursorName(self.stage, self.quietly)
        self.seams = Seams(viewer, self.session)
        self.found = Found(self.session)
        self.found.said.connect(self.say)
        self._found_line = FoundLine(viewer, self.found)
        self.session.visit_changed.connect(self._caption)
        self._said_fault = ""
        for signal in (self.session.map_changed, self.session.selection_changed, self.session.visit_changed):
            signal.connect(self._tell_backup)

    @property
    def working(self) -> bool:
        """Whether something is being done in a thread."""
        return bool(self._workers)

    def _caption(self) -> None:
        """Write in the corner of the image whose it is."""
        session = self.session
        whose = f"{session.patient_words()} · {session.visit_words(session.key)}\n{session.shown}"
        caption(self.viewer, whose if session.volume is not None else "")

    def _tell_backup(self) -> None:
        """Tell once that the day's backup, which the first act in a study begins, could not be made."""
        fault = self.session.study.backup_fault if self.session.study is not None else ""
        if fault != self._said_fault:
            self._said_fault = fault
            if fault:  # after what the act itself says
                QTimer.singleShot(0, self, lambda: self.say(fault, error=True))

    def sit(self, work: PatientWork) -> None:
        """Remember that a reader who reads blind was chosen: who sits here stays the same."""
        self.asker = work.seat(self.asker)

    def say(self, words: str, *, error: bool = False) -> None:
        """Show a line."""
        self.said.emit(words, error)

    def attempt(self, act: Callable[..., object], *arguments: Any, **named: Any) -> bool:
        """Do something at once; an error is shown in words. True if it was done."""
        try:
            act(*arguments, **named)
        except _SHOWN as error:
            self._tell(error)
            return False
        return True

    def _tell(self, error: Exception) -> None:
        self.say(_words(error), error=True)
        if isinstance(error, Conflict | VisitConflict):
            self.conflicted.emit(error)

    def run(self, words: str, work: Callable[[], Any], then: Callable[[Any], object]) -> None:
        """Do something in a thread, and hand its result over; what is begun later takes the place of this.

        Parameters
        ----------
        words : str
            For the reader: ``reading visit 2010-05-04``.
        work : callable
            Touches no state and no widget.
        then : callable
            Called in the main thread with the result.
        """
        self.busy.emit(words)
        self._start(_FOREGROUND, work, then)

    def quietly(self, lane: str, work: Callable[[], Any], then: Callable[[Any], object]) -> None:
        """Do something small in a thread; what is begun later in the same lane takes its place."""
        self._start(lane, work, then)

    def newest(self, lane: str, work: Callable[[], Any], then: Callable[[Any], object]) -> None:
        """Do something in a thread as soon as the lane is free; of what waits for it only the newest is done.

        What fails hands over None.
        """
        if lane in self._waiting:
            self._waiting[lane] = (work, then)
            return
        self._waiting[lane] = None

        def guarded() -> Any:
            try:
                return work()
            except _SHOWN:  # what comes next may do again; the lane must not stay taken
                return None

        def done(result: Any) -> None:
            following = self._waiting.pop(lane)
            if following is not None:
                self.newest(lane, *following)
            then(result)

        self.quietly(lane, guarded, done)

    def _start(self, lane: str, work: Callable[[], Any], then: Callable[[Any], object]) -> None:
        # Without napari's own progress: its turning wheel draws the whole window anew 30 times a second, and where the
        # processor does that, what is worked on takes three times as long. The dock has words, a bar and Cancel.
        from napari.qt.threading import create_worker

        turn = self._turns[lane] = self._turns.get(lane, 0) + 1

        def guarded() -> tuple[Any, str]:
            try:
                return work(), ""
            except _SHOWN as error:
                return None, _words(error)

        def done(result: tuple[Any, str]) -> None:
            if turn == self._turns[lane]:
                self._finish(lane, result, then)

        worker = create_worker(guarded)
        worker.returned.connect(done)
        worker.finished.connect(lambda: self._workers.discard(worker))
        self._workers.add(worker)
        worker.start()

    def _finish(self, lane: str, result: tuple[Any, str], then: Callable[[Any], object]) -> None:
        if lane == _FOREGROUND:
            self.busy.emit("")
        if result[1]:
            self.say(result[1], error=True)
        else:
            self.attempt(then, result[0])

    def hands(self, canvas: str) -> tuple[Later, Callable[[Callable[[], object]], None]]:
        """Give what does the work of one canvas: the cut of its skeleton, and what follows its picture.

        The skeleton is cut when the slice has stood still for a moment, one cut at a time: the first one of a process
        makes all bones ready, and a second one beside it would do the same work again.
        """
        still, lane = f"still {canvas}", f"cut {canvas}"

        def cut_later(work: Callable[[], Any], then: Callable[[Any], object]) -> None:
            turn = self._turns[still] = self._turns.get(still, 0) + 1

            def begin() -> None:
                if turn == self._turns[still]:
                    self.newest(lane, work, then)

            QTimer.singleShot(_STILL_MS, begin)

        return cut_later, lambda act: self.soon(_DRAWN_MS, f"marks {canvas}", act)

    def soon(self, after_ms: int, what: str, act: Callable[[], object]) -> None:
        """Do something small when it has been asked for no more for a while; errors are shown in words."""
        turn = self._turns[what] = self._turns.get(what, 0) + 1
        QTimer.singleShot(after_ms, lambda: self.attempt(act) if turn == self._turns[what] else None)

    def cancel(self) -> None:
        """Let the work that is being done end unheard; nothing of it is kept."""
        self._turns[_FOREGROUND] = self._turns.get(_FOREGROUND, 0) + 1
        self.busy.emit("")
        self.say("cancelled; nothing was changed")

    def close(self) -> None:
        """Let go of viewer and study."""
        self._turns = {lane: turn + 1 for lane, turn in self._turns.items()}
        self.session.visit_changed.disconnect(self._caption)
        self.cursor.close()
        self.seams.close()
        self._found_line.close()
        self.found.close()
        self.stage.close()
        self.session.close()


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the file'}: {error.strerror}; check the path, its permissions and the disk"
    return str(error)
