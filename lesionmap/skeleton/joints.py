"""The jointed body: where its landmarks are, by joint angles, lengths and the individual's own deviations.

Rigid pieces (pelvis, vertebrae, thorax, head, limbs) turn at joints, lengths vary with stature and person, and each
landmark differs a little from where the mean skeleton has it. All unknowns are standard normal numbers ``theta``; what
one of them means in degrees or as share of a length stands in ``bones.toml``, ``[freedom]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import growth
from lesionmap.skeleton.anatomy import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton.growth import Sex

    Array = NDArray[np.float64]

__all__ = ["Sized", "Tree", "Walk", "at_rest", "jacobian", "rotation_vector", "sized", "tree", "turn_between", "walk"]

_STATURE = 3  # which unknown it is
_SHIFT_MM = 300.0  # where the body lies on the table is open
_MIRRORED = np.array([1.0, -1.0, -1.0])  # a turn seen in the mirror


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """What does not depend on size: landmarks, pieces, and how unknowns drive them."""

    names: tuple[str, ...]
    """S1, then every landmark and vertebra; edge i leads to landmark i, edge 0 to S1 itself (length 0)."""
    index: dict[str, int]
    paths: Array
    """Shape (landmarks, edges): 1 where an edge lies between S1 and a landmark."""
    pieces: dict[str, int]
    piece_of: NDArray[np.intp]
    """Of each edge: the rigid piece that it turns with."""
    above: NDArray[np.intp]
    """Of each piece: the one that it hangs on; the pelvis hangs on itself."""
    levels: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]
    """From the pelvis outwards: pieces and the pieces that they hang on."""
    mean_turn: Array
    """Shape (pieces, 3): radians, in the frame of the reference body."""
    turns: Array
    """Shape (pieces, 3, unknowns): radians for each unknown."""
    stretch: Array
    """Shape (edges, 3, unknowns): logarithm of the length for each unknown."""
    joints: tuple[tuple[int, ...], ...]
    """The three unknowns of each joint; a joint may be bent far, all at once."""
    column: dict[str, int]
    """First unknown of each joint; ``stature`` is one."""


@dataclass(frozen=True, slots=True, eq=False)
class Sized:
    """The reference offsets of a child."""

    offsets: Array
    """Shape (edges, 3): LPS mm from the parent, in the pose of the reference body."""
    growing: Array
    """The same: change for each unit of the logarithm of stature."""
    own: Array
    """Shape (landmarks, landmarks): covariance of each coordinate, mm², by what makes persons differ beside size."""


def _pieces() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Give each piece (with side), the one that it hangs on, and the landmarks that turn with it."""
    vertebrae = growth.vertebra_names()
    found: dict[str, tuple[str, tuple[str, ...]]] = {"pelvis": ("", ())}
    found |= {name: ("pelvis", (name,)) for name in vertebrae}
    for name, row in table()["freedom"]["joints"].items():
        for side in ("_left", "_right") if row["paired"] else ("",):
            above = row["on"] if row["on"] in found else row["on"] + side
            ends = (e if e in growth.MIDLINE else e + s for e in row["carries"] for s in _sides(e, side))
            found[name + side] = (above, tuple(ends))
    return found


def _sides(end: str, side: str) -> tuple[str, ...]:
    return ("",) if end in growth.MIDLINE else ((side,) if side else ("_left", "_right"))


def _spine_waves() -> Array:
    """Give the ways in which a spine bends smoothly, shape (vertebrae, ways); a unit of each is as likely."""
    row = table()["freedom"]["spine"]
    level = np.arange(len(growth.vertebra_names()), dtype=np.float64)
    likeness = np.exp(-0.5 * ((level[:, None] - level) / row["levels"]) ** 2)
    values, vectors = np.linalg.eigh(likeness)
    kept = values > 0.01 * values.max()
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def _sagittal_curve() -> Array:
    """Give how far the way to each vertebra leans back against the mean of all, radians."""
    reference, parents = growth.reference_landmarks(), growth.parents()
    ways = np.array([reference[name] - reference[parents[name][0]] for name in growth.vertebra_names()])
    back = np.arctan2(ways[:, 1], ways[:, 2])
    return np.asarray(back - back.mean())


