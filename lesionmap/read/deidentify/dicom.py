"""One DICOM file without its patient: every element at every depth, the pixels bit for bit."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError
from lesionmap.read.deidentify import profile
from lesionmap.read.deidentify.words import left_out, letters_of, safe_words
from lesionmap.read.files import open_file
from lesionmap.read.header import broken

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from lesionmap.read.deidentify.disguise import Disguise

__all__ = ["Copy", "dicom_copy"]

_STANDARD_SCHEMES = ("DCM", "SCT", "SRT", "SNM3", "99SDM", "UCUM", "FMA", "LN", "RADLEX", "NCIt", "UMLS", "NYUMCCG")
_OWN_SCHEME = "99LESIONMAP"
_CODE = re.compile(r"[A-Za-z0-9.\-\[\]{}/%^*]{1,16}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CODE_STRING = re.compile(r"[A-Z0-9 _*+.\-/]{0,16}")
_LABEL = re.compile(r"\d{1,3}")
_AGE = re.compile(r"\d{3}[DWMY]")
_ZONE = re.compile(r"[+-]\d{4}")
_TIMES = {
    "DA": re.compile(r"\d{4}\.?\d\d\.?\d\d"),
    "TM": re.compile(r"\d\d(:?\d\d(:?\d\d(\.\d{1,6})?)?)?"),
    "DT": re.compile(r"\d{8}(\d\d(\d\d(\d\d(\.\d{1,6})?)?)?)?([+-]\d{4})?"),
}
_PIXELS = 0x7FE0
_SEXES = ("M", "F", "O")
_OLDEST_MONTHS = 999
_METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
    ("113108", "Retain Patient Characteristics Option"),
    ("113111", "Retain Safe Private Option"),
)
_FULL_DATES = ("113106", "Retain Longitudinal Temporal Information Full Dates Option")
_MOVED_DATES = ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
_SHOWN = ("SCREEN", "SAVE", "CAPTURE", "RESULT", "REPORT", "DOSE", "FUSED", "FUSION", "OVERLAY", "ANNOT", "COLLAGE")


@dataclass(frozen=True, slots=True)
class Copy:
    """A de-identified DICOM file, to be written."""

    content: bytes
    uid: str
    """SOP Instance UID of the copy."""
    series_uid: str
    series_number: int
    may_show: str
    """Why there may be text burned into the pixels; empty where nothing says so, which proves nothing."""


def dicom_copy(path: str, disguise: Disguise, age_y: float | None) -> Copy:
    """Make the de-identified copy of a DICOM file, in its own transfer syntax.

    Parameters
    ----------
    path : str
        A DICOM image.
    disguise : Disguise
        Of its patient.
    age_y : float, optional
        At the visit, where the birth date is known; replaces the age in the header, which counts in years.

    Raises
    ------
    LesionmapError
        If the file cannot be read whole.
    """
    from pydicom import dcmread

    try:
        with warnings.catch_warnings(), open_file(path) as file:
            warnings.simplefilter("ignore")  # pydicom warns with values, which may name people
            dataset = dcmread(file, force=True)
            return _copied(dataset, disguise, age_y)
    except broken() as error:
        raise LesionmapError(
            f"a DICOM file was expected, its elements cannot be read ({type(error).__name__}) and so not be cleaned; "
            "leave it out"
        ) from error


def _copied(dataset: Dataset, disguise: Disguise, age_y: float | None) -> Copy:
    may_show = _may_show(dataset)
    for tag in profile.CODE_PARTS & dataset.keys():  # a code stands in an item of a sequence
        del dataset[tag]
    born = str(dataset.get("PatientBirthDate", "") or "")
    _clean(dataset, disguise)
    _name(dataset, disguise, age_y if born else None)
    _mark(dataset, disguise)
    dataset.file_meta = _file_meta(dataset)
    dataset.preamble = b"\0" * 128
    content = io.BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return Copy(
        content.getvalue(),
        str(dataset.SOPInstanceUID),
        str(dataset.get("SeriesInstanceUID", "")),
        int(dataset.get("SeriesNumber", None) or 0),
        may_show,
    )


def _may_show(dataset: Dataset) -> str:
    """Tell by the header what kinds of image carry text in their pixels."""
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        return "the header says that there is text in the pixels"
    kind = " ".join(map(str, dataset.get("ImageType", None) or ())).upper()
    said = next((word for word in _SHOWN if word in kind), "")
    if said:
        return f"the image type says {said}, which often has text in the pixels"
    if str(dataset.get("SOPClassUID", "")).startswith(_SECONDARY):
        return "it is a secondary capture, which often has text in the pixels"
    return ""


def _name(dataset: Dataset, disguise: Disguise, age_y: float | None) -> None:
    """Give the patient's pseudonym and what growth needs."""
    dataset.PatientName = dataset.PatientID = disguise.patient
    dataset.IssuerOfPatientID = disguise.issuer
    dataset.PatientBirthDate = ""
    sex = str(dataset.get("PatientSex", "") or "").strip()
    dataset.PatientSex = sex if sex in _SEXES else ""
    months = None if age_y is None else round(age_y * 12)
    if months is not None:
        dataset.PatientAge = f"{months:03d}M" if months <= _OLDEST_MONTHS else f"{min(months // 12, 90):03d}Y"


