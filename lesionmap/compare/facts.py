"""What goes into a comparison and what comes out, as frozen facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.lesions import LesionMap
    from lesionmap.measure import Measurement
    from lesionmap.skeleton import Placement
    from lesionmap.visits import Visit

__all__ = ["Change", "Imaged", "SplitMerge", "State", "Threshold", "TrackCourse", "VisitFacts"]

State = Literal[
    "new",
    "first_seen",
    "recurrent",
    "improved",
    "persistent",
    "worsened",
    "resolved",
    "not_imaged",
    "cannot_judge",
    "unanswered",
]
SplitMerge = Literal["", "merged", "split", "merged and split"]
Imaged = Literal["imaged", "partly", "not_imaged", "unknown"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a volume has changed, where the reader does not say so."""

    volume_change: float = 0.30
    """Share of the smaller of both volumes, so that a course read backwards says the opposite: 1.3 ml after 1 ml is
    worsened, 1 ml after 1.3 ml is improved."""
    beyond_slice_error: bool = True
    """Also more than the error that the slice thickness makes: half a slice at both ends, of both volumes together
    (root of the sum of squares)."""


@dataclass(frozen=True, slots=True)
class VisitFacts:
    """One visit as it goes into a comparison."""

    visit: Visit
    lesion_map: LesionMap
    placement: Placement | None = None
    """Holds the coverage; without it nothing is known of what was imaged."""
    measurements: Mapping[str, Sequence[Measurement]] = field(default_factory=dict)
    """Lesion id to one Measurement for each Extent."""


@dataclass(frozen=True, slots=True)
class Change:
    """One cell of the comparison: a track at a visit."""

    visit: str
    state: State
    split_merge: SplitMerge = ""
    """What happened to it since its marks before."""
    reason: str = ""
    """How the state was found, and why something is not known."""
    since: str = ""
    """The visit compared with; empty if none."""
    lesions: tuple[str, ...] = ()
    """Ids of the lesions on this track in this visit."""
    volume_ml: float | None = None
    """Of all of them together."""
    volume_error_ml: float | None = None
    counted: bool | None = None
    """Whether one of them counts under the rule; None where none is marked."""


@dataclass(frozen=True, slots=True)
class TrackCourse:
    """One row of the comparison: a track over all visits."""

    track: str
    """Tracking UID; empty for a lesion that has none."""
    site: str
    """Primary site where it was marked last."""
    states: Mapping[str, Change]
    """Visit key to Change, by date; visits without a row are missing."""
    imaged: Mapping[str, Imaged]
    """Visit key to whether its site was imaged then, for all visits."""
