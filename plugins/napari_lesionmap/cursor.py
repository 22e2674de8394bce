"""What is under the cursor, written below the caption of the canvas: site, place in the bone, signal against muscle."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.visits import station_of
from napari_lesionmap.canvas import caption
from napari_lesionmap.layers import XYZ, lps_from_world
from napari_lesionmap.proposals import face_of, seen_words
from napari_lesionmap.resolve import site_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from lesionmap.visits import Series
    from napari_lesionmap.stage import Stage

__all__ = ["NOT_IMAGED", "CursorName", "imaged_at", "name_at", "place_words", "signal_at"]

NOT_IMAGED = "not imaged"
"""Said where no station of a joined series was."""

_OVERLAY = "lesionmap_cursor"
_BESIDE_MM = 8.0
"""A place so far off a bone is still said to be near it."""
_PHYSIS_MM = 20.0
"""From this near on the distance to the physis is told."""


def name_at(placement: Placement, lps_mm: XYZ) -> str:
    """Say in words which site is at a place; empty: none is near."""
    from lesionmap.skeleton import locate

    found = locate([lps_mm], placement)
    off, physis = float(found.distance_mm[0]), float(found.physis_mm[0])
    if not found.site[0] or off > _BESIDE_MM:
        return ""
    along = float(found.fraction_along[0])
    told = [
        "" if found.inside[0] else f"{off:.0f} mm beside it",
        f"{along:.2f} along" if isfinite(along) else "",
        f"{physis:.0f} mm from the physis" if physis <= _PHYSIS_MM else "",
    ]
    return "\n".join([site_name(str(found.site[0])), ", ".join(x for x in told if x)]).rstrip()


def place_words(series: Series, placement: Placement, lps_mm: XYZ) -> str:
    """Say in words which site is at a place of a Series; on a planar view the most probable two."""
    from lesionmap.skeleton import locate_seen

    if series.projection:
        return seen_words(locate_seen(lps_mm, placement, face_of(series)))
    return name_at(placement, lps_mm)


def signal_at(volume: Volume, lps_mm: XYZ, muscle: float | None) -> str:
    """Say which signal is at a place, and how many times that of muscle; empty outside the image."""
    if not bool(volume.grid.contains(lps_mm)):
        return ""
    value = float(volume.array[tuple(np.rint(volume.grid.voxels(lps_mm)).astype(int))])
    return f"signal {value:.0f}" + (f", {value / muscle:.1f} × muscle" if muscle else "")


def imaged_at(series: Series, lps_mm: XYZ) -> bool:
    """Say whether a place within a Series was imaged; in the gaps between and beside its stations nothing was."""
    return bool(len(series.stations) < 2 or not series.grid.contains(lps_mm) or station_of(series, lps_mm) >= 0)


class CursorName:
    """Follows the mouse over the image. It names nothing until the skeleton was made ready in a thread."""

    def __init__(
        self, stage: Stage, quietly: Callable[[str, Callable[[], Any], Callable[[Any], object]], None]
    ) -> None:
        self._stage, self._quietly = stage, quietly
        self._ready: Placement | None = None
        self._muscle: float | None = None
        stage.viewer.mouse_move_callbacks.append(self._on_move)
        stage.viewer.dims.events.point.connect(self._slice_changed)
        stage.session.skeleton_changed.connect(self._make_ready)
        stage.session.visit_changed.connect(self._make_ready)
        stage.session.map_changed.connect(self._take_muscle)

    def close(self) -> None:
        """Let go of the viewer and the session."""
        callbacks = self._stage.viewer.mouse_move_callbacks
        if self._on_move in callbacks:
            callbacks.remove(self._on_move)
        self._stage.viewer.dims.events.point.disconnect(self._slice_changed)
        self._stage.session.skeleton_changed.disconnect(self._make_ready)
        self._stage.session.visit_changed.disconnect(self._make_ready)
        self._stage.session.map_changed.disconnect(self._take_muscle)

    def _make_ready(self) -> None:
        self._ready = None
        self._write("")
        session = self._stage.session
        self._take_muscle()
        placement = session.there.placement if session.there is not None else None
        series = session.series
        if placement is None or series is None or session.volume is None:
            return

        def work() -> Placement:
            place_words(series, placement, placement.landmarks[0].lps_mm)
            return placement

        self._quietly("names", work, self._take)

    def _take_muscle(self) -> None:
        """Know the signal of the reference region, where one is set."""
        from lesionmap.measure import reference_mean

        session = self._stage.session
        reference, volume = session.reference, session.volume
        self._muscle = None
        if reference is not None and volume is not None:
            self._muscle = reference_mean(reference, volume, session.series)

    def _take(self, placement: Placement) -> None:
        self._ready = placement

    def _on_move(self, viewer: Any, event: Any) -> None:
        if viewer.dims.ndim < 3:
            return
        if viewer.dims.ndisplay == 3:
            site = self._stage.bones.site_under(event.position, event.view_direction) if self._ready else ""
            self._write(site_name(site) if site else "")
            return
        x, y, z = lps_from_world(event.position[-3:]).tolist()
        self._write(self.words((x, y, z)))

    def words(self, lps_mm: XYZ) -> str:
        """Give what is told of a place (LPS mm): site, place in the bone, signal."""
        session = self._stage.session
        series, volume = session.series, session.volume
        if series is None or volume is None:
            return ""
        if not imaged_at(series, lps_mm):
            return NOT_IMAGED
        name = place_words(series, self._ready, lps_mm) if self._ready else ""
        return "\n".join(words for words in (name, signal_at(volume, lps_mm, self._muscle)) if words)

    def _slice_changed(self) -> None:
        """Say nothing until the mouse moves: another place is under it."""
        if self._stage.viewer.dims.ndisplay == 2:
            self._write("")

    def _write(self, words: str) -> None:
        caption(self._stage.viewer, words, _OVERLAY)
