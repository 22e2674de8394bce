"""Valid image files, small, as bytes: every way of storing the same three oblique slices that is to be damaged."""

from __future__ import annotations

import functools
import gzip
import io
import shutil
import subprocess
import zipfile
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

__all__ = ["KINDS", "valid_files"]

_SHAPE = (45, 37, 3)


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
