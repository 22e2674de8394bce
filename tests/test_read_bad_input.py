"""What is wrong with the images is said in one clear line; the rest is read."""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, RLELossless

import dicom_files as df
from lesionmap.errors import LesionmapError
from lesionmap.read import UNDATED, pixels, read_mask, scan, station_pixels
from lesionmap.space import Grid, Volume
from lesionmap.visits import Series

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset


def _why(*paths: Path) -> str:
    """The one reason why nothing was read."""
    found = scan(paths)
    assert found.studies == ()
    assert found.stacks == ()
    (refused,) = found.refused
    assert "\n" not in refused.why
    assert "ecret" not in refused.why
    return refused.why


def _good_beside(folder: Path) -> None:
    """With a good series beside it the bad one is listed and the good one read."""
    df.write_series(folder / "good", df.noise(df.grid((6, 5, 4))), seed=9, SeriesInstanceUID="1.2.3.4.77")
    found = scan([folder])
    assert len(found.refused) == 1
    assert [stack.station.series_uid for stack in found.stacks] == ["1.2.3.4.77"]


def test_a_missing_slice(tmp_path: Path) -> None:
    df.write_series(tmp_path, df.noise(df.grid()))[4].unlink()
    why = _why(tmp_path)
    assert "11 slices 4.00 mm apart were expected, 10 came: 1 missing (first at" in why
    assert "send the series again" in why
    _good_beside(tmp_path)


def test_two_gaps(tmp_path: Path) -> None:
    paths = df.write_series(tmp_path, df.noise(df.grid()))
    for k in (1, 6, 7):
        paths[k].unlink()
    assert "11 slices 4.00 mm apart were expected, 8 came: 3 missing" in _why(tmp_path)


def test_duplicate_slices(tmp_path: Path) -> None:
    paths = df.write_series(tmp_path, df.noise(df.grid()))
    shutil.copy(paths[3], tmp_path / "again")
    why = _why(tmp_path)
    assert "one slice at each position was expected, 1 of 12 slices lie where another one does" in why
    assert "copies of the same image" in why
    assert "remove the duplicate slices" in why
    _good_beside(tmp_path)


def test_duplicate_slices_of_other_uids(tmp_path: Path) -> None:
    original = df.noise(df.grid())
    df.write_series(tmp_path, original)
    df.write_series(tmp_path, Volume(original.array[:, :, :2], df.grid((5, 7, 2))), seed=1)
    assert "2 of 13 slices lie where another one does" in _why(tmp_path)


def test_an_uneven_gap(tmp_path: Path) -> None:
    def shifted(k: int) -> dict[str, object]:
        return {"ImagePositionPatient": [-31, 17 - 4.0 * k - (1.5 if k > 6 else 0), -140]}

    df.write_series(tmp_path, df.noise(df.grid()), per_slice=shifted)
    why = _why(tmp_path)
    assert "evenly spaced slices were expected, their distances run from 4.00 to 5.50 mm" in why


def test_slight_unevenness_is_read_and_told(tmp_path: Path) -> None:
    def shifted(k: int) -> dict[str, object]:
        return {"ImagePositionPatient": [-31, round(17 - 4.0 * k - (0.1 if k == 5 else 0), 3), -140]}

    df.write_series(tmp_path, df.noise(df.grid()), per_slice=shifted)
    (stack,) = scan([tmp_path]).stacks
    assert "slices lie up to 0.10 mm out of even spacing" in stack.note


def test_gantry_tilt(tmp_path: Path) -> None:
    def sheared(k: int) -> dict[str, object]:
        return {"ImagePositionPatient": [-31, 17 - 4.0 * k, -140 + 0.7 * k]}

    df.write_series(tmp_path, df.noise(df.grid()), per_slice=sheared)
    assert "sheared by 9.9 degrees (gantry tilt)" in _why(tmp_path)


