"""How the canvas is hung: radiological display and letters at its edges, in every plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_lesionmap.layers import view

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["caption", "from_behind", "hang", "hang_current", "jump"]

_POSITIONS = {"left": "middle_left", "right": "middle_right", "top": "top_center", "bottom": "bottom_center"}
_SIZE_PT = 13
_CAPTION, _CAPTION_PT = "lesionmap_caption", 10
_BEHIND = (0.0, 0.0, 0.0, 0.55)


def hang(viewer: ViewerModel) -> None:
    """Show patient's right on screen left and the head up, with letters that follow the plane; once is enough."""
    from napari.components.overlays import TextOverlay

    overlays = viewer.canvas.overlays
    if "lesionmap_left" in overlays:
        return
    for edge, position in _POSITIONS.items():
        overlays[f"lesionmap_{edge}"] = TextOverlay(
            position=position, font_size=_SIZE_PT, color="#ffd166", box=True, box_color=_BEHIND, visible=True
        )
    viewer.canvas.background_color_override = "black"
    scale = viewer.canvas.overlays["scale_bar"]
    scale.visible, scale.font_size = True, 9

    def rehang(_event: Any = None) -> None:
        if viewer.dims.ndim < 3:
            return
        hung = view(viewer.dims.order)
        viewer.scene.camera.orientation = hung.orientation
        letters = hung.letters if viewer.dims.ndisplay == 2 else ("",) * 4
        for edge, letter in zip(_POSITIONS, letters, strict=True):
            overlays[f"lesionmap_{edge}"].text = letter
            overlays[f"lesionmap_{edge}"].visible = bool(letter)

    viewer.dims.events.order.connect(rehang)
    viewer.dims.events.ndisplay.connect(rehang)
    viewer.dims.events.ndim.connect(rehang)
    rehang()


def from_behind(viewer: ViewerModel, *, on: bool) -> None:
    """Show a coronal view as it is seen from behind, with the patient's left on screen left, or as from the front."""
    depth, vertical, _ = viewer.scene.camera.orientation
    viewer.scene.camera.orientation = (depth, vertical, "left" if on else "right")
    letters = ("L", "R") if on else ("R", "L")
    for edge, letter in zip(("left", "right"), letters, strict=True):
        viewer.canvas.overlays[f"lesionmap_{edge}"].text = letter


def caption(viewer: ViewerModel, words: str, name: str = _CAPTION) -> None:
    """Write words in the upper left corner of the canvas, one below the other by their names; empty: none."""
    from napari.components.overlays import TextOverlay

    overlays = viewer.canvas.overlays
    if name not in overlays:
        overlays[name] = TextOverlay(
            position="top_left", font_size=_CAPTION_PT, color="#d0d4da", box=True, box_color=_BEHIND, visible=False
        )
    if overlays[name].text != words:
        overlays[name].text = words
        overlays[name].visible = bool(words)  # a box around nothing cannot be drawn


def hang_current() -> None:
    """Hang the viewer that is open, if there is one (a reader has no viewer of its own)."""
    import napari

    viewer = napari.current_viewer()
    if viewer is not None:
        hang(viewer)


def jump(viewer: ViewerModel, world: tuple[float, float, float]) -> None:
    """Bring a point of the world (y, z, x), mm, into the middle of the view, in the slice that holds it."""
    viewer.dims.point = world
    viewer.scene.camera.center = tuple(world[axis] for axis in viewer.dims.order[-3:])