def _mark(dataset: Dataset, disguise: Disguise) -> None:
    """Say what was done (PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1)."""
    from pydicom.dataset import Dataset

    codes = []
    for value, meaning in (*_METHODS, _MOVED_DATES if disguise.shifts else _FULL_DATES):
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "lesionmap: DICOM PS3.15 Basic Profile, header only"
    dataset.DeidentificationMethodCodeSequence = sorted(codes, key=lambda code: str(code.CodeValue))
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if disguise.shifts else "UNMODIFIED"


def _file_meta(dataset: Dataset) -> Any:
    """Write a new file meta header: nothing of the old one but the transfer syntax."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    syntax = dataset.file_meta.get("TransferSyntaxUID", None)
    if not syntax:  # an old file without a meta header
        implicit, little = dataset.original_encoding
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return meta


def _clean(dataset: Dataset, disguise: Disguise) -> None:
    """Clean a dataset and the items of its sequences."""
    kept_private = _safe_private(dataset)
    for tag in list(dataset.keys()):
        if tag.is_private:
            if tag not in kept_private:
                del dataset[tag]
        elif tag not in profile.CODE_PARTS:
            _treat(dataset, int(tag), disguise)


def _safe_private(dataset: Dataset) -> set[int]:
    """List the private elements that stay, and their creators."""
    kept: set[int] = set()
    for tag in dataset.keys():  # noqa: SIM118 (iterating a dataset reads its elements)
        creator = tag & 0xFFFF0000 | (tag & 0xFF00) >> 8
        if not tag.is_private or tag.is_private_creator or creator not in dataset:
            continue
        if not profile.safe_private(str(dataset[creator].value), tag):
            continue
        value = dataset.get_item(tag).value
        raw = value if isinstance(value, bytes) else "\\".join(_parts(dataset, tag)).encode("utf-8", "replace")
        if profile.only_numbers(raw):
            kept |= {int(tag), int(creator)}
    return kept


def _vr_of(dataset: Dataset, tag: int) -> str:
    """Value representation of a standard element: as written, else of the standard's dictionary, else UN."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR, repeater_has_tag

    written = dataset.get_item(tag).VR
    if written and written != "UN":
        return str(written)
    return dictionary_VR(tag) if dictionary_has_tag(tag) or repeater_has_tag(tag) else "UN"


def _treat(dataset: Dataset, tag: int, disguise: Disguise) -> None:
    vr = _vr_of(dataset, tag)
    if tag in profile.DESCRIPTIONS and vr in profile.TEXT_VRS:
        _describe(dataset, tag, disguise)
    elif tag in profile.TERMS and vr in profile.TEXT_VRS:
        terms = profile.TERMS[tag]
        if _parts(dataset, tag) != [""]:
            dataset[tag].value = [part if part in terms else terms[0] for part in _parts(dataset, tag)]
    elif tag in profile.LABELS and vr in profile.TEXT_VRS:
        dataset[tag].value = [_label(part, disguise) for part in _parts(dataset, tag)]
    else:
        _act(dataset, tag, vr, disguise)


def _act(dataset: Dataset, tag: int, vr: str, disguise: Disguise) -> None:
    action = profile.action_of(tag, vr)
    if action == "keep":
        _keep(dataset, tag, vr, disguise)
    elif action == "uid":
        dataset[tag].value = [_uid(part, disguise) for part in _parts(dataset, tag)]
    elif action == "remove":
        del dataset[tag]
    elif vr == "SQ":
        dataset[tag].value = []
    elif any(_parts(dataset, tag)):  # what is empty stays so
        profile.dummy(dataset[tag], empty=action == "empty")


