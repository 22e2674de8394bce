"""``python -m napari_lesionmap STUDY [PATIENT]``: napari with a study open in the dock."""

from __future__ import annotations

import argparse
import os


def main(arguments: list[str] | None = None) -> None:
    """Open the window, and leave when it is closed."""
    # Values of a failing callback may be of a patient: they stay out of what is printed.
    os.environ.setdefault("PSYGNAL_HIDE_LOCALS", "1")
    parser = argparse.ArgumentParser(prog="napari_lesionmap", description="A lesionmap study in napari.")
    parser.add_argument("study", nargs="?", default="", help="path of the study, or a database URL")
    parser.add_argument("patient", nargs="?", default="", help="pseudonym; without it the first one")
    given = parser.parse_args(arguments)

    import napari

    # The window's title is napari's own: it never names a patient.
    viewer = napari.Viewer(title="lesionmap", show_welcome_screen=False)
    _, dock = viewer.window.add_plugin_dock_widget("lesionmap", "lesionmap")
    if given.study:
        dock.visits.open_study(given.study, patient=given.patient, last=True)
    napari.run()


if __name__ == "__main__":
    main()
