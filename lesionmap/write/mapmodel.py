"""The lesion map as a frozen description, free of any drawing library: the figure and the plugin draw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lesionmap.texts import english

if TYPE_CHECKING:
    from lesionmap.compare import MarkedOn
    from lesionmap.texts import Texts

__all__ = ["REFERENCE_MM", "MapDot", "MapPanel", "dot_radius_mm"]

Sex = Literal["F", "M"]
REFERENCE_MM = 1400.0
"""Height of the drawn skeleton for which the radii of dots are meant; they shrink and grow with it."""
_UNMEASURED_MM = 13.0


@dataclass(frozen=True, slots=True)
class MapDot:
    """One lesion (or one track that is not marked now) on the map of one visit."""

    lesion: str
    """Id of the lesion; empty for a track that is not marked now."""
    track: str
    label: str
    """Readable name of the place, ``left distal tibial metaphysis``."""
    site: str
    state: str
    """Key of ``STATE_STYLE``."""
    front_mm: tuple[float, float]
    """Place in the front view, picture mm (x right, y up, feet at 0)."""
    back_mm: tuple[float, float]
    """Place in the back view, picture mm."""
    radius_mm: float
    """Picture mm on a skeleton of ``REFERENCE_MM``; grows with the cube root of the volume."""
    volume_ml: float | None = None
    """None: not measured; such a dot has a hole in its middle."""
    approximate: bool = False
    """True where only the site is known: a dashed ring."""
    counted: bool = True
    marked_on: MarkedOn = ""
    """A frame about it: dotted on the bone scan alone, drawn through on slices and bone scan."""


@dataclass(frozen=True, slots=True)
class MapPanel:
    """The map of one visit: one skeleton, front and back."""

    visit: str
    """The visit's key."""
    title: str
    """Date and age."""
    count: str
    """``7 lesions in 6 bones`` and the like."""
    rule: str
    """Sentence of the CountRule."""
    dots: tuple[MapDot, ...] = ()
    not_imaged: frozenset[str] = frozenset()
    """Site ids of which at most a tenth was imaged."""
    partly: frozenset[str] = frozenset()
    """Site ids imaged in part."""
    coverage_known: bool = True
    """False: nobody knows what was imaged."""
    age_y: float | None = None
    sex: Sex | None = None
    texts: Texts = field(default_factory=english, repr=False, compare=False)
    """Of the legend."""
    tints: tuple[tuple[str, str], ...] = ()
    """Site id and colour (#rrggbb) of bones that are not drawn in the colour of bone."""


def dot_radius_mm(volume_ml: float | None) -> float:
    """Give the radius of a dot in picture mm (a skeleton of 1.4 m) for a volume in ml.

    Examples
    --------
    >>> round(dot_radius_mm(1.0), 1), round(dot_radius_mm(8.0), 1), dot_radius_mm(None)
    (15.0, 24.0, 13.0)
    """
    if volume_ml is None:
        return _UNMEASURED_MM
    return float(min(max(6.0 + 9.0 * max(volume_ml, 0.0) ** (1 / 3), 10.0), 40.0))
