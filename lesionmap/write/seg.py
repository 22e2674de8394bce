"""DICOM Segmentations: the masks of a visit on the slices of the images that they were drawn on.

One object for each source DICOM series and reader. Where the stations inside one DICOM series are no single stack of
slices (another matrix, orientation, spacing or frame of reference, or one beside the other), one for each of them:
what is written lies on one regular grid, which is what other programs can read.
"""

from __future__ import annotations

import re
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lesionmap import __version__
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Mask
from lesionmap.write.drawn import drawn_masks, drawn_series
from lesionmap.write.files import saving
from lesionmap.write.segments import segment_description
from lesionmap.write.source import person_and_study, refer, stand_ins
from lesionmap.write.stacks import from_nifti, stacks_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import highdicom
    from numpy.typing import NDArray

    from lesionmap.lesions import Lesion, LesionMap
    from lesionmap.visits import Patient, Series, Visit
    from lesionmap.write.stacks import SourceStack

__all__ = ["SegFile", "segmentations", "write_segs"]

_SERIES_NUMBER = 5001
_RLE = "1.2.840.10008.1.2.5"
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True, eq=False)
class SegFile:
    """One DICOM Segmentation."""

    dataset: highdicom.seg.Segmentation
    series: str
    """Name of the Series of the visit."""
    series_uid: str
    """DICOM Series Instance UID of its source images."""
    segments: Mapping[str, int]
    """Lesion id to segment number."""
    name: str
    """Of its file, without personal data: ``P001_2010-05-04_STIR-coronal_seg.dcm``, numbered if there are several."""
    not_imaged: Mapping[str, int] = field(default_factory=dict)
    """Lesion id to the number of its voxels on the Series that lie on no slice: between two stations."""


def segmentations(
    patient: Patient, visit: Visit, lesion_map: LesionMap, *, labelmap: bool = False, identified: bool = False
) -> tuple[SegFile, ...]:
    """Make the DICOM Segmentations of a reader's map.

    Parameters
    ----------
    patient, visit : Patient, Visit
        Whose map it is; the headers of the images are read where the visit's Series say that they are.
    lesion_map : LesionMap
        Lesions without a mask have no segment, and neither have those drawn on a Series read from NIfTI. A lesion over
        a station seam has one in the object of each station, with the same Tracking UID.
    labelmap : bool
        Write labels (SOP class Label Map Segmentation, RLE), much smaller but read by fewer programs, in place of one
        bit a voxel for each segment. Lesions must not overlap.
    identified : bool
        Copy patient and study from the images, for a PACS. Without it: pseudonym, sex and the day of the visit.

    Returns
    -------
    tuple of SegFile
        In the order of the Series and their stations. Frames without a voxel are left out; masks are copied voxel by
        voxel where the station has the voxels of the joined Series, else each takes the nearest value.

    Raises
    ------
    LesionmapError
        If no mask is drawn, all images are NIfTI, some have no frame of reference or are gone, or lesions overlap in
        labels.
    """
    drawn = drawn_series(lesion_map)
    if not drawn:
        raise LesionmapError(f"visit {visit.key} has no mask to export; its lesions are marked by points or sites only")
    wanted = [visit.series_named(name) for name in drawn]
    dicom = [series for series in visit.series if series in wanted and not from_nifti(series)]
    if not dicom:
        raise LesionmapError(
            f"a DICOM SEG lies on DICOM images, {', '.join(repr(one.name) for one in wanted)} of visit {visit.key} was "
            "read from NIfTI; export it with --nifti"
        )
    request = _Request(patient, visit, lesion_map.reader, labelmap, identified)
    return tuple(file for series in dicom for file in _of_series(request, series, lesion_map))


