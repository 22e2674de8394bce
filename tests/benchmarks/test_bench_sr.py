"""A report of forty lesions over five stations: made and written, beside highdicom's content classes.

The peer makes as many items of the same kinds with highdicom's own classes and writes them with its document class;
the suite asserts what is in the files, never how long it took.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import dicom_files as df
from lesionmap.compare import VisitFacts
from lesionmap.lesions import Attributes, Extent, Lesion, LesionMap, Mask
from lesionmap.measure import measure_map
from lesionmap.read import pixels, read_sr, scan
from lesionmap.skeleton import sites
from lesionmap.visits import Patient
from lesionmap.write import report_sr, results_of, segmentations, write_sr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from figures import Ratio
    from lesionmap.visits import Visit
    from lesionmap.write import Results

_PATIENT = Patient("P001", "F", date(2000, 1, 1))
_ROUNDS = 5


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """Read a STIR of five stations of 40 slices, 384 × 384, that overlap by 60 rows."""
    root = tmp_path_factory.mktemp("whole_body")
    for n in range(5):
        where = df.grid((384, 384, 40), spacing=(1.25, 1.25, 5.0), origin=(-240, -100, 600 - n * 405))
        tags: dict[str, Any] = {"SeriesInstanceUID": f"1.9.30.{n}", "FrameOfReferenceUID": "1.9.30"}
        tags["SeriesDescription"] = "STIR"
        df.write_series(root / str(n), df.noise(where, n), seed=n, **tags)
    return replace(scan([root]).studies[0].visit, patient=_PATIENT.id)


@pytest.fixture(scope="module")
def results(visit: Visit) -> Results:
    """Give a visit of 40 balls of 5 to 15 mm, from head to foot, eight of them across a seam."""
    series = visit.series[0]
    rng = np.random.default_rng(4)
    names = [site.id for site in sites()]
    lesions = []
    for n in range(40):
        middle = np.array([rng.integers(60, 320), 20 + n * (series.grid.shape[1] - 40) // 40, rng.integers(8, 32)])
        reach = np.array([rng.integers(4, 13)] * 2 + [2])
        box = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), axis=-1).reshape(-1, 3)
        ball = box[((box / reach) ** 2).sum(axis=1) <= 1] + middle
        extent = Extent(series.name, Mask.of_voxels(ball, series.grid))
        said = Attributes(soft_tissue_oedema=True, bone_expansion=False)
        lesions.append(Lesion(f"L{n + 1}", (names[n * 5],), "definite", (f"2.25.{n + 1}",), (extent,), said))
    lesion_map = LesionMap(_PATIENT.id, visit.key, "anna", tuple(lesions), used=40)
    volumes = {series.name: pixels(series)}
    return results_of(_PATIENT, [VisitFacts(visit, lesion_map, None, measure_map(lesion_map, visit, volumes))])


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def test_forty_lesions_over_five_stations(results: Results, visit: Visit, tmp_path: Path, ratio: Ratio) -> None:
    lesion_map = results.facts(visit.key).lesion_map
    segs = segmentations(_PATIENT, visit, lesion_map)
    path = tmp_path / "sr.dcm"

    def report() -> None:
        write_sr(report_sr(results, visit.key, segs), path, overwrite=True)

    def both() -> None:
        made = segmentations(_PATIENT, visit, lesion_map)
        write_sr(report_sr(results, visit.key, made), path, segs=made, overwrite=True)

    both()
    assert read_sr(path, visit).lesion_map == lesion_map
    document = report_sr(results, visit.key, segs)
    groups = next(x for x in document.ContentSequence if x.get("ContentSequence") and _name(x) == "126010")
    assert len(groups.ContentSequence) > 40  # those over a seam have two
    theirs = _seconds(lambda: _by_highdicom(document, results, visit, tmp_path / "peer.dcm"))
    ratio("SR, 40 lesions, 5 stations", _seconds(report), theirs, "highdicom")
    ratio("SEG and SR, 40 lesions, 5 stations", _seconds(both), theirs, "highdicom, SR only")
    ratio("SR and its SEGs read back", _seconds(lambda: read_sr(path, visit)), theirs, "highdicom, written")


def _name(item: Any) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue) if item.get("ConceptNameCodeSequence") else ""


def _by_highdicom(document: Any, results: Results, visit: Visit, path: Path) -> None:
    """Make the groups anew with highdicom's classes, as many items of the same kinds, and write them."""
    import highdicom as hd
    from highdicom import sr
    from pydicom.sr.coding import Code
    from pydicom.uid import generate_uid

    def coded(sequence: Any) -> sr.CodedConcept:
        return sr.CodedConcept(sequence[0].CodeValue, sequence[0].CodingSchemeDesignator, sequence[0].CodeMeaning)

    container = next(x for x in document.ContentSequence if _name(x) == "126010")
    groups = []
    for group in container.ContentSequence:
        numbers, words = [], []
        for item in group.ContentSequence:
            if item.ValueType == "NUM":
                value = item.MeasuredValueSequence[0]
                unit = coded(value.MeasurementUnitsCodeSequence)
                numbers.append(
                    sr.Measurement(coded(item.ConceptNameCodeSequence), float(value.NumericValue), unit=unit)
                )
            elif item.ValueType == "CODE" and item.RelationshipType == "CONTAINS":
                words.append(
                    sr.QualitativeEvaluation(coded(item.ConceptNameCodeSequence), coded(item.ConceptCodeSequence))
                )
        tracking = sr.TrackingIdentifier(generate_uid(), "L1")
        site = sr.FindingSite(Code("12611008", "SCT", "Tibia"), Code("7771000", "SCT", "Left"))
        found = {"finding_sites": [site], "measurements": numbers, "qualitative_evaluations": words}
        time_point = sr.TimePointContext("2010-05-04")
        groups.append(sr.MeasurementsAndQualitativeEvaluations(tracking, time_point_context=time_point, **found))
    observer = sr.PersonObserverIdentifyingAttributes("anna")
    context = sr.ObservationContext(sr.ObserverContext(Code("121006", "DCM", "Person"), observer))
    source = df.slice_dataset(df.noise(df.grid()), 0, {})
    source.PatientID = source.PatientName = "P001"
    for keyword in ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyTime"):
        setattr(source, keyword, "")
    report = sr.MeasurementReport(context, Code("126022", "DCM", "Multiparametric MRI of whole body"), groups)
    made = sr.Comprehensive3DSR(
        [source], report[0], generate_uid(), 1, generate_uid(), 1, "lesionmap", record_evidence=False
    )
    assert isinstance(made, hd.SOPClass)
    made.save_as(path)