def test_tilt_in_time_points_is_not_taken_for_stations(tmp_path: Path) -> None:
    for n in range(2):

        def sheared(k: int, n: int = n) -> dict[str, object]:
            place = [-31, 17 - 4.0 * k, -140 + 0.7 * k]
            return {"ImagePositionPatient": place, "TemporalPositionIdentifier": str(n)}

        df.write_series(tmp_path, df.noise(df.grid()), seed=n, per_slice=sheared)
    found = scan([tmp_path])
    assert found.stacks == ()
    assert ["gantry tilt" in refused.why for refused in found.refused] == [True, True]


def test_mr_without_position(tmp_path: Path) -> None:
    df.write_series(tmp_path, df.noise(df.grid((5, 7, 1))), ImagePositionPatient=None)
    assert "MR slices need a position in the patient" in _why(tmp_path)
    _good_beside(tmp_path)


def test_no_pixel_spacing_and_skewed_axes(tmp_path: Path) -> None:
    df.write_series(tmp_path / "a", df.noise(df.grid((5, 7, 1))), PixelSpacing=None)
    assert "two positive pixel spacings" in _why(tmp_path / "a")
    df.write_series(tmp_path / "b", df.noise(df.grid((5, 7, 1))), ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0])
    assert "rows and columns at right angles" in _why(tmp_path / "b")


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.98])
def test_truncated_dicom(tmp_path: Path, keep: float) -> None:
    (path,) = df.write_series(tmp_path, df.noise(df.grid((50, 70, 1))))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    why = _why(tmp_path)
    assert "cut short" in why or "ends within its header" in why
    assert "send" in why
    _good_beside(tmp_path)


def test_compressed_pixels_in_one_block(tmp_path: Path) -> None:
    paths = df.write_series(tmp_path, df.noise(df.grid((50, 70, 3))), change=lambda ds: ds.compress(RLELossless))
    data = paths[0].read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00OB\x00\x00") + 8
    paths[0].write_bytes(data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :])
    found = scan([tmp_path])
    assert "compressed pixels in fragments were expected by its header, one block came" in found.refused[0].why
    assert station_pixels(found.stacks[0].station).array.shape == (50, 70, 2)


def test_an_image_that_lost_its_size_and_its_class_is_not_passed_over(tmp_path: Path) -> None:
    df.write_series(tmp_path, df.noise(df.grid((50, 70, 1))), SOPClassUID="1.2.3.4", Rows=0)
    assert "the size of the image was expected in the header, 0 rows and 50 columns came" in _why(tmp_path)
    _good_beside(tmp_path)


def test_the_rest_of_a_series_says_that_a_file_was_cut_short(tmp_path: Path) -> None:
    path = df.write_series(tmp_path, df.noise(df.grid((50, 70, 5))))[-1]
    path.write_bytes(path.read_bytes()[:-100])
    found = scan([tmp_path])
    assert "7,000 bytes of pixels expected, 6,900 came" in found.refused[0].why
    assert found.stacks[0].station.grid.shape == (50, 70, 4)
    assert "cut short and left out" in found.stacks[0].note


def test_truncated_compressed_dicom(tmp_path: Path) -> None:
    (path,) = df.write_series(tmp_path, df.noise(df.grid((50, 70, 1))), change=lambda ds: ds.compress(RLELossless))
    path.write_bytes(path.read_bytes()[:-400])
    assert "the end of its compressed pixels is missing" in _why(tmp_path)


def test_compressed_pixels_that_make_no_sense(tmp_path: Path) -> None:
    (path,) = df.write_series(tmp_path, df.noise(df.grid((50, 70, 1))), change=lambda ds: ds.compress(JPEG2000Lossless))
    whole = bytearray(path.read_bytes())
    whole[-5000:-8] = b"\x7f" * 4992
    path.write_bytes(whole)
    (stack,) = scan([tmp_path]).stacks
    with pytest.raises(LesionmapError, match=r"cannot be decoded .* send the file again"):
        station_pixels(stack.station)


