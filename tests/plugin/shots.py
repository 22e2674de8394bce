"""Take the pictures of the docs: the sample patient's second visit in a real window. ``make shots`` runs it.

Usage: xvfb-run -a -s "-screen 0 1920x1080x24" python tests/plugin/shots.py [FOLDER]
Without a folder the pictures of the docs are taken anew (docs/images).
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
_SCAN_Z_MM, _SCAN_ZOOM = 1700.0, 0.5
PAGES = ("Visits", "Skeleton", "Lesions", "Compare", "Export", "Map")


def main(folder: Path) -> None:
    """Open the sample patient's second visit, and take all pictures."""
    import napari

    from plugin.drive import Driver

    viewer = napari.Viewer(title="lesionmap", show_welcome_screen=False)
    driver = Driver(viewer, folder, SIZE)
    open_sample(driver)
    pages(driver)
    desk = driver.dock.desk
    lesion = next(place for x, place in desk.stage.dots.near() if x.id == desk.session.selected)
    look_around(driver, lesion)
    mark(driver, lesion)
    in_depth(driver)
    both_views(driver)
    driver.dock.close()
    viewer.close()


def open_sample(driver: Driver) -> None:
    """Read the sample patient and go to T8 in its second visit."""
    from napari_lesionmap import load

    dock, session = driver.dock, driver.dock.desk.session
    work = Path(tempfile.mkdtemp(prefix="lesionmap-sample-"))
    dock.desk.run("reading the sample patient", lambda: load.sample_study(work), dock.visits.enter)
    driver.wait(lambda: session.results is not None, "reading the sample")
    driver.row(dock.visits.visits, VISIT)
    driver.wait(lambda: session.key == VISIT and dock.map.body.drawn, "opening the visit")
    driver.page("Lesions")
    lesion = next(x for x in session.lesion_map.lesions if x.sites[0].startswith("vertebra_T8"))
    driver.row(dock.lesions.table, lesion.id)
    driver.viewer.scene.camera.center = (0.0, _MIDDLE_Z_MM, 0.0)
    driver.viewer.scene.camera.zoom = _ZOOM


def pages(driver: Driver) -> None:
    """Take a picture of each page; that of the map stands on top of the README."""
    for name in PAGES:
        driver.page(name)
        driver.idle()
        if name == "Map":
            driver.shot("window")
        else:
            trim(driver.shot(f"page_{name.lower()}"), driver)


def look_around(driver: Driver, lesion: tuple[float, float, float]) -> None:
    """Take the pictures of the keys, the other planes, the earlier visit, and the edges of the stations."""
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
    driver.press("P")
    driver.press("D")


def mark(driver: Driver, lesion: tuple[float, float, float]) -> None:
    """Take the pictures of marking: a candidate, a new outline, and the next landmark."""
    driver.page("Lesions")
    driver.press("Delete")  # to be found and marked anew
    driver.press("C")
    driver.wait(lambda: driver.dock.desk.found.searched, "the search")
    driver.show(lesion, 2.4)
    driver.idle()
    driver.shot("candidate")
    driver.dock.desk.found.put_away()
    driver.press("M")
    driver.show(lesion, 2.4)
    driver.click_image(lesion)
    driver.wait(lambda: driver.dock.hand.new.lesion != "", "the new outline")
    driver.shot("outline")
    driver.press("Return")
    driver.page("Skeleton")
    driver.row(driver.dock.skeleton.table, "Coccyx")
    driver.click(driver.dock.skeleton.remove)
    driver.idle()
    driver.press("Q")
    driver.idle()
    driver.shot("landmark")
    driver.press("Escape")


def in_depth(driver: Driver) -> None:
    """Take the picture of the bones as surfaces with the lesions in them."""
    driver.viewer.dims.ndisplay = 3
    driver.idle()
    driver.viewer.fit_to_view()
    driver.idle()
    driver.shot("surfaces")


def both_views(driver: Driver) -> None:
    """Take the picture of the bone scan, the posterior view beside as it is seen from behind."""
    dock, session = driver.dock, driver.dock.desk.session
    driver.viewer.dims.ndisplay = 2
    driver.idle()
    dock.visits.show_series("bone scan anterior late")
    driver.wait(lambda: session.shown == "bone scan anterior late" and session.volume is not None, "the bone scan")
    driver.idle()
    driver.page("Lesions")
    lesion = next(x for x in session.lesion_map.lesions if x.sites[0].startswith("tibia"))
    driver.row(dock.lesions.table, lesion.id)
    driver.press("L")
    driver.idle()
    driver.press("Shift+L")
    driver.show((0.0, 0.0, _SCAN_Z_MM), _SCAN_ZOOM)
    driver.idle()
    driver.shot("scan")


def trim(picture: Path, driver: Driver) -> None:
    """Leave of a picture of the window what shows the dock."""
    from PIL import Image
    from qtpy.QtCore import QPoint

    dock = driver.dock
    corner = dock.mapTo(driver.window, QPoint(0, 0))
    with Image.open(picture) as image:
        at = image.width / driver.window.width()
        box = (corner.x(), corner.y(), corner.x() + dock.width(), corner.y() + dock.height())
        image.crop(tuple(round(edge * at) for edge in box)).save(picture, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
