"""The words of lesionmap as coded concepts of a DICOM SR, for the writer and for the reader of it.

Concepts and values that DICOM (PS3.16, as in pydicom 3.0.2) or SNOMED CT has are used; change of a lesion is coded as
the open finding models do (openimagingdata/findingmodels, MIT). What no standard has (a lesion that came back, one that
merged, the reader's own word) is of the private scheme ``99LESIONMAP``, which the file itself describes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

from lesionmap.skeleton import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lesionmap.compare import SplitMerge, State
    from lesionmap.lesions import Certainty, Change, LesionMap, Physis, Verdict
    from lesionmap.visits import Phase

__all__ = [
    "ANSWER",
    "APPEARANCE",
    "APPEARANCES",
    "ATTRIBUTES",
    "CERTAINTIES",
    "CERTAINTY",
    "CHANGE",
    "CHANGES",
    "CHANGE_REASON",
    "CHANGE_SAID",
    "COUNTED",
    "DERIVATION",
    "DEVICE_NAME",
    "DEVICE_UID",
    "DIAMETER",
    "ENGLISH",
    "EVALUATIONS",
    "FINDING_SITE",
    "FORM",
    "FRAME_OF_REFERENCE",
    "FURTHER_TRACK",
    "HOLDS",
    "HOUNSFIELD",
    "LANGUAGE",
    "MODALITIES",
    "MODALITY",
    "NOTE",
    "NOTES_LEFT_OUT",
    "N_BONES_PART",
    "N_LESIONS",
    "N_LESIONS_PART",
    "N_SITES_PART",
    "OBSERVER_TYPE",
    "OTHER_MODALITY",
    "OTHER_PROCEDURE",
    "PERSON_NAME",
    "PHASE",
    "PHASES",
    "PHYSES",
    "PHYSIS",
    "PHYSIS_SAID",
    "PROCEDURE",
    "PROCEDURES",
    "READER",
    "REPORT",
    "RULE",
    "SCHEME",
    "SEGMENT",
    "SEGMENT_SERIES",
    "SIGNALS",
    "SIGNAL_RATIO",
    "SLICES",
    "SPLITS",
    "SPLIT_MERGE",
    "STATES",
    "SUBJECT_TIME_POINT",
    "THIS_FORM",
    "TIME_POINT",
    "UNTRACKED",
    "USED",
    "VERDICTS",
    "YES_NO",
    "holds",
    "word_of",
]

SCHEME = "99LESIONMAP"
"""Designator of the private coding scheme."""

_Word = TypeVar("_Word", bound=str)


def _ours(value: str, meaning: str) -> Code:
    return Code(value, SCHEME, meaning)


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


def _same(words: tuple[_Word, ...]) -> Mapping[_Word, Code]:
    """Code words by themselves."""
    return MappingProxyType({word: _ours(word, word.replace("_", " ")) for word in words})


def word_of(table: Mapping[_Word, Code], value: str, scheme: str) -> _Word | None:
    """Give the word that a code of a table stands for; None where it has no such code."""
    return next((word for word, code in table.items() if (code.value, code.scheme) == (value, scheme)), None)


# The document
REPORT = _dcm("126000", "Imaging Measurement Report")
LANGUAGE = _dcm("121049", "Language of Content Item and Descendants")
ENGLISH = Code("en-US", "RFC5646", "English (United States)")
OBSERVER_TYPE = _dcm("121005", "Observer Type")
PERSON, DEVICE = _dcm("121006", "Person"), _dcm("121007", "Device")
PERSON_NAME = _dcm("121008", "Person Observer Name")
DEVICE_UID = _dcm("121012", "Device Observer UID")
DEVICE_NAME = _dcm("121013", "Device Observer Name")
PROCEDURE = _dcm("121058", "Procedure reported")
PROCEDURES: Mapping[str, Code] = MappingProxyType(
    {
        "MR": _dcm("126022", "Multiparametric MRI of whole body"),
        "NM": Code("49118-3", "LN", "NM unspecified body region"),
        "CT": Code("25045-6", "LN", "CT unspecified body region"),
    }
)
"""Modality to CID 100, which has no bone scan of its own."""
OTHER_PROCEDURE = _sct("363679005", "Imaging procedure")

# The image library
LIBRARY, LIBRARY_GROUP = _dcm("111028", "Image Library"), _dcm("126200", "Image Library Group")
MODALITY = _dcm("121139", "Modality")
MODALITIES: Mapping[str, Code] = MappingProxyType(
    {
        "MR": _dcm("MR", "Magnetic Resonance"),
        "NM": _dcm("NM", "Nuclear Medicine"),
        "CT": _dcm("CT", "Computed Tomography"),
    }
)
OTHER_MODALITY = _dcm("OT", "Other")
FRAME_OF_REFERENCE = _dcm("112227", "Frame of Reference UID")

# A group
EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
MEASUREMENTS, GROUP = _dcm("126010", "Imaging Measurements"), _dcm("125007", "Measurement Group")
TRACKING_ID, TRACKING_UID = _dcm("112039", "Tracking Identifier"), _dcm("112040", "Tracking Unique Identifier")
FINDING, LESION = _dcm("121071", "Finding"), _sct("52988006", "Lesion")
FINDING_SITE = _sct("363698007", "Finding Site")
LATERALITY, MODIFIER = _sct("272741003", "Laterality"), _sct("106233006", "Topographical modifier")
TIME_POINT = Code("C2348792", "UMLS", "Time Point")
SUBJECT_TIME_POINT = _dcm("126070", "Subject Time Point Identifier")
SEGMENT = _dcm("121191", "Referenced Segment")
SEGMENT_SERIES = _dcm("121232", "Source series for segmentation")
REGION, REGION_IMAGE = _dcm("111030", "Image Region"), _dcm("111040", "Original Source")
SURFACE = _dcm("121231", "Volume Surface")
LESION_ID, COMMENT = _dcm("121151", "Lesion Identifier"), _dcm("121106", "Comment")

# Numbers
VOLUME, AREA = _sct("118565006", "Volume"), _sct("42798000", "Area")
DIAMETER = _sct("81827009", "Diameter")
SIGNALS: Mapping[str, Code] = MappingProxyType(
    {
        "T1": _dcm("110804", "T1 Weighted MR Signal Intensity"),
        "T2": _dcm("110805", "T2 Weighted MR Signal Intensity"),
    }
)
MR_SIGNAL, OTHER_SIGNAL = _dcm("110852", "MR signal intensity"), _ours("signal", "signal")
SIGNAL_RATIO = _ours("signal_ratio", "signal divided by that of the reference region")
SLICES = _ours("n_slices", "slices with voxels of the lesion")
N_LESIONS = _sct("246206008", "Number of lesions")
N_BONES, N_SITES = _ours("n_bones", "bones affected"), _ours("n_sites", "sites affected")
N_LESIONS_PART = _ours("n_lesions_part", "lesions without hands and feet")
N_BONES_PART = _ours("n_bones_part", "bones affected without hands and feet")
N_SITES_PART = _ours("n_sites_part", "sites affected without hands and feet")
DERIVATION = _dcm("121401", "Derivation")
MEAN, MAXIMUM, DEVIATION = (
    _sct("373098007", "Mean"),
    _sct("56851009", "Maximum"),
    _sct("386136009", "Standard Deviation"),
)


def _unit(value: str, meaning: str) -> Code:
    return Code(value, "UCUM", meaning)


ML, MM, MM2 = _unit("mL", "milliliter"), _unit("mm", "mm"), _unit("mm2", "square millimeter")
ONE, RATIO, COUNTS = _unit("1", "no units"), _unit("{ratio}", "ratio"), _unit("{counts}", "Counts")
HOUNSFIELD = _unit("[hnsf'U]", "Hounsfield unit")

# What the reader decided
SITE, SITE_GROUP = _ours("site", "site"), _ours("site_group", "site group")
CERTAINTY = _ours("certainty", "certainty")
CERTAINTIES: Mapping[Certainty, Code] = _same(("definite", "probable", "equivocal", "normal_variant", "not_bone"))
FURTHER_TRACK = _ours("further_track", "further tracking unique identifier (merged lesion)")
UNTRACKED = _ours("untracked", "the tracking unique identifier was made for this file")
CHANGE_SAID = _ours("change_said", "change since the prior, in the reader's own word")
CHANGES: Mapping[Change, Code] = MappingProxyType(
    {
        "improved": _sct("1250004", "Decreased"),
        "persistent": _sct("260388006", "Unchanged"),
        "worsened": _sct("35105006", "Increased"),
    }
)
PHYSIS = _ours("physis", "relation to the physis, as computed")
PHYSIS_SAID = _ours("physis_said", "relation to the physis, corrected by the reader")
PHYSES: Mapping[Physis, Code] = _same(("touches", "crosses", "spares"))
ATTRIBUTES: Mapping[str, Code] = MappingProxyType(
    {
        "soft_tissue_oedema": _ours("soft_oedema", "soft tissue oedema"),
        "periosteal_reaction": _ours("periosteal", "periosteal reaction"),
        "bone_expansion": _ours("bone_expansion", "bone expansion or hyperostosis"),
        "vertebral_height_loss": _ours("height_loss", "vertebral height loss"),
        "disc_involved": _ours("disc_involved", "disc involved"),
        "physeal_damage": _ours("physeal_damage", "physeal damage"),
        "joint_involved": _ours("joint_involved", "effusion or synovitis of the joint beside it"),
        "painful": _ours("painful", "painful"),
        "biopsied": _ours("biopsied", "biopsied"),
    }
)
"""Attributes that are yes or no, by their name in ``Attributes``."""
YES_NO: Mapping[str, Code] = MappingProxyType({"yes": _sct("373066001", "Yes"), "no": _sct("373067005", "No")})
APPEARANCE = _ours("appearance", "appearance")
APPEARANCES: Mapping[Literal["lytic", "sclerotic", "mixed"], Code] = _same(("lytic", "sclerotic", "mixed"))
NOTE = _ours("note", "note")
UNMARKED = _ours("unmarked", "lesion of another visit that is not marked in this one")
ANSWER = _ours("answer", "answer for a lesion that is not marked in this visit")
VERDICTS: Mapping[Verdict, Code] = _same(("resolved", "not_imaged", "cannot_judge"))

# Where it is drawn
EXTENT, SERIES = _ours("extent", "number of the extent"), _ours("series", "name of the series")
PHASE = _ours("phase", "phase of the bone scan")
PHASES: Mapping[Phase, Code] = _same(("early", "late"))
MARKER_LPS = _ours("marker_lps", "marker, patient millimetres (LPS)")

# What was computed
CHANGE = Code("RID49896", "RADLEX", "Change from prior")
STATES: Mapping[State, Code] = MappingProxyType(
    {
        "new": _sct("7147002", "New"),
        "first_seen": _ours("first_seen", "first seen; not known whether it is new"),
        "recurrent": _ours("recurrent", "recurrent after it was resolved"),
        "improved": CHANGES["improved"],
        "persistent": CHANGES["persistent"],
        "worsened": CHANGES["worsened"],
        "resolved": _ours("resolved", "resolved"),
        "not_imaged": _ours("not_imaged", "not imaged"),
        "cannot_judge": _ours("cannot_judge", "cannot judge"),
        "unanswered": _ours("unanswered", "marked before, neither marked nor answered now"),
    }
)
CHANGE_REASON = _ours("change_reason", "how the change was found")
SPLIT_MERGE = _ours("split_merge", "merged or split")
SPLITS: Mapping[SplitMerge, Code] = MappingProxyType(
    {
        "merged": _ours("merged", "merged with another lesion"),
        "split": _ours("split", "split off another lesion"),
        "merged and split": _ours("merged_split", "merged and split"),
    }
)
COUNTED = _ours("counted", "counted under the rule")
RULE = _ours("rule", "what counts as one lesion")

# The summary
FORM = _ours("form", "form of this content, by lesionmap")
THIS_FORM = "2"
HOLDS = _ours("holds", "what the map holds")
READER = _ours("reader", "reader")
USED = _ours("used", "highest lesion number used")
NOTES_LEFT_OUT = _ours("notes_left_out", "notes left out, as they may hold personal data")


def holds(lesion_map: LesionMap) -> str:
    """Say what a map holds, so that a reader notices where a group got lost."""
    return f"lesions: {len(lesion_map.lesions)}, answers: {len(lesion_map.answers)}"