def test_not_dicom_given_directly_is_refused_and_in_a_folder_passed_over(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    assert "a DICOM or NIfTI image was expected, the file is neither" in _why(text)
    damaged = tmp_path / "image.dcm"
    damaged.write_bytes(b"junk" * 100)
    assert "expected by its name" in _why(tmp_path)
    _good_beside(tmp_path)


def test_an_empty_folder_and_a_path_that_is_not_there(tmp_path: Path) -> None:
    found = scan([tmp_path])
    assert (found.studies, found.refused, found.stacks) == ((), (), ())
    with pytest.raises(LesionmapError, match="nothing is there; check the path"):
        scan([tmp_path / "nowhere"])


def test_reports_and_segmentations_are_no_images(tmp_path: Path) -> None:
    def report(ds: FileDataset) -> None:
        for keyword in ("Rows", "Columns", "PixelData"):
            delattr(ds, keyword)

    (path,) = df.write_series(
        tmp_path,
        df.noise(df.grid((5, 7, 1))),
        change=report,
        Modality="SR",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33",
    )
    assert scan([tmp_path]).refused == ()
    assert "a DICOM object of modality SR came" in _why(path)
    df.write_series(tmp_path, df.noise(df.grid((5, 7, 1))), seed=4, Modality="SEG")
    assert scan([tmp_path]).refused == ()


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"PhotometricInterpretation": "RGB"}, "a colour picture (RGB) came, perhaps a screenshot"),
        ({"Modality": "US"}, "MR, NM, CT or PT was expected, an image of modality US came"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}, "a mosaic (many slices in one picture) came"),
        ({"PatientBirthDate": "20150101"}, "the visit of 2010-05-04 lies before the patient's birth"),
    ],
)
def test_other_pictures_and_wrong_dates(tmp_path: Path, tags: dict[str, Any], words: str) -> None:
    df.write_series(tmp_path, df.noise(df.grid((5, 7, 1))), **tags)
    found = scan([tmp_path])
    assert found.studies == ()
    assert words in found.refused[0].why


def test_a_number_that_is_none_is_refused_with_its_element(tmp_path: Path) -> None:
    (path,) = df.write_series(tmp_path, df.noise(df.grid((5, 7, 1))), RepetitionTime="4321.5")
    path.write_bytes(path.read_bytes().replace(b"4321.5", b"fourth"))
    assert "a number was expected in the header at (0018,0080)" in _why(tmp_path)
    _good_beside(tmp_path)


