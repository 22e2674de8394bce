"""What an image is, in words: kind, sequence, plane, from image type, times and descriptions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Contrast", "kind_words", "plane_of", "sequence_of"]

_KINDS = {
    "magnitude": ("M", "M_FFE", "M_SE", "M_IR", "M_TSE", "MAGNITUDE", "MAG"),
    "phase": ("P", "PHASE", "PHASE MAP", "P_FFE", "P_SE", "P_IR"),
    "real": ("R", "REAL", "R_FFE", "R_SE", "R_IR"),
    "imaginary": ("I", "IMAGINARY", "I_FFE", "I_SE", "I_IR"),
    "field_map": ("FIELD_MAP", "FIELDMAP", "FIELD MAP", "B0", "B0 MAP", "B0_MAP"),
    "water": ("W", "WATER", "WATER_ONLY"),
    "fat": ("F", "FAT", "FAT_ONLY"),
    "in_phase": ("IP", "IN_PHASE", "INPHASE", "IN PHASE"),
    "out_of_phase": ("OP", "OUT_PHASE", "OUTPHASE", "OPP_PHASE", "OPPOSED_PHASE", "OUT_OF_PHASE", "OUT OF PHASE"),
    "fat_fraction": ("FF", "FAT_FRACTION", "FAT_FRAC", "FATFRACTION"),
    "adc": ("ADC", "ADC_MAP", "ADC_UNSPECIFIED", "EADC"),
    "anisotropy": ("FA", "FRACT_ANISO", "FRACTIONAL_ANISO"),
    "trace": ("TRACEW", "TRACE", "DIFFUSION_TRACE"),
    "t1_map": ("T1 MAP", "T1_MAP"),
    "t2_map": ("T2 MAP", "T2_MAP"),
    "t2_star_map": ("T2_STAR", "T2_STAR MAP", "R2_STAR", "R2_STAR MAP", "T2*_MAP"),
    "subtraction": ("SUB", "SUBTRACT", "SUBTRACTION"),
    "projection": ("MIP", "MINIP", "PROJECTION IMAGE", "MAX_IP", "MIN_IP"),
    "localizer": ("LOCALIZER",),
}
_WORD_OF = {value: word for word, values in _KINDS.items() for value in values}
_ORDER = tuple(_KINDS)
_MAPS = ("field_map", "adc", "anisotropy", "fat_fraction", "t1_map", "t2_map", "t2_star_map")
_CONTRASTS = {
    "DIFFUSION": "DWI",
    "STIR": "STIR",
    "FLUID_ATTENUATED": "FLAIR",
    "PROTON_DENSITY": "PD",
    "T1": "T1",
    "T2": "T2",
    "T2_STAR": "T2*",
}
_SAID = (
    ("ADC", r"(?<![A-Z])E?ADC(?![A-Z])"),
    ("DWI", r"DWI|DIFF|(?<![A-Z])DTI(?![A-Z])|DWIBS|RESOLVE"),
    ("STIR", r"STIR|TIRM|(?<![A-Z])TIR(?![A-Z])"),
    ("FLAIR", r"FLAIR|DARK.?FLUID"),
    ("T2*", r"T2\*|T2.?STAR|MEDIC|MERGE"),
    ("T1", r"(?<![A-Z0-9])T1(?![0-9])"),
    ("T2", r"(?<![A-Z0-9])T2(?![0-9])"),
    ("PD", r"(?<![A-Z])PD(?![A-Z])|PROTON.?DENSITY"),
)
_AXES = ("sagittal", "coronal", "axial")
_LEAST_COSINE = 0.8


@dataclass(frozen=True, slots=True)
class Contrast:
    """What tells the contrast of an MR image; times in milliseconds, None where not written."""

    kind: tuple[str, ...] = ()
    description: str = ""
    """Series description, protocol and sequence names, to look for words in."""
    contrast: str = ""
    """Acquisition Contrast of an enhanced image."""
    scanning: tuple[str, ...] = ()
    """Scanning Sequence: SE, IR, GR, EP."""
    repetition_ms: float | None = None
    echo_ms: float | None = None
    inversion_ms: float | None = None
    b_value: float | None = None


def kind_words(image_type: Sequence[str], component: str = "") -> tuple[str, ...]:
    """Translate an Image Type (or Frame Type) and a Complex Image Component into our words.

    Examples
    --------
    >>> kind_words(("ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"))
    ('phase',)
    >>> kind_words(("DERIVED", "PRIMARY", "DIXON", "W"), "MAGNITUDE")
    ('magnitude', 'water')
    >>> kind_words(("ORIGINAL", "PRIMARY", "T1", "FIELD_MAP"), "REAL")
    ('field_map',)
    """
    said = [_WORD_OF[value] for value in (*image_type[2:], component) if value in _WORD_OF]
    if any(word in _MAPS for word in said):
        said = [word for word in said if word not in ("real", "magnitude")]
    return tuple(sorted(set(said), key=_ORDER.index))


def sequence_of(facts: Contrast) -> str:
    """Name the sequence: STIR, T1, T2, PD, T2*, DWI, ADC, FLAIR; empty where the header does not tell.

    The kind and the b-value decide first, then the inversion time, the acquisition contrast, the words of the
    description, and at last echo and repetition time of a spin echo.
    """
    if "adc" in facts.kind:
        return "ADC"
    if facts.b_value:
        return "DWI"
    said = next((name for name, words in _SAID if re.search(words, facts.description.upper())), "")
    if said in ("ADC", "DWI", "STIR", "FLAIR"):
        return said
    inverted = _by_inversion(facts)
    return inverted or _CONTRASTS.get(facts.contrast, "") or said or _by_times(facts)


def _by_inversion(facts: Contrast) -> str:
    time = facts.inversion_ms
    if "IR" not in facts.scanning or time is None:
        return ""
    if 80 <= time <= 280:
        return "STIR"
    return "FLAIR" if time >= 1500 else ""


def _by_times(facts: Contrast) -> str:
    tr, te = facts.repetition_ms, facts.echo_ms
    if "SE" not in facts.scanning or tr is None or te is None:
        return ""
    if tr <= 1200:
        return "T1" if te <= 35 else ""
    return "T2" if te >= 60 else "PD" if te <= 45 else ""


def plane_of(normal: Iterable[float]) -> str:
    """Name the plane whose unit normal (LPS) is given: sagittal, coronal, axial; oblique beyond 37 degrees."""
    cosines = np.abs(np.fromiter(normal, dtype=np.float64))
    nearest = int(np.argmax(cosines))
    return _AXES[nearest] if cosines[nearest] >= _LEAST_COSINE else "oblique"
