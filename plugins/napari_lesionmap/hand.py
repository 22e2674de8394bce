"""What the mouse does in the image: choose, mark, place a landmark; painting is left to napari."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError
from napari_lesionmap.adjust import Adjustment
from napari_lesionmap.layers import XYZ, lps_from_world
from napari_lesionmap.load import put_skeleton
from napari_lesionmap.proposals import propose, propose_seen
from napari_lesionmap.resolve import landmark_rows, landmark_words, next_landmark, normal_words, site_name
from napari_lesionmap.stage import MASKS
from napari_lesionmap.windows import dragged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionmap.skeleton import Placement
    from napari_lesionmap.proposals import Proposal
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["Hand"]

_STILL = 2
"""A press with no more moves of the mouse than these is a click."""
_HOLD_PX = 9.0
"""A landmark as near as this to the press is held."""
_LABELS_MODE = {"paint": "paint", "erase": "erase"}
_WORDS = {
    "look": "",
    "mark": "click in a lesion: its outline and its site are proposed",
    "paint": "paint in the image; what is painted belongs to the chosen lesion, or is a new one",
    "erase": "rub out in the image; wheel or slider change the slice",
}


class Hand:
    """Follows the tool that is chosen and turns clicks into acts of the session."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.new = Adjustment(desk.stage, desk.soon)
        desk.viewer.mouse_drag_callbacks.append(self._on_press)
        desk.session.tool_changed.connect(self.take_tool)
        desk.session.visit_changed.connect(self._visit_changed)

    def close(self) -> None:
        """Let go of the viewer."""
        self.new.close()
        if self._on_press in self._desk.viewer.mouse_drag_callbacks:
            self._desk.viewer.mouse_drag_callbacks.remove(self._on_press)
        self._desk.session.tool_changed.disconnect(self.take_tool)
        self._desk.session.visit_changed.disconnect(self._visit_changed)

    def _visit_changed(self) -> None:
        self.new.end()
        self._desk.session.choose_tool("look")

    def take_tool(self) -> None:
        """Make ready for the tool: napari's brush for painting, the plain image for all else."""
        self.new.end()
        viewer, session = self._desk.viewer, self._desk.session
        if session.tool in _LABELS_MODE:
            self._desk.stage.show_marks()
        if MASKS not in viewer.layers:
            return
        masks = viewer.layers[MASKS]
        masks.mode = _LABELS_MODE.get(session.tool, "pan_zoom")
        image = self._desk.stage.image
        viewer.layers.selection.active = masks if session.tool in _LABELS_MODE else image
        if image is not None:
            image.cursor = "crosshair" if session.tool in ("mark", "landmark") else "standard"
        if session.tool == "landmark":
            self._desk.say(f"click in the image: {landmark_words(session.landmark)}")
        else:
            self._desk.say(_WORDS[session.tool])

    def _on_press(self, _viewer: Any, event: Any) -> Iterator[None]:
        """Tell a click from a drag: napari pans with a drag; with Shift it changes the window."""
        if event.button == 1 and event.modifiers == ("Shift",):
            yield from self._change_window(event)
            return
        if event.button != 1 or event.modifiers or self._desk.session.tool in _LABELS_MODE:
            return
        moved, held = 0, self._held(event)
        camera = self._desk.viewer.scene.camera
        pans = camera.mouse_pan
        camera.mouse_pan = pans and not held
        yield
        while event.type == "mouse_move":
            moved += 1
            if held and moved > _STILL:
                self._drag(held, event)
            yield
        camera.mouse_pan = pans
        if moved <= _STILL:
            self.click(tuple(event.position[-3:]))
        elif held:
            self._drop(held, event)

    def _change_window(self, event: Any) -> Iterator[None]:
        """Follow a drag: to the right wider, downwards brighter."""
        stage = self._desk.stage
        camera, start, window = self._desk.viewer.scene.camera, tuple(event.pos), stage.window
        pans, camera.mouse_pan = camera.mouse_pan, False
        yield
        while event.type == "mouse_move":
            stage.show_window(dragged(window, float(event.pos[0] - start[0]), float(event.pos[1] - start[1])))
            yield
        camera.mouse_pan = pans

    # ---- landmarks that are moved ----------------------------------------------------------------------------------

    def _held(self, event: Any) -> str:
        """Give the landmark that is drawn where the mouse was pressed, while landmarks are placed; empty: none."""
        desk = self._desk
        if desk.session.tool != "landmark" or desk.session.read_only or len(event.position) < 3:
            return ""
        return desk.stage.lines.landmark_at(_lps(event), _HOLD_PX / max(float(desk.viewer.scene.camera.zoom), 1e-3))

    def _drag(self, landmark: str, event: Any) -> None:
        """Let the skeleton follow a landmark; nothing is kept yet."""
        desk = self._desk
        marks = {**desk.session.placed(), landmark: _lps(event)}
        desk.newest("drag", desk.stage.lines.move(marks), desk.stage.lines.settle_move)

    def _drop(self, landmark: str, event: Any) -> None:
        session = self._desk.session
        session.landmark = landmark
        self._landmark(_lps(event), go_on=False)

    def click(self, world: tuple[float, ...]) -> None:
        """Act on a click at a point of the world (y, z, x), mm."""
        session = self._desk.session
        x, y, z = lps_from_world(world).tolist()
        if session.volume is None or len(world) < 3:
            return
        if not session.volume.projection and not bool(session.volume.grid.contains((x, y, z))):
            if session.tool != "look":
                self._desk.say("outside the image of this visit, in which marks are set", error=True)
            return
        self.new.end()
        if session.tool == "mark":
            self._mark((x, y, z))
        elif session.tool == "landmark":
            self._landmark((x, y, z))
        else:
            session.select(self._desk.stage.lesion_at((x, y, z)))

    def _mark(self, lps_mm: XYZ) -> None:
        there = self._desk.stage.lesion_at(lps_mm)
        if there:
            self._desk.session.select(there)
            self._desk.say(f"{there} is here already; it is chosen now")
        else:
            self.mark(lps_mm)

    def mark(self, lps_mm: XYZ, track: str | None = None) -> None:
        """Mark a lesion at a place (LPS mm), on a track of earlier visits if one is named."""
        session = self._desk.session
        series, volume, there = session.series, session.volume, session.there
        if series is None or volume is None or there is None:
            return

        def work() -> Proposal:
            if series.projection:
                return propose_seen(there.visit, series, volume, lps_mm, there.placement)
            return propose(series, volume, lps_mm, there.placement)

        self._desk.run(
            "growing the outline",
            work,
            lambda proposal: self._take_proposal(proposal, track),
        )

    def _take_proposal(self, proposal: Proposal, track: str | None) -> None:
        session = self._desk.session
        before = session.n_acts
        lesion = session.add(proposal, track)
        row = session.lesion_map.lesion(lesion)
        if proposal.grown is not None:
            self.new.begin(lesion, proposal.grown, before)
        sex = session.work.patient.sex if session.work else None
        hint = normal_words(session.now, row, sex) if session.now is not None else ""
        words = (
            f"{lesion}: {proposal.words}"
            if proposal.words
            else f"{lesion}: {site_name(row.sites[0])}; the wheel changes its outline, Esc takes it back"
        )
        self._desk.say(f"{words}\n{hint}" if hint else words)

    def accept(self) -> None:
        """Keep the outline that is new."""
        lesion = self.new.lesion
        if self.new.end():
            self._desk.say(f"{lesion} kept")

    def reject(self) -> bool:
        """Take back the lesion whose outline is new; False where there is none."""
        lesion = self.new.lesion
        if self.new.take_back():
            self._desk.say(f"{lesion} taken back")
        return bool(lesion)

    def _landmark(self, lps_mm: XYZ, *, go_on: bool = True) -> None:
        session = self._desk.session
        now, work = session.now, session.work
        if now is None or work is None:
            return
        series, name, marks = session.series, session.landmark, {**session.placed(), session.landmark: lps_mm}

        def place() -> Placement | str:
            try:
                return put_skeleton(marks, work.patient, now.visit, now.placement, series)
            except LesionmapError as error:
                return str(error)

        def take(placed: Placement | str) -> None:
            if isinstance(placed, str):
                session.keep_landmark(name, lps_mm)
                self._next(f"{landmark_words(name)} kept: {placed}")
            else:
                session.keep_placement(placed)
                if go_on:
                    self._next(f"{landmark_words(name)} placed")
                else:
                    session.choose_landmark(name)
                    self._desk.say(f"{landmark_words(name)} moved")

        self._desk.run("placing the skeleton", place, take)

    def _next(self, done: str) -> None:
        session = self._desk.session
        if session.there is None:
            return
        following = next_landmark(landmark_rows(session.there, session.pending), session.landmark)
        session.choose_landmark(following)
        self._desk.say(f"{done}; next: {landmark_words(following)}" if following else f"{done}; all are placed")


def _lps(event: Any) -> XYZ:
    x, y, z = lps_from_world(event.position[-3:]).tolist()
    return x, y, z
