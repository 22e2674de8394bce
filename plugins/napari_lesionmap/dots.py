"""A ring and a number for each lesion that the slice shown cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.write import state_style
from napari_lesionmap.layers import AXIS_LABELS, UNITS, XYZ, lps_from_world, steps, world_from_lps
from napari_lesionmap.places import reach
from napari_lesionmap.resolve import place_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from lesionmap.lesions import Lesion
    from lesionmap.space import Grid
    from napari_lesionmap.session import Session

__all__ = ["DOTS", "LesionDots", "lesion_colour"]

DOTS = "lesions"
_SIZE_MM = 26.0
_BESIDE = " " * 16  # centred text is moved beside the ring by blanks, as napari moves text in mm only
_NEAR_MM = 8.0
"""Lesions without a mask are shown this far off the slice on."""
_PICKED = "#ffb000"
_PATIENT_AXIS = (1, 2, 0)


def lesion_colour(session: Session, lesion: Lesion) -> str:
    """Give the colour of a lesion's state in the visit that is worked on."""
    change = session.results.change(session.key, lesion) if session.results else None
    return state_style(change.state if change else None).colour


class LesionDots:
    """One layer of points. They are put into the slice shown: napari alone would show them in one slice only."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer, self._session = viewer, session
        self._step = np.ones(3)
        self._drawn: tuple[list[list[float]], list[str], list[str]] | None = None
        """Places, colours and words that the layer has; it is slow to be told what it knows."""

    def add(self, grid: Grid) -> list[str]:
        """Add the layer over an image, empty as yet; its name."""
        self._step, self._drawn = np.array(steps(grid)), None
        layer = self._viewer.add_points(
            np.array([self._viewer.dims.point[-3:]]) / self._step,
            name=DOTS,
            units=UNITS,
            axis_labels=AXIS_LABELS,
            scale=self._step,
            size=_SIZE_MM / self._step[-1],  # napari scales points by the last axis
            symbol="disc",
            face_color="transparent",
            border_width=0.1,
            visible=False,
        )
        layer.editable = False
        return [DOTS]

    def near(self) -> list[tuple[Lesion, XYZ]]:
        """List the lesions that the shown slice cuts, with their places in it (LPS mm); none on a planar view.

        In 3-D all are listed, each at its own place.
        """
        now, volume = self._session.now, self._session.volume
        if now is None or volume is None or volume.projection:
            return []
        at = lps_from_world(self._viewer.dims.point[-3:])
        axis = _PATIENT_AXIS[self._viewer.dims.order[-3]]
        found = []
        for lesion in now.lesion_map.lesions:
            middle = place_of(lesion, now.measurements)
            far = max([_NEAR_MM, *(reach(x.mask, axis) for x in lesion.extents if x.mask)])
            if middle is None:
                continue
            if self._viewer.dims.ndisplay == 3:
                found.append((lesion, middle))
            elif abs(middle[axis] - at[axis]) <= far:
                place = list(middle)
                place[axis] = float(at[axis])
                found.append((lesion, (place[0], place[1], place[2])))
        return found

    def draw(self, *, named: bool = True) -> None:
        """Draw the rings of the slice shown, with the lesions' numbers if they are to be named."""
        if DOTS not in self._viewer.layers:
            return
        layer, near = self._viewer.layers[DOTS], self.near()
        if layer.visible != bool(near):
            layer.visible = bool(near)
        if not near:
            return
        places = (world_from_lps(np.array([place for _, place in near])) / self._step).tolist()
        chosen = self._session.selected
        colours = [_PICKED if x.id == chosen else lesion_colour(self._session, x) for x, _ in near]
        words = [_outwards(lesion) if named else "" for lesion, _ in near]
        if (places, colours, words) == self._drawn:
            return
        layer.data = np.array(places)
        layer.border_color = colours
        layer.text = {"string": words, "size": 9, "color": "#ffffff", "anchor": "center"}
        self._drawn = (places, colours, words)

    def at(self, lps_mm: XYZ) -> str:
        """Give the lesion whose ring is at a place; empty: none."""
        near = [(float(np.linalg.norm(np.subtract(place, lps_mm))), x.id) for x, place in self.near()]
        distance, lesion = min(near, default=(np.inf, ""))
        return lesion if distance <= _SIZE_MM / 2 else ""


def _outwards(lesion: Lesion) -> str:
    """Give the lesion's id as it stands beside its ring: away from the middle of the body."""
    right = bool(lesion.sites) and lesion.sites[0].endswith(".right")
    return lesion.id + _BESIDE if right else _BESIDE + lesion.id
