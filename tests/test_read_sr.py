"""DICOM SR comes back in: ours is the same map, that of other programs is used as far as it goes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import sr_case as case
from lesionmap import annotate, mark
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Answer, Extent, Lesion, LesionMap
from lesionmap.read import read_sr
from lesionmap.read.srforeign import coded_site
from lesionmap.read.srtree import kept, restored
from lesionmap.skeleton import Code, Group, groups, known, sites
from lesionmap.write import report_sr, segmentations, write_sr
from lesionmap.write.codes import LEFT, site_codes
from shared import shared_data
from strategies import lesion_maps, masks, texts

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.visits import Visit


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return case.dicom_visit(tmp_path_factory.mktemp("images"))


def written(visit: Visit, lesion_map: LesionMap, folder: Path, *, with_notes: bool = True) -> Path:
    drawn = any(x.mask for lesion in lesion_map.lesions for x in lesion.extents)
    segs = segmentations(case.PATIENT, visit, lesion_map) if drawn else ()
    path = folder / "report.dcm"
    results = case.results_on(visit, lesion_map, first=True)
    write_sr(report_sr(results, visit.key, segs, with_notes=with_notes), path, segs=segs)
    return path


@st.composite
def maps_on(draw: Any, visit: Visit) -> LesionMap:
    """Draw a map whose extents lie on the series of a visit: masks, markers, nothing; any site, track and text."""
    drawn = draw(lesion_maps(visit=visit.key, reader=draw(st.sampled_from(["anna", "O'Brien", 'x"; --', "読影者 Ö"]))))
    lesions = []
    for lesion in drawn.lesions:
        chosen = draw(st.lists(st.sampled_from(visit.series), max_size=3, unique_by=lambda x: x.name))
        extents = []
        for series in chosen:
            mask = draw(st.none() | masks(grid=series.grid))
            point = draw(st.none() | st.tuples(*[st.floats(-900, 900)] * 3)) if mask is None else None
            extents.append(Extent(series.name, mask, point, draw(st.sampled_from([None, "early", "late"]))))
        lesions.append(replace(lesion, extents=tuple(extents)))
    found: LesionMap = replace(drawn, lesions=tuple(lesions))
    return found


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_map_comes_back_as_it_was(
    visit: Visit, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lesion_map = data.draw(maps_on(visit))
    if not (lesion_map.lesions or lesion_map.answers or lesion_map.signed):
        return  # nothing was read: refused, see test_write_sr
    back = read_sr(written(visit, lesion_map, tmp_path_factory.mktemp("sr")), visit)
    assert back.ours
    assert back.lesion_map == lesion_map
    assert back.lesion_map.used == lesion_map.used


def test_all_that_a_reader_can_say_comes_back(visit: Visit, tmp_path: Path) -> None:
    lesion_map = case.rich_map(visit)
    back = read_sr(written(visit, lesion_map, tmp_path), visit)
    assert back.lesion_map == lesion_map
    assert back.remarks == ()


def test_notes_left_out_are_told(visit: Visit, tmp_path: Path) -> None:
    lesion_map = case.rich_map(visit)
    back = read_sr(written(visit, lesion_map, tmp_path, with_notes=False), visit)
    assert back.remarks == ("2 notes were left out when the report was written",)
    bare = tuple(replace(x, note="") for x in lesion_map.lesions)
    answers = tuple(replace(x, note="") for x in lesion_map.answers)
    assert back.lesion_map == replace(lesion_map, lesions=bare, answers=answers)


@given(texts(60))
@example(' "\\u0041" ')
@example('"')
@example("a\r\nb\x1b$B\x00")
def test_texts_are_kept_to_the_last_character(text: str) -> None:
    assert restored(kept(text)) == text
    assert all(char.isprintable() or char in "\n\t" for char in kept(text))
    assert kept(text).rstrip(" \0") == kept(text)


def test_what_is_no_report_of_this_visit_is_refused_in_words(visit: Visit, tmp_path: Path) -> None:
    path = written(visit, case.rich_map(visit), tmp_path)
    others = tuple(replace(x, study_uid="1.2.3.4.5") for x in visit.series)
    with pytest.raises(LesionmapError, match="about other images than those of visit 2010-05-04; name the visit"):
        read_sr(path, replace(visit, series=others))
    seg = next(tmp_path.glob("*_seg.dcm"))
    with pytest.raises(LesionmapError, match=r"template TID 1500 .* is another object; masks are added with --mask"):
        read_sr(seg, visit)
    (tmp_path / "text.dcm").write_text("nothing")
    with pytest.raises(LesionmapError, match=r"text\.dcm is none or is damaged; export it again"):
        read_sr(tmp_path / "text.dcm", visit)
    raw = path.read_bytes()
    (tmp_path / "cut.dcm").write_bytes(raw[: len(raw) * 2 // 3])
    with pytest.raises(LesionmapError, match=r"cut\.dcm is cut short, its content is not whole"):
        read_sr(tmp_path / "cut.dcm", visit)
    (tmp_path / "newer.dcm").write_bytes(raw.replace(b"form of this content", b"form of that content"))
    assert read_sr(tmp_path / "newer.dcm", visit).ours  # the code counts, not its wording
    next(tmp_path.glob("*STIR*_seg.dcm")).unlink()
    with pytest.raises(LesionmapError, match=r"refers to \d DICOM SEG files, 1 of them are not beside it; put them"):
        read_sr(path, visit)


def test_a_report_of_a_later_form_is_refused(visit: Visit, tmp_path: Path) -> None:
    from pydicom import dcmread

    path = written(visit, case.rich_map(visit), tmp_path)
    dataset = dcmread(path)
    summary = next(x for x in dataset.ContentSequence if x.ConceptNameCodeSequence[0].CodeValue == "C0034375")
    (form,) = [x for x in summary.ContentSequence if x.ConceptNameCodeSequence[0].CodeValue == "form"]
    form.TextValue = "3"
    dataset.save_as(path)
    with pytest.raises(LesionmapError, match=r"written by another lesionmap \(form 3, this one reads 2\)"):
        read_sr(path, visit)


# Into a map


def test_a_report_comes_into_an_empty_map_as_it_is(visit: Visit, tmp_path: Path) -> None:
    lesion_map = case.rich_map(visit)
    report = read_sr(written(visit, lesion_map, tmp_path), visit)
    empty = LesionMap("P001", visit.key, "bernd")
    assert mark.add_report(empty, visit, None, report) == replace(lesion_map, reader="bernd")


def test_what_is_there_already_is_refused(visit: Visit, tmp_path: Path) -> None:
    lesion_map = replace(case.rich_map(visit), signed=False)
    report = read_sr(written(visit, lesion_map, tmp_path), visit)
    with pytest.raises(LesionmapError, match="lesion L1 of the file is marked already as L1 of visit 2010-05-04 by Dr"):
        mark.add_report(lesion_map, visit, None, report)
    with pytest.raises(LesionmapError, match="is signed; unlock it"):
        mark.add_report(LesionMap("P001", visit.key, "bernd", signed=True), visit, None, report)
    answered = annotate.answer(LesionMap("P001", visit.key, "bernd"), "2.25.98", "not_imaged")
    with pytest.raises(LesionmapError, match=r"track 2\.25\.98 has an answer of bernd in visit 2010-05-04 already"):
        mark.add_report(answered, visit, None, report)


def test_into_a_map_with_other_lesions_it_comes_under_new_ids(visit: Visit, tmp_path: Path) -> None:
    lesion_map = case.rich_map(visit)
    report = read_sr(written(visit, lesion_map, tmp_path), visit)
    before = annotate.add_lesion(LesionMap("P001", visit.key, "bernd"), sites=["rib_3.whole.left"])
    after = mark.add_report(before, visit, None, report)
    assert [x.id for x in after.lesions] == ["L1", "L2", "L3", "L4", "L5"]
    assert after.lesions[0] == before.lesions[0]
    assert [replace(x, id="") for x in after.lesions[1:]] == [replace(x, id="") for x in lesion_map.lesions]
    assert after.answers == lesion_map.answers
    assert not after.signed


# By other programs


def foreign(visit: Visit, lesion_map: LesionMap, folder: Path) -> Path:
    """Write a report as another program does: highdicom's templates, and our Segmentations without our words."""
    from highdicom import sr
    from pydicom import dcmread
    from pydicom.sr.coding import Code as Coded
    from pydicom.uid import generate_uid

    segs = segmentations(case.PATIENT, visit, lesion_map)
    groups_ = []
    for seg in segs:
        for description in seg.dataset.SegmentSequence:
            del description.SegmentDescription
        seg.dataset.save_as(folder / seg.name)
        for lesion_id, number in seg.segments.items():
            lesion = lesion_map.lesion(lesion_id)
            tibia = sr.FindingSite(Coded("12611008", "SCT", "Tibia"), Coded("7771000", "SCT", "Left"))
            source = sr.SourceSeriesForSegmentation(seg.series_uid)
            groups_.append(
                sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                    tracking_identifier=sr.TrackingIdentifier(lesion.tracks[0], "somebody's lesion"),
                    referenced_segment=sr.ReferencedSegment(
                        seg.dataset.SOPClassUID, seg.dataset.SOPInstanceUID, number, source_series=source
                    ),
                    finding_sites=[tibia] if lesion_id == "L1" else None,
                    measurements=[
                        sr.Measurement(Coded("118565006", "SCT", "Volume"), 12.5, Coded("mL", "UCUM", "milliliter"))
                    ],
                )
            )
    file = visit.series[2].stations[0].files[0]
    image = dcmread(file.path)
    points = np.array([[2, 3], [5, 3], [5, 6], [2, 6], [2, 3]], dtype=float)
    source_image = sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, [file.frames[0] + 1])
    groups_.append(
        sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier("2.25.71", "hot spot"),
            referenced_region=sr.ImageRegion("POLYLINE", points, source_image),
            finding_sites=[sr.FindingSite(Coded("70258002", "SCT", "Ankle joint"), Coded("7771000", "SCT", "Left"))],
        )
    )
    groups_.append(
        sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier("2.25.72", "liver"),
            finding_sites=[sr.FindingSite(Coded("10200004", "SCT", "Liver"))],
        )
    )
    observer = sr.PersonObserverIdentifyingAttributes("Doe^John")
    context = sr.ObservationContext(sr.ObserverContext(Coded("121006", "DCM", "Person"), observer))
    content = sr.MeasurementReport(context, Coded("126020", "DCM", "Multiparametric MRI"), groups_)
    evidence = [*(seg.dataset for seg in segs), image]
    for keyword in ("AccessionNumber", "StudyID", "StudyTime", "PatientBirthDate", "PatientSex"):
        for one in evidence:
            one.setdefault(keyword, "")
    report = sr.Comprehensive3DSR(evidence, content[0], generate_uid(), 1, generate_uid(), 1, "other")
    path = folder / "foreign.dcm"
    report.save_as(path)
    return path