class _Unknowns:
    """Collects the columns of ``turns`` and ``stretch``."""

    def __init__(self, pieces: dict[str, int], edges: int) -> None:
        self.pieces, self.edges = pieces, edges
        self.turns: list[Array] = []
        self.stretch: list[Array] = []
        self.joints: list[tuple[int, ...]] = []
        self.column: dict[str, int] = {}
        for name in ("shift", "shift_y", "shift_z", "stature"):
            self.column[name] = self.add()

    def add(self, turn: Array | None = None, stretch: Array | None = None) -> int:
        self.turns.append(np.zeros((len(self.pieces), 3)) if turn is None else turn)
        self.stretch.append(np.zeros((self.edges, 3)) if stretch is None else stretch)
        return len(self.turns) - 1

    def joint(self, name: str, who: list[tuple[int, Array]]) -> None:
        """Add three angles; ``who``: pieces and their standard deviations in radians."""
        columns = []
        for axis in range(3):
            turn = np.zeros((len(self.pieces), 3))
            for piece, spread in who:
                turn[piece, axis] = spread[axis]
            columns.append(self.add(turn))
        self.joints.append(tuple(columns))
        self.column[name] = columns[0]


def _add_turns(found: _Unknowns) -> Array:
    """Add the pelvis, the spine's waves and the joints; give the mean turns."""
    mean = np.zeros((len(found.pieces), 3))
    freedom = table()["freedom"]
    found.joint("pelvis", [(found.pieces["pelvis"], np.radians(freedom["pelvis"]["sd_deg"]))])
    vertebrae = [found.pieces[name] for name in growth.vertebra_names()]
    curve = _sagittal_curve()
    mean[vertebrae, 0] = freedom["spine"]["flatter"] * curve
    flatter = np.zeros_like(mean)
    flatter[vertebrae, 0] = freedom["spine"]["flatter_sd"] * curve
    found.add(flatter)
    for wave in _spine_waves().T:
        spread = np.radians(freedom["spine"]["sd_deg"])
        found.joint("spine", [(piece, share * spread) for piece, share in zip(vertebrae, wave, strict=True)])
    for name, row in freedom["joints"].items():
        spread = np.radians(row["sd_deg"])
        if not row["paired"]:
            found.joint(name, [(found.pieces[name], spread)])
            continue
        alike = row.get("alike", freedom["alike"])
        left, right = found.pieces[f"{name}_left"], found.pieces[f"{name}_right"]
        found.joint(f"{name}_both", [(left, spread * np.sqrt(alike)), (right, spread * np.sqrt(alike) * _MIRRORED)])
        for side, piece, sign in (("left", left, np.ones(3)), ("right", right, _MIRRORED)):
            found.joint(f"{name}_{side}", [(piece, spread * np.sqrt(1 - alike))])
            mean[piece] = np.radians(row["mean_deg"]) * sign
    return mean


def _add_lengths(found: _Unknowns, names: tuple[str, ...]) -> None:
    """Add what makes lengths differ: for the whole body's pieces, and a little for each side."""
    parents = growth.parents()
    for row in table()["freedom"]["length"]:
        for side in ("_left", "_right") if row.get("sided") else ("",):
            stretch = np.zeros((len(names), 3))
            for i, name in enumerate(names[1:], start=1):
                part = parents[name][1]
                if (part in row["parts"] or (part == "spine" and name[0] in row["parts"])) and name.endswith(side):
                    stretch[i] = row["sd"] * np.array([axis in row.get("axes", "xyz") for axis in "xyz"])
            found.add(stretch=stretch)


def _at_one_stature(stretch: Array, paths: Array, index: dict[str, int]) -> Array:
    """Take out of the lengths what would make the body taller: they add up to its stature, which is told apart.

    Long legs at one stature leave a short trunk. The unknowns are normal; this is their law given that sum.
    """
    reference, parents = growth.reference_landmarks(), growth.parents()
    rise = np.array([0.0, *(reference[name][2] - reference[parents[name][0]][2] for name in parents)])
    standing = paths[index["vertex"]] - (paths[index["heel_left"]] + paths[index["heel_right"]]) / 2
    taller = (standing * rise) @ stretch[:, 2]
    return np.asarray(stretch - (stretch @ taller)[:, :, None] * taller / (taller @ taller))


