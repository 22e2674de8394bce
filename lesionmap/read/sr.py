"""DICOM SR (TID 1500) as a LesionMap: our own without loss, that of other programs as far as it can be used."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Answer, Attributes, Extent, Lesion, LesionMap
from lesionmap.read import srterms as terms
from lesionmap.read.header import broken
from lesionmap.read.srforeign import foreign_lesions
from lesionmap.read.srregions import Drawn, drawn_on, segmentations_beside
from lesionmap.read.srtree import ImageRef, Number, Region, item_of, restored, same
from lesionmap.skeleton import Code, known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydicom.dataset import Dataset

    from lesionmap.read.seg import ReadSeg
    from lesionmap.read.srtree import Item
    from lesionmap.visits import Visit

__all__ = ["ReadReport", "read_sr"]

_Word = TypeVar("_Word", bound=str)


@dataclass(frozen=True, slots=True)
class ReadReport:
    """One DICOM SR, as read."""

    lesion_map: LesionMap
    """Of the visit asked for, by the reader that the file names (empty where it names none: it may be a person).

    By another program: lesions may have no site yet, to be proposed by the placement."""
    ours: bool
    """True where lesionmap wrote it."""
    remarks: tuple[str, ...] = ()
    """What was left out or assumed, and what another program measured, in words."""


def read_sr(path: str | Path, visit: Visit) -> ReadReport:
    """Read a structured report, with the Segmentations beside it.

    Parameters
    ----------
    path : path-like
        Of the report; the DICOM SEG files that it refers to lie in the same folder, under any names.
    visit : Visit
        Whose images it is about.

    Returns
    -------
    ReadReport
        By lesionmap: the same LesionMap that was written (notes only if they were), on the Series of ``visit``.

    Raises
    ------
    LesionmapError
        If it is no report of the template TID 1500, of other images, damaged, or a Segmentation is missing.
    """
    where = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns with header values, which may name people
        try:
            dataset = _dataset(where)
            root = item_of(dataset)
            _check_visit(dataset, visit)
            return _report(where, dataset, root, visit)
        except LesionmapError:
            raise
        except broken() as error:
            raise LesionmapError(
                f"a DICOM SR (TID 1500, Imaging Measurement Report) was expected, {where} is none or is damaged; "
                "export it again"
            ) from error


def _dataset(path: Path) -> Dataset:
    from pydicom import dcmread
    from pydicom.dataelem import RawDataElement

    dataset = dcmread(path)
    content: Any = dataset.get_item("ContentSequence") if "ContentSequence" in dataset else None
    if isinstance(content, RawDataElement) and content.length not in (0xFFFFFFFF, len(content.value or b"")):
        raise LesionmapError(f"{path} is cut short, its content is not whole; export or send it again")
    templates = [str(item.TemplateIdentifier) for item in dataset.get("ContentTemplateSequence", ())]
    title = dataset.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in dataset else ""
    if dataset.get("Modality") != "SR" or not ("1500" in templates or title == terms.REPORT.value):
        raise LesionmapError(
            f"a DICOM SR of the template TID 1500 (Imaging Measurement Report) was expected, {path} is another object; "
            "masks are added with --mask"
        )
    return dataset


def _check_visit(dataset: Dataset, visit: Visit) -> None:
    studies = {series.study_uid for series in visit.series if series.study_uid}
    evidence = [
        str(study.StudyInstanceUID)
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in dataset.get(keyword, ())
    ]
    if studies and not studies & {str(dataset.get("StudyInstanceUID", "")), *evidence}:
        raise LesionmapError(
            f"the report is about other images than those of visit {visit.key}; name the visit it belongs to, or "
            "import its images first"
        )


def _report(path: Path, dataset: Dataset, root: Item, visit: Visit) -> ReadReport:
    summary = next(root.named(terms.EVALUATIONS), None)
    form = summary.value_of(terms.FORM, str) if summary else None
    groups = [group for found in root.named(terms.MEASUREMENTS) for group in found.below(terms.GROUP)]
    if summary is None or form is None:
        reader = root.value_of(terms.PERSON_NAME, str) or ""
        lesions, remarks = foreign_lesions(path, groups, visit)
        return ReadReport(LesionMap(visit.patient, visit.key, reader, lesions), ours=False, remarks=remarks)
    if form != terms.THIS_FORM:
        raise LesionmapError(
            f"{path.name} was written by another lesionmap (form {form}, this one reads {terms.THIS_FORM}); "
            "read it with a newer lesionmap"
        )
    groups += summary.named(terms.GROUP)
    segs = segmentations_beside(path, [ref for group in groups for ref in group.values(terms.SEGMENT, ImageRef)])
    order = [restored(name) for name in summary.values(terms.LESION_ID, str)]
    lesion_map = LesionMap(
        visit.patient,
        visit.key,
        restored(summary.must(terms.READER, str)),
        _lesions(groups, order, visit, segs),
        _answers(list(summary.named(terms.UNMARKED))),
        signed=dataset.CompletionFlag == "COMPLETE",
        used=int(summary.must(terms.USED, str)),
    )
    told, found = summary.must(terms.HOLDS, str), terms.holds(lesion_map)
    if told != found:
        raise LesionmapError(f"{path.name} is damaged, it should hold {told}, it holds {found}; export it again")
    left_out = summary.value_of(terms.NOTES_LEFT_OUT, Number)
    words = "1 note was" if left_out and left_out.value == 1 else f"{left_out.value:.0f} notes were" if left_out else ""
    remark = f"{words} left out when the report was written"
    return ReadReport(lesion_map, ours=True, remarks=(remark,) if words else ())


def _lesions(
    groups: Sequence[Item], order: Sequence[str], visit: Visit, segs: Mapping[str, ReadSeg]
) -> tuple[Lesion, ...]:
    """Gather the groups of each lesion, in the order that the file tells."""
    found: dict[str, list[Item]] = {}
    for group in groups:
        lesion_id = group.value_of(terms.LESION_ID, str)
        if lesion_id is not None:
            found.setdefault(restored(lesion_id), []).append(group)
    return tuple(
        replace(_decided(key, found[key][0]), extents=_extents(found[key], visit, segs))
        for key in order
        if key in found
    )


def _decided(lesion_id: str, group: Item) -> Lesion:
    """Read what the reader said of a lesion from its first group."""
    untracked = group.value_of(terms.UNTRACKED, Code) is not None
    certainty = _word(group, terms.CERTAINTY, terms.CERTAINTIES)
    if certainty is None:
        raise LesionmapError(f"lesion {lesion_id} of the report has no certainty; the file is damaged, export it again")
    return Lesion(
        id=lesion_id,
        sites=_sites(group),
        certainty=certainty,
        tracks=() if untracked else (group.must(terms.TRACKING_UID, str), *group.values(terms.FURTHER_TRACK, str)),
        attributes=_attributes(group),
        change=_word(group, terms.CHANGE_SAID, terms.CHANGES),
        physis=_word(group, terms.PHYSIS_SAID, terms.PHYSES),
        note=_note(group),
    )


def _sites(group: Item) -> tuple[str, ...]:
    """Give the sites in their order, groups among them."""
    named = [x.value for x in group.children if same(x.name, terms.SITE) or same(x.name, terms.SITE_GROUP)]
    return tuple(known(name).id for name in named)


def _attributes(group: Item) -> Attributes:
    said = {field: _word(group, name, terms.YES_NO) for field, name in terms.ATTRIBUTES.items()}
    known = {field: word == "yes" for field, word in said.items() if word is not None}
    return Attributes(**known, appearance=_word(group, terms.APPEARANCE, terms.APPEARANCES))


def _note(group: Item) -> str:
    note = group.value_of(terms.NOTE, str)
    return "" if note is None else restored(note)


def _word(group: Item, name: Code, table: Mapping[_Word, Code]) -> _Word | None:
    """Give the word that a coded item stands for; None where it is not there."""
    code = group.value_of(name, Code)
    if code is None:
        return None
    word = terms.word_of(table, code.value, code.scheme)
    if word is None:
        raise LesionmapError(
            f"the report says {code.meaning!r} for {name.meaning!r}, which this lesionmap does not know; "
            "read it with a newer lesionmap"
        )
    return word


def _extents(groups: Sequence[Item], visit: Visit, segs: Mapping[str, ReadSeg]) -> tuple[Extent, ...]:
    """Read the extents of a lesion: each is one or more groups of the same number."""
    found: dict[int, list[Item]] = {}
    for group in groups:
        number = group.value_of(terms.EXTENT, str)
        if number is not None:
            found.setdefault(int(number), []).append(group)
    return tuple(_one_extent(found[number], visit, segs) for number in sorted(found))


def _one_extent(groups: Sequence[Item], visit: Visit, segs: Mapping[str, ReadSeg]) -> Extent:
    name = restored(groups[0].must(terms.SERIES, str))
    visit.series_named(name)
    drawn = Drawn(
        tuple(ref for group in groups for ref in group.values(terms.SEGMENT, ImageRef)),
        tuple(
            (region, image.value)
            for group in groups
            for region in group.named(terms.REGION)
            for image in region.children
            if isinstance(region.value, Region) and isinstance(image.value, ImageRef)
        ),
    )
    masks = [extent.mask for extent in drawn_on(drawn, visit, segs, name)]
    marker = groups[0].value_of(terms.MARKER_LPS, str)
    point = None
    if marker is not None:
        x, y, z = (float(mm) for mm in marker.split())
        point = (x, y, z)
    return Extent(name, masks[0] if masks else None, point, _word(groups[0], terms.PHASE, terms.PHASES))


def _answers(groups: Sequence[Item]) -> tuple[Answer, ...]:
    return tuple(
        Answer(group.must(terms.TRACKING_UID, str), verdict, _note(group))
        for group in groups
        if (verdict := _word(group, terms.ANSWER, terms.VERDICTS)) is not None
    )
