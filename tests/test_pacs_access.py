"""Who may speak with a PACS, and how it is trusted: credentials, certificates, URLs, packages."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import keyring
import pytest

from dicom_files import grid, noise
from lesionmap.errors import LesionmapError
from lesionmap.pacs import Query, forget, open_pacs, remember, retrieve, send
from lesionmap.pacs.access import Credentials
from lesionmap.pacs.address import address_of
from orthanc import PASSWORD, READER, USER
from pacs_case import Drawer, Stored, by_uid, said

if TYPE_CHECKING:
    from pathlib import Path

    from orthanc import Orthanc

pytestmark = pytest.mark.usefixtures("no_credentials")


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