def _keep(dataset: Dataset, tag: int, vr: str, disguise: Disguise) -> None:
    """Keep an element where it holds what its kind says; a text in the place of a number goes."""
    if vr == "SQ":
        _clean_items(dataset, tag, disguise)
    elif vr in profile.DATE_VRS:
        _keep_time(dataset, tag, vr, disguise)
    elif vr == "CS":
        parts = _parts(dataset, tag)
        if not all(_CODE_STRING.fullmatch(part) for part in parts):
            dataset[tag].value = [p if _CODE_STRING.fullmatch(p) else disguise.token(p) for p in parts]
    else:
        kind = _NUMBER if vr in profile.NUMBER_VRS else _AGE if vr == "AS" else _ZONE if vr == "SH" else None
        if kind is not None and not all(kind.fullmatch(part) for part in _parts(dataset, tag) if part):
            del dataset[tag]


def _clean_items(dataset: Dataset, tag: int, disguise: Disguise) -> None:
    """Clean the items of a sequence; one of which nothing is left goes, and so does a sequence that was not empty."""
    items = list(dataset[tag].value or ())
    left = [item for item in items if _clean_code(item, disguise)]
    for item in left:
        _clean(item, disguise)
        for pixel in [tag for tag in item.keys() if tag.group == _PIXELS]:  # noqa: SIM118 (as above)
            del item[pixel]  # a picture within a picture
    left = [item for item in left if len(item) > 0]
    if items and not left:
        del dataset[tag]
    elif len(left) < len(items):
        dataset[tag].value = left


def _keep_time(dataset: Dataset, tag: int, vr: str, disguise: Disguise) -> None:
    parts = _parts(dataset, tag)
    if not any(parts):
        return
    if not all(_TIMES[vr].fullmatch(part) for part in parts):
        del dataset[tag]
    elif disguise.shifts and vr != "TM":
        moved = [disguise.moved_text(part) for part in parts]
        if None in moved:
            del dataset[tag]
        else:
            dataset[tag].value = "\\".join(map(str, moved))


def _describe(dataset: Dataset, tag: int, disguise: Disguise) -> None:
    """Keep the words of a sequence; where words of the series description go, letters tell that it was another one."""
    text = " ".join(_parts(dataset, tag))
    words = safe_words(text, profile.DESCRIPTIONS[tag])
    gone = left_out(text) if tag == 0x0008103E else ""
    if gone:
        words = f"{words[: profile.DESCRIPTIONS[tag] - 5]} {letters_of(disguise.number(gone))}".strip()
    if tag == 0x00080070 and text and not words:
        words = "unknown"
    if words or not text:
        dataset[tag].value = words
    else:
        del dataset[tag]


def _label(text: str, disguise: Disguise) -> str:
    return text if not text or _LABEL.fullmatch(text) else disguise.token(text)


def _uid(text: str, disguise: Disguise) -> str:
    """Give the disguised UID; those of the standard itself stay."""
    from pydicom.uid import UID

    known = UID(text).name != text
    return text if known or not text else disguise.uid(text)


def _clean_code(item: Dataset, disguise: Disguise) -> bool:
    """Keep a code of a public scheme; of another one only what its meaning says in safe words. False: nothing."""
    if not profile.CODE_PARTS & item.keys():
        return True
    scheme, value, text = (" ".join(_parts(item, tag)) for tag in (0x00080102, 0x00080100, 0x00080104))
    words = safe_words(text)
    for tag in profile.CODE_PARTS:
        if tag in item:
            del item[tag]
    if scheme in _STANDARD_SCHEMES and _CODE.fullmatch(value):
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, words or value
    elif words:
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = disguise.token(text), _OWN_SCHEME, words
    return 0x00080100 in item


def _parts(dataset: Dataset, tag: int) -> list[str]:
    """Give the values of an element as texts, stripped; none where it is missing."""
    if tag not in dataset:
        return []
    value = dataset.get_item(tag).value
    if isinstance(value, bytes) and _vr_of(dataset, tag) in profile.TEXT_VRS:
        value = dataset[tag].value  # in its character set
    if isinstance(value, bytes):
        value = value.decode("latin-1").split("\\")
    elif value is None or isinstance(value, str) or not hasattr(value, "__iter__"):
        value = ["" if value is None else value]
    return [str(part).strip(" \0") for part in value]
