"""``python -m napari_lesionmap STUDY [PATIENT]``: napari with a study open in the dock."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer


def main(arguments: list[str] | None = None) -> None:
    """Open the window, and leave when it is closed."""
    # Values of a failing callback may be of a patient: they stay out of what is printed.
    os.environ.setdefault("PSYGNAL_HIDE_LOCALS", "1")
    parser = argparse.ArgumentParser(prog="napari_lesionmap", description="A lesionmap study in napari.")
    parser.add_argument("study", nargs="?", default="", help="path of the study, or a database URL")
    parser.add_argument(
        "patient", nargs="?", default="", help="pseudonym; without it where you were, else the first one"
    )
    given = parser.parse_args(arguments)

    import napari

    # The window's title is napari's own: it never names a patient.
    viewer = napari.Viewer(title="lesionmap", show_welcome_screen=False)
    _, dock = viewer.window.add_plugin_dock_widget("lesionmap", "lesionmap")
    _fill_the_screen(viewer)
    if given.patient:
        dock.visits.open_study(given.study, patient=given.patient, last=True)
    elif given.study:
        dock.visits.resume.open(given.study)
    napari.run()


def _fill_the_screen(viewer: Viewer) -> None:
    """Give the window the room that there is, 1600 by 1000 at most; napari begins with a small one."""
    from qtpy.QtGui import QGuiApplication

    room = QGuiApplication.primaryScreen().availableGeometry()
    viewer.window.resize(min(1600, room.width()), min(1000, room.height()))


if __name__ == "__main__":
    main()