def test_a_report_by_another_program(visit: Visit, tmp_path: Path) -> None:
    rich = case.rich_map(visit)
    both = rich.lesions[0].extents[0]
    lesions = (
        Lesion("L1", ("rib_3.whole.left",), tracks=("2.25.11",), extents=(both,)),
        Lesion("L2", ("rib_4.whole.left",), tracks=("2.25.15",), extents=(rich.lesions[3].extents[0],)),
    )
    path = foreign(visit, LesionMap("P001", visit.key, "anna", lesions), tmp_path)
    report = read_sr(path, visit)
    assert not report.ours
    told = {x.tracks[0]: x for x in report.lesion_map.lesions}
    assert {track: x.sites for track, x in told.items()} == {
        "2.25.11": ("tibia.left",),
        "2.25.15": (),
        "2.25.71": ("ankle.left",),
    }
    assert told["2.25.11"].extents == (both,)  # over two stations, one lesion
    assert told["2.25.15"].extents == lesions[1].extents
    (spot,) = told["2.25.71"].extents
    assert spot.series == visit.series[2].name
    assert spot.mask is not None
    assert sorted(map(tuple, spot.mask.voxels()[:, :2].tolist())) == [(i, j) for i in (2, 3, 4) for j in (3, 4, 5)]
    assert "L1: Volume 12.5 mL" in report.remarks
    assert any("names no site that is known and draws nothing" in remark for remark in report.remarks)
    assert not any("somebody" in remark or "Doe" in remark for remark in report.remarks)
    with pytest.raises(LesionmapError, match="has no skeleton to propose sites; place it"):
        mark.add_report(LesionMap("P001", visit.key, "anna"), visit, None, report)
    sited = replace(
        report, lesion_map=replace(report.lesion_map, lesions=tuple(told[x] for x in ("2.25.11", "2.25.71")))
    )
    taken = mark.add_report(LesionMap("P001", visit.key, "anna"), visit, None, sited)
    assert [x.tracks for x in taken.lesions] == [("2.25.11",), ("2.25.71",)]


