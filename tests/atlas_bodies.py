"""The two MyoSim skeletons as bodies to measure the atlas on: points with true bones, landmarks, scores.

Left out, as the data's own page asks: the patellae (they lie behind the femora) and the emblem in front of the sternum.
A label of several bones counts right when any of them is named. The sacrum's halves count as the sacrum.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap import Grid, Volume, skeleton
from lesionmap.place.names import members, read_names
from shared import shared_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionmap.place.names import Names
    from lesionmap.skeleton import Placement

    Array = NDArray[np.float64]
    Marks = dict[str, Array]

__all__ = [
    "BODIES",
    "LEGS",
    "PELVIS_AND_LEGS",
    "SIXTEEN",
    "BodyOfLabels",
    "LabelScore",
    "Score",
    "body_of_labels",
    "calibration_error",
    "jittered",
    "key_of",
    "labels_of",
    "levels_off",
    "lower",
    "only",
    "placed",
    "rasterised",
    "score",
    "score_of_keys",
]

BODIES = ("myobody", "myobody_simpleupper")
SIXTEEN = frozenset({"vertex", "C7", "L5", "pubis"}) | {
    f"{name}_{side}" for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
}
LEGS = frozenset({"femur", "tibia", "fibula", "talus", "calcaneus", "toe_1"})
PELVIS_AND_LEGS = LEGS | {"sacrum", "ilium"}
_LOWER_MARKS = frozenset({"L5", "S1", "coccyx", "pubis"}) | {
    f"{name}_{side}"
    for name in ("asis", "si_joint", "hip", "ischium", "knee", "ankle", "heel", "toe2")
    for side in ("left", "right")
}
_LIMBS = LEGS | {"humerus", "radius", "ulna", "patella"}
# Middle (x, z) in LPS mm and radius of the emblem, read off the maps.
_EMBLEM = {"myobody": (-5.0, 1350.0), "myobody_simpleupper": (-8.0, 1369.0)}
_EMBLEM_MM = 72.0

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class BodyOfLabels:
    """Bone voxels of one body as points with labels; re-posed bodies are the same thing, with points elsewhere."""

    name: str
    points: Array
    """(n, 3) LPS mm, voxel centres."""
    label: NDArray[np.int_]
    """(n,) their labels."""
    truth: dict[int, frozenset[Key]]
    """Label to the bones and sides that it may be."""
    marks: Marks
    """All landmarks and vertebrae of the data's file, LPS mm."""
    names: Names
    counted: NDArray[np.bool_]
    """(n,) False for what is left out: patellae and emblem."""
    left_out: dict[str, int]
    """How many voxels were left out, by what they are."""

    def of(self, *bones: str) -> NDArray[np.bool_]:
        """Tell which points belong to labels that hold one of these bones, (n,)."""
        return np.isin(self.label, labels_of(self, *bones))


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One row of the table per bone."""

    label: int
    name: str
    voxels: int
    share: float
    taken_for: tuple[tuple[str, float], ...]
    """What the others were taken for, and their share; the most frequent first."""


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """How many points of a body were given the right bone and side."""

    share: float
    mean: float
    """Unweighted, over labels."""
    worst: LabelScore
    rows: tuple[LabelScore, ...]
    """The worst first."""
    wrong_side: float
    """Share of the limbs' points that were given the other side."""
    right: NDArray[np.bool_]
    confidence: Array


def labels_of(body: BodyOfLabels, *bones: str) -> list[int]:
    """Give the labels that hold one of these bones (``femur``) or bones of one side (``femur.left``)."""
    return [
        label for label, keys in body.truth.items() if any(b in bones or f"{b}.{side}" in bones for b, side in keys)
    ]


def _read_marks(path: Path) -> Marks:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {row["name"]: np.array([float(row[f"{axis}_lps_mm"]) for axis in "xyz"]) for row in rows}


