"""A study that holds some of everything, with a history: for tests that move, check and upgrade whole studies."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from lesionmap import skeleton
from lesionmap.clinic import Observation, Treatment
from lesionmap.lesions import Answer, Extent, Lesion, Mask
from lesionmap.space import Grid
from lesionmap.store import Study
from lesionmap.visits import ImageFile, Patient, Reference, Series, Station, Visit

__all__ = ["DAY", "make"]

DAY = "2010-05-04"
GRID = Grid((5, 7, 11), np.array([[0.3, -1.6, 0.5, -40], [0.1, 0.4, 3.1, 12], [-0.9, -0.3, 1.0, 7], [0, 0, 0, 1]]))
MASK = Mask.of_voxels(np.array([[0, 0, 0], [1, 1, 1], [4, 5, 9]]), GRID)
TIBIA = Lesion("L1", ("tibia.distal_metaphysis.left",), tracks=("2.25.7",), extents=(Extent("STIR coronal", MASK),))
RIB = Lesion("L2", ("rib_7.whole.left",), "probable", note="naïve 読影 'quoted'\n2nd line \x00 and more")


def make(where: str, image: str = "/none/img.nii", sha256: str = "") -> None:
    """Make it; one image file is at a path."""
    series = Series("STIR coronal", GRID, "MR", "STIR", "coronal", (Station(GRID, (ImageFile(image, "", sha256),)),))
    with Study.open(where, create=True) as study:
        study.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        study.add_patient(Patient("Anna"))
        study.remember("Hospital:4711", "P001")
        study.add_visit(Visit("P001", date(2010, 5, 4), series=(series,), stature_cm=131.7))
        study.add_visit(Visit("P001", date(2011, 6, 5)))
        study.add_visit(Visit("Anna", date(2010, 5, 4), age_y=1 / 3))
        for reader in ("anna", "O'Brien"):
            empty = study.lesion_map("P001", DAY, reader)
            two = replace(empty, lesions=(TIBIA, RIB), answers=(Answer("2.25.9", "not_imaged"),))
            study.save(empty, two)
            study.save(two, replace(two, lesions=(TIBIA,), signed=True))
            study.undo("P001", DAY, reader)
        marks = {"hip_left": (90.0, 0, 0), "hip_right": (-90.0, 0, 0), "knee_left": (95.0, 5, -380)}
        study.save_placement("P001", DAY, skeleton.place(marks, age_y=8), "anna")
        study.save_reference("P001", DAY, Reference("STIR coronal", MASK), "anna")
        study.save_clinic("P001", [Treatment("Infliximab", date(2008, 6, 1))], "anna")
        study.save_clinic("P001", [Observation(date(2008, 5, 14), "crp_mg_l", 0.1 + 0.2)], "anna")
        study.save_blinding(("anna", "O'Brien"), "chief")
        study.save_blinding((), "chief")
