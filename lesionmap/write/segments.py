"""One segment of a DICOM Segmentation: what it is called, what it is, and where in the body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.read.segtext import told
from lesionmap.write.codes import site_codes

if TYPE_CHECKING:
    import highdicom
    from pydicom.dataset import Dataset

    from lesionmap.lesions import Lesion
    from lesionmap.skeleton import Code

__all__ = ["segment_description"]

_MOST_LABEL = 64
"""Characters of a Segment Label (VR LO)."""


def segment_description(number: int, lesion: Lesion) -> highdicom.seg.SegmentDescription:
    """Describe the segment of a lesion.

    Parameters
    ----------
    number : int
        Of the segment, from 1.
    lesion : Lesion
        Its first track becomes the Tracking UID; all of them, and the site ids, stand in the Segment Description.

    Returns
    -------
    highdicom.seg.SegmentDescription
        A lesion (SCT 52988006, of the category morphologically abnormal structure), drawn by hand, with the anatomic
        region of its primary site, laterality and segment as modifiers.
    """
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    found = site_codes(lesion.sites)
    label = f"{lesion.id} {found.text}"
    made = SegmentDescription(
        number,
        label if len(label) <= _MOST_LABEL else f"{label[: _MOST_LABEL - 3]}...",
        codes.SCT.MorphologicallyAbnormalStructure,
        codes.SCT.Lesion,
        "MANUAL",
        tracking_id=lesion.id if lesion.tracks else None,
        tracking_uid=lesion.tracks[0] if lesion.tracks else None,
    )
    made.SegmentDescription = told(lesion)
    region = _coded(found.region)
    # The laterality first: programs that take one modifier only take the first.
    modifiers = [*([found.laterality] if found.laterality else []), *found.modifiers]
    if modifiers:
        region.AnatomicRegionModifierSequence = [_coded(code) for code in modifiers]
    made.AnatomicRegionSequence = [region]
    return made


def _coded(code: Code) -> Dataset:
    from pydicom.dataset import Dataset

    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = code.value, code.scheme, code.meaning
    return made
