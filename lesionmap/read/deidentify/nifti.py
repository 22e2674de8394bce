"""One NIfTI file, and its sidecar, without their patient: the voxels bit for bit, texts emptied."""

from __future__ import annotations

import gzip
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError
from lesionmap.read.deidentify.words import safe_words
from lesionmap.read.files import open_file
from lesionmap.read.header import broken
from lesionmap.read.sidecar import read_sidecar

if TYPE_CHECKING:
    from lesionmap.read.deidentify.disguise import Disguise

__all__ = ["NiftiCopy", "nifti_copy"]

_TEXTS = ("data_type", "db_name", "descrip", "aux_file", "intent_name", "unused_str")
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "SequenceName", "Manufacturer")
_CODES = ("ImageType", "Modality", "ScanningSequence", "SequenceVariant", "MRAcquisitionType", "ComplexImageComponent")
_NUMBERS = (
    "EchoTime", "EchoTime1", "EchoTime2", "InversionTime", "RepetitionTime", "FlipAngle", "MagneticFieldStrength",
    "SliceThickness", "SpacingBetweenSlices", "EchoNumber", "EchoTrainLength", "SeriesNumber", "PixelBandwidth",
)  # fmt: skip
_CODE = re.compile(r"[A-Z0-9 _*+.\-/\\]{0,64}")


@dataclass(frozen=True, slots=True)
class NiftiCopy:
    """A de-identified NIfTI file, to be written."""

    content: bytes
    sidecar: bytes | None
    """None where the original has none that can be read."""
    words: str
    """Safe words of the original's name, which may be all that tells the sequence: ``stir_cor``."""
    ending: str
    """``.nii`` or ``.nii.gz``."""


def nifti_copy(path: str, disguise: Disguise) -> NiftiCopy:
    """Make the de-identified copy of a NIfTI file and its sidecar.

    Raises
    ------
    LesionmapError
        If the file cannot be read whole.
    """
    ending = ".nii.gz" if path.lower().endswith(".gz") else ".nii"
    try:
        with open_file(path) as file:
            stored = file.read()
        whole = gzip.decompress(stored) if stored[:2] == b"\x1f\x8b" else stored
        content = _without_texts(whole)
    except broken() as error:
        raise LesionmapError("a NIfTI image was expected, it cannot be read whole; leave it out") from error
    if ending == ".nii.gz":
        content = gzip.compress(content, compresslevel=6, mtime=0)
    name = re.sub(r"\.nii(\.gz)?$", "", path.replace("\\", "/").rsplit("/", 1)[-1], flags=re.IGNORECASE)
    return NiftiCopy(content, _sidecar(path, disguise), safe_words(name).replace(" ", "_"), ending)


def _without_texts(whole: bytes) -> bytes:
    """Empty the texts of the header, leave extensions and whatever follows the voxels out."""
    import nibabel as nib
    import numpy as np

    two = 540 in (int.from_bytes(whole[:4], "little"), int.from_bytes(whole[:4], "big"))
    image = (nib.Nifti2Image if two else nib.Nifti1Image).from_bytes(whole)
    header = (nib.Nifti2Header if two else nib.Nifti1Header).from_fileobj(io.BytesIO(whole), check=False)
    for name in _TEXTS:
        if name in header.structarr.dtype.names:
            header.structarr[name] = b""
    start = int(image.dataobj.offset)
    length = int(np.prod(image.shape, dtype=np.int64)) * image.get_data_dtype().itemsize
    return bytes(header.binaryblock).ljust(start, b"\0") + whole[start : start + length]


def _sidecar(path: str, disguise: Disguise) -> bytes | None:
    """Keep of a sidecar the numbers, codes and safe words that name a sequence."""
    facts = read_sidecar(path).facts
    if not facts:
        return None
    kept: dict[str, Any] = {name: facts[name] for name in _NUMBERS if _is_number(facts.get(name))}
    for name in _CODES:
        value = facts.get(name)
        listed = value if isinstance(value, list) else [value]
        if all(isinstance(part, str) and _CODE.fullmatch(part) for part in listed):
            kept[name] = value
    for name in _DESCRIPTIONS:
        words = safe_words(facts[name]) if isinstance(facts.get(name), str) else ""
        if words:
            kept[name] = words
    when = facts.get("AcquisitionDateTime")
    moved = disguise.moved_text(when) if isinstance(when, str) else None
    if moved and re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:.]*)?", moved):
        kept["AcquisitionDateTime"] = moved
    return json.dumps(kept, indent=1, sort_keys=True).encode() + b"\n"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
