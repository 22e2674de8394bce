"""DICOM SR (TID 1500, Imaging Measurement Report): one for each visit and reader, tying its Segmentations together.

Each Lesion is a measurement group under its Tracking UID: by its segment (TID 1411), by 2-D regions on a planar bone
scan (TID 1410), or without a region (TID 1501). A Lesion with several segments has several groups under one UID; the
first one says what holds for the whole Lesion. All that the reader decided is in it, so that ``lesionmap.read.sr``
gives the same LesionMap back. Numbers are computed ones; what is not known is left out.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lesionmap import __version__
from lesionmap.annotate import new_track
from lesionmap.compare import is_read
from lesionmap.errors import LesionmapError
from lesionmap.read import srterms as terms
from lesionmap.read.regions import region_polygons
from lesionmap.read.source import source_header
from lesionmap.write.files import saving
from lesionmap.write.seg import write_segs
from lesionmap.write.source import person_and_study
from lesionmap.write.srgroups import Part, Told, answer_items, lesion_groups, summary
from lesionmap.write.srtree import (
    code_item,
    container,
    evidence_elements,
    image_item,
    person_item,
    point_item,
    put_elements,
    region_item,
    root_elements,
    text_item,
    uid_item,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydicom.dataset import Dataset

    from lesionmap.compare import VisitFacts
    from lesionmap.lesions import Extent, Lesion, Mask
    from lesionmap.visits import Series, Station, Visit
    from lesionmap.write.results import Results
    from lesionmap.write.seg import SegFile

__all__ = ["report_sr", "write_sr"]

_SERIES_NUMBER = 5002
_DEVICE = "2.25.146147166996198708146513184254887217077"
"""Names lesionmap as an observer, in every report."""


def report_sr(
    results: Results,
    visit_key: str,
    segs: Sequence[SegFile] = (),
    *,
    identified: bool = False,
    with_notes: bool = False,
) -> Dataset:
    """Make the structured report of a visit as one reader saw it.

    Parameters
    ----------
    results : Results
        Of all visits of the patient, by that reader.
    visit_key : str
        The visit.
    segs : sequence of SegFile
        From ``segmentations`` of the same map: needed where a mask is drawn on a Series with depth.
    identified : bool
        Copy patient and study from the images, for a PACS. Without it: pseudonym, sex and the day of the visit.
    with_notes : bool
        Whether the reader's free text goes in; it may hold personal data, so it is left out unless asked for.

    Returns
    -------
    Dataset
        Of the class Comprehensive 3D SR.

    Raises
    ------
    LesionmapError
        If nothing was read, a mask has no segment, a track is no UID, or images are needed and not there.
    """
    facts = results.facts(visit_key)
    if not is_read(facts):
        raise LesionmapError(
            f"visit {visit_key} has no mark, no answer and no signature of {results.reader}; there is nothing to report"
        )
    _check_tracks(facts)
    images = _images(facts, segs)
    parts = {x.id: _parts(x, facts.visit, segs, images) for x in facts.lesion_map.lesions}
    tracks = {x.id: x.tracks[0] if x.tracks else new_track() for x in facts.lesion_map.lesions}
    told = Told(results, facts, parts, tracks, with_notes)
    measured, said = _groups(told)
    head = [*_context(results.reader), _procedure(facts.visit), *_library(images)]
    document = _document(results, facts, images, identified=identified)
    put_elements(document, root_elements(terms.REPORT, [*head, *measured, summary(told, said)], "1500"))
    references = [*_references(images), *_segment_references(segs)]
    put_elements(document, evidence_elements(document.StudyInstanceUID, references))
    return document


def _groups(told: Told) -> tuple[list[bytes], list[bytes]]:
    """Give the container of the measurement groups, if there is any, and what stands beside it.

    Programs that read or check a report expect a region of every group as soon as one has it. So lesions that nothing
    on the images shows (known by their site alone) then stand among the evaluations; and tracks without a mark always,
    for they are no lesions of this visit.
    """
    groups = [group for lesion in told.facts.lesion_map.lesions for group in lesion_groups(told, lesion)]
    shown = [group.item for group in groups if group.on_images]
    others = [group.item for group in groups if not group.on_images]
    measured, said = (shown, others) if shown else (others, [])
    return [container(terms.MEASUREMENTS, measured)] if measured else [], [*said, *answer_items(told)]


def write_sr(report: Dataset, path: str | Path, *, segs: Sequence[SegFile] = (), overwrite: bool = False) -> None:
    """Write a structured report and the Segmentations that it refers to into one folder, all or none.

    Parameters
    ----------
    report : Dataset
        From ``report_sr``.
    path : path-like
        Of the report's file.
    segs : sequence of SegFile
        Those the report was made with; they are written beside it under their own names.
    overwrite : bool
        Whether existing files may be replaced.

    Raises
    ------
    LesionmapError
        If a file exists or cannot be written.
    """
    with saving(path, overwrite=overwrite) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they hold header values, which may name people
        report.save_as(temporary, enforce_file_format=True)
        write_segs(segs, Path(path).parent, overwrite=overwrite)


@dataclass(frozen=True, slots=True)
class _Images:
    """The DICOM images of one station of a Series."""

    series: Series
    station: Station
    sop_class: str

    @property
    def uids(self) -> list[str]:
        """SOP Instance UIDs; a multi-frame file is one."""
        return list(dict.fromkeys(file.uid for file in self.station.files))


def _check_tracks(facts: VisitFacts) -> None:
    tracks = [track for lesion in facts.lesion_map.lesions for track in lesion.tracks]
    tracks += [answer.track for answer in facts.lesion_map.answers]
    for track in tracks:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)+", track) or len(track) > 64:
            raise LesionmapError(
                f"a track is a DICOM UID (64 digits and dots at most), got {track!r}; give it a new one"
            )


def _images(facts: VisitFacts, segs: Sequence[SegFile]) -> dict[str, list[_Images]]:
    """List the DICOM images of the Series on which something is marked, by name of the Series."""
    marked = {x.series for lesion in facts.lesion_map.lesions for x in lesion.extents} | {seg.series for seg in segs}
    return {
        series.name: [_Images(series, station, str(source_header(station).SOPClassUID)) for station in series.stations]
        for series in facts.visit.series
        if series.name in marked and all(station.series_uid for station in series.stations)
    }


def _parts(
    lesion: Lesion, visit: Visit, segs: Sequence[SegFile], images: Mapping[str, Sequence[_Images]]
) -> tuple[Part, ...]:
    """Part a lesion into its groups."""
    parts: list[Part] = []
    for number, extent in enumerate(lesion.extents, start=1):
        series = visit.series_named(extent.series)
        if extent.mask is None:
            marker = _marker(extent, series, images.get(series.name, ()))
            template = "1501" if not marker else "1410" if series.projection else "1411"
            parts.append(Part(template, marker, number))
            continue
        own = images.get(series.name)
        if not own:
            raise LesionmapError(
                f"a DICOM SR points to DICOM images, series {series.name!r} on which lesion {lesion.id} is drawn was "
                "read from NIfTI; export it with --nifti"
            )
        references = _regions(extent.mask, own[0]) if series.projection else _segments(lesion, extent, segs)
        template = "1410" if series.projection else "1411"
        parts += [Part(template, one, number, first=n == 0) for n, one in enumerate(references)]
    return tuple(parts) or (Part("1501"),)


def _segments(lesion: Lesion, extent: Extent, segs: Sequence[SegFile]) -> list[tuple[bytes, ...]]:
    """Refer to the segments of a mask, one in each station that it reaches."""
    own = [seg for seg in segs if seg.series == extent.series and lesion.id in seg.segments]
    if not own:
        raise LesionmapError(
            f"the mask of lesion {lesion.id} on series {extent.series!r} has no segment among the DICOM SEGs given; "
            "make them of the same map first"
        )
    return [
        (
            image_item(
                (seg.dataset.SOPClassUID, seg.dataset.SOPInstanceUID), terms.SEGMENT, segment=seg.segments[lesion.id]
            ),
            uid_item(terms.SEGMENT_SERIES, seg.series_uid),
        )
        for seg in own
    ]


def _regions(mask: Mask, images: _Images) -> list[tuple[bytes, ...]]:
    """Draw a mask on a planar view as closed lines, one for each part that hangs together."""
    return [(region_item(terms.REGION, "POLYLINE", points, _view(images)),) for points in region_polygons(mask)]


def _view(images: _Images) -> bytes:
    """Refer to the planar view, a frame of its file."""
    file = images.station.files[0]
    frame = file.frames[0] + 1 if file.frames else None
    return image_item((images.sop_class, file.uid), terms.REGION_IMAGE, frame=frame, relationship="SELECTED FROM")


def _marker(extent: Extent, series: Series, images: Sequence[_Images]) -> tuple[bytes, ...]:
    """Show other programs where a marker lies, as far as the images say in which frame of reference.

    A point is a region of a planar view and a surface of a volume that consists of one point (TID 1410, TID 1411).
    """
    if extent.marker_lps_mm is None or not images:
        return ()
    if series.projection:
        pixel = series.grid.voxels(np.array(extent.marker_lps_mm))[:2] + 0.5
        return (region_item(terms.REGION, "POINT", pixel, _view(images[0])),)
    holding = [one for one in images if bool(one.station.grid.contains(extent.marker_lps_mm))]
    station = next(iter(holding), images[0]).station
    if not station.frame_uid:
        return ()
    x, y, z = extent.marker_lps_mm
    at = (x, y, z - station.moved_mm)  # in the frame that the headers mean
    return point_item(terms.SURFACE, at, station.frame_uid), uid_item(terms.SEGMENT_SERIES, station.series_uid)


def _context(reader: str) -> list[bytes]:
    """Say in which language, by whom and with what program the visit was read."""
    say = "HAS OBS CONTEXT"
    return [
        code_item(terms.LANGUAGE, terms.ENGLISH, relationship="HAS CONCEPT MOD"),
        code_item(terms.OBSERVER_TYPE, terms.PERSON, relationship=say),
        person_item(terms.PERSON_NAME, reader),
        code_item(terms.OBSERVER_TYPE, terms.DEVICE, relationship=say),
        uid_item(terms.DEVICE_UID, _DEVICE, relationship=say),
        text_item(terms.DEVICE_NAME, f"lesionmap {__version__}", relationship=say),
    ]


def _procedure(visit: Visit) -> bytes:
    """Name what was done; of several kinds of imaging no more than that."""
    codes = {terms.PROCEDURES.get(series.modality, terms.OTHER_PROCEDURE) for series in visit.series}
    code = codes.pop() if len(codes) == 1 else terms.OTHER_PROCEDURE
    return code_item(terms.PROCEDURE, code, relationship="HAS CONCEPT MOD")


def _library(images: Mapping[str, Sequence[_Images]]) -> list[bytes]:
    """List the images on which something is marked; what they share is said once for each station."""
    groups = [_library_group(one) for some in images.values() for one in some]
    return [container(terms.LIBRARY, groups)] if groups else []


def _library_group(images: _Images) -> bytes:
    say = "HAS ACQ CONTEXT"
    modality = terms.MODALITIES.get(images.series.modality, terms.OTHER_MODALITY)
    shared = [code_item(terms.MODALITY, modality, relationship=say)]
    if images.station.frame_uid:
        shared.append(uid_item(terms.FRAME_OF_REFERENCE, images.station.frame_uid, relationship=say))
    return container(terms.LIBRARY_GROUP, [*shared, *(image_item((images.sop_class, uid)) for uid in images.uids)])


def _document(
    results: Results, facts: VisitFacts, images: Mapping[str, Sequence[_Images]], *, identified: bool
) -> Dataset:
    """Make the document without its content: whose it is, of which study, and what kind of report."""
    import highdicom as hd
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from pydicom.charset import convert_encodings
    from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian, generate_uid

    person = _person(results, facts, images, identified=identified)
    document: Dataset = hd.SOPClass(
        person.StudyInstanceUID,
        generate_uid(),
        _SERIES_NUMBER,
        generate_uid(),
        Comprehensive3DSRStorage,
        1,
        "SR",
        manufacturer="lesionmap",
        manufacturer_model_name="lesionmap",
        software_versions=__version__,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description="lesionmap lesions of the visit",
        specific_character_set="ISO_IR 192",
        coding_schemes=[
            CodingSchemeIdentificationItem(terms.SCHEME, name="lesionmap", responsible_organization="lesionmap")
        ],
    )
    # highdicom asks what it copies from; the modules wanted are those of a report, not of the image.
    person.SOPClassUID, person.SOPInstanceUID = document.SOPClassUID, document.SOPInstanceUID
    document.copy_patient_and_study_information(person)
    document.CompletionFlag = "COMPLETE" if facts.lesion_map.signed else "PARTIAL"
    document.VerificationFlag = "UNVERIFIED"
    # All of it is in the form of the file: pydicom then writes what is encoded as it is, and does not go through it.
    document.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding=convert_encodings("ISO_IR 192")
    )
    document.PerformedProcedureCodeSequence = []
    document.ReferencedPerformedProcedureStepSequence = []
    return document


def _person(
    results: Results, facts: VisitFacts, images: Mapping[str, Sequence[_Images]], *, identified: bool
) -> Dataset:
    """Give patient and study: those of the first images with marks, else of any images of the visit."""
    visit = facts.visit
    of_images = [
        series for series in visit.series if series.study_uid and series.stations and series.stations[0].series_uid
    ]
    marked = [series for series in of_images if series.name in images]
    for series in (*marked, *of_images):
        return person_and_study(results.patient, visit, series, series.stations[0], identified=identified)
    raise LesionmapError(
        f"a DICOM SR belongs to a study of DICOM images, visit {visit.key} has none; write a table or a report instead"
    )


def _references(images: Mapping[str, Sequence[_Images]]) -> Iterable[tuple[str, str, str, str]]:
    """List study, series, class and instance of the images."""
    for some in images.values():
        for one in some:
            for uid in one.uids:
                yield one.series.study_uid, one.station.series_uid, one.sop_class, uid


def _segment_references(segs: Sequence[SegFile]) -> Iterable[tuple[str, str, str, str]]:
    for seg in segs:
        made = seg.dataset
        yield made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPClassUID, made.SOPInstanceUID
