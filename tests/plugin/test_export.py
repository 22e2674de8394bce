"""What the page Export writes of a visit as DICOM: Segmentations and the report, with the pseudonym only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread

from cli_case import HOSPITAL_ID, SHAPE, lesionmap, mr_slices, nifti, write_landmarks
from lesionmap.errors import LesionmapError
from napari_lesionmap import load
from napari_lesionmap.save import write
from napari_lesionmap.session import Session
from plugin.small import EARLIER

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.write import Results

DAY = "2010-05-04"
SEG, SR = f"P001_{DAY}_STIR-coronal_seg.dcm", f"P001_{DAY}_sr.dcm"


def results_of_study(path: Path, reader: str = "anna") -> Results:
    session = Session()
    study, patients = load.open_study(str(path))
    session.enter_study(study, patients)
    session.enter_patient(load.load_patient(study, "P001", reader))
    assert session.results is not None
    found = session.results
    session.close()
    return found


@pytest.fixture(scope="module")
def dicom(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Give a visit of DICOM images with one lesion that anna drew."""
    folder = tmp_path_factory.mktemp("dicom")
    mr_slices(folder / "images", AccessionNumber="ACC-4712", InstitutionName="St. Elsewhere")
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[20:22, 27:30, 3:5] = 1
    path = folder / "a.lesionmap"
    for arguments in (
        ("import", path, folder / "images"),
        ("place", path, "P001", DAY, "--landmarks", write_landmarks(folder / "landmarks.csv")),
        ("add", path, "P001", DAY, "--reader", "anna", "--mask", nifti(folder / "mask.nii.gz", array)),
    ):
        assert lesionmap(*arguments).code == 0
    return results_of_study(path)


@pytest.mark.parametrize(("name", "files"), [("seg.dcm", [SEG]), ("sr.dcm", [SEG, SR])])
def test_dicom_of_a_visit_is_written_with_the_pseudonym_only(
    dicom: Results, tmp_path: Path, name: str, files: list[str]
) -> None:
    out = tmp_path / "out"
    written = write(name, dicom, DAY, out, overwrite=False)
    assert sorted(path.name for path in written.paths) == sorted(path.name for path in out.iterdir()) == files
    assert written.left_out == ()
    for path in written.paths:
        assert str(dcmread(path).PatientID) == "P001"
        data = path.read_bytes()
        assert not any(word in data for word in (b"Doe^Jane", HOSPITAL_ID.encode(), b"20000101", b"ACC-4712"))
    with pytest.raises(LesionmapError, match="exists"):
        write(name, dicom, DAY, out, overwrite=False)
    write(name, dicom, DAY, out, overwrite=True)


def test_a_report_points_to_its_segmentation(dicom: Results, tmp_path: Path) -> None:
    write("sr.dcm", dicom, DAY, tmp_path, overwrite=False)
    seg, report = dcmread(tmp_path / SEG), dcmread(tmp_path / SR)
    assert report.file_meta.MediaStorageSOPClassUID.name == "Comprehensive 3D SR Storage"
    assert str(seg.SOPInstanceUID) in str(report)


@pytest.mark.parametrize("name", ["seg.dcm", "sr.dcm"])
def test_a_visit_of_nifti_images_is_refused_in_words(study_path: Path, tmp_path: Path, name: str) -> None:
    results = results_of_study(study_path)
    with pytest.raises(LesionmapError, match=f"visit {EARLIER} has none .*write its masks as NIfTI"):
        write(name, results, EARLIER, tmp_path / "out", overwrite=False)
    assert not (tmp_path / "out").exists()
    with pytest.raises(LesionmapError, match="no visit is open"):
        write(name, results, "", tmp_path / "out", overwrite=False)
