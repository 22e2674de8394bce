"""The body map with the drawn skeleton of the child's age, which takes a moment the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_lesionmap.widgets.bodymap import BodyMap

if TYPE_CHECKING:
    from lesionmap.visits import Sex
    from lesionmap.write import MapPanel
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["LiveMap"]

_VIEWS: tuple[Literal["front"], Literal["back"]] = ("front", "back")


class LiveMap:
    """A body map that asks for its bones by itself."""

    def __init__(self, desk: Desk, lane: str) -> None:
        self._desk, self._lane = desk, f"bones of {lane}"
        self._drawn_for: tuple[float, Sex | None] | None = None
        self.body = BodyMap()

    def show(self, panel: MapPanel | None) -> None:
        """Show the marks of a visit, on the bones of its age and sex."""
        from lesionmap.skeleton import outline
        from lesionmap.write.mapmaker import DEFAULT_AGE_Y

        age, sex = (panel.age_y if panel else None) or DEFAULT_AGE_Y, panel.sex if panel else None
        if (age, sex) != self._drawn_for:
            self._drawn_for = (age, sex)
            self._desk.quietly(
                self._lane,
                lambda: [outline(view, age_y=age, sex=sex) for view in _VIEWS],
                lambda outlines: self.body.set_outlines(*outlines),
            )
        self.body.set_panel(panel)
