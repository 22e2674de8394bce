"""The phantom's DICOM files: the same bytes each time, with nothing in them that depends on the day or the machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lesionmap.phantom.bone_scan import PIXEL_MM

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lesionmap.phantom.stations import Stack
    from lesionmap.phantom.tissue import Contrast

__all__ = ["Header", "uid", "write_bone_scan", "write_stack"]

_MR, _NM = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.20"
_TIMES = {"STIR": (4200.0, 46.0, 150.0), "T1": (520.0, 11.0, None)}


@dataclass(frozen=True, slots=True)
class Header:
    """Who and when, as it stands in every file of a visit."""

    patient_id: str
    name: str
    sex: str
    born: date
    day: date
    age_y: float
    stature_m: float
    weight_kg: float
    study: str
    """Text that the Study Instance UID is made from."""


def uid(*what: object) -> str:
    """Give the DICOM UID that belongs to some words: always the same for the same words."""
    digest = hashlib.sha256("|".join(["lesionmap sample", *map(str, what)]).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


def _dataset(header: Header, sop_class: str, instance: str) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = UID(instance)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = UID(uid("implementation"))
    ds.file_meta.ImplementationVersionName = "LESIONMAP"
    ds.SOPClassUID, ds.SOPInstanceUID = UID(sop_class), UID(instance)
    day = header.day.strftime("%Y%m%d")
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = day
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "120000"
    ds.AccessionNumber, ds.ReferringPhysicianName, ds.StudyID = "", "", "1"
    ds.Manufacturer, ds.ManufacturerModelName = "lesionmap", "phantom"
    ds.PatientName, ds.PatientID = header.name, header.patient_id
    ds.PatientBirthDate, ds.PatientSex = header.born.strftime("%Y%m%d"), header.sex
    ds.PatientAge = f"{int(header.age_y):03d}Y"
    ds.PatientSize, ds.PatientWeight = f"{header.stature_m:.3f}", f"{header.weight_kg:.1f}"
    ds.StudyInstanceUID = uid(header.study)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.PixelRepresentation = 16, 0
    return ds


def _save(ds: Any, pixels: NDArray[np.uint16], path: Path) -> None:
    from pydicom.uid import JPEGLSLossless

    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.PixelData = pixels.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.compress(JPEGLSLossless, encoding_plugin="pyjpegls", generate_instance_uid=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


def _place(ds: Any, stack: Stack, k: int) -> None:
    """Say where slice ``k`` lies."""
    axes = stack.grid.lps_from_voxel[:3, :3] / stack.grid.spacing_mm
    ds.ImageOrientationPatient = [f"{v:g}" for v in (*axes[:, 0] + 0.0, *axes[:, 1] + 0.0)]
    ds.ImagePositionPatient = [f"{v:.4f}" for v in stack.grid.lps([0, 0, k])]
    column, row, apart = stack.grid.spacing_mm
    ds.PixelSpacing = [f"{row:g}", f"{column:g}"]
    ds.SpacingBetweenSlices, ds.SliceThickness = f"{apart:g}", f"{apart * 10 / 11:.4g}"
    ds.SliceLocation, ds.InstanceNumber, ds.AcquisitionNumber = f"{k * apart:.4f}", k + 1, 1


def write_stack(stack: Stack, contrast: Contrast, header: Header, number: int, folder: Path) -> list[Path]:
    """Write a station's slices as classic MR images, one file a slice.

    Parameters
    ----------
    number : int
        Series number.
    """
    short = {"coronal": "cor", "sagittal": "sag"}[stack.plane]
    label = f"{contrast} {short}" + (f" station {stack.number}" if stack.number else "")
    series = uid(header.study, label)
    repetition, echo, inversion = _TIMES[contrast]
    written = []
    for k, frame in enumerate(stack.pixels):
        ds = _dataset(header, _MR, uid(header.study, label, k))
        ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber = "MR", series, number
        ds.SeriesDescription, ds.ProtocolName = label, f"{contrast} {short} whole body"
        ds.SequenceName = {"STIR": "*tir2d1", "T1": "*tse2d1"}[contrast]
        ds.ScanningSequence, ds.SequenceVariant = (["SE", "IR"] if inversion else "SE"), "SK"
        ds.ScanOptions, ds.MRAcquisitionType = "", "2D"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = f"{repetition:g}", f"{echo:g}", 12
        if inversion:
            ds.InversionTime = f"{inversion:g}"
        ds.MagneticFieldStrength, ds.BodyPartExamined = "1.5", "WHOLEBODY"
        ds.PatientPosition, ds.PositionReferenceIndicator = "HFS", ""
        ds.FrameOfReferenceUID = uid(header.study, "frame of reference")
        _place(ds, stack, k)
        ds.BitsStored, ds.HighBit = 12, 11
        ds.WindowCenter, ds.WindowWidth = ("160", "320") if contrast == "STIR" else ("200", "400")
        path = folder / f"{contrast.lower()}_{short}_{stack.number or 1}" / f"{k + 1:03d}.dcm"
        _save(ds, frame, path)
        written.append(path)
    return written


def _code(value: str, scheme: str, meaning: str) -> Any:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _detector(view: tuple[str, str], angle: str) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CollimatorGridName, item.CollimatorType = "LEHR", "PARA"
    item.FieldOfViewShape, item.ZoomFactor = "RECTANGLE", ["1", "1"]
    item.StartAngle = angle
    item.ImageOrientationPatient, item.ImagePositionPatient = None, None  # a planar view needs none
    item.ViewCodeSequence = [_code(view[0], "SCT", view[1])]
    return item


def write_bone_scan(views: NDArray[np.uint16], header: Header, number: int, path: Path) -> Path:
    """Write the two views of a planar whole-body bone scan as one NM image of two frames."""
    from pydicom.dataset import Dataset

    ds = _dataset(header, _NM, uid(header.study, "bone scan", 0))
    ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber = "NM", uid(header.study, "bone scan"), number
    ds.SeriesDescription, ds.InstanceNumber = "bone scan late whole body", 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uid(header.study, "bone scan frame"), ""
    ds.NumberOfFrames = 2
    ds.FrameIncrementPointer = [(0x0054, 0x0010), (0x0054, 0x0020)]
    ds.EnergyWindowVector, ds.NumberOfEnergyWindows = [1, 1], 1
    ds.DetectorVector, ds.NumberOfDetectors = [1, 2], 2
    window, range_kev, tracer = Dataset(), Dataset(), Dataset()
    range_kev.EnergyWindowLowerLimit, range_kev.EnergyWindowUpperLimit = "126", "154"
    window.EnergyWindowName, window.EnergyWindowRangeSequence = "Tc-99m", [range_kev]
    ds.EnergyWindowInformationSequence = [window]
    tracer.Radiopharmaceutical, tracer.RadiopharmaceuticalStartTime = "Tc-99m MDP", "090000"
    tracer.RadionuclideCodeSequence = [_code("72454007", "SCT", "^99m^Technetium")]
    tracer.RadiopharmaceuticalCodeSequence = [_code("96390006", "SCT", "Technetium Tc^99m^ medronate")]
    ds.RadiopharmaceuticalInformationSequence = [tracer]
    ds.DetectorInformationSequence = [
        _detector(("399321004", "Antero-posterior projection"), "180"),
        _detector(("399001007", "Postero-anterior projection"), "0"),
    ]
    ds.PatientOrientationCodeSequence = [_code("102538003", "SCT", "recumbent")]
    ds.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [_code("40199007", "SCT", "supine")]
    ds.PatientGantryRelationshipCodeSequence = [_code("102540008", "SCT", "headfirst")]
    ds.Laterality, ds.PixelSpacing = "", [f"{PIXEL_MM:g}"] * 2
    ds.WholeBodyTechnique, ds.CountsAccumulated = "1PS", int(views.sum())
    ds.ScanLength, ds.ScanVelocity = round(views.shape[1] * PIXEL_MM), f"{views.shape[1] * PIXEL_MM / 900:.3f}"
    ds.ActualFrameDuration, ds.AcquisitionTerminationCondition = 900000, "POSITION"
    ds.BitsStored, ds.HighBit = 16, 15
    ds.WindowCenter, ds.WindowWidth = "15", "30"
    _save(ds, views, path)
    return path