@cache
def body_of_labels(name: str) -> BodyOfLabels:
    """Read one of ``BODIES``; skip the test where the data are absent."""
    import nibabel

    stem = shared_data("myo_sim") / f"{name}_labels"
    image = nibabel.load(f"{stem}.nii.gz")
    array = np.asarray(image.dataobj).astype(int)
    grid = Grid(array.shape, np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine)
    voxels = np.argwhere(array)
    names = read_names(f"{stem}_names.csv")
    truth: dict[int, frozenset[Key]] = {}
    for label, bone, side in names:
        truth[label] = truth.get(label, frozenset()) | (members(bone, side) or {(bone, side)})
    marks = _read_marks(stem.with_name(f"{stem.name}_landmarks.csv"))
    everything = np.ones(len(voxels), dtype=bool)
    body = BodyOfLabels(name, grid.lps(voxels), array[tuple(voxels.T)], truth, marks, names, everything, {})
    patella, emblem = body.of("patella"), _emblem(body)
    left_out = {"patella": int(patella.sum()), "emblem": int(emblem.sum())}
    return replace(body, counted=~patella & ~emblem, left_out=left_out)


def _emblem(body: BodyOfLabels) -> NDArray[np.bool_]:
    """Find the emblem: a disc, and what of it lies in front of the sternum's face."""
    x, y, z = body.points.T
    middle_x, middle_z = _EMBLEM[body.name]
    low, high = body.marks["xiphoid"], body.marks["sternal_notch"]
    face = np.interp(z, [low[2], high[2]], [low[1] - 8.0, high[1] - 24.0])
    disc = np.hypot(x - middle_x, z - middle_z) < _EMBLEM_MM
    return np.asarray(body.of("sternum") & disc & (y < face))


def only(marks: Marks, names: frozenset[str]) -> Marks:
    """Give those of the landmarks that are named."""
    return {name: point for name, point in marks.items() if name in names}


def lower(body: BodyOfLabels) -> BodyOfLabels:
    """Give pelvis and legs alone, with their landmarks."""
    mine = body.counted & body.of(*PELVIS_AND_LEGS)
    return replace(body, counted=mine, marks=only(body.marks, _LOWER_MARKS))


def placed(marks: Marks, age_y: float | None = None, sex: Literal["F", "M"] | None = None) -> Placement:
    """Place the skeleton on landmarks."""
    return skeleton.place({name: point.tolist() for name, point in marks.items()}, age_y=age_y, sex=sex)


def jittered(marks: Marks, mm: float, seed: int, *, each_axis: bool = False) -> Marks:
    """Move every landmark at random, by ``mm`` root mean square in space, or along each axis."""
    rng = np.random.default_rng(seed)
    spread = mm if each_axis else mm / np.sqrt(3.0)
    return {name: point + rng.normal(0.0, spread, 3) for name, point in marks.items()}


def key_of(site: str) -> Key:
    """Give bone and side of a site; ('', '') of none. Parts of a midline bone that lie to a side are that bone."""
    if not site:
        return "", ""
    bone, _, side = site.split(".")
    return bone, side if skeleton.bone(bone).paired else "midline"


def _picked(body: BodyOfLabels, most: int, seed: int) -> NDArray[np.int_]:
    rows = np.flatnonzero(body.counted)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def score(
    body: BodyOfLabels, placement: Placement, *, labels: Volume | None = None, most: int = 150_000, seed: int = 0
) -> Score:
    """Score a placement on a body: at most ``most`` of its points, drawn at random."""
    rows = _picked(body, most, seed)
    found = skeleton.locate(body.points[rows], placement, labels)
    sites, where = np.unique(found.site.astype(str), return_inverse=True)
    return _score(body, rows, [key_of(site) for site in sites.tolist()], where, found.confidence)


def score_of_keys(
    body: BodyOfLabels, ask: Callable[[Array], tuple[list[frozenset[Key]], NDArray[np.int_]]], *, most: int = 150_000
) -> Score:
    """Score any other way to name points: ``ask(points)`` gives sets of bones, and for each point which set is its own.

    An answer of several bones counts right when it shares one with the truth.
    """
    rows = _picked(body, most, 0)
    answers, where = ask(body.points[rows])
    return _score(body, rows, answers, where, np.full(len(rows), np.nan))


