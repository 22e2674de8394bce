"""The layers of the work in a viewer: images, masks, lesions, skeleton. It follows the session; no widgets here."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from lesionmap.errors import LesionmapError
from napari_lesionmap import layers
from napari_lesionmap.canvas import from_behind, hang, jump
from napari_lesionmap.dots import LesionDots, lesion_colour
from napari_lesionmap.painted import label_of, mask_features, mask_in, painted
from napari_lesionmap.places import site_place
from napari_lesionmap.resolve import expected_place, place_of
from napari_lesionmap.skeleton_lines import SkeletonLines, at_once
from napari_lesionmap.solid import BoneSurfaces
from napari_lesionmap.windows import show_window, window_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel
    from numpy.typing import ArrayLike, NDArray

    from lesionmap.lesions import Lesion, Mask
    from lesionmap.space import Grid
    from napari_lesionmap.layers import XYZ
    from napari_lesionmap.session import Session
    from napari_lesionmap.skeleton_lines import Cut, Later
    from napari_lesionmap.solid import Solid
    from napari_lesionmap.windows import Window

__all__ = ["MASKS", "Stage"]

MASKS = "lesion masks"
_PICKED = "#ffb000"


class Stage:
    """Puts the session's visit on the canvas, and keeps it there as it changes.

    Parameters
    ----------
    viewer : ViewerModel
    session : Session
    later : callable
        Cuts the skeleton, maybe in a thread, once the slice stands still.
    soon : callable
        Does what may wait until the picture is drawn.
    """

    failed = Signal(Exception)
    """Why something that was painted could not be kept."""

    def __init__(
        self,
        viewer: ViewerModel,
        session: Session,
        later: Later = at_once,
        soon: Callable[[Callable[[], object]], object] = lambda act: act(),
    ) -> None:
        self.viewer, self.session = viewer, session
        self._soon = soon
        self.lines = SkeletonLines(viewer)
        self.bones = BoneSurfaces(viewer)
        self.dots = LesionDots(viewer, session)
        self._later = later
        self._changing = False
        self.behind = False
        """Whether posterior views are shown as seen from behind."""
        self.image: Any = None
        """Layer of the image that is marked in; None while there is none."""
        self._shown: tuple[str, str, tuple[int, ...]] | None = None
        self._ours: list[str] = []
        self._drawn: dict[int, Mask] = {}
        self._colours: dict[int | None, str] = {}
        self._told: dict[str, list[Any]] = {}
        hang(viewer)
        for signal, act in self._heard():
            signal.connect(act)

    def _heard(self) -> tuple[tuple[Any, Callable[..., object]], ...]:
        session, dims = self.session, self.viewer.dims.events
        return (
            *((session.visit_changed, self.show_visit), (session.map_changed, self.show_lesions)),
            *((session.skeleton_changed, self.show_skeleton), (session.selection_changed, self.show_selection)),
            *((signal, self._follow) for signal in (dims.point, dims.order, dims.ndisplay)),
            (self.viewer.scene.camera.events.zoom, self.lines.follow_zoom),
        )

    def close(self) -> None:
        """Let go of the viewer and the session."""
        for signal, act in self._heard():
            signal.disconnect(act)

    # ---- images ----------------------------------------------------------------------------------------------------

    def show_visit(self) -> None:
        """Show the chosen Series of the visit."""
        with self._quiet():
            self._change_image()
        # The picture first: what lies over it takes as long again.
        self._soon(self.show_marks)

    def show_marks(self) -> None:
        """Lay masks, rings and skeleton over the image, if they do not lie there yet."""
        volume, chosen = self.session.volume, self.viewer.layers.selection
        if volume is not None and self.image is not None and MASKS not in self.viewer.layers:
            with self._quiet():
                self._add_masks()
                self._ours += self.dots.add(volume.grid)
                chosen.active = self.image
        self.show_skeleton()
        self.show_selection()

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Change layers: one that is added moves the dims, and what follows them must not add another in its midst."""
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    def _change_image(self) -> None:
        viewer, session = self.viewer, self.session
        before = (viewer.dims.point, viewer.scene.camera.center, viewer.scene.camera.zoom)
        self._clear()
        if session.volume is None:
            self._shown = None
            return
        order = layers.plane_order(session.volume.grid)
        # Planar views have a frame of their own each: the camera does not stay from one to another image.
        frame = session.shown if session.volume.projection else ""
        shown = (session.key, frame, order)
        stay = self._shown == shown
        self.image = self._add(layers.image_layer(session.volume, session.shown))
        if stay:
            viewer.dims.point, viewer.scene.camera.center, viewer.scene.camera.zoom = before
        else:
            more = viewer.dims.ndim - 3
            viewer.dims.order = (*range(more), *(more + axis for axis in order))
            viewer.fit_to_view()
        self._shown = shown
        self.turn(self.behind)

    def turn(self, behind: bool) -> None:
        """Show posterior views as they are seen from behind, or with the patient's left where anterior ones have it."""
        self.behind, series = behind, self.session.series
        if series is not None and series.projection:
            from_behind(self.viewer, on=behind and series.plane == "posterior")

    def _clear(self) -> None:
        for name in self._ours:
            if name in self.viewer.layers:
                self.viewer.layers.remove(name)
        self._ours = []
        self.image = None
        self._drawn = {}
        self.lines.clear()
        self.bones.clear()

    def _add(self, made: layers.LayerTuple) -> Any:
        data, options, kind = made
        layer = getattr(self.viewer, f"add_{kind}")(data, **options)
        self._ours.append(layer.name)
        return layer

    # ---- lesions ---------------------------------------------------------------------------------------------------

    @property
    def grid(self) -> Grid | None:
        """Grid of the Series that is marked in."""
        return self.session.volume.grid if self.session.volume else None

    def _masks_now(self) -> dict[int, Mask]:
        """Give label → mask of the lesions drawn on the Series that is shown."""
        now, grid = self.session.now, self.grid
        return {
            label_of(lesion.id): extent.mask
            for lesion in (now.lesion_map.lesions if now else ())
            for extent in lesion.extents
            if extent.mask is not None and extent.series == self.session.shown and extent.mask.grid == grid
        }

    def _add_masks(self) -> None:
        if self.grid is None:
            return
        self._drawn = self._masks_now()
        made = layers.labels_layer(self._drawn.items(), self.grid, MASKS, opacity=0.55)
        layer = self._add(made)
        layer.events.paint.connect(self._on_paint)
        layer.brush_size = 6
        self._colours, self._told = {}, {}
        self._colour_masks()

    def _colour_masks(self) -> None:
        from napari.utils.colormaps import DirectLabelColormap

        now = self.session.now
        colours: dict[int | None, str] = {None: _PICKED, 0: "transparent"}
        for lesion in now.lesion_map.lesions if now else ():
            colours[label_of(lesion.id)] = lesion_colour(self.session, lesion)
        if colours != self._colours:
            self._colours = colours
            self.viewer.layers[MASKS].colormap = DirectLabelColormap(color_dict=colours)
        told = mask_features(self.session)
        if told != self._told:
            self._told = told
            self.viewer.layers[MASKS].features = told

    def show_lesions(self) -> None:
        """Show masks and dots as they are now; only what changed is drawn anew."""
        if MASKS not in self.viewer.layers or self.grid is None:
            return
        now = self._masks_now()
        old = self._drawn
        gone = {label for label in old if old[label] is not now.get(label)}
        come = {label for label in now if now[label] is not old.get(label)}
        if max(come, default=0) > np.iinfo(self.viewer.layers[MASKS].data.dtype).max:
            self.show_visit()
            return
        if gone or come:
            self._redraw(gone, come, now)
        self._drawn = now
        self._colour_masks()
        self.dots.draw(named=not self.lines.landmarks_visible)

    def _redraw(self, gone: set[int], come: set[int], now: dict[int, Mask]) -> None:
        layer, grid = self.viewer.layers[MASKS], self.grid
        if grid is None:
            return
        if layers.shown_grid(grid) is not grid:
            layer.data = layers.labels_layer(now.items(), grid, MASKS)[0]
            return
        for label in gone:
            box = layers.shown_view(layer.data, self._drawn[label])
            box[box == label] = 0
        for label in come:
            box = layers.shown_view(layer.data, now[label])
            box[layers.array_from_grid(now[label].box, grid)] = label
        layer.refresh()

    def _on_paint(self, event: Any) -> None:
        """Take a finished stroke: every lesion whose voxels it changed is committed, or the stroke is taken back."""
        labels, low, high = painted(event.value)
        try:
            for label in sorted(labels):
                self._take_stroke(label, (low, high))
        except LesionmapError as error:
            self._restore()
            self.failed.emit(error)
        self.show_lesions()

    def _take_stroke(self, label: int, box: tuple[NDArray[np.int_], NDArray[np.int_]]) -> None:
        grid, series = self.grid, self.session.series
        if grid is None or series is None:
            return
        mask = mask_in(self.viewer.layers[MASKS].data, label, grid, box, self._drawn.get(label))
        lesion = next((x.id for x in self.session.lesion_map.lesions if label_of(x.id) == label), "")
        if lesion:
            before = self._drawn.copy()
            self._keep(label, mask)
            try:
                self.session.draw(lesion, series, mask)
            except LesionmapError:
                self._drawn = before
                raise
        elif mask is not None:
            self.session.add_painted(series, mask)

    def preview(self, lesion_id: str, mask: Mask) -> None:
        """Show a mask in place of a lesion's own; nothing is stored."""
        if MASKS not in self.viewer.layers or self.grid is None or mask.grid != self.grid:
            return
        label = label_of(lesion_id)
        now = {**self._drawn, label: mask}
        self._redraw({label} & self._drawn.keys(), {label}, now)
        self._drawn = now

    # ---- window ----------------------------------------------------------------------------------------------------

    @property
    def window(self) -> Window:
        """From which signal to which the image is shown."""
        return window_of(self.image)

    def show_window(self, window: Window) -> None:
        """Show the image from one signal to another."""
        show_window(self.image, window)

    def _restore(self) -> None:
        """Show the masks as they are stored."""
        layer = self.viewer.layers[MASKS]
        if self.grid is not None:
            layer.data[...] = layers.labels_layer(self._drawn.items(), self.grid, MASKS)[0]
            layer.refresh()

    def _keep(self, label: int, mask: Mask | None) -> None:
        """Remember what the layer shows already."""
        if mask is None:
            self._drawn.pop(label, None)
        else:
            self._drawn[label] = mask

    def lesion_at(self, lps_mm: XYZ) -> str:
        """Give the lesion drawn at a place, else the dot that is near; empty: none."""
        grid = self.grid
        if grid is not None:
            voxel = np.rint(grid.voxels(lps_mm)).astype(int)
            for label, mask in self._drawn.items():
                inside = voxel - mask.origin
                if np.all((inside >= 0) & (inside < mask.box.shape)) and mask.box[tuple(inside)]:
                    return next(x.id for x in self.session.lesion_map.lesions if label_of(x.id) == label)
        return self.dots.at(lps_mm)

    # ---- skeleton, selection ---------------------------------------------------------------------------------------

    def show_skeleton(self) -> None:
        """Draw the skeleton that is placed on the visit."""
        there, volume = self.session.there, self.session.volume
        if there is None or volume is None:
            self.lines.show(None)
        else:
            self.lines.show(there.placement, layers.steps(volume.grid), flat=volume.projection)
        self._follow()

    def show_bones(self, *, lines: bool, landmarks: bool) -> None:
        """Show or hide the drawn bones and the landmarks."""
        self.lines.visible, self.lines.landmarks_visible = lines, landmarks
        self._follow()

    def show_selection(self) -> None:
        """Emphasise the chosen lesion, and paint into its mask."""
        if MASKS in self.viewer.layers:
            labels = [label_of(x.id) for x in self.session.lesion_map.lesions]
            chosen = label_of(self.session.selected) if self.session.selected else max(labels, default=0) + 1
            self.viewer.layers[MASKS].selected_label = chosen
        self.dots.draw(named=not self.lines.landmarks_visible)

    def jump_to(self, lesion: Lesion) -> bool:
        """Show a lesion in the middle of the view; False where its place is not known."""
        here, now = self._drawn.get(label_of(lesion.id)), self.session.now
        if here is not None:
            return self._jump(here.lps_mm().mean(axis=0))
        return self._jump(place_of(lesion, now.measurements) if now and not self._flat else None)

    def jump_to_site(self, site: str) -> bool:
        """Show about where a site of the placed skeleton is; False where that is not known."""
        placement = self.session.there.placement if self.session.there else None
        return self._jump(site_place(placement, site) if placement else None)

    def jump_to_earlier(self, track: str, site: str) -> bool:
        """Show where a lesion of earlier visits is expected now; False where that is not known."""
        session = self.session
        told = session.results and session.key and not self._flat
        expected = expected_place(session.results, session.key, track) if session.results and told else None
        return self._jump(expected) if expected is not None else self.jump_to_site(site)

    @property
    def _flat(self) -> bool:
        """Whether a planar view is shown: it has a frame of its own."""
        return self.session.volume is not None and self.session.volume.projection

    def _jump(self, lps_mm: ArrayLike | None) -> bool:
        if lps_mm is None:
            return False
        world = layers.world_from_lps(lps_mm).tolist()
        jump(self.viewer, (world[0], world[1], world[2]))
        return True

    def _follow(self) -> None:
        """Draw what belongs to the slice that is shown, when it has stood still; until then the image alone moves.

        What is drawn for another slice is not seen meanwhile: it lies in that slice.
        """
        if self._changing or self.session.volume is None or self.bones.turn():
            return  # a turned view calls again
        if self.viewer.dims.ndisplay == 3:
            bones = self.bones.task(self.lines.placement if self.lines.visible else None)
            self._later(bones, lambda made: self._settle(None, made))
        else:
            self.bones.hide()
            self._later(self.lines.task(), self._settle)

    def _settle(self, made: Cut | None, solid: Solid | None = None) -> None:
        with self._quiet():
            self.lines.settle(made)
            (self.bones.settle(solid) if self.lines.visible else self.bones.hide())
            self.dots.draw(named=not self.lines.landmarks_visible)
