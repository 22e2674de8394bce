"""Commands of the menus: they open the dock on the page that is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_lesionmap.widgets.dock import Dock

__all__ = ["open_dock", "open_sample", "show_compare", "show_export", "show_lesions", "show_visits", "take_over"]


def open_dock(page: str = "Visits") -> Dock | None:
    """Show the dock in the window that is open; None where there is no window."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    _, dock = viewer.window.add_plugin_dock_widget("lesionmap", "lesionmap")
    dock.show_page(page)
    found: Dock = dock
    return found


def show_visits() -> None:
    """Open the page Visits."""
    open_dock("Visits")


def show_lesions() -> None:
    """Open the page Lesions."""
    open_dock("Lesions")


def show_compare() -> None:
    """Open the page Compare."""
    open_dock("Compare")


def show_export() -> None:
    """Open the page Export."""
    open_dock("Export")


def open_sample() -> None:
    """Open the sample patient."""
    dock = open_dock("Visits")
    if dock is not None:
        dock.visits.open_sample()


def take_over() -> None:
    """Make lesions of the labels of a layer that another plugin drew."""
    dock = open_dock("Lesions")
    if dock is not None:
        dock.desk.attempt(dock.more.take_over)