def test_a_real_report_of_another_body_part(visit: Visit) -> None:
    path = shared_data("dcmqi") / "sr-example" / "sr.dcm"
    with pytest.raises(LesionmapError, match="about other images than those of visit 2010-05-04"):
        read_sr(path, visit)
    with pytest.raises(
        LesionmapError, match=r"sr\.dcm has 1 measurement groups, none of them with a finding site that"
    ):
        read_sr(path, replace(visit, series=()))


def test_codes_of_every_site_bring_it_back_or_one_that_holds_it() -> None:
    places = [known(name) for name in (*(x.id for x in sites()), *(x.id for x in groups()))]
    found = 0
    for place in places:
        codes = site_codes(place.id)
        name = coded_site(codes.region, codes.modifiers, codes.laterality)
        if codes.region_is_parent or name is None:
            continue
        found += 1
        own = set(place.sites) if isinstance(place, Group) else {place.id}
        back = known(name)
        assert own <= (set(back.sites) if isinstance(back, Group) else {back.id})
    assert found > 250


def test_old_codes_and_unknown_modifiers_give_the_bone() -> None:
    assert coded_site(Code("T-12740", "SRT", "Tibia"), [], LEFT) == "tibia.left"
    assert coded_site(Code("12611008", "SCT", "Tibia"), [Code("46053002", "SCT", "Distal")], LEFT) == "tibia.left"
    assert coded_site(Code("12611008", "SCT", "Tibia")) is None  # which side?
    assert coded_site(Code("10200004", "SCT", "Liver")) is None


def test_an_answer_alone_comes_back(visit: Visit, tmp_path: Path) -> None:
    lesion_map = LesionMap("P001", visit.key, "anna", answers=(Answer("2.25.5", "cannot_judge", "x"),))
    assert read_sr(written(visit, lesion_map, tmp_path), visit).lesion_map == lesion_map


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_give_a_map_or_a_line(visit: Visit, tmp_path: Path, data: st.DataObject) -> None:
    """Never another error: what libraries raise names headers, and a reader cannot act on it."""
    source = tmp_path / "report.dcm"
    if not source.exists():
        written(visit, case.rich_map(visit), tmp_path)
    raw = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(300, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged.dcm").write_bytes(raw)
    try:
        found = read_sr(tmp_path / "damaged.dcm", visit)
    except LesionmapError:
        return
    assert all(isinstance(track, str) for lesion in found.lesion_map.lesions for track in lesion.tracks)
