"""The placed skeleton in napari's 3-D view: one layer of surfaces, every bone in the colours of its segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.write import segment_colour
from napari_lesionmap.layers import AXIS_LABELS, UNITS, XYZ, lps_from_world, world_from_lps
from napari_lesionmap.skeleton_lines import rgba

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement

__all__ = ["BONES", "BoneSurfaces", "Solid", "first_site", "solid"]

BONES = "bones"
_OPACITY = 0.4


@dataclass(frozen=True, slots=True)
class Solid:
    """The surfaces of all bones of a placement as one."""

    placement: Placement
    vertices: NDArray[np.float64]
    """(n, 3) in the world (y, z, x), mm."""
    faces: NDArray[np.int_]
    """(m, 3)"""
    colours: NDArray[np.float32]
    """(n, 4) of the vertices."""


def solid(placement: Placement) -> Solid:
    """Put the surfaces of all bones together; takes a second or two the first time, touches no state."""
    from lesionmap.skeleton import surfaces

    made = surfaces(placement)
    first = np.cumsum([0, *(len(bone.vertices) for bone in made[:-1])])
    names, index = np.unique(np.concatenate([bone.sites for bone in made]).astype(str), return_inverse=True)
    palette = np.array([rgba(segment_colour(name)) for name in names.tolist()], dtype=np.float32)
    return Solid(
        placement,
        world_from_lps(np.concatenate([bone.vertices for bone in made])),
        np.concatenate([bone.faces + start for bone, start in zip(made, first.tolist(), strict=True)]),
        palette[index],
    )


def first_site(placement: Placement, start_lps_mm: XYZ, direction: XYZ) -> str:
    """Give the site that a ray of sight meets first; empty: it meets no bone."""
    from lesionmap.skeleton import locate
    from lesionmap.skeleton.shape import pose

    posed, way = pose(placement), np.asarray(direction) / np.linalg.norm(direction)
    along = (posed.centres - start_lps_mm) @ way
    inside = posed.radii**2 - ((posed.centres - start_lps_mm - along[:, None] * way) ** 2).sum(axis=1)
    if inside.max() <= 0:
        return ""
    depth = np.where(inside > 0, along - np.sqrt(np.maximum(inside, 0.0)), np.inf).min()
    return str(locate([np.asarray(start_lps_mm) + depth * way], placement).site[0])


class BoneSurfaces:
    """A layer that is made when the view is first 3-D, and seen in 3-D only."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._shown: Placement | None = None
        self._layer: Any = None
        self._order: tuple[int, ...] | None = None

    def turn(self) -> bool:
        """Look from the front in 3-D, and as before in 2-D again; True: the view changed.

        napari draws surfaces in one order of the dimensions only.
        """
        dims = self._viewer.dims
        straight = tuple(range(dims.ndim))
        if dims.ndisplay == 3 and dims.order != straight:
            self._order = dims.order
            dims.order = straight
            return True
        if dims.ndisplay == 2 and self._order is not None:
            dims.order, self._order = self._order, None
            return True
        return False

    def clear(self) -> None:
        """Take the layer away for good."""
        self.hide()
        self._shown = self._layer = None

    def hide(self) -> None:
        """Take the layer away until 3-D is seen again: its even scale would make the sliders of the slices finer."""
        if BONES in self._viewer.layers:
            self._viewer.layers.remove(BONES)

    def task(self, placement: Placement | None) -> Callable[[], Solid | None]:
        """Give the work that the view needs, to be done in a thread; its result goes to ``settle``."""
        if placement is None or placement is self._shown:
            return lambda: None
        return lambda: solid(placement)

    def settle(self, made: Solid | None) -> None:
        """Show what a task has made; nothing: what is there already."""
        from napari.layers import Surface

        if self._viewer.dims.ndisplay != 3:
            return
        if made is not None:
            self.clear()
            self._shown = made.placement
            self._layer = Surface(
                (made.vertices, made.faces),
                name=BONES,
                units=UNITS,
                axis_labels=AXIS_LABELS,
                vertex_colors=made.colours,
                opacity=_OPACITY,
                blending="translucent_no_depth",  # faces are not sorted by depth: with it they would hide one another
                shading="smooth",
            )
            self._layer.editable = False
        if self._layer is not None and BONES not in self._viewer.layers:
            active = self._viewer.layers.selection.active
            self._viewer.layers.append(self._layer)
            self._viewer.layers.selection.active = active

    def site_under(self, position: tuple[float, ...], direction: tuple[float, ...]) -> str:
        """Give the site that the cursor points at, from its place and the direction of sight in the world."""
        if self._shown is None:
            return ""
        start, way = (lps_from_world(np.asarray(v)[-3:]).tolist() for v in (position, direction))
        # The cursor's place lies somewhere on the ray: begin before all of the body.
        begin = [a - 10_000.0 * b for a, b in zip(start, way, strict=True)]
        return first_site(self._shown, (begin[0], begin[1], begin[2]), (way[0], way[1], way[2]))
