"""How a state looks, in one place: the figure, the report and the plugin take it from here.

Colours are those of Okabe and Ito (distinct with every common colour blindness), two of them darkened for
contrast on bone; each state has a shape of its own as well, so that a grey print can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin
from types import MappingProxyType
from typing import TYPE_CHECKING

from lesionmap.texts import english

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BONE",
    "BONE_EDGE",
    "BONE_FAR",
    "BONE_INNER",
    "FAINT",
    "HOLLOW",
    "INK",
    "NOT_IMAGED",
    "NOT_IMAGED_HATCH",
    "PAPER",
    "PHYSIS",
    "STATE_STYLE",
    "StateStyle",
    "segment_colour",
    "state_style",
]

PAPER = "#ffffff"
INK = "#22303a"
FAINT = "#66737d"
BONE = "#f6f1e4"
BONE_FAR = "#e3dac6"
"""Bone that lies deeper in the view."""
BONE_EDGE = "#57534c"
BONE_INNER = "#b3a88f"
"""Hairlines between segments of one bone."""
HOLLOW = "#b9ad94"
"""Orbits and nose."""
PHYSIS = "#857860"
"""Dashes around what lies beyond a physis."""
NOT_IMAGED = "#e4ebf2"
NOT_IMAGED_HATCH = "#a3b5c8"

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class StateStyle:
    """How the dots of one state are drawn."""

    words: str
    """The state as the legend calls it, in English."""
    colour: str
    """#rrggbb."""
    shape: Points
    """Outline of the marker around (0, 0), of about the area of the unit circle; y up."""
    hollow: bool = False
    """True for what is not marked in this visit."""


def _polygon(corners: int, first_deg: float, size: float, inner: float = 1.0) -> Points:
    """Make a regular polygon; with ``inner`` below 1 every second corner is drawn in (a star)."""
    radii = [size * (inner if inner < 1 and i % 2 else 1.0) for i in range(corners)]
    angles = [first_deg / 180 * pi + 2 * pi * i / corners for i in range(corners)]
    return tuple((r * cos(a), r * sin(a)) for r, a in zip(radii, angles, strict=True))


def _cross(first_deg: float) -> Points:
    """Make a plus sign, turned by an angle."""
    arm, half = 1.15, 0.42
    quarter = [(arm, -half), (arm, half), (half, half)]
    corners = [p for turn in range(4) for p in (_turned(q, turn * 90 + first_deg) for q in quarter)]
    return tuple(corners)


def _turned(point: tuple[float, float], degrees: float) -> tuple[float, float]:
    c, s = cos(degrees / 180 * pi), sin(degrees / 180 * pi)
    return c * point[0] - s * point[1], s * point[0] + c * point[1]


_CIRCLE = _polygon(48, 0, 1.0)

_LOOKS: Mapping[str, tuple[str, Points, bool]] = MappingProxyType(
    {
        "first_seen": ("#0072b2", _CIRCLE, False),
        "new": ("#d55e00", _polygon(10, 90, 1.5, 0.5), False),
        "recurrent": ("#a3397b", _polygon(4, 90, 1.28), False),
        "worsened": ("#8a1c2b", _polygon(3, 90, 1.4), False),
        "persistent": ("#e69f00", _polygon(4, 45, 1.22), False),
        "improved": ("#009e73", _polygon(3, -90, 1.4), False),
        "marked": ("#33414c", _polygon(6, 0, 1.1), False),
        "resolved": ("#00795a", _CIRCLE, True),
        "not_imaged": ("#5f7388", _polygon(4, 45, 1.22), True),
        "cannot_judge": ("#6b6b6b", _cross(45), True),
        "unanswered": ("#c0392b", _cross(0), True),
    }
)
STATE_STYLE: Mapping[str, StateStyle] = MappingProxyType(
    {state: StateStyle(english().name("state", state), *look) for state, look in _LOOKS.items()}
)
"""State → how it is drawn, in the order of the legend; ``marked``: no state is known."""


def state_style(state: str | None) -> StateStyle:
    """Give the style of a state; of ``marked`` where there is none."""
    return STATE_STYLE.get(state or "marked", STATE_STYLE["marked"])


_SEGMENTS = MappingProxyType(
    {
        "epiphysis": "#ffaabb",
        "metaphysis": "#eedd88",
        "diaphysis": "#77aadd",
        "greater_trochanter": "#bbcc33",
        "apophysis": "#bbcc33",
        "body": "#99ddff",
        "posterior_elements": "#44bb99",
        "manubrium": "#44bb99",
        "medial": "#99ddff",
        "lateral": "#44bb99",
        "wing": "#99ddff",
        "acetabular": "#44bb99",
        "sacroiliac": "#bbcc33",
    }
)
_PLAIN = "#dddddd"


def segment_colour(site: str) -> str:
    """Give the colour of a site's segment, ``#rrggbb``: the light scheme of Paul Tol, calmer than the states' colours.

    Both ends of a bone look alike; bones that are not parted are grey. Neighbours differ with every common colour
    blindness.
    """
    segment = site.split(".")[1]
    return _SEGMENTS.get(segment.removeprefix("proximal_").removeprefix("distal_"), _PLAIN)
