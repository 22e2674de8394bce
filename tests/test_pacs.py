"""A real PACS: what was put there is found, comes back bit by bit, and results are taken; by both ways to speak."""

from __future__ import annotations

import logging
import tracemalloc
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless, RLELossless

from dicom_files import MR, grid, noise, turned
from lesionmap.errors import LesionmapError
from lesionmap.intake import take_in
from lesionmap.pacs import Outgoing, Query, open_pacs, retrieve, send
from lesionmap.read import pixels, scan
from lesionmap.store import Study
from pacs_case import NAME, Stored, by_uid, put, stored
from results import write_seg, write_sr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lesionmap.visits import Visit
    from orthanc import Orthanc

BOTH = pytest.mark.parametrize("way", ["web", "dicom"])
DAY = date(2010, 5, 4)


def imported(folder: Path, study: Path) -> Visit:
    with Study.open(study, create=True) as opened:
        (visit,) = take_in(opened, scan([folder]))
        return visit


@BOTH
def test_a_study_is_found_by_patient_accession_and_days(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = stored(tmp_path, orthanc.web, stir=None, t1=noise(grid(), seed=4))
    wanted: list[tuple[Query, int]] = [
        (Query(study.patient_id), 1),
        (Query(accession=study.accession), 1),
        (Query(study.patient_id, study.accession, DAY, DAY, "MR"), 1),
        (Query(study.patient_id, first_day=date(2010, 5, 5)), 0),
        (Query(study.patient_id, last_day=date(2010, 5, 3)), 0),
        (Query(study.patient_id, last_day=DAY), 1),
        (Query(study.patient_id, modality="NM"), 0),
        (Query(study.patient_id, accession="A-other"), 0),
        (Query("Zoë"), 0),
    ]
    with open_pacs(getattr(orthanc, way)) as pacs:
        for query, n in wanted:
            assert [x.study_uid for x in pacs.find(query)] == [study.study_uid] * n, query
        (found,) = pacs.find(Query(accession=study.accession))
        assert study.study_uid in {x.study_uid for x in pacs.find(Query(first_day=DAY, last_day=DAY))}
    assert (found.date, found.modalities, found.n_series, found.n_files) == (DAY, ("MR",), 2, 22)
    assert (found.patient_id, found.patient_name, found.description) == (study.patient_id, NAME, "Ganzkörper")
    assert all(secret not in repr(found) for secret in (study.patient_id, "Zoë", study.accession))


def test_both_ways_find_the_same(tmp_path: Path, orthanc: Orthanc) -> None:
    study = stored(tmp_path, orthanc.dicom)
    for day in ("20110617", "20090102"):
        study.study_uid = UID(study.study_uid + ".1")
        put(orthanc.web, *study.add(day, StudyDate=day))
    with open_pacs(orthanc.web) as web, open_pacs(orthanc.dicom) as dimse:
        found = web.find(Query(study.patient_id))
        assert dimse.find(Query(study.patient_id)) == found
        assert dimse.contents(study.study_uid) == web.contents(study.study_uid)
    assert [x.date for x in found] == [date(2009, 1, 2), DAY, date(2011, 6, 17)]


@BOTH
def test_a_retrieved_study_is_the_visit_that_the_files_are(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    tilted = grid((5, 7, 11), directions=turned(80, 10, 5))
    study = stored(tmp_path / "sent", orthanc.web, stir=noise(tilted), t1=noise(grid((7, 5, 6)), seed=9))
    with open_pacs(getattr(orthanc, way)) as pacs:
        found = retrieve(pacs, study.study_uid, tmp_path / "came")
    assert (len(found.files), found.missing, found.why, found.stopped) == (17, (), (), False)
    assert by_uid(found.files) == by_uid(study.files())
    direct = imported(study.folder, tmp_path / "direct.lesionmap")
    came = imported(found.folder, tmp_path / "came.lesionmap")
    assert (came.key, came.age_y, came.stature_cm) == (direct.key, direct.age_y, direct.stature_cm)
    assert [x.name for x in came.series] == [x.name for x in direct.series]
    for one, other in zip(came.series, direct.series, strict=True):
        assert one.grid.shape == other.grid.shape
        assert np.array_equal(one.grid.lps_from_voxel, other.grid.lps_from_voxel)
        assert np.array_equal(pixels(one).array, pixels(other).array)


@BOTH
def test_names_of_files_and_folders_tell_nothing(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = stored(tmp_path / "sent", orthanc.web)
    with open_pacs(getattr(orthanc, way)) as pacs:
        found = retrieve(pacs, study.study_uid, tmp_path / "came")
    names = {str(path.relative_to(tmp_path)) for path in found.files}
    uids = {*by_uid(study.files()), study.study_uid, study.patient_id, study.accession}
    assert not [name for name in names for uid in uids if uid in name]
    assert {path.name for path in found.folder.iterdir()} == {path.name for path in found.files}


@BOTH
@pytest.mark.parametrize("back", ["web", "dicom"])
def test_results_come_back_as_they_were_sent(tmp_path: Path, orthanc: Orthanc, way: str, back: str) -> None:
    study = stored(tmp_path / "sent", orthanc.web)
    slices = study.slices("stir")
    results = [write_seg(study.folder / "seg.dcm", slices), write_sr(study.folder / "sr.dcm", slices)]
    with open_pacs(getattr(orthanc, way)) as pacs:
        sent = send(pacs, results)
    assert [(x.path, x.why, x.listed) for x in sent] == [(str(path), "", True) for path in results]
    with open_pacs(getattr(orthanc, back)) as pacs:
        (found,) = pacs.find(Query(study.patient_id))
        came = retrieve(pacs, study.study_uid, tmp_path / "came")
    assert (found.modalities, found.n_series) == (("MR", "SEG", "SR"), 3)
    assert by_uid(came.files) == by_uid(study.files())
    (visit,) = scan([came.folder]).studies
    assert [x.modality for x in visit.series] == ["MR"]


@BOTH
def test_compressed_files_stay_as_they_are_stored(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = Stored(tmp_path / "sent", patient_id="ID-c", accession="A-c")
    volume = noise(grid((48, 40, 3)))
    for name, syntax in (("rle", RLELossless), ("jls", JPEGLSLossless), ("j2k", JPEG2000Lossless)):
        plugin = {"encoding_plugin": "pylibjpeg"} if syntax != JPEGLSLossless else {}
        study.add(name, volume, change=lambda ds, s=syntax, p=plugin: ds.compress(s, generate_instance_uid=False, **p))
    study.add("raw", volume)
    put(getattr(orthanc, way), study.folder)
    with open_pacs(getattr(orthanc, way)) as pacs:
        came = retrieve(pacs, study.study_uid, tmp_path / "came")
    found = by_uid(came.files)
    assert found == by_uid(study.files())
    assert len({syntax for syntax, _ in found.values()}) == 4
    (visit,) = scan([came.folder]).studies
    assert all(np.array_equal(pixels(series).array, volume.array) for series in visit.series)


@BOTH
def test_a_large_study_comes_whole(tmp_path: Path, orthanc: Orthanc, way: str, large: Stored) -> None:
    told: list[tuple[int, int]] = []
    with open_pacs(getattr(orthanc, way)) as pacs:
        came = retrieve(pacs, large.study_uid, tmp_path, progress=lambda n, of: told.append((n, of)))
    assert told == [(n, 200) for n in range(1, 201)]
    assert by_uid(came.files) == by_uid(large.files())


@BOTH
def test_a_study_passes_through_little_memory(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = stored(tmp_path / "sent", orthanc.web, stir=noise(grid((384, 256, 40))))
    with open_pacs(getattr(orthanc, way)) as pacs:
        pacs.check()
        tracemalloc.start()
        came = retrieve(pacs, study.study_uid, tmp_path / "came")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 0.3 * sum(path.stat().st_size for path in came.files)


@BOTH
def test_what_was_stopped_goes_on_where_it_stopped(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = stored(tmp_path / "sent", orthanc.web, a=noise(grid((5, 7, 9)), 1), b=noise(grid(), 2), c=noise(grid(), 3))
    asked = 0

    def cancel() -> bool:
        nonlocal asked
        asked += 1
        return asked == 13

    with open_pacs(getattr(orthanc, way)) as pacs:
        came = retrieve(pacs, study.study_uid, tmp_path / "came", cancel=cancel)
        assert (came.stopped, len(came.files), len(came.missing), came.why) == (True, 13, 18, ())
        assert set(by_uid(came.files)) | set(came.missing) == set(by_uid(study.files()))
        before = {path: path.stat().st_mtime_ns for path in came.files}
        asked = 0
        told: list[int] = []
        whole = retrieve(pacs, study.study_uid, tmp_path / "came", progress=lambda n, _: told.append(n))
    assert (whole.stopped, len(whole.files), whole.missing) == (False, 31, ())
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (told[-1], len(told) <= 22) == (31, True)  # at least one of the three series was whole
    assert by_uid(whole.files) == by_uid(study.files())


@BOTH
def test_sending_can_be_stopped(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = Stored(tmp_path, patient_id="ID-s", accession="A-s")
    paths = study.add("stir")
    told: list[tuple[int, int]] = []
    with open_pacs(getattr(orthanc, way)) as pacs:
        sent = send(pacs, [tmp_path], progress=lambda n, of: told.append((n, of)), cancel=lambda: len(told) == 4)
        (series,) = pacs.contents(study.study_uid).values()
    assert (len(sent), len(series), told[-1]) == (4, 4, (4, len(paths)))


def test_folders_are_sent_without_what_is_no_dicom(tmp_path: Path, orthanc: Orthanc) -> None:
    study = Stored(tmp_path, patient_id="ID-f", accession="A-f")
    study.add("stir", noise(grid((5, 7, 2))))
    (tmp_path / "lesions.csv").write_text("site\n")
    (tmp_path / "damaged.dcm").write_text("no")
    nameless = write_seg(tmp_path / "nameless.dcm", study.slices("stir"), SOPInstanceUID=None)
    with open_pacs(orthanc.web) as pacs:
        sent = {x.path: x for x in send(pacs, [tmp_path, tmp_path / "lesions.csv"])}
        (given,) = send(pacs, [tmp_path / "lesions.csv"])
        (tmp_path / "empty").mkdir()
        with pytest.raises(LesionmapError, match="these folders hold none; export some first"):
            send(pacs, [tmp_path / "empty"])
    assert sorted(x.why for x in sent.values())[:2] == ["", ""]
    assert "by its name, the file is none" in sent[str(tmp_path / "damaged.dcm")].why
    assert "it lacks one of them" in sent[str(nameless)].why
    assert given.why == "a DICOM file was expected, this is none; export it as DICOM"
    assert len(sent) == 4


def test_a_pacs_that_ignores_keys_gives_no_other_patient() -> None:
    from lesionmap.pacs.facts import FoundStudy, fitting

    mine = FoundStudy("1.2.1", DAY, ("MR",), patient_id="id-1", accession="A1")
    others = [
        FoundStudy("1.2.2", DAY, ("MR",), patient_id="ID-11", accession="A1"),
        FoundStudy("1.2.3", DAY, ("MR",), patient_id="ID-1", accession="A2"),
        FoundStudy("1.2.4", date(2010, 5, 5), ("MR",), patient_id="ID-1", accession="A1"),
        FoundStudy("1.2.5", DAY, ("NM", "CT"), patient_id="ID-1", accession="A1"),
        FoundStudy("1.2.6", DAY, ("MR",)),
    ]
    query = Query("ID-1", "A1", DAY, DAY, "MR")
    assert fitting(query, iter([*others, mine, mine])) == (mine,)


@pytest.mark.parametrize("n", [1, 2, 10, 25, 64, 127, 300])
def test_presentation_contexts_are_never_too_many(n: int) -> None:
    from lesionmap.pacs.dimse import _batch, _receiving

    classes = [f"1.2.3.{k}" for k in range(n)]
    contexts = _receiving(classes)
    assert len(contexts) <= 127
    raw = {str(x.abstract_syntax) for x in contexts if "1.2.840.10008.1.2.1" in x.transfer_syntax}
    assert raw == set(classes[:127])
    assert n > 10 or len(contexts) // n >= 12
    files = [Outgoing(str(k), MR if k % 2 else f"1.2.{k}", "1.2.840.10008.1.2.1") for k in range(n)]
    assert len({(x.sop_class, x.syntax) for x in _batch(files)}) <= 128


@BOTH
def test_more_kinds_of_files_than_one_association_carries(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = Stored(tmp_path / "sent", patient_id="ID-k", accession="A-k")
    kinds = ["4", "7", "20", "2", "128", "1", "1.1", "6.1", "12.1", "481.1", "77.1.4", "3.1"]
    for n, kind in enumerate(kinds):
        study.add(kind, noise(grid((5, 7, 1)), n), SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{kind}")
    put(getattr(orthanc, way), study.folder)
    with open_pacs(getattr(orthanc, way)) as pacs:
        came = retrieve(pacs, study.study_uid, tmp_path / "came")
    assert by_uid(came.files) == by_uid(study.files())


@BOTH
def test_nothing_of_the_patient_is_logged(
    tmp_path: Path, orthanc: Orthanc, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    study = stored(tmp_path / "sent", getattr(orthanc, way))
    with open_pacs(getattr(orthanc, way)) as pacs:
        pacs.check()
        pacs.find(Query(study.patient_id, study.accession))
        came = retrieve(pacs, study.study_uid, tmp_path / "came")
        with pytest.raises(LesionmapError):
            retrieve(pacs, study.study_uid + ".9", tmp_path / "came")
    secrets = {study.patient_id, study.accession, study.study_uid, "Zoë", "Ganzk", *by_uid(came.files)}
    assert not [secret for secret in secrets if secret in caplog.text]


def _wrong_queries() -> list[tuple[Callable[[], Any], str]]:
    return [
        (Query, "that would list the whole PACS; say --patient, --accession or --date"),
        (lambda: Query(modality="MR"), "that would list the whole PACS"),
        (lambda: Query("ID*"), "a whole patient ID of at most 64 characters was expected"),
        (lambda: Query(accession="A\\B"), "a whole accession number"),
        (lambda: Query("x" * 65), "at most 64 characters"),
        (lambda: Query("1", modality="m?"), "a modality such as MR or NM was expected, got 'm?'"),
        (lambda: Query("1", first_day=DAY, last_day=date(2009, 1, 1)), "the days run backwards"),
    ]


@pytest.mark.parametrize(("make", "said"), _wrong_queries())
def test_queries_that_ask_too_much_are_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(LesionmapError) as caught:
        make()
    assert said in str(caught.value)
