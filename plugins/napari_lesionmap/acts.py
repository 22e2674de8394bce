"""What keys do. Each act is one method without Qt; errors are told in words by whoever calls it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lesionmap import annotate
from lesionmap.errors import LesionmapError
from lesionmap.segment import fill_between
from lesionmap.visits import Reference, planar_views
from napari_lesionmap import layers, load, proposals
from napari_lesionmap.dots import DOTS
from napari_lesionmap.resolve import attribute_choices, attribute_words, earlier_rows, least_certain, site_name
from napari_lesionmap.stage import MASKS
from napari_lesionmap.windows import PRESETS, preset, preset_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.lesions import Certainty, Lesion, Verdict
    from napari_lesionmap.hand import Hand
    from napari_lesionmap.layers import XYZ
    from napari_lesionmap.resolve import EarlierRow
    from napari_lesionmap.session import Session, Tool
    from napari_lesionmap.widgets.desk import Desk
    from napari_lesionmap.widgets.dock import Dock

__all__ = ["Acts"]

_PLANES = ((0, 1, 2), (2, 1, 0), (1, 0, 2))
"""Orders of the dimensions: coronal, sagittal, axial."""


class Acts:
    """Acts on the session and on what is shown, for the lesion or the earlier lesion that is chosen."""

    def __init__(self, desk: Desk, hand: Hand, dock: Dock) -> None:
        self._desk, self._hand, self._dock = desk, hand, dock
        self._preset = ""
        self._uniting = ""
        self._doubted = ""
        self._visit = ("", "")

    @property
    def _session(self) -> Session:
        return self._desk.session

    def _chosen(self) -> Lesion:
        lesion = self._session.lesion
        if lesion is None:
            raise LesionmapError("no lesion is chosen; click one in the image or in the list")
        return lesion

    def visit_changed(self) -> None:
        """Show a visit or Series that was opened with the window that fits it, and say what there is to answer."""
        session, series = self._session, self._session.series
        before, self._visit = self._visit, (session.key, session.shown)
        if series is None or self._visit == before:
            return
        self._preset = preset_for(series.modality, series.sequence)
        self._take_preset()
        left = sum(not row.answer and not row.hint for row in self._earlier())
        if session.key != before[0] and left:
            self._desk.say(f"{left} lesions of earlier visits to answer for: N goes to the first, ? shows all keys")

    # ---- look ------------------------------------------------------------------------------------------------------

    def next_window(self) -> None:
        """Show the image with the next preset."""
        at = PRESETS.index(self._preset) if self._preset in PRESETS else -1
        self._preset = PRESETS[(at + 1) % len(PRESETS)]
        self._take_preset()
        self._desk.say(f"window: {self._preset}")

    def _take_preset(self) -> None:
        session, name = self._session, self._preset
        volume, now = session.volume, session.now
        if volume is None or now is None:
            return
        self._desk.quietly("window", lambda: preset(name, volume, now.placement), self._desk.stage.show_window)

    def invert(self) -> None:
        """Exchange black and white."""
        window = self._desk.stage.window
        self._desk.stage.show_window(replace(window, inverse=not window.inverse))

    def next_series(self) -> None:
        """Show the next Series of the visit at the same place."""
        session, now = self._session, self._session.now
        names = [series.name for series in now.visit.series] if now else []
        if now is None or len(names) < 2:
            raise LesionmapError("this visit has no other series")
        name = names[(names.index(session.shown) + 1) % len(names)]
        self._dock.visits.show_series(name)

    def next_plane(self) -> None:
        """Turn from coronal to sagittal to axial."""
        viewer = self._desk.viewer
        if self._session.volume is None or self._session.volume.projection:
            raise LesionmapError("a projection has one plane only")
        order = tuple(viewer.dims.order[-3:])
        at = _PLANES.index(order) if order in _PLANES else -1
        point = viewer.dims.point
        viewer.dims.order = _PLANES[(at + 1) % len(_PLANES)]
        viewer.scene.camera.center = tuple(point[axis] for axis in viewer.dims.order[-3:])

    def planes(self) -> None:
        """Show or hide the other planes; of a bone scan the other view."""
        if self._session.volume is None:
            raise LesionmapError("no image is shown; open a visit that has images")
        if self._session.volume.projection:
            self._other_view()
        else:
            self._dock.views.toggle_planes()

    def _other_view(self) -> None:
        session, views = self._session, self._dock.views
        now, series = session.now, session.series
        pair = planar_views(now.visit, series) if now and series else {}
        other = next((one for one in pair.values() if one.name != session.shown), None)
        if now is None or other is None:
            raise LesionmapError("this scan has one view only")
        if views.earlier is not None and (views.prior.key, views.prior.shown) == (session.key, other.name):
            views.hide_earlier()
            return
        self._desk.run(
            "reading the other view",
            lambda: load.read_pixels(now.visit, [other.name])[other.name],
            lambda volume: views.show_earlier(now.visit.key, other.name, volume),
        )

    def from_behind(self) -> None:
        """Turn posterior views: as seen from behind, or with the patient's left where the anterior view has it."""
        behind = not self._desk.stage.behind
        for stage in (self._desk.stage, *([self._dock.views.earlier.stage] if self._dock.views.earlier else [])):
            stage.turn(behind)
        told = "as seen from behind" if behind else "with the patient's right on screen left, as anterior ones"
        self._desk.say(f"posterior views are shown {told}")

    def earlier_visit(self) -> None:
        """Show or hide the earlier visit beside the image."""
        self._dock.visits.toggle_beside()

    def skeleton(self) -> None:
        """Show or hide the drawn bones."""
        stage = self._desk.stage
        stage.show_bones(lines=not stage.lines.visible, landmarks=stage.lines.landmarks_visible)
        self._session.skeleton_changed.emit()

    def hide(self) -> None:
        """Show or hide what was marked."""
        shown = [x for x in self._desk.viewer.layers if x.name in (MASKS, DOTS)]
        visible = not any(x.visible for x in shown)
        for layer in shown:
            layer.visible = visible

    def stations(self) -> None:
        """Show or hide where the stations of the Series begin and end."""
        if self._desk.seams.n_stations < 2:
            raise LesionmapError("this series is of one piece; only series joined of several stations have edges")
        shown = self._desk.seams.toggle()
        self._desk.say(f"edges of the {self._desk.seams.n_stations} stations shown" if shown else "edges hidden")

    # ---- mark ------------------------------------------------------------------------------------------------------

    def tool(self, tool: Tool) -> None:
        """Choose what a click does."""
        self._session.choose_tool(tool)

    def marker(self) -> None:
        """Mark the point under the cursor, without an outline."""
        session, lps_mm = self._session, self._under_cursor()
        series, there = session.series, session.there
        if series is None or there is None or session.volume is None:
            return
        session.add(proposals.marked(series, session.volume, lps_mm, there.placement, there.visit))

    def reference(self) -> None:
        """Take a ball of muscle under the cursor as the reference of the Series that is shown."""
        session, lps_mm = self._session, self._under_cursor()
        if session.volume is not None:
            session.keep_reference(Reference(session.shown, proposals.muscle(session.volume, lps_mm)))
            self._desk.say(f"reference set on {session.shown}; signal ratios follow")

    def _under_cursor(self) -> XYZ:
        session, viewer = self._session, self._desk.viewer
        position = tuple(viewer.cursor.position)[-3:]
        x, y, z = layers.lps_from_world(position).tolist() if len(position) == 3 else (float("nan"),) * 3
        if session.volume is None or not bool(session.volume.grid.contains((x, y, z))):
            raise LesionmapError("the cursor is not over the image; move it to the lesion, then press the key")
        return x, y, z

    def fill(self) -> None:
        """Fill the chosen lesion's outline between the slices in which it is painted."""
        session, lesion, series = self._session, self._chosen(), self._session.series
        mask = next((x.mask for x in lesion.extents if series and x.series == series.name and x.mask), None)
        if mask is None or series is None:
            raise LesionmapError(f"{lesion.id} has no outline on this series; paint it in two slices or more first")
        filled = fill_between(mask)
        if filled.n_voxels == mask.n_voxels:
            raise LesionmapError(f"{lesion.id} has no slice left out between painted ones; paint it further on first")
        session.draw(lesion.id, series, filled, f"fill lesion {lesion.id}")

    def candidates(self) -> None:
        """Look for bright marrow in the Series that is shown; pressed again, go to the next candidate."""
        self._dock.show_page("Lesions")
        if self._desk.found.searched:
            self._desk.found.next()
        else:
            self._desk.run("looking for what stands out", *self._desk.found.search())

    def accept(self) -> None:
        """Keep the new outline as it is; where there is none, make the candidate a lesion."""
        if self._hand.new.lesion:
            self._hand.accept()
        else:
            self._desk.found.accept()

    def reject(self) -> None:
        """Take the new outline back; where there is none, reject the candidate; where there is none, look."""
        if self._hand.reject():
            return
        if self._desk.found.looked is not None:
            self._desk.found.reject()
        else:
            self._uniting = ""
            self._session.choose_tool("look")

    def uncertain(self) -> None:
        """Choose the landmark that is estimated worst, to be placed by a click; pressed again, the next worse one."""
        session = self._session
        now, volume = session.now, session.volume
        names = least_certain(now, volume.grid) if now is not None and volume is not None else []
        if not names:
            raise LesionmapError(
                "no landmark is estimated to lie in this image; the page Skeleton lists all, and places the skeleton"
            )
        # Where a click has placed the last one, the landmarks are estimated anew: then it begins with the worst again.
        again = names.index(self._doubted) + 1 if session.landmark == self._doubted in names else 0
        self._doubted = names[again % len(names)]
        self._dock.show_page("Skeleton")
        self._dock.skeleton.place_next(self._doubted)

    # ---- the chosen lesion -----------------------------------------------------------------------------------------

    def certainty(self, certainty: Certainty) -> None:
        """Say how certain the lesion is."""
        lesion = self._chosen()
        if lesion.certainty != certainty:
            self._session.change(lesion.id, "certainty", certainty=certainty)
        self._desk.say(f"{lesion.id}: {certainty.replace('_', ' ')}")

    def finding(self, name: str) -> None:
        """Go on to the next word for an attribute of the lesion: from *not assessed* to *yes* to *no*, and around."""
        lesion = self._chosen()
        choices = attribute_choices(name)
        at = [value for value, _ in choices].index(getattr(lesion.attributes, name))
        value, words = choices[(at + 1) % len(choices)]
        what = attribute_words(name)
        self._session.change(lesion.id, what, attributes=replace(lesion.attributes, **{name: value}))
        self._desk.say(f"{lesion.id}: {what.lower()}: {words}")

    def mirror(self) -> None:
        """Mark the same site on the other side."""
        session, lesion = self._session, self._chosen()
        placement = session.now.placement if session.now and not self._flat(lesion) else None
        new = annotate.mirror_lesion(session.lesion_map, lesion.id, placement=placement)
        session.commit(new, f"mark lesion {new.lesions[-1].id} opposite {lesion.id}")
        session.select(new.lesions[-1].id)
        if not self._desk.stage.jump_to(new.lesions[-1]):
            self._desk.stage.jump_to_site(new.lesions[-1].sites[0])
        self._desk.say(f"{new.lesions[-1].id}: {site_name(new.lesions[-1].sites[0])}")

    def _flat(self, lesion: Lesion) -> bool:
        """Say whether a lesion is drawn on projections only."""
        now = self._session.now
        flat = {series.name for series in now.visit.series if series.projection} if now else set()
        return all(extent.series in flat for extent in lesion.extents)

    def unite(self) -> None:
        """Merge with the lesion that is chosen next; pressed again for that one, merge."""
        lesion = self._chosen()
        first, self._uniting = self._uniting, ""
        if not first or first == lesion.id or first not in {x.id for x in self._session.lesion_map.lesions}:
            self._uniting = lesion.id
            self._desk.say(f"choose the lesion that is one with {lesion.id}, then press U again; Esc leaves it")
            return
        new = annotate.merge_lesions(self._session.lesion_map, [first, lesion.id])
        self._session.commit(new, f"merge lesions {first} and {lesion.id}")
        merged = next(x.id for x in new.lesions if set(lesion.tracks) <= set(x.tracks))
        self._session.select(merged)
        self._desk.say(f"{first} and {lesion.id} are one lesion now: {merged}")

    def divide(self) -> None:
        """Split the lesion into its unconnected parts."""
        session, lesion = self._session, self._chosen()
        parts = annotate.parts_by_component(lesion)
        new = annotate.split_lesion(session.lesion_map, lesion.id, parts)
        session.commit(new, f"split lesion {lesion.id}")
        self._desk.say(f"{lesion.id} is {len(parts)} lesions now")

    def remove(self) -> None:
        """Delete the lesion."""
        lesion = self._chosen()
        self._session.remove(lesion.id)
        self._desk.say(f"{lesion.id} deleted; undo brings it back")

    # ---- earlier lesions -------------------------------------------------------------------------------------------

    def _earlier(self) -> Sequence[EarlierRow]:
        session = self._session
        return earlier_rows(session.results, session.key) if session.results and session.key else ()

    def _earlier_chosen(self) -> EarlierRow:
        rows = {row.track: row for row in self._earlier()}
        if self._session.track not in rows:
            raise LesionmapError("no lesion of an earlier visit is chosen; N goes to the next one")
        return rows[self._session.track]

    def next_earlier(self) -> None:
        """Go to the next lesion of earlier visits that waits for an answer."""
        self._step(1)

    def previous_earlier(self) -> None:
        """Go to the one before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        rows = [row for row in self._earlier() if not row.answer and not row.hint]
        if not rows:
            self._session.choose_track("")
            self._desk.say("every lesion of earlier visits is answered for, or was not imaged")
            return
        tracks = [row.track for row in self._earlier()]
        here = tracks.index(self._session.track) if self._session.track in tracks else (-1 if by > 0 else len(tracks))
        order = sorted(rows, key=lambda row: ((tracks.index(row.track) - here) * by) % (len(tracks) + 1) or len(tracks))
        self.go_to_earlier(order[0])

    def go_to_earlier(self, row: EarlierRow) -> None:
        """Choose a lesion of earlier visits and show where it is expected now."""
        self._session.choose_track(row.track)
        self._dock.show_page("Lesions")
        self._desk.stage.jump_to_earlier(row.track, row.site_id)
        left = sum(not x.answer and not x.hint for x in self._earlier())
        marked = self._session.visit_words(row.last)
        self._desk.say(f"{row.site}, marked {marked}: still there (Y), resolved (R)? {left} to answer")

    def present(self) -> None:
        """Outline the earlier lesion under the cursor: it is still there."""
        row = self._earlier_chosen()
        self._hand.mark(self._under_cursor(), row.track)

    def assign(self) -> None:
        """Say that the chosen lesion is the earlier one."""
        row, lesion = self._earlier_chosen(), self._chosen()
        self._session.change(lesion.id, "track", tracks=(row.track,))
        self._desk.say(f"{lesion.id} is the lesion of {self._session.visit_words(row.last)}: {row.site}")

    def answer(self, verdict: Verdict) -> None:
        """Answer for the earlier lesion, and go to the next."""
        row = self._earlier_chosen()
        self._session.answer(row.track, verdict)
        self._step(1)

    # ---- always ----------------------------------------------------------------------------------------------------

    def help(self) -> None:
        """Show every key."""
        self._dock.show_help()

    def undo(self) -> None:
        """Take the last act back."""
        self._desk.say(f"undone: {self._session.undo()}")

    def redo(self) -> None:
        """Do it again."""
        self._desk.say(f"done again: {self._session.redo()}")
