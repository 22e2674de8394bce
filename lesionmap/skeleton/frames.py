"""Carriers: how a piece of the reference body is carried to the landmarks of a patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lesionmap.skeleton import growth
from lesionmap.skeleton.anatomy import table
from lesionmap.skeleton.believed import believed

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from lesionmap.skeleton.anatomy import Side
    from lesionmap.skeleton.placement import Placement

    Points = NDArray[np.float64]

__all__ = ["Carrier", "carried_back", "carriers"]

# Landmarks of trunk and head that the thin-plate carrier passes through, beside the vertebrae.
_TRUNK = (
    "vertex", "chin", "mandible_angle", "sc_joint", "ac_joint", "shoulder", "sternal_notch", "xiphoid", "S1",
    "coccyx", "pubis", "si_joint", "asis", "hip", "ischium",
)  # fmt: skip
_STIFFNESS_MM = 8.0  # how much the thin plate gives way to landmarks that disagree (assumed)
_SPINE_STIFFNESS = (30.0, 3.0)  # how much vertebrae hold their neighbours, along the spine and across it (assumed)
_ESTIMATED_WEIGHT = 0.1  # of an estimated vertebra against a placed one (assumed)
# The turn of the arm. Without a landmark of the hand its bones lie as in the reference body, palms to the front. On a
# scanner's table the elbow's front is turned inwards, and the palm looks to the thigh or the table; relaxed fingers are
# bent to the palm (all assumed).
_ELBOW_TURN_RAD = 0.4  # of the elbow's front
_TABLE_TURN_RAD = 1.7  # of the palm against it
_REFERENCE_TURN_RAD = 0.3  # by which the reference body's wrist is turned already: its radius lies before its ulna
_TABLE_TRUST = 3.0  # concentration of the palm's turn
_CURL_TRUST_PER_MM = 0.3  # expected bend of a fingertip, 15 mm, over the squared error of its landmarks, (7 mm)²
_CARRYING = 0.15  # sine of the angle by which a stretched forearm leaves the upper arm sideways (assumed)


_EXACT_MM = 1e-6
_STEPS = 30
_CROSS = np.vstack([np.zeros(3), np.eye(3)])  # a point, and a millimetre from it along each axis


class Carrier(Protocol):
    """Carries points of the reference body (left or midline) to a patient."""

    def carry(self, points: Points) -> Points:
        """Carry points, shape (n, 3), reference mm to patient LPS mm."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A matrix and a shift."""

    matrix: NDArray[np.float64]
    origin: NDArray[np.float64]
    target: NDArray[np.float64]

    def carry(self, points: Points) -> Points:
        """Carry points, shape (n, 3)."""
        return np.asarray((points - self.origin) @ self.matrix.T + self.target)


@dataclass(frozen=True, slots=True, eq=False)
class ThinPlate:
    """An affine map and a sum of distances to control points: the smoothest warp through them in space."""

    controls: NDArray[np.float64]
    weights: NDArray[np.float64]
    affine: NDArray[np.float64]
    mirrored: bool

    def carry(self, points: Points) -> Points:
        """Carry points, shape (n, 3)."""
        sources = points * [-1, 1, 1] if self.mirrored else points
        # Squares of sums instead of differences: no array of (n, controls, 3) is made.
        square = (sources**2).sum(axis=1)[:, None] + (self.controls**2).sum(axis=1) - 2 * sources @ self.controls.T
        distance = np.sqrt(np.maximum(square, 0.0))
        return np.asarray(distance @ self.weights + sources @ self.affine[1:] + self.affine[0])


