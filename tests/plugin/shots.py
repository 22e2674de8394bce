"""Take the pictures of the docs: the sample patient's second visit in a real window. ``make shots`` runs it.

Usage: xvfb-run -a -s "-screen 0 1920x1080x24" python tests/plugin/shots.py [FOLDER]
Without a folder the pictures of the docs are taken (docs/images); with one, a picture of every page.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugin.drive import Driver

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp(prefix="lesionmap-shots-")) / "settings.yaml"))
os.environ.setdefault("PSYGNAL_HIDE_LOCALS", "1")

VISIT, SIZE = "2008-05-14", (1440, 900)
_MIDDLE_Z_MM, _ZOOM = 262.0, 0.98


def main(folder: Path, pages: tuple[str, ...]) -> None:
    """Open the sample, show its second visit, and take pictures of pages."""
    import napari

    from napari_lesionmap import load
    from plugin.drive import Driver

    viewer = napari.Viewer(title="lesionmap", show_welcome_screen=False)
    driver = Driver(viewer, folder, SIZE)
    dock, session = driver.dock, driver.dock.desk.session
    work = Path(tempfile.mkdtemp(prefix="lesionmap-sample-"))
    dock.desk.run("reading the sample patient", lambda: load.sample_study(work), dock.visits.enter)
    driver.wait(lambda: session.results is not None, "reading the sample")
    driver.row(dock.visits.visits, VISIT)
    driver.wait(lambda: session.key == VISIT and dock.map.body.drawn, "opening the visit")
    driver.page("Lesions")
    lesion = next(x for x in session.lesion_map.lesions if x.sites[0].startswith("vertebra_T8"))
    driver.row(dock.lesions.table, lesion.id)
    viewer.scene.camera.center = (0.0, _MIDDLE_Z_MM, 0.0)
    viewer.scene.camera.zoom = _ZOOM
    for name in pages:
        driver.page(name)
        driver.idle()
        driver.shot("window" if name == "Map" else f"window_{name.lower()}")
    if len(pages) == 1:
        look_around(driver, dock.desk.stage.dots.near()[0][1])
    dock.close()
    viewer.close()


def look_around(driver: Driver, lesion: tuple[float, float, float]) -> None:
    """Take the pictures of docs/keys.md: the keys, the other planes, the earlier visit, the edges of the stations."""
    driver.press("?")
    driver.shot("keys")
    driver.press("?")
    driver.press("L")
    driver.show(lesion, 1.6)
    driver.idle()
    driver.shot("planes")
    driver.press("L")
    driver.press("D")
    driver.press("P")
    driver.wait(lambda: driver.dock.views.earlier is not None, "the earlier visit")
    driver.show(lesion, 0.9)
    driver.move(lesion)
    driver.idle()
    driver.shot("beside")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), ("Visits", "Skeleton", "Lesions", "Compare", "Export", "Map"))
    else:
        main(ROOT / "docs" / "images", ("Map",))
