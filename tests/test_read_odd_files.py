"""Files as they come: mosaics, no preamble, wrong endings, thousands that are no images, bombs, blanks."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import time
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet
from pydicom.uid import DeflatedExplicitVRLittleEndian, generate_uid

import dicom_files as df
from cli_case import lesionmap
from lesionmap.errors import LesionmapError
from lesionmap.read import pixels, scan, station_pixels
from lesionmap.space import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import FileDataset


def _private(*elements: tuple[int, str, Any]) -> Any:
    def change(ds: FileDataset) -> None:
        for tag, vr, value in elements:
            ds.add_new(tag, vr, value)

    return change


@pytest.mark.parametrize(
    ("maker", "image_type", "elements"),
    [
        ("SIEMENS", ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"], ()),
        (
            "SIEMENS",
            ["ORIGINAL", "PRIMARY", "M", "ND"],
            ((0x00190010, "LO", "SIEMENS MR HEADER"), (0x0019100A, "US", 36)),
        ),
        ("UIH", ["ORIGINAL", "PRIMARY", "M", "VFRAME"], ()),
        ("UIH", ["ORIGINAL", "PRIMARY", "M"], ((0x00650010, "LO", "Image Private Header"), (0x00651050, "DS", "36"))),
    ],
)
def test_mosaics_are_refused_in_one_line(
    tmp_path: Path, maker: str, image_type: list[str], elements: tuple[tuple[int, str, Any], ...]
) -> None:
    where = df.noise(df.grid((6, 12, 1)))
    df.write_series(tmp_path, where, change=_private(*elements), Manufacturer=maker, ImageType=image_type)
    found = scan([tmp_path])
    assert found.stacks == ()
    assert "a mosaic (many slices in one picture) came; export it as multi-frame" in found.refused[0].why


def test_files_without_preamble_and_with_any_ending(tmp_path: Path) -> None:
    original = df.noise(df.grid())
    endings = ("", ".jpg", ".nii", ".txt", ".IMA", ".1.2.840", ".zip.dcm", ".nii.gz", ".dcm", ".img", ".bak")
    for path, ending in zip(df.write_series(tmp_path / "a", original), endings, strict=True):
        path.rename(path.with_name(path.name + ending))
    df.same_world(original, pixels(scan([tmp_path]).studies[0].series[0]))
    for path in df.write_series(tmp_path / "bare", original, seed=2, SeriesInstanceUID="1.2.3.9"):
        path.write_bytes(path.read_bytes()[132:])
    df.same_world(original, pixels(scan([tmp_path / "bare"]).studies[0].series[0]))


def test_a_real_dicomdir_given_directly(tmp_path: Path) -> None:
    original = df.noise(df.grid())
    files = FileSet()
    for path in df.write_series(tmp_path / "in", original, StudyID="1", SeriesNumber="1", StudyTime="10"):
        ds = dcmread(path)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        files.add(ds)
    files.write(tmp_path / "disc")
    df.same_world(original, pixels(scan([tmp_path / "disc" / "DICOMDIR"]).studies[0].series[0]))


def test_ten_thousand_files_that_are_no_images_are_passed_over_quickly(tmp_path: Path) -> None:
    df.write_series(tmp_path / "good", df.noise(df.grid()))
    junk = np.random.default_rng(0).bytes(600)
    for n in range(10_000):
        (tmp_path / f"{n}.xml").write_bytes(junk)
    begin = time.process_time()
    found = scan([tmp_path])
    assert time.process_time() - begin < 5  # it takes 0.5 s; what is tested is that nothing reads them whole
    assert len(found.stacks) == 1
    assert found.refused == ()


def test_an_archive_of_many_files_lists_its_members_once(tmp_path: Path) -> None:
    paths = df.write_series(tmp_path / "in", df.noise(df.grid((4, 3, 2))))
    with zipfile.ZipFile(tmp_path / "visit.zip", "w") as archive:
        for n in range(3000):
            archive.writestr(f"other/{n}.txt", b"no image")
        for path in paths:
            archive.write(path)
    shutil.rmtree(tmp_path / "in")
    begin = time.process_time()
    assert len(scan([tmp_path]).stacks) == 1
    assert time.process_time() - begin < 10  # 1 s; 3000 listings took 60 s


def _refusal(path: Path) -> str:
    found = scan([path])
    whys = [refused.why for refused in found.refused]
    for stack in found.stacks:
        with pytest.raises(LesionmapError) as error:
            station_pixels(stack.station)
        whys.append(str(error.value))
    assert whys
    return whys[0]


def test_bombs_are_refused_before_they_go_off(tmp_path: Path) -> None:
    """A deflated file, a packed NIfTI and one in an archive, that unpack to 300 MB behind a good header."""
    zeros = bytes(300 << 20)

    def deflated(ds: FileDataset) -> None:
        ds["PixelData"].VR = "OW"
        ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    (path,) = df.write_series(tmp_path / "a", df.noise(df.grid((5, 7, 1))), change=deflated)
    whole = path.read_bytes()
    end = 132 + 12 + dcmread(path).file_meta.FileMetaInformationGroupLength
    body = zlib.decompress(whole[end:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(whole[:end] + packer.compress(body + zeros) + packer.flush())
    assert "268,435,456 bytes are unpacked in memory, the file holds more" in _refusal(path)

    image = nib.Nifti1Image(np.ones((5, 7, 3), np.int16), np.diag([2.0, 2, 3, 1])).to_bytes()
    packed = gzip.compress(image + zeros, mtime=0)
    (tmp_path / "b.nii.gz").write_bytes(packed)
    assert "cut short" in _refusal(tmp_path / "b.nii.gz")
    (tmp_path / "b.nii.gz").write_bytes(packed[:-4] + len(image).to_bytes(4, "little"))
    assert "holds more than its header says" in _refusal(tmp_path / "b.nii.gz")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("b.nii.gz", packed)
    assert "the file holds more" in _refusal(tmp_path / "c.zip")


def test_a_packed_nifti_of_which_one_bit_is_wrong(tmp_path: Path) -> None:
    """The check sum stands at the end of the file, behind the voxels."""
    image = nib.Nifti1Image(df.noise(df.grid((20, 30, 11))).array.astype(np.int16), np.diag([2.0, 2, 3, 1]))
    data = bytearray(gzip.compress(image.to_bytes(), compresslevel=0, mtime=0))
    data[len(data) // 2] ^= 4
    (tmp_path / "a.nii.gz").write_bytes(data)
    assert "the voxels of" in _refusal(tmp_path / "a.nii.gz")


def test_a_file_whose_rest_is_zeros(tmp_path: Path) -> None:
    """As a broken copy leaves it; pydicom takes each eight zeros for an element."""
    (path,) = df.write_series(tmp_path, df.noise(df.grid((50, 70, 1))))
    whole = path.read_bytes()
    pixels_at = whole.index(b"\xe0\x7f\x10\x00")
    meta_ends = 132 + 12 + dcmread(path).file_meta.FileMetaInformationGroupLength
    for keep in (meta_ends, meta_ends + 42, pixels_at):
        path.write_bytes(whole[:keep] + bytes(20 << 20))
        begin = time.process_time()
        assert "send it again" in _refusal(path) or "send the file again" in _refusal(path)
        assert time.process_time() - begin < 5


def test_a_damaged_file_ends_the_decoder_s_process_but_not_ours(tmp_path: Path) -> None:
    """GDCM is ended by these bytes; the file is named, and a good one beside it is read."""
    if shutil.which("dcmcjpeg") is None:
        pytest.skip("dcmtk is not installed")
    ramp = (np.add.outer(np.arange(37) * 40, np.arange(51) * 30) % 4096).astype(np.uint16)
    original = Volume(np.repeat(ramp[:, :, np.newaxis], 2, axis=2), df.grid((37, 51, 2)))
    paths = df.write_series(tmp_path, original, BitsStored=12, HighBit=11)
    for path in paths:
        subprocess.run(["dcmcjpeg", "+el", path, path], check=True, capture_output=True)
    whole = paths[1].read_bytes()
    table = whole.index(b"\xff\xc4") + 4  # the Huffman table: its counts no longer match what follows
    ended = 0
    for n in range(1, 17):
        paths[1].write_bytes(whole[: table + n] + b"\xff" + whole[table + n + 1 :])
        for stack in scan([tmp_path]).stacks:
            with pytest.raises(LesionmapError, match=rf"the pixels of {paths[1]} cannot be decoded"):
                station_pixels(stack.station)
            ended += 1
    assert ended == 16
    paths[1].write_bytes(whole)
    assert np.array_equal(station_pixels(scan([tmp_path]).stacks[0].station).array, original.array)


def test_each_reason_is_told_once_and_json_keeps_each_path(tmp_path: Path) -> None:
    df.write_series(tmp_path / "x" / "us", df.noise(df.grid()), Modality="US")
    df.write_series(tmp_path / "x" / "good", df.noise(df.grid()), seed=1, SeriesInstanceUID="1.2.3.9")
    (tmp_path / "x" / "us" / "note.dcm").write_text("no")
    ran = lesionmap("import", tmp_path / "a.lesionmap", tmp_path / "x")
    assert ran.code == 0
    us = tmp_path / "x" / "us"
    lines = ran.err.splitlines()
    assert len(lines) == 2
    assert (
        f"refused 11 files in {us}: MR, NM, CT or PT was expected, an image of modality US came; leave it out" in lines
    )
    assert any(line.startswith(f"refused {us / 'note.dcm'}: a DICOM or NIfTI image was expected") for line in lines)
    ran = lesionmap("import", tmp_path / "b.lesionmap", tmp_path / "x", "--dry-run", "--json")
    assert ran.out.count("an image of modality US came") == 11
