"""The words that a description may keep: those that name a sequence, a plane or a part of the body, no others."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

__all__ = ["left_out", "letters_of", "safe_words"]

_WORDS = """
    adc add anat angio b0 blade calc comp composed cor coronal cube dark diff diffusion diffusionsweighted dixon dti dw
    dwi dwibs eadc echo ep epi fast fat fatsat fatsup ffe fl flair flash fluid fov free frfse fs fse fast ge gradient
    gre haste ideal ir lava loc localizer localiser map mdixon me medic merge mip mobiview mprage mr mri ms
    multivane nativ nex pd pdw pre propeller proton density ps qdixon readout resolve rest rf sat scout se seg sense
    silenced space spair spectral spgr spin spir stack star stir supp suppressed survey t1 t1w t1wi t2 t2w t2wi t2* tfe
    tfl thk thick thin tir tirm trace tracew trig trigger tse turbo ufse vibe vista vol water weighted wfs
    ax axial oblique sag sagittal tra trans transversal transverse para plane tilted
    2d 3d body composing ganzkoerper gk head part station step table total tb wb whole wholebody
    contrast dyn dynamic gad gd km late early pre post nach vor
    abdomen ankle ankles arm arms back bone brain breast bws calcaneus cervical chest chin clavicle coccyx elbow elbows
    face feet femur fibula finger fingers foot forearm hals hand hands hip hips humerus hws jaw knee knees leg legs
    lower lspine cspine tspine lumbar lws mandible metatarsal neck pelvis radius rib ribs sacrum scapula shoulder
    shoulders sij skull spine sternum thigh thighs thoracic thorax thumb tibia toe toes trunk ulna upper ws wrist wrists
    arme bauch becken bein beine ellenbogen fuss fuesse haende handgelenk huefte hueften isg kiefer knie knoechel kopf
    oberarm oberschenkel schaedel schluesselbein schulter sprunggelenk unterarm unterschenkel wirbelsaeule
    both bilateral bds beidseits left right li re links rechts lt rt anterior posterior ant dorsal ventral
    blood bloodpool bone collimator delay delayed emission flow hdp mdp min minutes nm perfusion phase planar pool
    projection scan scintigraphy skelett skeleton spaet spect frueh static technetium tc tc99m 99m view 1h 2h 3h 4h 24h
    images image inphase outphase opp opposed inversion recovery magnitude sequence series
    siemens philips ge medical systems healthineers healthcare uih united imaging canon toshiba hitachi fujifilm
    mediso spectrum dynamics
"""
_TOKEN = re.compile(r"[^\W_]+\*?", re.ASCII)
_FOLDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_JOINED = ("ep", "fl", "fs", "pd", "se", "wb")
"""Words of two letters that are written together with others."""
_NO_WORD = "bghjkqvwxyz"


@cache
def _safe() -> re.Pattern[str]:
    """One word of the list, or several and short numbers written together: t2tirm, STIRcor, tse2d1.

    Words of two letters count alone only (but for a few), or they would spell names.
    """
    words = sorted(set(_WORDS.split()), key=len, reverse=True)
    joined = [word for word in words if len(word) > 2 or not word.isalpha() or word in _JOINED]
    whole, piece = ("|".join(re.escape(word) for word in some) for some in (words, joined))
    return re.compile(rf"{whole}|b\d{{1,4}}t?|(?=.*[a-z])(?:{piece}|(?<!\d)\d{{1,2}}(?!\d))+")


def safe_words(text: str, most: int = 64) -> str:
    """Keep of a description only what may stay.

    Parameters
    ----------
    text : str
        Series description, protocol or sequence name.
    most : int
        Greatest length of the answer.

    Returns
    -------
    str
        Words of the list in their order, one space between them, in ASCII; numbers that stand alone are left out.

    Examples
    --------
    >>> safe_words("t2_tirm_cor WB Anna Doe 04.05.2010")
    't2 tirm cor WB'
    >>> safe_words("*tir2d1_19"), safe_words("ep_b800t"), safe_words("KM 3 h p.i.")
    ('tir2d1', 'ep b800t', 'KM 3h')
    """
    kept = ""
    for word in _tokens(text):
        longer = f"{kept} {word}".strip()
        if _safe().fullmatch(word.lower()) and len(longer) <= most:
            kept = longer
    return kept


def _tokens(text: str) -> list[str]:
    plain = unicodedata.normalize("NFC", text).translate(_FOLDED)
    return _TOKEN.findall(re.sub(r"(?<![^\W_])(\d{1,2})\s?h(?![^\W_])", r"\1h", plain, flags=re.IGNORECASE))


def left_out(text: str) -> str:
    """Give the words that ``safe_words`` drops, without digits, to tell two descriptions apart; never shown."""
    words = (re.sub(r"\d", "", word.lower()) for word in _tokens(text) if not _safe().fullmatch(word.lower()))
    return " ".join(word for word in words if word)


def letters_of(number: int, count: int = 4) -> str:
    """Write a number in letters that spell no word of a sequence."""
    spelled = ""
    for _ in range(count):
        number, rest = divmod(number, len(_NO_WORD))
        spelled += _NO_WORD[rest]
    return spelled
