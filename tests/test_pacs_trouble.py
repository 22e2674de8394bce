"""What can go wrong with a PACS is said in one line that names nobody; what came before is kept."""

from __future__ import annotations

import re
import socket
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydicom.uid import RLELossless

from dicom_files import grid, noise
from lesionmap.errors import LesionmapError
from lesionmap.pacs import Query, UnreachableError, open_pacs, retrieve, send
from lesionmap.pacs.access import Credentials
from lesionmap.pacs.address import address_of
from orthanc import PASSWORD, USER, gateway, running
from pacs_case import Stored, by_uid, said, stored
from results import write_seg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orthanc import Orthanc

BOTH = pytest.mark.parametrize("way", ["web", "dicom"])


pytestmark = pytest.mark.usefixtures("no_credentials")


def unused_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def form(way: str, where: str) -> str:
    return f"http://{where}/dicom-web" if way == "web" else f"dicom://ORTHANC@{where}"


# Reached or not


@BOTH
def test_no_such_host(way: str) -> None:
    assert said(open_pacs(form(way, "nowhere.invalid:104"))).startswith("no machine named nowhere.invalid is known")


@BOTH
def test_nothing_listens(way: str) -> None:
    where = f"127.0.0.1:{unused_port()}"
    assert said(open_pacs(form(way, where))) == (
        f"nothing listens at {where}; check host and port, and that the PACS runs"
    )


@BOTH
def test_no_answer_in_time(way: str) -> None:
    with closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        where = f"127.0.0.1:{deaf.getsockname()[1]}"
        started = time.monotonic()
        line = said(open_pacs(form(way, where), timeout_s=0.3))
    words = "did not answer in time; check host" if way == "web" else "is there, but speaks no DICOM with us; check"
    assert f"{where} {words}" in line
    assert time.monotonic() - started < 5


def test_each_port_speaks_one_language(orthanc: Orthanc) -> None:
    web, dicom = address_of(orthanc.web), address_of(orthanc.dicom)
    assert "is there, but speaks no DICOM with us" in said(open_pacs(form("dicom", web.where)))
    assert f"the connection with {dicom.where} failed" in said(open_pacs(form("web", dicom.where)))
    assert f"no TLS came about with {web.where}" in said(open_pacs(orthanc.web.replace("http", "https")))
    assert f"with {dicom.where}" in said(open_pacs(orthanc.dicom.replace("dicom", "dicoms")))


@pytest.mark.parametrize("path", ["/other", "/app/explorer.html", "/system", ""])
def test_not_dicomweb_at_that_url(orthanc: Orthanc, path: str) -> None:
    url = orthanc.web.replace("/dicom-web", path)
    with open_pacs(url) as pacs, pytest.raises(LesionmapError) as caught:
        pacs.find(Query("ID-1"))
    other = f"a DICOMweb service was expected at {url}, another answer came; check the path"
    assert str(caught.value).startswith(other if path else f"{url} does not understand the question (400); check")


def test_wrong_ae_title(orthanc: Orthanc) -> None:
    line = said(open_pacs(orthanc.dicom.replace("ORTHANC", "OTHER")))
    assert line.endswith(" does not answer to the AE title OTHER; correct it in the URL")