@dataclass(frozen=True, slots=True, eq=False)
class Twist:
    """A matrix and a shift, then a turn about the limb that grows from none at its start to the whole at its end."""

    limb: Affine
    axis: NDArray[np.float64]
    """Vector from the start to the end of the limb in the patient, mm."""
    angle_rad: float

    def carry(self, points: Points) -> Points:
        """Carry points, shape (n, 3)."""
        offset = self.limb.carry(points) - self.limb.target
        along = _unit(self.axis)
        share = np.clip(offset @ self.axis / (self.axis @ self.axis), 0.0, 1.0)
        cos, sin = np.cos(share * self.angle_rad)[:, None], np.sin(share * self.angle_rad)[:, None]
        straight = np.outer(offset @ along, along)
        turned = straight + cos * (offset - straight) + sin * np.cross(along, offset)
        return np.asarray(turned + self.limb.target)


def carried_back(carrier: Carrier, point: Points, start: Points) -> tuple[Points, Points]:
    """Give the point of the reference body that is carried to a point, and how small steps about it are carried.

    Parameters
    ----------
    carrier : Carrier
    point : ndarray, (x, y, z)
        LPS mm.
    start : ndarray, (x, y, z)
        Reference mm: near the point that is looked for, where Newton's method begins.

    Returns
    -------
    point : ndarray, shape (3,)
        Reference mm.
    matrix : ndarray, shape (3, 3)
        LPS mm per reference mm there.
    """
    if isinstance(carrier, Affine):
        return carrier.origin + np.linalg.solve(carrier.matrix, point - carrier.target), carrier.matrix
    found = start
    for _ in range(_STEPS):
        at = carrier.carry(found + _CROSS)
        gap, matrix = point - at[0], (at[1:] - at[0]).T
        if np.abs(gap).max() < _EXACT_MM:
            break
        found = found + np.linalg.solve(matrix, gap)
    return found, matrix


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def _across(vector: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the part of a vector at right angles to a unit axis, as unit vector."""
    return _unit(vector - (vector @ axis) * axis)


class _Body:
    """Landmarks of one body seen from one side, so that left and right are handled alike."""

    def __init__(self, points: dict[str, NDArray[np.float64]], side: Side, placed: Collection[str] = ()) -> None:
        self.points = points
        self.side = side
        self.placed = placed
        self.sign = -1.0 if side == "right" else 1.0

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self.points[name] if name in self.points else self.points[f"{name}_{self.side}"]

    def lateral(self) -> NDArray[np.float64]:
        """Give the direction to the patient's left, from pelvis and shoulders."""
        pairs = (("hip_left", "hip_right"), ("shoulder_left", "shoulder_right"), ("asis_left", "asis_right"))
        return _unit(sum((_unit(self.points[a] - self.points[b]) for a, b in pairs), np.zeros(3)))

    def forward(self, frame: str) -> NDArray[np.float64]:
        """Give the direction that the front of a limb looks to."""
        if frame in {"upper_arm", "forearm"}:
            return self._elbow()
        if frame in {"hand", "fingers"}:
            return self.palm()
        toes = self["toe2"] - self["heel"]
        if frame == "thigh":
            thigh, shank = _unit(self["knee"] - self["hip"]), _unit(self["ankle"] - self["knee"])
            bend = -(shank - (shank @ thigh) * thigh)
            return np.asarray(_across(toes, thigh) + 2.0 * bend)
        return np.asarray(toes)

    def _hand_seen(self) -> bool:
        return f"mcp3_{self.side}" in self.placed or f"fingertip3_{self.side}" in self.placed

    def _elbow(self) -> NDArray[np.float64]:
        """Give the direction that the front of the elbow looks to: that of the trunk, or the one it is bent to."""
        trunk = np.cross(self.lateral(), _unit(self.points["C7"] - self.points["S1"]))
        upper, fore = _unit(self["elbow"] - self["shoulder"]), _unit(self["wrist"] - self["elbow"])
        front = _across(trunk, upper)
        out = np.cross(front, upper) * self.sign
        if self._hand_seen():
            front = np.cos(_ELBOW_TURN_RAD) * front - np.sin(_ELBOW_TURN_RAD) * out
            out = np.cross(front, upper) * self.sign
        bend = fore - (fore @ upper) * upper - _CARRYING * out
        return np.asarray(front + 3.0 * (bend @ front) * bend if bend @ front > 0 else front)

    def palm(self) -> NDArray[np.float64]:
        """Give the direction that the palm looks to."""
        fore = _unit(self["wrist"] - self["elbow"])
        front = _across(self._elbow(), fore)
        if not self._hand_seen():
            return front
        inwards = np.cross(fore, front) * self.sign
        table = np.cos(_TABLE_TURN_RAD) * front + np.sin(_TABLE_TURN_RAD) * inwards
        hand, finger = _unit(self["mcp3"] - self["wrist"]), self["fingertip3"] - self["mcp3"]
        curl = finger - (finger @ hand) * hand
        return _across(_TABLE_TRUST * table + _CURL_TRUST_PER_MM * curl, fore)

    def axes(self, start: str, end: str, forward: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give unit axes of a limb as columns: outwards, backwards, along."""
        along = _unit(self[end] - self[start])
        back = -_across(forward, along)
        out = np.cross(back, -along) * self.sign
        return np.stack([out, back, along], axis=1)


def _limb(name: str, entry: dict[str, str], body: _Body, reference: _Body, breadth: float) -> Affine:
    """Make the carrier of a limb: stretched along it, widened across it, turned with it."""
    start, end = entry["from"], entry["to"]
    source = reference.axes(start, end, reference.forward(name))
    target = body.axes(start, end, body.forward(name))
    stretch = np.linalg.norm(body[end] - body[start]) / np.linalg.norm(reference[end] - reference[start])
    matrix = target @ np.diag([breadth, breadth, float(stretch)]) @ source.T
    return Affine(matrix, reference[start], body[start])


def _forearm(limb: Affine, body: _Body) -> Carrier:
    """Turn radius and ulna about one another as far as the palm is turned."""
    axis = body["wrist"] - body["elbow"]
    front, palm = _across(body.forward("forearm"), _unit(axis)), body.palm()
    angle = np.arctan2(np.cross(front, palm) @ _unit(axis), front @ palm)
    return Twist(limb, axis, float(angle - body.sign * _REFERENCE_TURN_RAD)) if abs(angle) > 1e-6 else limb


def _held_spine(
    body: dict[str, NDArray[np.float64]], reference: dict[str, NDArray[np.float64]], placed: Collection[str]
) -> dict[str, NDArray[np.float64]]:
    """Give the landmarks with the vertebrae drawn into line: discs let no vertebra leave its neighbours by itself.

    What the spine differs from an affine image of the reference spine is smoothed (penalty on second differences), so
    a landmark that was set some mm too high does not push one vertebra into the next. Across the spine less than along
    it: a spine may be bent to the side. Estimated vertebrae give way to placed ones.
    """
    names = growth.vertebra_names()
    target, source = (np.array([points[name] for name in names]) for points in (body, reference))
    basis = np.column_stack([np.ones(len(names)), source[:, 1:]])  # the reference spine lies in the plane x = 0
    weight = np.diag([1.0 if name in placed else _ESTIMATED_WEIGHT for name in names])
    affine = basis @ np.linalg.solve(basis.T @ weight @ basis + 1e-6 * np.eye(3), basis.T @ weight @ target)
    left = target - affine
    ways = np.gradient(affine, axis=0)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    along = (left * ways).sum(axis=1, keepdims=True) * ways
    second = np.diff(np.eye(len(names)), 2, axis=0)
    bend = second.T @ second
    held = affine + sum(
        np.linalg.solve(weight + stiffness * bend, weight @ part)
        for stiffness, part in zip(_SPINE_STIFFNESS, (along, left - along), strict=True)
    )
    return {**body, **dict(zip(names, held, strict=True))}


def _foot(entry: dict[str, list[str]], body: _Body, reference: _Body) -> Affine:
    """Make the carrier of the foot: a similarity on ankle, heel and toe."""

    def axes(who: _Body) -> tuple[NDArray[np.float64], float]:
        ankle, heel, toe = (who[name] for name in entry["points"])
        along = _unit(toe - heel)
        up = _across(ankle - heel, along)
        out = np.cross(up, along) * who.sign
        return np.stack([out, -along, up], axis=1), float(np.linalg.norm(toe - heel))

    (target, length), (source, reference_length) = axes(body), axes(reference)
    middle = [np.mean([who[name] for name in entry["points"]], axis=0) for who in (body, reference)]
    return Affine(target @ source.T * (length / reference_length), middle[1], middle[0])


def _thin_plate(body: dict[str, NDArray[np.float64]], reference: dict[str, NDArray[np.float64]]) -> ThinPlate:
    """Fit the warp of trunk and head."""
    sides = ("", "_left", "_right")
    names = [n + s for n in _TRUNK for s in sides if n + s in reference] + list(growth.vertebra_names())
    source, target = (np.array([points[n] for n in names]) for points in (reference, body))
    # The kernel is the distance itself (biharmonic in space); minus the stiffness on the diagonal it smooths.
    kernel = np.linalg.norm(source[:, None] - source[None], axis=2) - _STIFFNESS_MM * np.eye(len(names))
    poly = np.column_stack([np.ones(len(names)), source])
    system = np.block([[kernel, poly], [poly.T, np.zeros((4, 4))]])
    solved = np.linalg.solve(system, np.concatenate([target, np.zeros((4, 3))]))
    return ThinPlate(source, solved[: len(names)], solved[len(names) :], mirrored=False)


def _vertebra(name: str, body: dict[str, NDArray[np.float64]], reference: dict[str, NDArray[np.float64]]) -> Affine:
    """Make the carrier of a vertebra: its own frame, at its centre, across the curve of the spine."""
    spine = (*growth.vertebra_names(), "S1")
    i = spine.index(name)
    above, below = spine[max(i - 1, 0)], spine[i + 1]
    up, up_ref = (points[above] - points[below] for points in (body, reference))
    centre = _Body(body, "left")
    axis = _unit(up)
    left = _across(centre.lateral(), axis)
    back = np.cross(axis, left)
    size = float(np.linalg.norm(up) / np.linalg.norm(up_ref))
    return Affine(np.stack([left, back, axis], axis=1) * size, np.zeros(3), body[name])


def carriers(placement: Placement) -> dict[tuple[str, Side], Carrier]:
    """Give, for each frame of ``bones.toml`` and each vertebra, the carrier of either side.

    Returns
    -------
    dict of (frame, side) to Carrier
        Frames as in ``[[part]] hang``; vertebrae as ``vertebra:T7``.
    """
    reference = growth.reference_landmarks()
    placed = {mark.name for mark in placement.landmarks if mark.placed}
    body = _held_spine(dict(believed(placement)), reference, placed)
    found: dict[tuple[str, Side], Carrier] = {}
    plate = _thin_plate(body, reference)
    sides: tuple[Side, ...] = ("left", "right", "midline")
    vertebrae = {name: _vertebra(name, body, reference) for name in growth.vertebra_names()}
    for side in sides:
        found["trunk", side] = ThinPlate(plate.controls, plate.weights, plate.affine, mirrored=side == "right")
        found.update({(f"vertebra:{name}", side): carrier for name, carrier in vertebrae.items()})
    for name, entry in table()["frames"].items():
        if entry["kind"] == "warp":
            continue
        breadth = growth.breadth_ratio(name, placement.age_y, placement.sex, placement.stature_cm)
        pair: tuple[Side, ...] = ("left", "right")
        for side in pair:
            seen, model = _Body(body, side, placed), _Body(reference, "left")
            if entry["kind"] == "foot":
                found[name, side] = _foot(entry, seen, model)
                continue
            limb = _limb(name, entry, seen, model, breadth)
            found[name, side] = _forearm(limb, seen) if name == "forearm" else limb
    return found
