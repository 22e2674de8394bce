"""Valid image files, and damage done to their bytes: seeded, so that a case is its kind and a number.

Bits, bytes, ends and lengths change; elements are doubled, dropped, exchanged and given odd values; sequences are
nested beyond reason; sizes are claimed that no file has; archives unpack to more than a machine holds.
"""

from __future__ import annotations

import functools
import gzip
import io
import random
import shutil
import struct
import subprocess
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

import dicom_files as df

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset

    from lesionmap.space import Volume

__all__ = ["KINDS", "mutated", "valid_files"]

_SHAPE = (45, 37, 3)
_BOMB_BYTES = 300 << 20
_SIZES = (0, 1, 2, 0xFF, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_WRITTEN = (
    b"nan",
    b"inf",
    b"1e308",
    b"-1e308",
    b"1e-308",
    b"-0",
    b"0",
    b"",
    b"-",
    b"12\\",
    b"\\\\\\",
    b"99999999999999",
)
_CLAIMS = (b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", b"\x28\x00\x08\x00", b"\x28\x00\x00\x01", b"\x28\x00\x02\x00")
"""Rows, Columns, Number of Frames, Bits Allocated, Samples per Pixel."""
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT")
_PIXELS = b"\xe0\x7f\x10\x00"


@dataclass(frozen=True, slots=True)
class _Element:
    """Where an element of a plain file stands: its first byte, its value's, the byte after it."""

    start: int
    value: int
    end: int


def _volume() -> Volume:
    return df.noise(df.grid(_SHAPE, directions=df.turned(80, 12, -9)))


def _uid(k: int) -> dict[str, Any]:
    """Name a slice; the same in every run, so that a seed is the same case."""
    return {"SOPInstanceUID": f"1.2.3.4.7.{k + 1}", "InstanceNumber": str(k + 1)}


def _slices(change: Callable[[FileDataset], object] | None = None, **tags: Any) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        tags = {"BitsStored": 12, "HighBit": 11, **tags}
        paths = df.write_series(Path(folder), _volume(), change=change, per_slice=_uid, **tags)
        return {f"slice{k}": path.read_bytes() for k, path in enumerate(paths)}


def _syntax(uid: str) -> Callable[[FileDataset], None]:
    def change(ds: FileDataset) -> None:
        ds["PixelData"].VR = "OW"
        ds.file_meta.TransferSyntaxUID = UID(uid)

    return change


def _compressed(uid: str) -> Callable[[FileDataset], None]:
    return lambda ds: ds.compress(uid, generate_instance_uid=False)


def _lossless_jpeg() -> dict[str, bytes]:
    """Compress by dcmtk, the only encoder; RLE stands in where it is not installed."""
    if shutil.which("dcmcjpeg") is None:
        return _slices(_compressed(RLELossless))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        files = {}
        for name, data in _slices().items():
            path.write_bytes(data)
            subprocess.run(["dcmcjpeg", "+e1", path, path], check=True, capture_output=True)
            files[name] = path.read_bytes()
        return files


def _bytes_of(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item


def _enhanced() -> dict[str, bytes]:
    """The same slices as one enhanced MR file, each with a slope of its own."""
    datasets = [dcmread(io.BytesIO(data)) for data in _slices().values()]
    ds = datasets[0]
    measures = _item(PixelSpacing=ds.PixelSpacing, SliceThickness="4", SpacingBetweenSlices="4")
    turned = _item(ImageOrientationPatient=ds.ImageOrientationPatient)
    ds.SharedFunctionalGroupsSequence = [_item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[turned])]
    ds.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=one.ImagePositionPatient)],
            PixelValueTransformationSequence=[
                _item(RescaleSlope=str(1 + k / 2), RescaleIntercept="0", RescaleType="US")
            ],
        )
        for k, one in enumerate(datasets)
    ]
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4.1")
    ds.NumberOfFrames = len(datasets)
    ds.PixelData = b"".join(one.PixelData for one in datasets)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(ds, keyword)
    return {"enhanced": _bytes_of(ds)}


def _planar(uid: str = "") -> dict[str, bytes]:
    frames = np.ascontiguousarray(_volume().array[:, :, :2].transpose(2, 1, 0))
    detectors = [{"StartAngle": "180"}, {"StartAngle": "0"}]
    with TemporaryDirectory() as folder:
        path = df.write_planar(
            Path(folder) / "nm", frames, detectors=detectors, SOPInstanceUID="1.2.3.4.8", BitsStored=12, HighBit=11
        )
        if not uid:
            return {"nm": path.read_bytes()}
        ds = dcmread(path)
    single = [dcmread(io.BytesIO(data)) for data in _slices(_compressed(uid)).values()][:2]
    encoded = [next(generate_frames(one.PixelData, number_of_frames=1)) for one in single]
    ds.PixelData = encapsulate(encoded, fragments_per_frame=2, has_bot=True)
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID(uid)
    return {"nm": _bytes_of(ds)}


