"""Source images as highdicom wants them: little more than their place, and pseudonymous unless asked otherwise.

highdicom copies patient, study and equipment from the source images into what it makes. So it is given stand-ins that
hold only what may be copied. A frame of a multi-frame or planar file, which highdicom takes whole or not at all, is
given as an image of its own with a made-up SOP Instance UID, which ``refer`` replaces by the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.read.source import source_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydicom.dataset import Dataset

    from lesionmap.read.source import SourceSlice
    from lesionmap.visits import Patient, Series, Station, Visit

__all__ = ["person_and_study", "refer", "stand_ins"]

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_FRAMES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames")
_PLACE = (
    *("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient"),
    *("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
)
_NEEDED = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"),
    *("AccessionNumber", "ReferringPhysicianName"),
)


def person_and_study(
    patient: Patient, visit: Visit, series: Series, station: Station, *, identified: bool = False
) -> Dataset:
    """Give the patient and the study of what is exported, as a dataset to copy from.

    Parameters
    ----------
    patient, visit : Patient, Visit
        Whose pseudonym, sex and day stand in it.
    series : Series
        Of the visit; the Study Instance UID of its images is kept, as a reference must stay one.
    station : Station
        Of that series.
    identified : bool
        Read the patient and the study from the station's first image instead, with name, identifiers and dates, as a
        PACS needs them to file the object.

    Raises
    ------
    LesionmapError
        If the image is asked for and is not there.
    """
    from pydicom.dataset import Dataset

    made = source_header(station) if identified else Dataset()
    for keyword in _FRAMES:
        made.pop(keyword, None)
    for keyword in _NEEDED:
        if keyword not in made:
            setattr(made, keyword, "")
    if not identified:
        made.PatientID = made.PatientName = patient.id
        made.PatientSex = patient.sex or ""
        made.StudyDate = visit.date.strftime("%Y%m%d")
    made.StudyInstanceUID = series.study_uid
    return made


def stand_ins(person: Dataset, station: Station, slices: Sequence[SourceSlice]) -> list[Dataset]:
    """Make a stand-in for each slice; the first holds patient and study."""
    from pydicom.dataset import Dataset
    from pydicom.valuerep import format_number_as_ds as ds

    common = _common(station, slices[0])
    common.StudyInstanceUID = person.StudyInstanceUID
    made = []
    for number, one in enumerate(slices):
        image = Dataset()
        image.update(common)  # elements are shared, which is quick; none of them is changed
        image.SOPInstanceUID = one.sop_uid if one.frame is None else _stand_in_uid(number)
        if one.position:
            image.ImagePositionPatient = [ds(mm) for mm in one.position]
        made.append(image)
    first = Dataset()
    first.update(person)
    for keyword in _PLACE:
        first.pop(keyword, None)
    first.update(made[0])
    return [first, *made[1:]]


def _common(station: Station, first: SourceSlice) -> Dataset:
    """Give what the slices of a station share."""
    from pydicom.dataset import Dataset
    from pydicom.valuerep import format_number_as_ds as ds

    made = Dataset()
    made.SeriesInstanceUID = station.series_uid
    made.SOPClassUID = first.sop_class if first.frame is None else _SECONDARY_CAPTURE
    made.Columns, made.Rows = station.grid.shape[:2]
    if station.frame_uid:
        made.FrameOfReferenceUID = station.frame_uid
    if first.position:  # without one, highdicom cannot read pixel measures back: the view is that of its source
        made.PixelSpacing = [ds(mm) for mm in first.spacing]
        made.ImageOrientationPatient = [ds(cosine) for cosine in first.orientation]
        step = station.grid.spacing_mm[2]
        made.SliceThickness, made.SpacingBetweenSlices = ds(first.thickness_mm or step), ds(step)
    return made


def _stand_in_uid(number: int) -> str:
    return f"2.25.{number}"


def refer(made: Dataset, slices: Sequence[SourceSlice]) -> None:
    """Make every reference to a stand-in one to the slice that it stands for, frame number included."""
    truth = {_stand_in_uid(number): one for number, one in enumerate(slices) if one.frame is not None}
    for group in made.PerFrameFunctionalGroupsSequence:
        for derivation in group.DerivationImageSequence:
            _replace(derivation.SourceImageSequence, truth)
    made.SourceImageSequence = _merged(made.SourceImageSequence, truth, frames=True)
    for series in made.ReferencedSeriesSequence:
        series.ReferencedInstanceSequence = _merged(series.ReferencedInstanceSequence, truth, frames=False)


def _replace(items: Iterable[Dataset], truth: Mapping[str, SourceSlice]) -> None:
    """Replace the references of items, which several frames may share: those that are true already are left."""
    for item in items:
        one = truth.get(item.ReferencedSOPInstanceUID)
        if one is not None:
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.sop_class, one.sop_uid
            item.ReferencedFrameNumber = one.frame


def _merged(items: Iterable[Dataset], truth: Mapping[str, SourceSlice], *, frames: bool) -> list[Dataset]:
    """Give one reference for each file, to the frames of it that are used."""
    from pydicom.dataset import Dataset

    found: dict[str, Dataset] = {}
    numbers: dict[str, list[int]] = {}
    for item in items:
        one = truth[item.ReferencedSOPInstanceUID]
        made = found.setdefault(one.sop_uid, Dataset())
        made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = one.sop_class, one.sop_uid
        if frames and one.frame is not None:
            numbers.setdefault(one.sop_uid, []).append(one.frame)
    for uid, used in numbers.items():
        found[uid].ReferencedFrameNumber = used
    return list(found.values())
