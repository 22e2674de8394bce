"""What can go wrong with a PACS is said in one line that names nobody; what came before is kept."""

from __future__ import annotations

import re
import socket
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from pydicom.uid import RLELossless

from dicom_files import grid, noise
from lesionmap.errors import LesionmapError
from lesionmap.pacs import Query, UnreachableError, forget, open_pacs, remember, retrieve, send
from lesionmap.pacs.access import Credentials
from lesionmap.pacs.address import address_of
from orthanc import PASSWORD, READER, USER, running
from pacs_case import Stored, by_uid, stored
from results import write_seg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lesionmap.pacs import Pacs
    from orthanc import Orthanc

BOTH = pytest.mark.parametrize("way", ["web", "dicom"])


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep credentials and the keyring of this machine out."""
    for name in ("USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"LESIONMAP_PACS_{name}", raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


def said(pacs: Pacs) -> str:
    """Give the line that a check fails with."""
    with pacs, pytest.raises(LesionmapError) as caught:
        pacs.check()
    assert "\n" not in str(caught.value)
    return str(caught.value)


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


# Who may


def test_credentials_are_asked_for(monkeypatch: pytest.MonkeyPatch, strict_orthanc: Orthanc) -> None:
    assert "asks for credentials (401); set LESIONMAP_PACS_USER and" in said(open_pacs(strict_orthanc.web))
    wrong = Credentials(USER, "wrong")
    assert "does not accept these credentials (401)" in said(open_pacs(strict_orthanc.web, credentials=wrong))
    monkeypatch.setenv("LESIONMAP_PACS_USER", USER)
    with pytest.raises(LesionmapError, match="go together; one of them is empty or missing"):
        open_pacs(strict_orthanc.web)
    monkeypatch.setenv("LESIONMAP_PACS_PASSWORD", PASSWORD)
    with open_pacs(strict_orthanc.web) as pacs:
        pacs.check()
        assert pacs.find(Query("nobody")) == ()


def test_a_reader_may_not_send(tmp_path: Path, strict_orthanc: Orthanc) -> None:
    study = Stored(tmp_path, patient_id="ID-r", accession="A-r")
    study.add("stir", noise(grid((5, 7, 2))))
    with open_pacs(strict_orthanc.web, credentials=Credentials(READER, PASSWORD)) as pacs:
        pacs.check()
        sent = send(pacs, [tmp_path])
    assert len(sent) == 2
    assert all("does not allow this (403); ask its administrator" in x.why for x in sent)


def test_a_token_is_sent_as_such(strict_orthanc: Orthanc) -> None:
    from lesionmap.pacs.dicomweb import _signing

    request: Any = type("Request", (), {"headers": {"Host": "pacs"}})()
    assert _signing(Credentials(token="t0ken"))(request).headers == {"Authorization": "Bearer t0ken"}  # noqa: S106
    line = said(open_pacs(strict_orthanc.web, credentials=Credentials(token="t0ken")))  # noqa: S106
    assert "does not accept these credentials (401)" in line


@pytest.mark.parametrize("url", ["http://pacs.example/dicom-web", "http://192.0.2.7:8042/dicom-web"])
def test_credentials_never_travel_unencrypted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LESIONMAP_PACS_TOKEN", "t0ken")
    with pytest.raises(LesionmapError, match=r"would travel unencrypted to .* by http") as caught:
        open_pacs(url)
    assert "t0ken" not in str(caught.value)
    open_pacs(url.replace("http", "https")).close()
    open_pacs("http://[::1]:8042/dicom-web").close()


class Drawer(KeyringBackend):
    """A keyring that lasts as long as a test."""

    priority = 1.0

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


def test_credentials_from_the_keyring(strict_orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_keyring(Drawer())
    remember(strict_orthanc.web + "/", Credentials(USER, PASSWORD))
    with open_pacs(strict_orthanc.web) as pacs:
        pacs.check()
    assert "asks for credentials" in said(open_pacs(strict_orthanc.web.replace("127.0.0.1", "localhost")))
    monkeypatch.setenv("LESIONMAP_PACS_TOKEN", "t0ken")
    assert "does not accept" in said(open_pacs(strict_orthanc.web))
    monkeypatch.delenv("LESIONMAP_PACS_TOKEN")
    assert [forget(strict_orthanc.web), forget(strict_orthanc.web)] == [True, False]
    assert "asks for credentials" in said(open_pacs(strict_orthanc.web))


def test_no_keyring_and_nothing_to_remember() -> None:
    for url, words in (
        ("https://pacs.example/rs", "this system has no keyring to store a password in; set LESIONMAP_PACS_USER"),
        ("dicom://PACS@pacs.example", "dicom knows no password: the PACS knows us by AE title and certificate"),
    ):
        with pytest.raises(LesionmapError, match=re.escape(words)):
            remember(url, Credentials(USER, PASSWORD))
    keyring.set_keyring(Drawer())
    with pytest.raises(LesionmapError, match=r"would travel unencrypted to pacs\.example"):
        remember("http://pacs.example/rs", Credentials(USER, PASSWORD))


def test_credentials_are_never_shown() -> None:
    shown = repr(Credentials(USER, PASSWORD, "t0ken"))
    assert not [secret for secret in (USER, PASSWORD, "t0ken") if secret in shown]


# TLS


def test_certificates(secure_orthanc: Orthanc) -> None:
    folder, web = secure_orthanc.folder, secure_orthanc.web
    untrusted = (
        rf"the TLS certificate of {address_of(web).where} is not trusted (self-signed certificate); name the one"
    )
    assert said(open_pacs(web)).startswith(untrusted)
    with open_pacs(web, ca=folder / "server.crt") as pacs:
        pacs.check()
    assert "is not trusted" in said(open_pacs(web, ca=folder / "client.crt"))
    with pytest.raises(LesionmapError, match=r"certificates .PEM. were expected in .*orthanc.json"):
        open_pacs(web, ca=folder / "orthanc.json")
    with pytest.raises(LesionmapError, match="--ca and --cert are for https and dicoms, got http"):
        open_pacs(web.replace("https", "http"), ca=folder / "server.crt")


def test_bundles_of_the_environment_are_not_trusted(secure_orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure_orthanc.folder / "server.crt"))
    assert "is not trusted" in said(open_pacs(secure_orthanc.web, ca=secure_orthanc.folder / "client.crt"))


def test_client_certificates(tmp_path: Path, secure_orthanc: Orthanc) -> None:
    folder, dicom = secure_orthanc.folder, secure_orthanc.dicom
    assert "is not trusted" in said(open_pacs(dicom, cert=folder / "client.pem"))
    assert "speaks no DICOM with us" in said(open_pacs(dicom, ca=folder / "server.crt"))
    with pytest.raises(LesionmapError, match=r"a certificate and its key .PEM. were expected in .*client.crt"):
        open_pacs(dicom, cert=folder / "client.crt")
    study = Stored(tmp_path / "sent", patient_id="ID-t", accession="A-t")
    study.add("stir", noise(grid((5, 7, 3))))
    with open_pacs(dicom, ca=folder / "server.crt", cert=folder / "client.pem") as pacs:
        assert {x.why for x in send(pacs, [study.folder])} == {""}
        came = retrieve(pacs, study.study_uid, tmp_path / "came")
    with open_pacs(secure_orthanc.web, ca=folder / "server.crt") as pacs:
        retrieve(pacs, study.study_uid, tmp_path / "web")
    assert by_uid(came.files) == by_uid(study.files())


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


# Before anything is asked


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("pacs.example", "the URL of a PACS was expected: https://HOST/dicom-web"),
        ("ftp://pacs.example", "the URL of a PACS was expected"),
        ("https:///dicom-web", "the host is missing"),
        ("http://pacs.example:port/", "host or port make no sense"),
        ("https://anna:s3cret@pacs.example/rs", "a URL holds no user name and no password: others see it; set"),
        ("https://anna@pacs.example/rs", "store them once with 'lesionmap pacs login URL'"),
        ("https://pacs.example/rs?token=s3cret", "has no '?' and no '#'"),
        ("dicom://pacs.example:104", "dicom://[CALLING@]CALLED@HOST:PORT was expected"),
        ("dicom://US:s3cret@PACS@pacs.example", "AE titles of 1 to 16 characters"),
        ("dicom://SEVENTEEN_LETTERS@pacs.example", "AE titles of 1 to 16 characters"),
        ("dicoms://PACS@pacs.example/path", "dicoms://[CALLING@]CALLED@HOST:PORT was expected"),
    ],
)
def test_wrong_urls(url: str, words: str) -> None:
    with pytest.raises(LesionmapError) as caught:
        open_pacs(url)
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("HTTPS://Pacs.Example/rs/", "https://pacs.example:443/rs"),
        ("dicom://US@PACS@pacs.example:11112", "dicom://US@PACS@pacs.example:11112"),
        ("dicoms://MY PACS@10.0.0.7", "dicoms://LESIONMAP@MY PACS@10.0.0.7:2762"),
        ("http://[::1]:8042/rs", "http://[::1]:8042/rs"),
    ],
)
def test_urls_are_read(url: str, read: str) -> None:
    assert address_of(url).url == read
    assert address_of(read) == address_of(url)


@pytest.mark.parametrize(
    ("module", "url", "package"),
    [
        ("dicomweb_client", "https://pacs.example/rs", "dicomweb-client"),
        ("pynetdicom", "dicom://PACS@pacs.example", "pynetdicom"),
    ],
)
def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, module: str, url: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(LesionmapError) as caught:
        open_pacs(url)
    assert str(caught.value) == (
        f'speaking with a PACS needs {package}, not installed here: pip install "lesionmap[pacs]"'
    )


def test_the_core_starts_without_the_packages_of_the_pacs() -> None:
    import subprocess

    heavy = "requests", "dicomweb_client", "pynetdicom", "keyring", "pydicom"
    code = f"import sys, lesionmap.cli, lesionmap.pacs; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