def write_segs(files: Sequence[SegFile], folder: str | Path, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write DICOM Segmentations under their names, all or none.

    Parameters
    ----------
    files : sequence of SegFile
        From ``segmentations``.
    folder : path-like
        Of the files; it must be there.
    overwrite : bool
        Whether existing files may be replaced.

    Returns
    -------
    tuple of Path
        In the order given.

    Raises
    ------
    LesionmapError
        If a file exists or cannot be written.
    """
    paths = tuple(Path(folder) / file.name for file in files)
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they hold header values, which may name people
        for file, path in zip(files, paths, strict=True):
            file.dataset.save_as(stack.enter_context(saving(path, overwrite=overwrite)), enforce_file_format=True)
    return paths


@dataclass(frozen=True, slots=True)
class _Request:
    """Whose map becomes DICOM, and how."""

    patient: Patient
    visit: Visit
    reader: str
    labelmap: bool
    identified: bool


def _of_series(request: _Request, series: Series, lesion_map: LesionMap) -> list[SegFile]:
    """Make the objects of one Series, one for each stack that a mask reaches."""
    whole = _united(drawn_masks(lesion_map, series))
    lost = _not_imaged(whole, series)
    on_stacks = [(stack, _reaching(whole, stack)) for stack in stacks_of(series)]
    reached = [(stack, drawn) for stack, drawn in on_stacks if drawn]
    made = []
    for n, (stack, drawn) in enumerate(reached, start=1):
        dataset = _dataset(request, series, stack, drawn)
        numbers = {lesion.id: number for number, (lesion, _) in enumerate(drawn, start=1)}
        words = (request.patient.id, request.visit.key, series.name, str(n) if len(reached) > 1 else "", "seg")
        name = "_".join(re.sub(r"[^A-Za-z0-9=._()]+", "-", word) for word in words if word)
        made.append(SegFile(dataset, series.name, stack.first.series_uid, numbers, f"{name}.dcm", lost))
    return made


def _reaching(masks: Sequence[tuple[Lesion, Mask]], stack: SourceStack) -> list[tuple[Lesion, Mask]]:
    """Give the masks that reach a stack, on its grid."""
    found = ((lesion, _on_stack(mask, stack)) for lesion, mask in masks)
    return [(lesion, mask) for lesion, mask in found if mask is not None]


def _united(masks: Sequence[tuple[Lesion, Mask]]) -> list[tuple[Lesion, Mask]]:
    """Give each lesion one mask: two phases drawn on one Series are one segment."""
    lesions = {lesion.id: lesion for lesion, _ in masks}
    parts = {key: [mask for lesion, mask in masks if lesion.id == key] for key in lesions}
    return [(lesions[key], Mask.united(found)) for key, found in parts.items()]


def _not_imaged(masks: Sequence[tuple[Lesion, Mask]], series: Series) -> dict[str, int]:
    """Count the voxels of each lesion that lie in no station; refuse one that lies in none at all."""
    lost = {}
    for lesion, mask in masks:
        points = mask.lps_mm()
        n = int(np.count_nonzero(~np.any([station.grid.contains(points) for station in series.stations], axis=0)))
        if n == len(points):
            raise LesionmapError(
                f"lesion {lesion.id} lies between the stations of series {series.name!r}, where there is no image to "
                "lay a segment on; draw it on an image, or mark it by its site"
            )
        if n:
            lost[lesion.id] = n
    return lost


def _on_stack(mask: Mask, stack: SourceStack) -> Mask | None:
    """Bring a mask onto a stack, without what lies between its stations."""
    found = mask.on(stack.grid)
    if found is None or len(stack.stations) == 1:
        return found
    voxels = found.voxels()
    imaged = voxels[np.isin(voxels[:, 2], sorted(stack.slices()))]
    return Mask.of_voxels(imaged, stack.grid) if len(imaged) else None


def _dataset(
    request: _Request, series: Series, stack: SourceStack, drawn: Sequence[tuple[Lesion, Mask]]
) -> highdicom.seg.Segmentation:
    """Make the Segmentation of the masks on one stack."""
    import highdicom as hd
    from pydicom.uid import generate_uid

    masks = [mask for _, mask in drawn]
    planes = np.unique(np.concatenate([_planes(mask) for mask in masks]))
    labels = _labels(masks, planes)
    if labels is None and request.labelmap:
        _refuse_overlap(drawn, series)
    slices = stack.sources(planes.tolist(), projection=series.projection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they hold header values, which may name people
        person = person_and_study(request.patient, request.visit, series, stack.first, identified=request.identified)
        made = hd.seg.Segmentation(
            stand_ins(person, stack.first, slices),
            _stacked(masks, planes) if labels is None else labels,
            "LABELMAP" if request.labelmap else "BINARY",
            [segment_description(number, lesion) for number, (lesion, _) in enumerate(drawn, start=1)],
            series_instance_uid=generate_uid(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer="lesionmap",
            manufacturer_model_name="lesionmap",
            software_versions=__version__,
            device_serial_number=__version__,
            transfer_syntax_uid=_EXPLICIT_LITTLE,
            content_label="LESIONS",
            content_description="Bone lesions marked by a reader. Research use only.",
            content_creator_name=_person_name(request.reader),
            series_description=f"lesionmap lesions, {series.name}"[:64],
            specific_character_set="ISO_IR 192",
        )
        if series.projection:  # no position tells the directions; those of a view that is not told are not known
            made.PatientOrientation = list(stack.grid.letters[:2]) if series.plane else None
        if request.labelmap:  # named, for the encoder that comes first ends the whole process at odd sizes
            made.compress(_RLE, encoding_plugin="pylibjpeg", generate_instance_uid=False)
        if all(one.frame is None for one in slices):
            return made
        refer(made, slices)
        return hd.seg.Segmentation.from_dataset(made, copy=False)


def _person_name(reader: str) -> str:
    """Give a reader's name as one component of a DICOM person name (VR PN)."""
    return re.sub(r"[\\^=\x00-\x1f]", " ", reader)[:64].strip() or "reader"


def _planes(mask: Mask) -> NDArray[np.int_]:
    """List the slices in which a voxel is set."""
    return np.flatnonzero(mask.box.any(axis=(0, 1))) + mask.origin[2]


def _labels(masks: Sequence[Mask], planes: NDArray[np.int_]) -> NDArray[np.unsignedinteger] | None:
    """Paint masks as numbers from 1, shape (planes, rows, columns); None where two of them overlap."""
    columns, rows, _ = masks[0].grid.shape
    labels = np.zeros((len(planes), rows, columns), dtype=np.uint8 if len(masks) < 256 else np.uint16)
    for number, mask in enumerate(masks, start=1):
        part, box = _at(labels, mask, planes)
        if part[box].any():
            return None
        part[box] = number
    return labels


def _stacked(masks: Sequence[Mask], planes: NDArray[np.int_]) -> NDArray[np.uint8]:
    """Paint masks that overlap, shape (planes, rows, columns, masks), each mask in one piece of memory."""
    columns, rows, _ = masks[0].grid.shape
    stack = np.zeros((len(masks), len(planes), rows, columns), dtype=np.uint8)
    for one, mask in zip(stack, masks, strict=True):
        part, box = _at(one, mask, planes)
        part[box] = 1
    return np.moveaxis(stack, 0, -1)


def _at(
    array: NDArray[np.unsignedinteger], mask: Mask, planes: NDArray[np.int_]
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.bool_]]:
    """Give the part of (planes, rows, columns) that the box of a mask covers, and the box turned that way.

    A slice of the box in which nothing is set may be no plane; those that are lie one after the other in ``planes``.
    """
    columns, rows, _ = mask.slices
    own = mask.origin[2] + np.arange(mask.box.shape[2])
    kept = np.isin(own, planes)
    first = int(np.searchsorted(planes, mask.origin[2]))
    part = array[first : first + int(kept.sum()), rows, columns]
    return part, mask.box[:, :, kept].transpose(2, 1, 0)


def _refuse_overlap(drawn: Sequence[tuple[Lesion, Mask]], series: Series) -> None:
    """Name the lesions that share voxels."""
    places = [(lesion.id, np.ravel_multi_index(tuple(mask.voxels().T), mask.grid.shape)) for lesion, mask in drawn]
    pairs = [
        f"{a} and {b}" for n, (a, one) in enumerate(places) for b, two in places[n + 1 :] if np.isin(one, two).any()
    ]
    raise LesionmapError(
        f"a label map holds one lesion a voxel, on series {series.name!r} {', '.join(pairs)} overlap; "
        "leave --labelmap out, or draw them apart"
    )