@cache
def tree() -> Tree:
    """Give the tree of landmarks and joints."""
    parents, pieces = growth.parents(), _pieces()
    names, numbers = ("S1", *parents), {name: i for i, name in enumerate(pieces)}
    index = {name: i for i, name in enumerate(names)}
    paths = np.zeros((len(names), len(names)))
    for name in parents:
        at = name
        while at != "S1":
            paths[index[name], index[at]] = 1.0
            at = parents[at][0]
    piece_of = np.zeros(len(names), dtype=np.intp)
    for name, (_, carried) in pieces.items():
        piece_of[[index[mark] for mark in carried]] = numbers[name]
    hangs_on = np.array([numbers[on] if on else 0 for on, _ in pieces.values()])
    found = _Unknowns(numbers, len(names))
    mean = _add_turns(found)
    _add_lengths(found, names)
    turns, stretch = np.stack(found.turns, axis=2), _at_one_stature(np.stack(found.stretch, axis=2), paths, index)
    joined, levels = tuple(found.joints), _levels(hangs_on)
    return Tree(names, index, paths, numbers, piece_of, hangs_on, levels, mean, turns, stretch, joined, found.column)


def _levels(hangs_on: NDArray[np.intp]) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]:
    """Sort pieces by how many joints lie between them and the pelvis."""
    depth = np.zeros(len(hangs_on), dtype=np.intp)
    for i in range(1, len(hangs_on)):  # a piece comes after the one that it hangs on
        depth[i] = depth[hangs_on[i]] + 1
    return tuple((here, hangs_on[here]) for n in range(1, depth.max() + 1) for here in [np.flatnonzero(depth == n)])


def _own(name: str, part: str) -> tuple[float, float]:
    """Give what is said of this landmark, else of its region of the spine, else of its part of the body."""
    rows = table()["freedom"]["own"]
    share, least = next(
        rows[key] for key in (name.removesuffix("_left").removesuffix("_right"), name[0], part) if key in rows
    )
    return share, least


@cache
def _between_anatomies() -> Array:
    """Give how far the mean person's offsets differ from those of the reference body, shape (edges, 3), mm in it."""
    rows = table()["freedom"]["mean_mm"]
    found = np.zeros((len(tree().names), 3))
    for i, name in enumerate(tree().names):
        own = np.array(rows.get(name.removesuffix("_left").removesuffix("_right"), [0.0, 0.0, 0.0]))
        found[i] = own * [-1.0, 1.0, 1.0] if name.endswith("_right") else own
    return found


@lru_cache(maxsize=64)
def sized(age_y: float | None, sex: Sex | None, stature_cm: float) -> Sized:
    """Give the offsets of a child; where the age is not known it follows the stature."""
    body, parents = tree(), growth.parents()
    models = []
    for cm in (stature_cm * 0.98, stature_cm * 1.02):
        age = growth.age_for_stature(cm, sex) if age_y is None else age_y
        model = growth.landmark_model(age, sex, cm)
        rows = [np.zeros(3), *(model[name] - model[parents[name][0]] for name in body.names[1:])]
        models.append(np.array(rows))
    offsets = (models[0] + models[1]) / 2 + _between_anatomies() * stature_cm / table()["shape"]["stature_cm"]
    spread = np.zeros(len(body.names))
    for i, name in enumerate(body.names[1:], start=1):
        share, least = _own(name, parents[name][1])
        spread[i] = np.hypot(share * np.linalg.norm(offsets[i]), least * stature_cm / 169.0)
    own = (body.paths * spread**2) @ body.paths.T
    return Sized(offsets, (models[1] - models[0]) / np.log(1.02 / 0.98), own)


def _exp(turn: Array) -> tuple[Array, Array]:
    """Give rotations and their left Jacobians of rotation vectors, shape (n, 3) (Rodrigues)."""
    angle = np.linalg.norm(turn, axis=1)[:, None, None]
    safe = np.maximum(angle, 1e-6)
    skew = _skew(turn)
    square = skew @ skew
    sin, cos = np.sin(safe), np.cos(safe)
    eye = np.eye(3)
    rotation = eye + sin / safe * skew + (1 - cos) / safe**2 * square
    return rotation, eye + (1 - cos) / safe**2 * skew + (safe - sin) / safe**3 * square