def test_a_zip_that_is_none_and_a_bomb(tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"PK not really")
    assert "cannot be opened" in _why(bad)
    bad.unlink()
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../outside.dcm", b"\0" * 90_000_000)
    assert "more than an image has" in _why(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bomb.zip"]


def _nifti(path: Path, array: NDArray[Any], affine: NDArray[np.float64] | None, **codes: int) -> Path:
    image = nib.Nifti1Image(array, affine)
    if affine is None:
        image.header.set_sform(None, 0)
        image.header.set_qform(None, 0)
    for name, code in codes.items():
        getattr(image.header, f"set_{name}")(affine, code)
    nib.save(image, path)
    return path


_AFFINE = np.array([[-1.5, 0.1, 0, 40], [0.1, 2, 0, -30], [0, 0, 4.0, 10], [0, 0, 0, 1]])


def test_a_nifti_without_a_valid_affine(tmp_path: Path) -> None:
    array = np.arange(5 * 7 * 11, dtype=np.int16).reshape(5, 7, 11)
    path = _nifti(tmp_path / "a.nii", array, None)
    assert "this one has neither sform nor qform (both codes are 0)" in _why(path)
    singular = _AFFINE.copy()
    singular[:, 2] = singular[:, 1]
    whole = bytearray(_nifti(path, array, _AFFINE).read_bytes())
    whole[280:328] = singular[:3].astype("<f4").tobytes()
    path.write_bytes(whole)
    assert "its affine is not valid (singular or not finite)" in _why(path)
    _good_beside(tmp_path)


def test_a_nifti_that_is_cut_short_coloured_or_sheared(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 99, (20, 30, 11)).astype(np.int16)
    for name in ("a.nii", "a.nii.gz"):
        path = _nifti(tmp_path / name, array, _AFFINE)
        path.write_bytes(path.read_bytes()[:-900])
        assert "cut short" in _why(path) or "cannot be read" in _why(path)
        path.unlink()
    rgb = np.zeros((5, 7, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert "holds colours" in _why(_nifti(tmp_path / "rgb.nii", rgb, _AFFINE))
    sheared = _AFFINE.copy()
    sheared[0, 2] = 1.5
    assert "degrees off (sheared)" in _why(_nifti(tmp_path / "s.nii", array, sheared))
    (tmp_path / "none.nii.gz").write_text("no")
    assert "expected by its name" in _why(tmp_path / "none.nii.gz")


def test_a_nifti_tells_no_date(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "STIR_cor.nii.gz", np.ones((5, 7, 11), np.int16), _AFFINE)
    (visit,) = scan([path]).studies
    assert (visit.dated, visit.visit.date, visit.patient_key) == (False, UNDATED, "")
    from datetime import date

    (visit,) = scan([path], visit_date=date(2011, 2, 3)).studies
    assert (visit.dated, visit.visit.key, visit.series[0].name) == (True, "2011-02-03", "STIR axial")


def test_masks_of_fractions_several_volumes_or_nothing(tmp_path: Path) -> None:
    half = _nifti(tmp_path / "half.nii", np.full((5, 7, 11), 0.5, np.float32), _AFFINE)
    with pytest.raises(LesionmapError, match=r"a mask of whole numbers was expected, .* holds fractions"):
        read_mask(half)
    four = _nifti(tmp_path / "four.nii", np.ones((5, 7, 11, 2), np.uint8), _AFFINE)
    with pytest.raises(LesionmapError, match=r"a mask of one volume was expected, .* holds 2"):
        read_mask(four)
    text = tmp_path / "mask.txt"
    text.write_text("no")
    with pytest.raises(LesionmapError, match="a mask as NIfTI or DICOM SEG was expected"):
        read_mask(text)


@settings(max_examples=150)
@given(where=st.floats(0, 1), size=st.integers(1, 12), junk=st.binary(min_size=12, max_size=12))
def test_damaged_bytes_end_in_a_word_or_a_volume_never_in_a_crash(
    tmp_path_factory: pytest.TempPathFactory, where: float, size: int, junk: bytes
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    (path,) = df.write_series(folder, df.noise(df.grid((5, 7, 1))))
    whole = bytearray(path.read_bytes())
    at = int(where * (len(whole) - size))
    whole[at : at + size] = junk[:size]
    path.write_bytes(whole)
    found = scan([path])
    assert bool(found.refused) != bool(found.stacks)
    for stack in found.stacks:
        with contextlib.suppress(LesionmapError):
            assert station_pixels(stack.station).array.shape == stack.station.grid.shape


def test_pixels_of_a_vanished_file(tmp_path: Path) -> None:
    df.write_series(tmp_path / "x", df.noise(df.grid()))
    (visit,) = scan([tmp_path]).studies
    shutil.rmtree(tmp_path / "x")
    with pytest.raises(LesionmapError, match="re-link the images"):
        pixels(visit.series[0])


def test_a_series_without_images_says_so() -> None:
    bare = Series("STIR coronal", Grid((5, 7, 11), np.eye(4)), "MR", "STIR", "coronal", ())
    with pytest.raises(LesionmapError, match=r"^series STIR coronal has no images to read; import"):
        pixels(bare)
