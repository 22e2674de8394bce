"""Where the reader was when the window went away: one small file in the user's state folder. No Qt."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError
from napari_lesionmap.layers import XYZ, lps_from_world, world_from_lps
from napari_lesionmap.load import OpenedVisit, PatientWork, load_patient, open_study, open_visit

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from lesionmap.store import Study
    from lesionmap.visits import Patient
    from napari_lesionmap.session import Session

__all__ = ["FOLDER", "Resumed", "Whereabouts", "go_to", "last", "resume", "state_file", "where_now", "write"]

FOLDER = "LESIONMAP_STATE"
"""Environment variable that names another folder for the file."""
_NAME = "where.json"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What was shown, by pseudonym: nothing else of the patient is in the file."""

    study: str
    """Absolute path."""
    patient: str
    visit: str
    """Its key."""
    reader: str
    series: str
    """Name of the one that was shown; empty: the visit has no images."""
    lps_mm: XYZ | None
    """Middle of the view, in the slice shown; None where nothing was shown."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A study opened again, with all that is needed to stand where the reader was."""

    study: Study
    patients: tuple[Patient, ...]
    work: PatientWork
    opened: OpenedVisit


def state_file() -> Path:
    """Give the path of the file, whether it is there or not."""
    from platformdirs import user_state_path

    named = os.environ.get(FOLDER, "")
    return (Path(named) if named else user_state_path("lesionmap", appauthor=False)) / _NAME


def last() -> tuple[Whereabouts | None, str]:
    """Give where the reader was, None where it is not known; and, if the file is damaged, that in one line."""
    path = state_file()
    try:
        return _checked(json.loads(path.read_text(encoding="utf-8"))), ""
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError) as error:  # ValueError: no JSON, no UTF-8, or other values than we write
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        return None, f"where you were last time cannot be read from {path} ({why}); it is written anew"


def _checked(told: Any) -> Whereabouts:
    names = ("study", "patient", "visit", "reader", "series")
    if not isinstance(told, dict) or not all(isinstance(told.get(name), str) for name in names):
        raise LesionmapError(f"text was expected for {', '.join(names)}")
    study, patient, visit, reader, series = (told[name] for name in names)
    place = told.get("lps_mm")
    if place is None:
        return Whereabouts(study, patient, visit, reader, series, None)
    if not isinstance(place, list) or len(place) != 3 or not all(_is_number(x) for x in place):
        raise LesionmapError("three numbers were expected for lps_mm")
    x, y, z = (float(x) for x in place)
    return Whereabouts(study, patient, visit, reader, series, (x, y, z))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def write(where: Whereabouts) -> None:
    """Write the file, whole or not at all."""
    from lesionmap.write import saving

    path = state_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with saving(path, overwrite=True) as file:
        file.write_text(json.dumps(asdict(where), ensure_ascii=False) + "\n", encoding="utf-8")


def where_now(session: Session, viewer: ViewerModel) -> Whereabouts | None:
    """Say where the reader is; None where no visit is open, or the study is on a server (its address may hold more)."""
    now = session.now
    if now is None or session.study is None or session.study.path is None:
        return None
    study, map_ = str(session.study.path.absolute()), now.lesion_map
    place = _middle(viewer) if session.volume is not None else None
    return Whereabouts(study, map_.patient, map_.visit, map_.reader, session.shown, place)


def _middle(viewer: ViewerModel) -> XYZ:
    """Give the middle of the view, in the slice that is shown, LPS mm."""
    order = viewer.dims.order[-3:]
    world = [0.0, 0.0, 0.0]
    for axis, value in zip(order, viewer.scene.camera.center, strict=True):
        world[axis - (viewer.dims.ndim - 3)] = float(value)
    if viewer.dims.ndisplay == 2:
        world[order[0] - (viewer.dims.ndim - 3)] = float(viewer.dims.point[order[0]])
    x, y, z = (round(value, 2) for value in lps_from_world(world).tolist())
    return x, y, z


def resume(where: Whereabouts, asker: str = "") -> Resumed:
    """Open the study again, and read the visit and the Series; takes as long as opening them by hand.

    ``asker`` is the blind reader who sits here already, if there is one.
    """
    study, patients = open_study(where.study)
    try:
        work = load_patient(study, where.patient, where.reader, asker)
        opened = open_visit(study, work.visit(where.visit).visit, work.reader, where.series)
    except LesionmapError:
        study.close()
        raise
    return Resumed(study, patients, work, opened)


def go_to(where: Whereabouts, resumed: Resumed, session: Session, viewer: ViewerModel) -> None:
    """Stand where the reader was."""
    from napari_lesionmap.canvas import jump

    session.enter_study(resumed.study, resumed.patients)
    session.enter_patient(resumed.work)
    session.enter_visit(resumed.opened)
    if where.lps_mm is not None and session.shown == where.series and session.volume is not None:
        y, z, x = world_from_lps(where.lps_mm).tolist()
        jump(viewer, (y, z, x))