@BOTH
def test_a_study_that_is_not_there(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    with open_pacs(getattr(orthanc, way)) as pacs, pytest.raises(LesionmapError) as caught:
        retrieve(pacs, "1.2.3.4.5.6", tmp_path / "came")
    assert str(caught.value).startswith("the PACS has no such study, or shows us none of it")
    assert not (tmp_path / "came").exists()


@BOTH
def test_a_folder_that_cannot_be_written(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = stored(tmp_path / "sent", orthanc.web)
    (tmp_path / "file").write_text("")
    with open_pacs(getattr(orthanc, way)) as pacs, pytest.raises(LesionmapError, match="cannot be written"):
        retrieve(pacs, study.study_uid, tmp_path / "file")


@BOTH
def test_a_pacs_that_dies_leaves_what_came(tmp_path: Path, way: str) -> None:
    with running(tmp_path / "orthanc") as mortal:
        study = stored(tmp_path / "sent", mortal.web, a=noise(grid((256, 256, 40))), b=None)

        def strike(n: int, _: int) -> None:
            if n == 5:
                mortal.process.kill()

        with open_pacs(getattr(mortal, way)) as pacs:
            came = retrieve(pacs, study.study_uid, tmp_path / "came", progress=strike)
            with pytest.raises(UnreachableError, match="nothing listens"):
                send(pacs, [study.folder])
    assert 5 <= len(came.files) < 51
    assert len(came.files) + len(came.missing) == 51
    (why,) = came.why
    assert re.search("nothing listens at 127|the connection with 127.* (failed|was lost)", why)
    sent = by_uid(study.files())
    assert all(sent[uid] == found for uid, found in by_uid(came.files).items())


@pytest.mark.parametrize("most", [400_000, 1_000_003, 1_048_576])
def test_an_answer_cut_short_leaves_no_torn_file(tmp_path: Path, orthanc: Orthanc, most: int) -> None:
    study = stored(tmp_path / "sent", orthanc.web, a=noise(grid((256, 256, 40))))
    sent = by_uid(study.files())
    inner = int(address_of(orthanc.web).where.rpartition(":")[2])
    with gateway(inner, most=most) as port, open_pacs(f"http://127.0.0.1:{port}/dicom-web") as pacs:
        came = retrieve(pacs, study.study_uid, tmp_path / "came")
    assert came.missing
    (why,) = came.why
    assert re.fullmatch(r"the connection with 127\.0\.0\.1:\d+ was lost; try again", why)
    assert sent.items() >= by_uid(came.files).items()
    with open_pacs(orthanc.web) as pacs:
        assert by_uid(retrieve(pacs, study.study_uid, tmp_path / "came").files) == sent


# Refused


def test_a_seg_that_is_refused_by_dicomweb(tmp_path: Path, orthanc: Orthanc) -> None:
    study = stored(tmp_path / "sent", orthanc.web)
    write_seg(tmp_path / "bad.dcm", study.slices("stir"), SeriesInstanceUID=None)
    write_seg(tmp_path / "good.dcm", study.slices("stir"))
    with open_pacs(orthanc.web) as pacs:
        bad, good = send(pacs, [tmp_path / "bad.dcm", tmp_path / "good.dcm"])
    assert bad.why == "the PACS refused it: it cannot understand the object (status C000)"
    assert (good.why, good.listed) == ("", True)


def test_what_is_not_taken_in_this_form(tmp_path: Path, strict_orthanc: Orthanc) -> None:
    study = Stored(tmp_path, patient_id="ID-n", accession="A-n")
    study.add("rle", noise(grid((32, 24, 2))), change=lambda ds: ds.compress(RLELossless, encoding_plugin="pylibjpeg"))
    with open_pacs(strict_orthanc.dicom) as pacs:
        alone = send(pacs, [tmp_path / "rle"])
        study.add("raw", noise(grid((5, 7, 1))))
        mixed = send(pacs, [tmp_path / "rle", tmp_path / "raw"])
    refused = "the PACS takes no MR Image Storage in RLE Lossless; send it in another form, or ask its administrator"
    assert [x.why for x in alone] == [refused] * 2
    assert [x.why for x in mixed] == [refused, refused, ""]


@BOTH
def test_what_names_another_patient_is_not_sent(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = stored(tmp_path / "sent", orthanc.web)
    pseudonymous = write_seg(tmp_path / "pseudonymous.dcm", study.slices("stir"), PatientID="P001")
    identified = write_seg(tmp_path / "identified.dcm", study.slices("stir"))
    with open_pacs(getattr(orthanc, way)) as pacs:
        sent = {x.path: x.why for x in send(pacs, [pseudonymous, identified])}
        assert pacs.find(Query("P001", study_uid=study.study_uid)) == ()
        (found,) = pacs.find(Query(study_uid=study.study_uid))
    assert sent[str(pseudonymous)].startswith("not sent: the PACS has this study under another patient ID than the")
    assert (sent[str(identified)], found.n_files) == ("", 12)


@BOTH
def test_what_is_accepted_and_discarded_is_noticed(tmp_path: Path, strict_orthanc: Orthanc, way: str) -> None:
    study = Stored(tmp_path, patient_id=f"ID-d{way}", accession="A-d")
    study.add("kept", noise(grid((5, 7, 2))))
    write_seg(tmp_path / "seg.dcm", study.slices("kept"), SeriesDescription="discard me")
    with open_pacs(getattr(strict_orthanc, way), credentials=Credentials(USER, PASSWORD)) as pacs:
        sent = send(pacs, [tmp_path / "kept", tmp_path / "seg.dcm"])
    assert [(x.why, x.listed) for x in sent] == [("", True), ("", True), ("", False)]


@contextmanager
def other_pacs(status: int = 0, calling: str = "") -> Iterator[str]:
    """Run a PACS of another make that answers each search and each file with a status; give its URL."""
    from pynetdicom import AE, StoragePresentationContexts, evt

    pacs = AE("OTHER")
    pacs.supported_contexts = StoragePresentationContexts
    pacs.add_supported_context("1.2.840.10008.5.1.4.1.2.2.1")
    pacs.require_calling_aet = [calling] if calling else []
    server: Any = pacs.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, lambda _: status), (evt.EVT_C_FIND, lambda _: iter([(status, None)]))],
    )
    try:
        yield f"dicom://OTHER@127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def test_statuses_become_words(tmp_path: Path) -> None:
    study = Stored(tmp_path, patient_id="ID-w", accession="A-w")
    study.add("stir", noise(grid((5, 7, 1))))
    words = {
        0xA700: "the PACS refused it: it is out of resources (status A700)",
        0x0124: "the PACS refused it: it does not allow us to store (status 0124)",
        0xB000: "",
    }
    for status, line in words.items():
        with other_pacs(status) as url, open_pacs(url) as pacs:
            (sent,) = send(pacs, [tmp_path])
        assert (sent.why, sent.listed) == (line, None)
    with other_pacs(0xA700) as url, open_pacs(url) as pacs, pytest.raises(LesionmapError) as caught:
        pacs.find(Query("ID-w"))
    assert re.fullmatch(r"127\.0\.0\.1:\d+ did not finish the search \(status A700\); try again, .*", str(caught.value))


def test_an_ae_title_that_the_pacs_does_not_know() -> None:
    with other_pacs(calling="WARD7") as url:
        with open_pacs(url) as pacs, pytest.raises(UnreachableError) as caught:
            pacs.find(Query("ID-w"))
        assert "does not know our AE title LESIONMAP; have it entered there" in str(caught.value)
        with open_pacs(url.replace("OTHER@", "WARD7@OTHER@")) as pacs:
            assert pacs.find(Query("ID-w")) == ()
            with pytest.raises(LesionmapError, match="offers no echo"):
                pacs.check()