def _fits(answer: Key | frozenset[Key], keys: frozenset[Key]) -> bool:
    return bool(answer & keys) if isinstance(answer, frozenset) else answer in keys


def _words(answer: Key | frozenset[Key]) -> str:
    keys = sorted(answer) if isinstance(answer, frozenset) else [answer]
    return ".".join(keys[0]) + (" …" if len(keys) > 1 else "") if keys and keys[0][0] else "none"


def _score(
    body: BodyOfLabels,
    rows: NDArray[np.int_],
    answers: list[Key] | list[frozenset[Key]],
    where: NDArray[np.int_],
    confidence: Array,
) -> Score:
    label = body.label[rows]
    right = np.zeros(len(rows), dtype=bool)
    crossed = limbs = 0
    table: list[LabelScore] = []
    for value in np.unique(label).tolist():
        mine, keys = label == value, body.truth[value]
        fits = np.array([_fits(answer, keys) for answer in answers])
        right[mine] = fits[where[mine]]
        wrong = Counter(_words(answers[i]) for i in where[mine & ~right].tolist())
        taken = tuple((name, n / int(mine.sum())) for name, n in wrong.most_common(4))
        bone, side = next((bone, side) for number, bone, side in body.names if number == value)
        name = f"{bone}.{side}" + (" …" if len(keys) > 1 else "")
        table.append(LabelScore(value, name, int(mine.sum()), float(right[mine].mean()), taken))
        if side in {"left", "right"} and any(b in _LIMBS for b, _ in keys):
            other = np.array([_words(answer).rstrip(" …").endswith(_OTHER[side]) for answer in answers])
            crossed, limbs = crossed + int(other[where[mine]].sum()), limbs + int(mine.sum())
    table.sort(key=lambda row: row.share)
    mean = float(np.mean([row.share for row in table]))
    return Score(float(right.mean()), mean, table[0], tuple(table), crossed / max(limbs, 1), right, confidence)


_OTHER: dict[str, Literal["left", "right"]] = {"left": "right", "right": "left"}


def calibration_error(confidence: Array, right: NDArray[np.bool_], weight: Array | None = None) -> float:
    """Give the expected calibration error over ten bins."""
    weight = np.ones(len(right)) if weight is None else weight
    bins = np.minimum((confidence * 10).astype(int), 9)
    off = np.bincount(bins, weight * (confidence - right), minlength=10)
    return float(np.abs(off).sum() / weight.sum())


def levels_off(placement: Placement, marks: Marks) -> dict[str, int]:
    """Give the vertebrae whose body centre is named another one, and by how many levels (24: no vertebra at all)."""
    spine = [bone.id.removeprefix("vertebra_") for bone in skeleton.bones() if bone.id.startswith("vertebra_")]
    centres = [name for name in spine if name in marks]
    found = skeleton.locate([marks[name] for name in centres], placement)
    off: dict[str, int] = defaultdict(int)
    for name, site in zip(centres, found.site.tolist(), strict=True):
        level = site.split(".")[0].removeprefix("vertebra_")
        off[name] = abs(spine.index(level) - spine.index(name)) if level in spine else len(spine)
    return {name: by for name, by in off.items() if by}


def rasterised(body: BodyOfLabels, spacing_mm: float = 2.0) -> Volume:
    """Give a body's points, where they now are, as a label map in LPS.

    Every voxel is laid down as eight points, so that a turned bone has no holes.
    """
    low, high = body.points.min(axis=0) - 10.0, body.points.max(axis=0) + 10.0
    lps_from_voxel = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    lps_from_voxel[:3, 3] = low
    columns, rows, slices = np.ceil((high - low) / spacing_mm).astype(int).tolist()
    array = np.zeros((columns, rows, slices), dtype=np.uint8)
    for corner in np.ndindex(2, 2, 2):
        shift = (np.array(corner) - 0.5) * 0.5 * spacing_mm
        index = np.rint((body.points + shift - low) / spacing_mm).astype(int)
        array[tuple(index.T)] = body.label
    return Volume(array, Grid(array.shape, lps_from_voxel))
