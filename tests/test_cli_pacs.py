"""``lesionmap pacs``: from the PACS into a study and back, as a user says it; nobody is named unasked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import keyring
import pytest

from cli_case import Ran, lesionmap, mr_slices
from dicom_files import grid, noise
from lesionmap.cli.pacs import days
from lesionmap.errors import LesionmapError
from lesionmap.pacs import folder_of
from orthanc import PASSWORD, USER
from pacs_case import Drawer, Stored, put, stored
from results import write_seg, write_sr

if TYPE_CHECKING:
    from orthanc import Orthanc

BOTH = pytest.mark.parametrize("way", ["web", "dicom"])


pytestmark = pytest.mark.usefixtures("no_credentials")


def shows(ran: Ran, study: Stored) -> bool:
    """Say whether what was printed names the patient."""
    return any(secret in ran.out + ran.err for secret in (study.patient_id, "Zoë", "Ganzkörper"))


@BOTH
def test_find_lists_studies_without_names(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    study = stored(tmp_path, orthanc.web)
    url = getattr(orthanc, way)
    ran = lesionmap("pacs", "find", url, "--accession", study.accession)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"2010-05-04 MR, 1 series, 11 files, accession {study.accession}: {study.study_uid}\n"
    listed = lesionmap("pacs", "find", url, "--patient", study.patient_id, "--date", "20100101-", "--json")
    (row,) = json.loads(listed.out)["studies"]
    assert row == {
        "study_uid": study.study_uid,
        "date": "2010-05-04",
        "modalities": ["MR"],
        "n_series": 1,
        "n_files": 11,
        "accession": study.accession,
    }
    assert not shows(ran, study)
    assert not shows(listed, study)


def test_find_shows_names_where_asked(tmp_path: Path, orthanc: Orthanc) -> None:
    study = stored(tmp_path, orthanc.web)
    ran = lesionmap("pacs", "find", orthanc.web, "--accession", study.accession, "--names")
    assert f", Müller^Zoë, ID {study.patient_id}, Ganzkörper: " in ran.out
    ran = lesionmap("pacs", "find", orthanc.dicom, "--accession", study.accession, "--names", "--json")
    (row,) = json.loads(ran.out)["studies"]
    assert (row["patient_name"], row["patient_id"], row["description"]) == (
        "Müller^Zoë",
        study.patient_id,
        "Ganzkörper",
    )


@BOTH
def test_find_nothing(orthanc: Orthanc, way: str) -> None:
    url = getattr(orthanc, way)
    ran = lesionmap("pacs", "find", url, "--patient", "nobody")
    assert (ran.code, ran.out, ran.line) == (0, "", "lesionmap: no study of the PACS matches")
    ran = lesionmap("pacs", "find", url, "--patient", "nobody", "--json")
    assert json.loads(ran.out) == {"studies": []}
    for arguments in ([], ["--modality", "mr"]):
        ran = lesionmap("pacs", "find", url, *arguments)
        assert (ran.code, ran.out) == (1, "")
        assert "that would list the whole PACS; say --patient, --accession or --date" in ran.line


@BOTH
def test_the_whole_way_of_two_visits(tmp_path: Path, orthanc: Orthanc, way: str) -> None:
    url, uid = getattr(orthanc, way), f"W{way}"
    first = Stored(tmp_path / "a", patient_id=uid, accession=f"{uid}1")
    second = Stored(tmp_path / "b", patient_id=uid, accession=f"{uid}2")
    first.add("stir")
    second.add("stir", noise(grid((6, 7, 5))), StudyDate="20110617")
    put(orthanc.web, tmp_path / "a", tmp_path / "b")
    study = tmp_path / "crmo.lesionmap"
    ran = lesionmap("pacs", "get", url, study, "--patient", uid, "--as", "anna")
    assert (ran.code, study.exists()) == (1, False)
    assert "one study was expected, 2 match; list them with 'lesionmap pacs find'" in ran.line
    ran = lesionmap("pacs", "get", url, study, "--patient", uid, "--date", "2010-05-04", "--as", "anna")
    folder = folder_of(f"{study}.images", first.study_uid)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == f"11 files in {folder}"
    assert ran.out.splitlines()[1].startswith("anna 2010-05-04: ")
    ran = lesionmap("pacs", "get", url, study, "--study-uid", second.study_uid, "--folder", tmp_path / "other")
    assert (ran.code, ran.out.splitlines()[1].split(":")[0]) == (0, "anna 2011-06-17")
    visits = json.loads(lesionmap("list", study, "--json").out)["patients"][0]["visits"]
    assert [(x["visit"], x["series"][0]["shape"]) for x in visits] == [
        ("2010-05-04", [5, 7, 11]),
        ("2011-06-17", [6, 7, 5]),
    ]
    seg, sr = write_seg(tmp_path / "seg.dcm", first.slices("stir")), write_sr(tmp_path / "sr.dcm", first.slices("stir"))
    ran = lesionmap("pacs", "send", url, seg, sr)
    assert (ran.code, ran.out, ran.err) == (0, "2 of 2 files accepted\n", "")
    ran = lesionmap("pacs", "get", url, study, "--accession", first.accession)
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"13 files in {folder}")
    assert len(json.loads(lesionmap("list", study, "--json").out)["patients"][0]["visits"][0]["series"]) == 1


def test_get_is_the_same_as_importing_the_files(tmp_path: Path, orthanc: Orthanc) -> None:
    mr_slices(tmp_path / "images", PatientID="ID-same", StudyInstanceUID="1.2.826.0.9.17")
    put(orthanc.web, tmp_path / "images")
    ran = lesionmap("pacs", "get", orthanc.dicom, tmp_path / "got.lesionmap", "--study-uid", "1.2.826.0.9.17")
    assert ran.code == 0, ran.err
    assert lesionmap("import", tmp_path / "direct.lesionmap", tmp_path / "images").code == 0
    got, direct = (lesionmap("list", tmp_path / name, "--json").out for name in ("got.lesionmap", "direct.lesionmap"))
    assert json.loads(got) == json.loads(direct)


def test_get_asks_for_one_way_to_name_a_study(tmp_path: Path) -> None:
    url, study = "https://pacs.example/rs", tmp_path / "s.lesionmap"
    for arguments in ([], ["--study-uid", "1.2", "--accession", "A"]):
        ran = lesionmap("pacs", "get", url, study, *arguments)
        assert ran.code == 2
        assert "one of --study-uid, --accession and --patient (with --date) is needed" in " ".join(ran.err.split())
    ran = lesionmap("pacs", "get", url, "postgresql://db/crmo", "--accession", "A")
    assert (ran.code, "has no folder beside it; say --folder" in " ".join(ran.err.split())) == (2, True)
    ran = lesionmap("pacs", "get", url, study, "--accession", "A", "--as", "Jane Doe")
    assert (ran.code, "a patient's pseudonym is" in ran.line) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_get_what_is_not_there(tmp_path: Path, orthanc: Orthanc) -> None:
    study = tmp_path / "s.lesionmap"
    ran = lesionmap("pacs", "get", orthanc.web, study, "--accession", "none")
    assert (ran.code, ran.line) == (1, "lesionmap: no study of the PACS matches; look with 'lesionmap pacs find'")
    ran = lesionmap("pacs", "get", orthanc.dicom, study, "--study-uid", "1.2.3.9")
    assert (ran.code, "the PACS has no such study" in ran.line) == (1, True)
    assert list(tmp_path.iterdir()) == []


@BOTH
def test_get_can_be_interrupted_and_goes_on(tmp_path: Path, orthanc: Orthanc, way: str, large: Stored) -> None:
    study = tmp_path / "s.lesionmap"
    folder = folder_of(f"{study}.images", large.study_uid)
    command = [sys.executable, "-m", "lesionmap", "pacs", "get", getattr(orthanc, way), str(study)]
    running = subprocess.Popen(
        [*command, "--study-uid", large.study_uid], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while running.poll() is None and not list(folder.glob("*.dcm")):
        time.sleep(0.001)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (1, "")
    assert err == "lesionmap: stopped; what came is kept, say the same again to get the rest\n"
    came = len(list(folder.iterdir()))
    assert 0 < came < 200
    assert not study.exists()
    ran = lesionmap("pacs", "get", getattr(orthanc, way), study, "--study-uid", large.study_uid)
    assert (ran.code, len(list(folder.iterdir()))) == (0, 200)


def test_send_lists_what_was_refused(tmp_path: Path, orthanc: Orthanc) -> None:
    study = stored(tmp_path / "sent", orthanc.web)
    bad = write_seg(tmp_path / "bad.dcm", study.slices("stir"), SeriesInstanceUID=None)
    good = write_seg(tmp_path / "good.dcm", study.slices("stir"))
    ran = lesionmap("pacs", "send", orthanc.web, bad, good)
    assert (ran.code, ran.out) == (1, "1 of 2 files accepted\n")
    assert ran.err == (f"refused {bad}: the PACS refused it: it cannot understand the object (status C000)\n")
    ran = lesionmap("pacs", "send", orthanc.web, tmp_path / "none.dcm")
    assert (ran.code, f"a file or folder was expected at {tmp_path / 'none.dcm'}" in ran.line) == (1, True)


def test_send_warns_of_what_is_not_listed(
    tmp_path: Path, strict_orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Stored(tmp_path, patient_id="ID-cli-d", accession="A-cli-d")
    study.add("stir", noise(grid((5, 7, 4))))
    seg = write_seg(tmp_path / "seg.dcm", study.slices("stir"), SeriesDescription="discard me")
    monkeypatch.setenv("LESIONMAP_PACS_USER", USER)
    monkeypatch.setenv("LESIONMAP_PACS_PASSWORD", PASSWORD)
    ran = lesionmap("pacs", "send", strict_orthanc.web, seg)
    assert (ran.code, ran.out) == (0, "1 of 1 files accepted\n")
    assert ran.line.startswith("lesionmap: warning: the PACS accepted 1 files that it does not list; look again")


def test_login_stores_what_the_pacs_accepts(strict_orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    url = strict_orthanc.web

    def login(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr("typer.prompt", lambda _, hide_input=False: typed if hide_input else USER)
        return lesionmap("pacs", "login", url, *arguments)

    assert "this system has no keyring" in login(typed=PASSWORD).line
    drawer = Drawer()
    keyring.set_keyring(drawer)
    ran = login(typed="wrong")
    assert (ran.code, "does not accept these credentials" in ran.line, drawer.held) == (1, True, {})
    assert "does not accept these credentials" in login("--token", typed="t0ken").line
    ran = login("--user", USER, typed=PASSWORD)
    assert (ran.code, ran.out, ran.err) == (0, "stored in the system's keyring\n", "")
    assert lesionmap("pacs", "check", url).out == "the PACS answers\n"
    assert lesionmap("pacs", "find", url, "--patient", "nobody").code == 0
    assert login("--forget").out == "removed from the keyring\n"
    assert login("--forget").out == "the keyring holds nothing for this URL\n"
    assert "asks for credentials (401)" in lesionmap("pacs", "check", url).line


def test_a_password_is_not_echoed(strict_orthanc: Orthanc) -> None:
    pty = pytest.importorskip("pty")
    command = [sys.executable, "-c", _WITH_DRAWER, "pacs", "login", strict_orthanc.web, "--user", USER]
    leader, follower = pty.openpty()
    running = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, start_new_session=True, cwd=Path(__file__).parent
    )
    os.close(follower)
    shown = b""
    while b"Password: " not in shown:
        shown += os.read(leader, 1024)
    os.write(leader, PASSWORD.encode() + b"\n")
    while b"keyring" not in shown:
        shown += os.read(leader, 1024)
    assert running.wait(60) == 0
    os.close(leader)
    assert "stored in the system's keyring" in shown.decode()
    assert PASSWORD not in shown.decode()


_WITH_DRAWER = """
import keyring
from pacs_case import Drawer
keyring.set_keyring(Drawer())
from lesionmap.cli import main
main()
"""


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    ran = lesionmap("pacs", "find", "https://anna:s3cret@pacs.example/rs", "--patient", "ID-1")
    assert (ran.code, "a URL holds no user name and no password" in ran.line) == (1, True)
    assert "s3cret" not in ran.err + ran.out


def test_certificates_are_given(secure_orthanc: Orthanc) -> None:
    folder = secure_orthanc.folder
    ran = lesionmap("pacs", "check", secure_orthanc.web)
    assert (ran.code, "is not trusted (self-signed certificate); name the one" in ran.line) == (1, True)
    assert lesionmap("pacs", "check", secure_orthanc.web, "--ca", folder / "server.crt").out == "the PACS answers\n"
    options = ["--ca", folder / "server.crt", "--cert", folder / "client.pem"]
    assert lesionmap("pacs", "check", secure_orthanc.dicom, *options).out == "the PACS answers\n"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2010-05-04", (date(2010, 5, 4), date(2010, 5, 4))),
        ("20100504", (date(2010, 5, 4), date(2010, 5, 4))),
        ("20100504-", (date(2010, 5, 4), None)),
        ("-2010-05-04", (None, date(2010, 5, 4))),
        ("2010-05-04-2011-06-17", (date(2010, 5, 4), date(2011, 6, 17))),
        ("20100504-20110617", (date(2010, 5, 4), date(2011, 6, 17))),
    ],
)
def test_days_are_read(written: str, read: tuple[date | None, date | None]) -> None:
    assert days(written) == read


@pytest.mark.parametrize("written", ["2010", "yesterday", "2010-05-04..2011", "2010-02-30", "20100504 20110617"])
def test_days_that_are_none(written: str) -> None:
    with pytest.raises(LesionmapError, match=r"expected|--date takes") as caught:
        days(written)
    assert written[:10] in str(caught.value)
