"""A window in a process of its own, as ``lesionmap view STUDY`` opens it; it does what its arguments say.

Usage: python tests/plugin/window_process.py (mark|look) STUDY
mark: open the later visit, mark a lesion with the tool, show its place, say ``ready`` and go on until killed.
look: open the study, say what is shown as JSON, and leave.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_lesionmap.widgets.dock import Dock


def wait(until: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Let the window work until something has happened."""
    from qtpy.QtWidgets import QApplication

    end = time.perf_counter() + seconds
    while not until():
        QApplication.processEvents()
        time.sleep(0.01)
        assert time.perf_counter() < end, what


def say(words: str) -> None:
    """Write a line for whoever started this process."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def the_dock() -> tuple[Any, Dock]:
    """Give the viewer that was opened, and its dock."""
    import napari

    viewer = napari.current_viewer()
    assert viewer is not None
    _, dock = viewer.window.add_plugin_dock_widget("lesionmap", "lesionmap")
    return viewer, dock


def mark() -> None:
    """Work as a reader does, then wait for the end."""
    from napari_lesionmap.canvas import jump
    from napari_lesionmap.layers import world_from_lps
    from napari_lesionmap.whereabouts import state_file
    from plugin.small import LATER, SITES, spot

    viewer, dock = the_dock()
    session = dock.desk.session
    wait(lambda: session.key == LATER, "opening the later visit")
    now = session.now
    assert now is not None
    assert now.placement is not None
    place = spot(now.placement, SITES[LATER][1])
    y, z, x = world_from_lps(place).tolist()
    jump(viewer, (y, z, x))
    dock.hand.mark(place)
    wait(lambda: session.lesion_map.lesions, "marking a lesion")
    wait(lambda: state_file().exists(), "noting where the reader is", 10)
    wait(lambda: abs(json.loads(state_file().read_text())["lps_mm"][2] - place[2]) < 1, "noting the place", 10)
    say("ready")
    wait(lambda: False, "being killed")


def look() -> None:
    """Say what is shown when the window has opened by itself."""
    viewer, dock = the_dock()
    session = dock.desk.session
    wait(lambda: session.key and not dock.desk.working, "opening a visit")
    shown = {
        "visit": session.key,
        "reader": session.lesion_map.reader,
        "series": session.shown,
        "lesions": [x.sites[0] for x in session.lesion_map.lesions],
        "world": list(viewer.dims.point),
        "center": list(viewer.scene.camera.center),
    }
    say(json.dumps(shown))
    viewer.close()


if __name__ == "__main__":
    import napari

    from napari_lesionmap.__main__ import main

    napari.run = mark if sys.argv[1] == "mark" else look
    main(sys.argv[2:])