def _skew(vectors: Array) -> Array:
    """Give the matrices of the cross product from the left, shape (n, 3, 3)."""
    found = np.zeros((len(vectors), 3, 3))
    x, y, z = vectors.T
    found[:, 0, 1], found[:, 0, 2], found[:, 1, 2] = -z, y, -x
    found[:, 1, 0], found[:, 2, 0], found[:, 2, 1] = z, -y, x
    return found


def rotation_vector(rotation: Array) -> Array:
    """Give the rotation vector in radians of a rotation matrix; of at most half a turn."""
    cos = np.clip((np.trace(rotation) - 1) / 2, -1, 1)
    axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    length = float(np.linalg.norm(axis))
    return axis * (float(np.arctan2(length / 2, cos)) / length) if length > 1e-9 else np.zeros(3)


def turn_between(start: Array, end: Array) -> Array:
    """Give the shortest rotation of one unit vector onto another."""
    axis, cos = np.cross(start, end), float(start @ end)
    sin = float(np.linalg.norm(axis))
    if sin < 1e-6:  # opposite: about any axis across
        axis = np.cross(start, np.eye(3)[int(np.argmin(np.abs(start)))])
        sin = float(np.linalg.norm(axis))
    return np.asarray(_exp((axis / sin * np.arctan2(sin if cos > -1 else 0.0, cos))[None])[0][0])


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """A body in one pose."""

    points: Array
    """Shape (landmarks, 3): patient LPS mm, but for a shift."""
    rotation: Array
    """Shape (pieces, 3, 3): how each piece lies, reference frame to patient LPS."""
    spin: Array
    """Shape (pieces, 3, 3): how it turns with its own rotation vector."""
    factor: Array
    """Shape (edges, 3): how much longer an edge is than at that stature."""
    edges: Array
    """Shape (edges, 3): the ways from landmark to landmark, patient LPS mm."""


def walk(body: Sized, theta: Array, first: Array, stature_log: float) -> Walk:
    """Walk from S1 to every landmark.

    Parameters
    ----------
    body : Sized
        Offsets at a stature near the true one.
    theta : ndarray, shape (unknowns,)
        Standard normal numbers.
    first : ndarray, shape (3, 3)
        How the whole body lies (the pelvis turns a little against it).
    stature_log : float
        Logarithm of stature against that of ``body``.
    """
    t = tree()
    local, left = _exp(t.mean_turn + t.turns @ theta)
    rotation, spin = np.empty_like(local), np.empty_like(left)
    rotation[0], spin[0] = first @ local[0], first @ left[0]
    for here, above in t.levels:
        rotation[here], spin[here] = rotation[above] @ local[here], rotation[above] @ left[here]
    factor = np.exp(t.stretch @ theta)
    offsets = (body.offsets + stature_log * body.growing) * factor
    edges = (rotation[t.piece_of] @ offsets[:, :, None])[:, :, 0]
    return Walk(t.paths @ edges + _SHIFT_MM * theta[:3], rotation, spin, factor, edges)


def jacobian(body: Sized, at: Walk, stature_log: float, spread: float) -> Array:
    """Give how all landmarks change with each unknown, shape (landmarks, 3, unknowns).

    Parameters
    ----------
    spread : float
        What one unit of the unknown ``stature`` is in logarithms.
    """
    t = tree()
    turned = at.rotation[t.piece_of]
    spin = at.spin @ t.turns
    for here, above in t.levels:
        spin[here] += spin[above]
    offsets = (body.offsets + stature_log * body.growing) * at.factor
    change = (turned * offsets[:, None, :]) @ t.stretch - _skew(at.edges) @ spin[t.piece_of]
    change[:, :, _STATURE] = spread * (turned @ (body.growing * at.factor)[:, :, None])[:, :, 0]
    n, _, unknowns = change.shape
    found = (t.paths @ change.reshape(n, -1)).reshape(n, 3, unknowns)
    found[:, :, :3] = _SHIFT_MM * np.eye(3)
    return found


def at_rest(body: Sized) -> Array:
    """Give the landmarks of the mean pose, shape (landmarks, 3), S1 in the origin."""
    return walk(body, np.zeros(tree().turns.shape[2]), np.eye(3), 0.0).points
