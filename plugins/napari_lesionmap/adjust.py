"""The outline that a click has just made: the wheel makes it larger or smaller, Enter keeps it, Esc takes it back.

The lesion is stored by the click itself and again when the wheel rests, so that nothing is lost that was seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from lesionmap.lesions import Mask
    from lesionmap.segment import Click
    from napari_lesionmap.stage import Stage

__all__ = ["Adjustment"]

_STEP = 0.03
_ENDS = (0.05, 0.95)
_REST_MS = 300


class Adjustment:
    """One new lesion while its outline may still change; at most one at a time."""

    changed = Signal()
    """There is a new outline, or none any more."""

    def __init__(self, stage: Stage, soon: Callable[[int, str, Callable[[], object]], None]) -> None:
        self._stage, self._soon = stage, soon
        self._lesion = ""
        self._grown: Click | None = None
        self._tolerance = 0.0
        self._mask: Mask | None = None
        self._before = 0
        stage.viewer.mouse_wheel_callbacks.append(self._on_wheel)
        stage.session.selection_changed.connect(self._selection_changed)

    def close(self) -> None:
        """Let go of the viewer."""
        self.end()
        self._stage.session.selection_changed.disconnect(self._selection_changed)
        if self._on_wheel in self._stage.viewer.mouse_wheel_callbacks:
            self._stage.viewer.mouse_wheel_callbacks.remove(self._on_wheel)

    @property
    def lesion(self) -> str:
        """Id of the lesion whose outline is new; empty: none."""
        return self._lesion

    def begin(self, lesion_id: str, grown: Click, acts_before: int) -> None:
        """Let the wheel change the outline of a lesion that was stored just now.

        Parameters
        ----------
        lesion_id : str
        grown : Click
            Gives its mask for any tolerance.
        acts_before : int
            How many acts there were before it was marked: Esc undoes down to there.
        """
        self.end()
        self._lesion, self._grown, self._before = lesion_id, grown, acts_before
        self._tolerance, self._mask = grown.tolerance, None
        self._stage.viewer.scene.camera.mouse_zoom = False
        self.changed.emit()

    def end(self) -> bool:
        """Keep the outline as it is seen; False where there was none to keep."""
        if not self._lesion:
            return False
        self._store()
        self._lesion, self._grown, self._mask = "", None, None
        self._stage.viewer.scene.camera.mouse_zoom = True
        self.changed.emit()
        return True

    def take_back(self) -> bool:
        """Undo the new lesion; False where there is none."""
        if not self._lesion:
            return False
        self._mask = None
        session = self._stage.session
        self.end()
        while session.n_acts > self._before:
            session.undo()
        return True

    def _selection_changed(self) -> None:
        if self._lesion and self._stage.session.selected != self._lesion:
            self.end()

    def _on_wheel(self, _viewer: Any, event: Any) -> None:
        if self._grown is None or event.modifiers:
            return
        self.turn(float(np.sign(event.delta[1])))
        event.handled = True

    def turn(self, steps: float) -> None:
        """Make the outline larger (positive) or smaller by steps of the wheel."""
        if self._grown is None:
            return
        self._tolerance = float(np.clip(self._tolerance + steps * _STEP, *_ENDS))
        self._mask = self._grown.mask(self._tolerance)
        self._stage.preview(self._lesion, self._mask)
        self._soon(_REST_MS, "outline", self._store)

    def _store(self) -> None:
        session, mask, self._mask = self._stage.session, self._mask, None
        series = session.series
        if mask is None or series is None or self._lesion not in {x.id for x in session.lesion_map.lesions}:
            return
        session.draw(self._lesion, series, mask, f"outline lesion {self._lesion}")
