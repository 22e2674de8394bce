"""A visit of DICOM images and a map that uses all that a reader can say, for the tests of DICOM SR."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

import dicom_files as df
from lesionmap.compare import VisitFacts
from lesionmap.lesions import Answer, Attributes, Extent, Lesion, LesionMap, Mask
from lesionmap.measure import measure_map
from lesionmap.read import pixels, scan
from lesionmap.visits import Patient, Visit
from lesionmap.write import results_of

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.write import Results

__all__ = ["NAME", "PATIENT", "STUDY_UID", "dicom_visit", "results_on", "rich_map"]

NAME = "Müller^Änne"
STUDY_UID = "1.2.826.0.1.99.1"
PATIENT = Patient("P001", "F", date(2000, 1, 1))
_WHO = {"PatientName": NAME, "PatientID": "HOSPITAL-4711", "PatientBirthDate": "20000101", "PatientSex": "F"}
_DIRECTIONS = df.turned(7, -4, 3) @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])


def dicom_visit(folder: Path) -> Visit:
    """Write and read an oblique STIR of two stations of one lattice, a T1, and a bone scan of two views in one file."""
    tags: dict[str, Any] = {**_WHO, "StudyInstanceUID": STUDY_UID, "SpecificCharacterSet": "ISO_IR 100"}
    top = df.grid((7, 11, 5), spacing=(9.0, 6.5, 11.0), directions=_DIRECTIONS)
    matrix = top.lps_from_voxel.copy()
    matrix[:3, 3] = top.lps([0, 9, 0])
    low = replace(top, lps_from_voxel=matrix)
    for n, (where, echo, name) in enumerate(((top, "60", "STIR cor"), (low, "60", "STIR cor"), (top, "9", "T1 cor"))):
        frame = f"1.2.826.0.1.99.5.{n // 2}"
        words: dict[str, Any] = {
            "SeriesDescription": name,
            "EchoTime": echo,
            "SeriesInstanceUID": f"1.2.826.0.1.99.2.{n}",
        }
        df.write_series(folder / f"mr{n}", df.noise(where, n), seed=n, FrameOfReferenceUID=frame, **words, **tags)
    frames = np.random.default_rng(9).integers(0, 200, (2, 31, 13)).astype(np.uint16)
    views = [{"StartAngle": 0}, {"StartAngle": 180}]
    scan_tags = {"SeriesInstanceUID": "1.2.826.0.1.99.2.9", "SeriesDescription": "bone scan late", **tags}
    df.write_planar(folder / "nm" / "scan", frames, detectors=views, **scan_tags)
    found = scan([folder])
    assert not found.refused, found.refused
    return replace(found.studies[0].visit, patient=PATIENT.id, age_y=10.3)


def box(visit: Visit, name: str, low: tuple[int, ...], high: tuple[int, ...]) -> Mask:
    """Draw a box with a hole on a series."""
    grid = visit.series_named(name).grid
    ranges = [np.arange(a, b) for a, b in zip(low, high, strict=True)]
    voxels = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    hole = np.all(voxels == (np.array(low) + high) // 2, axis=1)
    return Mask.of_voxels(voxels[~hole], grid)


def rich_map(visit: Visit) -> LesionMap:
    """Make a map with all kinds of extents, sites, certainties and answers."""
    stir, t1, front, back = (series.name for series in visit.series)
    small = Extent(stir, box(visit, stir, (4, 0, 0), (7, 2, 2)))
    both = box(visit, stir, (1, 6, 1), (4, 14, 4))
    flat = Mask.united([box(visit, front, (2, 3, 0), (7, 9, 1)), box(visit, front, (9, 20, 0), (11, 21, 1))])
    said = Attributes(soft_tissue_oedema=True, painful=False, biopsied=True, appearance="mixed")
    marker = (12.3456789012345, -7.1, 1 / 3)
    lesions = (
        Lesion(
            "L1",
            ("tibia.distal_metaphysis.left", "tibia.distal_epiphysis.left"),
            "definite",
            ("2.25.11", "2.25.12"),
            (Extent(stir, both), Extent(t1, None, marker), Extent(front, flat, None, "late"), Extent(back)),
            said,
            "improved",
            "crosses",
            'she says "it hurts" \n',
        ),
        Lesion("L3", ("ankle.left",), "equivocal", (), (Extent(back, box(visit, back, (1, 1, 0), (4, 5, 1))),)),
        Lesion("L4", ("vertebra_T7.body.midline",), "normal_variant", ("2.25.14",)),
        Lesion(
            "L9",
            ("ilium.sacroiliac.right",),
            "probable",
            ("2.25.15",),
            (small,),
        ),
    )
    answers = (
        Answer("2.25.98", "resolved", "gone"),
        Answer("2.25.99", "not_imaged"),
        Answer("2.25.97", "cannot_judge"),
    )
    return LesionMap(PATIENT.id, visit.key, "Dr. O'Brien", lesions, answers, signed=True, used=12)


def earlier(lesion_map: LesionMap) -> VisitFacts:
    """Make a visit before, in which some of the tracks were marked by their sites."""
    before = Visit(PATIENT.id, date(2008, 3, 1), age_y=8.2)
    sites = {"2.25.11": "tibia.distal_metaphysis.left", "2.25.12": "tibia.distal_epiphysis.left"}
    sites |= {"2.25.98": "clavicle.medial.right", "2.25.99": "femur.diaphysis.left"}
    sites |= {"2.25.77": "rib_5.whole.left"}
    lesions = tuple(Lesion(f"L{n}", (site,), tracks=(track,)) for n, (track, site) in enumerate(sites.items(), start=1))
    return VisitFacts(before, LesionMap(PATIENT.id, before.key, lesion_map.reader, lesions))


def results_on(visit: Visit, lesion_map: LesionMap, *, first: bool = False, pixels_of: Visit | None = None) -> Results:
    """Measure and compare a map, with a visit before it unless it is the ``first``."""
    drawn = {x.series for lesion in lesion_map.lesions for x in lesion.extents if x.mask is not None}
    volumes = {series.name: pixels(series) for series in (pixels_of or visit).series if series.name in drawn}
    facts = VisitFacts(visit, lesion_map, None, measure_map(lesion_map, visit, volumes))
    return results_of(PATIENT, [facts] if first else [facts, earlier(lesion_map)])
