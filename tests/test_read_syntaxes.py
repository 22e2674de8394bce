"""Every transfer syntax, bit depth and sign: the known values, and another decoder's, voxel by voxel."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

import dicom_files as df
from lesionmap.errors import LesionmapError
from lesionmap.read import scan, station_pixels
from lesionmap.space import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset

_SHAPE = (37, 51, 2)
_DEPTHS = [(8, False), (8, True), (12, False), (12, True), (16, False), (16, True)]


def _picture(bits: int, *, signed: bool, shape: tuple[int, int, int] = _SHAPE) -> NDArray[Any]:
    """Ramps with noise over the whole range of the bits, both ends included."""
    columns, rows, slices = np.indices(shape)
    rng = np.random.default_rng(bits)
    most = (1 << bits) - 1
    ramp = (columns * 0.6 + rows * 0.3 + slices * 5) / (shape[0] * 0.6 + shape[1] * 0.3 + shape[2] * 5)
    values = np.clip(np.rint(ramp * most + rng.normal(0, most / 90, shape)), 0, most).astype(np.int64)
    values[0, 0, 0], values[-1, -1, -1] = 0, most
    kind = f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}"
    return np.asarray((values - (1 << (bits - 1) if signed else 0)).astype(kind))


def _write(
    folder: Path, array: NDArray[Any], bits: int, change: Callable[[FileDataset], object] | None = None, **tags: Any
) -> list[Path]:
    columns, rows, slices = array.shape
    volume = Volume(array, df.grid((columns, rows, slices)))
    return df.write_series(folder, volume, change=change, **{"BitsStored": bits, "HighBit": bits - 1, **tags})


def _read(folder: Path) -> NDArray[Any]:
    found = scan([folder])
    assert found.refused == ()
    (stack,) = found.stacks
    return station_pixels(stack.station).array


def _others(paths: Sequence[Path]) -> NDArray[Any]:
    """The same slices by SimpleITK, in the order of the paths."""
    planes = [SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path), imageIO="GDCMImageIO"))[0] for path in paths]
    return np.stack(planes, axis=2).transpose(1, 0, 2)


def _raw(syntax: str) -> Callable[[FileDataset], None]:
    def change(ds: FileDataset) -> None:
        size = ds.BitsAllocated // 8
        ds["PixelData"].VR = "OW" if size == 2 else "OB"
        if syntax == ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, f"<u{size}").astype(f">u{size}").tobytes()
            ds.set_original_encoding(is_implicit_vr=False, is_little_endian=False, character_encoding="iso8859")
        ds.PixelData += b"\0" * (len(ds.PixelData) % 2)
        ds.file_meta.TransferSyntaxUID = UID(syntax)

    return change


def _compressed(syntax: str, **options: Any) -> Callable[[FileDataset], None]:
    return lambda ds: ds.compress(syntax, generate_instance_uid=False, encoding_plugin=_ENCODER[UID(syntax)], **options)


_ENCODER = {
    RLELossless: "pylibjpeg",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
}
_LOSSLESS = {
    "explicit": _raw(ExplicitVRLittleEndian),
    "implicit": _raw(ImplicitVRLittleEndian),
    "big endian": _raw(ExplicitVRBigEndian),
    "deflated": _raw(DeflatedExplicitVRLittleEndian),
    "RLE": _compressed(RLELossless),
    "JPEG-LS": _compressed(JPEGLSLossless),
    "JPEG 2000": _compressed(JPEG2000Lossless),
}


@pytest.mark.parametrize(("bits", "signed"), _DEPTHS)
@pytest.mark.parametrize("name", _LOSSLESS)
def test_lossless_pixels_are_the_known_ones_and_simpleitk_s(tmp_path: Path, name: str, bits: int, signed: bool) -> None:
    truth = _picture(bits, signed=signed)
    paths = _write(tmp_path, truth, bits, _LOSSLESS[name])
    mine = _read(tmp_path)
    assert mine.dtype == truth.dtype
    assert np.array_equal(mine, truth)
    assert np.array_equal(_others(paths), truth)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize(
    "change", [_compressed(JPEGLSNearLossless, jls_error=3), _compressed(JPEG2000, j2k_cr=[8])], ids=["JPEG-LS", "J2K"]
)
def test_lossy_pixels_are_near_the_known_ones_and_simpleitk_s(
    tmp_path: Path, change: Callable[[FileDataset], None], bits: int
) -> None:
    truth = _picture(bits, signed=False)
    paths = _write(tmp_path, truth, bits, change)
    mine = _read(tmp_path)
    assert not np.array_equal(mine, truth)
    assert np.abs(mine.astype(int) - truth.astype(int)).mean() < (1 << bits) / 60
    assert np.abs(mine.astype(int) - _others(paths).astype(int)).max() <= 1  # two versions of OpenJPEG round apart


def _by_dcmtk(option: str, paths: Sequence[Path], program: str = "dcmcjpeg") -> None:
    if shutil.which(program) is None:
        pytest.skip("dcmtk is not installed")
    for path in paths:
        subprocess.run([program, option, path, path], check=True, capture_output=True)


@pytest.mark.parametrize(("bits", "signed"), _DEPTHS)
@pytest.mark.parametrize("option", ["+el", "+e1"], ids=["process 14", "SV1"])
def test_lossless_jpeg_of_dcmtk(tmp_path: Path, option: str, bits: int, signed: bool) -> None:
    truth = _picture(bits, signed=signed)
    paths = _write(tmp_path, truth, bits)
    _by_dcmtk(option, paths)
    assert np.array_equal(_read(tmp_path), truth)
    assert np.array_equal(_others(paths), truth)


@pytest.mark.parametrize(("bits", "option"), [(8, "+eb"), (8, "+ee"), (12, "+ee")])
def test_lossy_jpeg_of_dcmtk(tmp_path: Path, bits: int, option: str) -> None:
    truth = _picture(bits, signed=False)
    paths = _write(tmp_path / "in", truth, bits)
    _by_dcmtk(option, paths)
    mine = _read(tmp_path / "in")
    assert np.array_equal(mine, _others(paths))
    for path, plane in zip(paths, mine.transpose(2, 1, 0), strict=True):
        subprocess.run(["dcmdjpeg", path, tmp_path / "out"], check=True, capture_output=True)
        assert np.abs(plane.astype(int) - dcmread(tmp_path / "out").pixel_array.astype(int)).max() <= 1


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("name", ["explicit", "implicit", "big endian", "deflated", "RLE"])
def test_what_stands_in_unused_bits_is_no_part_of_a_pixel(tmp_path: Path, name: str, signed: bool) -> None:
    """Twelve bits of sixteen, an overlay or rubbish in the upper four; signed values end at bit 11."""
    truth = _picture(12, signed=signed)
    rubbish = np.random.default_rng(5).integers(0, 16, truth.shape).astype(np.uint16) << 12
    stored = (truth.view(np.uint16) & 0x0FFF) | rubbish
    paths = _write(tmp_path, stored, 12, _LOSSLESS[name], PixelRepresentation=int(signed))
    assert np.array_equal(_read(tmp_path), truth)
    assert np.array_equal(_others(paths), truth)


def test_bits_that_differ_from_slice_to_slice_are_each_read_as_stored(tmp_path: Path) -> None:
    truth = _picture(10, signed=False)
    stored = truth | np.uint16(0x8000)
    df.write_series(
        tmp_path, Volume(stored, df.grid(_SHAPE)), per_slice=lambda k: {"BitsStored": 10 + k, "HighBit": 9 + k}
    )
    assert np.array_equal(_read(tmp_path), truth)


@pytest.mark.parametrize("high", [15, 7])
def test_stored_bits_that_do_not_end_at_the_lowest_one_are_refused(tmp_path: Path, high: int) -> None:
    """Readers differ on them: SimpleITK takes the low bits, the old standard meant those below the highest."""
    _write(tmp_path, _picture(12, signed=True), 12, HighBit=high)
    assert (
        f"12 of 16 bits, the highest of them bit 11, were expected, bit {high} came" in scan([tmp_path]).refused[0].why
    )


def _frames(syntax: str, stack: NDArray[Any], folder: Path) -> list[bytes]:
    """Compress each frame of a stack (columns, rows, frames) alone."""
    paths = _write(folder, stack, 12, _compressed(syntax))
    return [next(generate_frames(dcmread(path).PixelData, number_of_frames=1)) for path in paths]


@pytest.mark.parametrize("has_bot", [True, False], ids=["offset table", "empty table"])
@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_frames_in_fragments(tmp_path: Path, syntax: str, pieces: int, has_bot: bool) -> None:
    """RLE in pieces needs the offset table: nothing else says where its frames end."""
    truth = _picture(12, signed=False, shape=(37, 51, 3))
    encoded = _frames(syntax, truth, tmp_path / "single")
    path = df.write_planar(tmp_path / "x" / "nm", truth.transpose(2, 1, 0), BitsStored=12, HighBit=11)
    ds = dcmread(path)
    ds.PixelData = encapsulate(encoded, fragments_per_frame=pieces, has_bot=has_bot)
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.save_as(path, enforce_file_format=True)
    found = scan([path])
    assert [stack.frame for stack in found.stacks] == [1, 2, 3]
    if syntax == RLELossless and pieces > 1 and not has_bot:
        with pytest.raises(LesionmapError, match=r"3 compressed frame.s. were expected, 9 fragments make"):
            station_pixels(found.stacks[0].station)
        return
    for k, stack in enumerate(found.stacks):
        assert np.array_equal(station_pixels(stack.station).array[:, :, 0], truth[:, :, k])


def test_fewer_compressed_frames_than_the_header_says(tmp_path: Path) -> None:
    truth = _picture(12, signed=False)

    def seven(ds: FileDataset) -> None:
        ds.compress(JPEGLSLossless)
        ds.NumberOfFrames = 7

    (path, _) = _write(tmp_path, truth, 12, seven)
    assert "7 compressed frame(s) were expected, 1 came; send the file again" in scan([path]).refused[0].why


def test_inverted_grey_values_and_padding_are_kept_as_stored(tmp_path: Path) -> None:
    """GDCM turns MONOCHROME1 round, so that pydicom is the other reader."""
    truth = _picture(16, signed=True)
    truth[:4] = -1999
    paths = _write(tmp_path, truth, 16, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=-1999)
    (stack,) = scan([tmp_path]).stacks
    assert "MONOCHROME1: low values are bright" in stack.note
    assert np.array_equal(_read(tmp_path), truth)
    assert np.array_equal(np.stack([dcmread(path).pixel_array.T for path in paths], axis=2), truth)


def test_a_table_of_grey_values_is_refused_and_an_empty_one_is_none(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType, table.LUTData = (
        [4, 0, 16],
        "US",
        np.array([7, 5, 3, 1], np.uint16).tobytes(),
    )
    truth = _picture(12, signed=False)
    _write(tmp_path / "a", truth, 12, ModalityLUTSequence=Items([table]))
    found = scan([tmp_path / "a"])
    assert found.stacks == ()
    assert "a table (Modality LUT) came; export the image with its table applied" in found.refused[0].why
    _write(tmp_path / "b", truth, 12, ModalityLUTSequence=Items())
    assert np.array_equal(_read(tmp_path / "b"), truth)


def test_a_transfer_syntax_that_is_not_read_is_named(tmp_path: Path) -> None:
    def movie(ds: FileDataset) -> None:
        ds.compress(JPEG2000Lossless)
        ds.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")

    _write(tmp_path, _picture(8, signed=False), 8, movie)
    assert (
        "the transfer syntax 1.2.840.10008.1.2.4.102 came; export the images uncompressed"
        in scan([tmp_path]).refused[0].why
    )


@pytest.mark.parametrize("signed", [False, True])
def test_jpeg_2000_whose_sign_the_header_denies(tmp_path: Path, signed: bool) -> None:
    """The bits of the stream are then a two's complement number, as pydicom and GDCM read them."""
    truth = _picture(12, signed=signed)

    def denied(ds: FileDataset) -> None:
        ds.compress(JPEG2000Lossless)
        ds.PixelRepresentation = int(not signed)

    paths = _write(tmp_path, truth, 12, denied)
    mine = _read(tmp_path)
    assert np.array_equal(mine.astype(int) & 0xFFF, truth.astype(int) & 0xFFF)
    assert np.array_equal(mine, _others(paths))


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize(
    "wrong", [{"Rows": 37, "Columns": 51}, {"Columns": 36}, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}]
)
def test_a_header_that_does_not_fit_its_compressed_pixels(tmp_path: Path, syntax: str, wrong: dict[str, int]) -> None:
    def change(ds: FileDataset) -> None:
        ds.compress(syntax)
        for name, value in wrong.items():
            setattr(ds, name, value)

    _write(tmp_path, _picture(12, signed=False), 12, change)
    for stack in scan([tmp_path]).stacks:
        with pytest.raises(LesionmapError, match=r"cannot be decoded \(the header (says|gives).*send the file again"):
            station_pixels(stack.station)


@pytest.mark.parametrize("wrong", [{"Columns": 36}, {"Rows": 50}, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}])
def test_a_header_that_does_not_fit_its_raw_pixels(tmp_path: Path, wrong: dict[str, Any]) -> None:
    _write(tmp_path, _picture(12, signed=False), 12, **wrong)
    why = {refused.why for refused in scan([tmp_path]).refused}
    assert all("the header does not fit its pixels" in word and "3,774 came" in word for word in why)
    assert why


def test_files_of_pydicom_are_refused_or_equal_simpleitk() -> None:
    """Odd files of many makers, 12-bit and padded JPEG, wrong signs, bare and damaged ones."""
    compared = []
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")):
        for stack in scan([path]).stacks:
            if path.name == "JPEG2000-embedded-sequence-delimiter.dcm":  # overwritten on purpose
                with pytest.raises(LesionmapError, match="cannot be decoded"):
                    station_pixels(stack.station)
                continue
            mine = station_pixels(stack.station).array
            other = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
            assert np.allclose(mine.transpose(2, 1, 0), other, atol=0.01), path.name
            compared.append(path.name)
    assert {"JPGExtended.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small_RLE.dcm"} <= set(compared)