def _nifti(name: str) -> dict[str, bytes]:
    image = nib.Nifti1Image(_volume().array.astype(np.int16), np.diag([-1.0, -1, 1, 1]) @ _volume().grid.lps_from_voxel)
    data = image.to_bytes()
    return {name: gzip.compress(data, mtime=0) if name.endswith(".gz") else data}


def _archive() -> dict[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _slices().items():
            archive.writestr(zipfile.ZipInfo(f"a/{name}"), data, zipfile.ZIP_DEFLATED)
    return {"visit.zip": buffer.getvalue()}


def _segmentation() -> dict[str, bytes]:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    sources = [dcmread(io.BytesIO(data)) for data in _slices(PatientSize=None, AccessionNumber="", StudyID="").values()]
    for ds in sources:
        ds.StudyTime, ds.ReferringPhysicianName, ds.PositionReferenceIndicator = "", "", ""
    mask: NDArray[np.uint8] = np.zeros((_SHAPE[2], _SHAPE[1], _SHAPE[0]), np.uint8)
    mask[:, 2:15, 3:29] = 1
    bone = codes.SCT.Bone
    algorithm = hd.seg.SegmentAlgorithmTypeValues.MANUAL
    described = hd.seg.SegmentDescription(1, "lesion", bone, bone, algorithm)
    return {
        "seg.dcm": _bytes_of(
            hd.seg.Segmentation(
                source_images=sources,
                pixel_array=mask,
                segmentation_type="BINARY",
                segment_descriptions=[described],
                series_instance_uid="1.2.3.5",
                series_number=9,
                sop_instance_uid="1.2.3.6",
                instance_number=1,
                manufacturer="m",
                manufacturer_model_name="m",
                software_versions="1",
                device_serial_number="1",
            )
        )
    }


_MADE: dict[str, Callable[[], dict[str, bytes]]] = {
    "raw": _slices,
    "implicit": lambda: _slices(_syntax(ImplicitVRLittleEndian)),
    "deflated": lambda: _slices(_syntax(DeflatedExplicitVRLittleEndian)),
    "rle": lambda: _slices(_compressed(RLELossless)),
    "jpeg_ls": lambda: _slices(_compressed(JPEGLSLossless)),
    "jpeg_2000": lambda: _slices(_compressed(JPEG2000Lossless)),
    "jpeg": _lossless_jpeg,
    "enhanced": _enhanced,
    "planar": _planar,
    "planar_ls": lambda: _planar(JPEGLSLossless),
    "nifti": lambda: _nifti("image.nii"),
    "nifti_gz": lambda: _nifti("image.nii.gz"),
    "zip": _archive,
    "seg": _segmentation,
}
KINDS = tuple(_MADE)
"""Kinds of valid files."""


@functools.cache
def valid_files(kind: str) -> dict[str, bytes]:
    """Give the files of a kind: name → bytes. Three slices oblique in space, or one file of all of them."""
    return _MADE[kind]()


def mutated(kind: str, seed: int) -> dict[str, bytes]:
    """Damage one file of a kind; the others stay as they are."""
    rng = random.Random(f"{kind} {seed}")  # noqa: S311
    files = dict(valid_files(kind))
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = _damaged(kind, data, rng)
    files[name] = bytes(data)
    return files


def _damaged(kind: str, data: bytearray, rng: random.Random) -> bytearray:
    if rng.random() < 0.01:
        return _bomb(kind, data)
    elements = _elements(kind, data)
    if elements and rng.random() < 0.6:
        return rng.choice((_length, _doubled, _dropped, _exchanged, _value, _value, _nested, _claim))(
            data, elements, rng
        )
    if data and b"\xfe\xff\x00\xe0" in data and rng.random() < 0.2:
        return _item_length(data, rng)
    return rng.choice((_flipped, _flipped, _overwritten, _cut, _shifted))(data, rng)


def _elements(kind: str, data: bytes | bytearray) -> list[_Element]:
    """Find the top elements of a plain DICOM file up to its pixels; what cannot be followed ends the list."""
    found: list[_Element] = []
    if data[128:132] != b"DICM":
        return found
    position, explicit = 132, True
    while position + 12 <= len(data) and data[position : position + 4] != _PIXELS:
        explicit = kind != "implicit" or data[position : position + 2] == b"\x02\x00"
        long = not explicit or bytes(data[position + 4 : position + 6]) in _LONG
        at = position + (8 if explicit and long else 4 if long else 6)
        length = int.from_bytes(data[at : at + (4 if long else 2)], "little")
        value = at + (4 if long else 2)
        if length == 0xFFFFFFFF or value + length > len(data):
            break
        found.append(_Element(position, value, value + length))
        position = value + length
    return found


def _at(data: bytes | bytearray, rng: random.Random) -> int:
    """Choose a byte, the header's more often than the pixels'."""
    pixels = max(data.find(_PIXELS), 1) if rng.random() < 0.5 else len(data)
    return rng.randrange(max(min(pixels + 40, len(data)), 1))


def _flipped(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice((1, 1, 2, 8)) if data else 0):
        data[_at(data, rng)] ^= 1 << rng.randrange(8)
    return data


def _overwritten(data: bytearray, rng: random.Random) -> bytearray:
    at, size = _at(data, rng), rng.choice((1, 2, 4, 16))
    fill = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", rng.randbytes(1))) * size
    data[at : at + size] = fill[: len(data) - at]
    return data


def _cut(data: bytearray, rng: random.Random) -> bytearray:
    return data[: _at(data, rng)]


def _shifted(data: bytearray, rng: random.Random) -> bytearray:
    at, size = _at(data, rng), rng.randrange(1, 17)
    if rng.random() < 0.5:
        del data[at : at + size]
    else:
        data[at:at] = rng.randbytes(size)
    return data


def _length(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    one = rng.choice(elements)
    width = rng.choice((2, 4)) if one.value - one.start > 8 else 2
    now = one.end - one.value
    size = rng.choice((*_SIZES, now - 2, now - 1, now + 1, now + 2)) & ((1 << 8 * width) - 1)
    data[one.value - width : one.value] = size.to_bytes(width, "little")
    return data


def _doubled(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    one, other = rng.choice(elements), rng.choice(elements)
    data[other.start : other.start] = data[one.start : one.end]
    return data


def _dropped(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    one = rng.choice(elements)
    del data[one.start : one.end]
    return data


def _exchanged(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    one, other = sorted(rng.sample(elements, 2), key=lambda e: e.start) if len(elements) > 1 else elements * 2
    first, second = bytes(data[one.start : one.end]), bytes(data[other.start : other.end])
    data[other.start : other.end] = first
    data[one.start : one.end] = second
    return data


def _value(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    """Give an element another value of the same length: an odd number, or one digit changed."""
    one = rng.choice(elements)
    size = one.end - one.value
    if size == 2:
        data[one.value : one.end] = struct.pack("<H", rng.choice((0, 1, 7, 8, 15, 16, 32, 255, 65535)))
    elif size and rng.random() < 0.5:
        data[one.value : one.end] = rng.choice(_WRITTEN).ljust(size)[:size]
    elif size:
        data[one.value + rng.randrange(size)] = rng.choice(b"0123456789.-\\ eE")
    return data


def _claim(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    """Claim another size of the image."""
    claims = [one for one in elements if bytes(data[one.start : one.start + 4]) in _CLAIMS]
    if claims:
        one = rng.choice(claims)
        size = one.end - one.value
        number = rng.choice((0, 1, 8, 10, 4096, 46341, 65535))
        data[one.value : one.end] = struct.pack("<H", number) if size == 2 else str(10**size - 1).encode()
    return data


def _nested(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    """Put a private sequence of many levels before an element."""
    depth = rng.choice((20, 300, 5000))
    begin = b"\x09\x00\x10\x10SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    at = rng.choice(elements).start
    data[at:at] = begin * depth + end * rng.choice((depth, depth - 1, 0))
    return data


def _item_length(data: bytearray, rng: random.Random) -> bytearray:
    """Give an item (of a sequence, or a fragment of compressed pixels) another length."""
    items = [n for n in range(len(data) - 8) if data[n : n + 4] == b"\xfe\xff\x00\xe0"]
    at = rng.choice(items) + 4
    now = int.from_bytes(data[at : at + 4], "little")
    data[at : at + 4] = (rng.choice((*_SIZES, now - 2, now + 2)) & 0xFFFFFFFF).to_bytes(4, "little")
    return data


@functools.cache
def _zeros(wbits: int) -> bytes:
    """Deflate more zeros than are unpacked in memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(_BOMB_BYTES >> 20)) + packer.flush()


def _bomb(kind: str, data: bytearray) -> bytearray:
    """Make what unpacks to more than a machine should hold; a file that is not packed gets a long tail."""
    if kind == "nifti_gz":
        whole = gzip.decompress(bytes(valid_files(kind)["image.nii.gz"]))
        return bytearray(gzip.compress(whole, mtime=0)[:-8] + _zeros(31))
    if kind == "deflated":
        end = _elements(kind, data)[:1]
        meta = end[0].end + int.from_bytes(data[end[0].value : end[0].end], "little") if end else 132
        return data[:meta] + _zeros(-15)
    if kind == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.dcm", bytes(_BOMB_BYTES))
        return bytearray(buffer.getvalue())
    return data + b"\xfe\xff\x00\xe0\0\0\0\0" * 100_000
