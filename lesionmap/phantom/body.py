"""The phantom's skeleton as a whole: landmarks, and the true bone, segment and side of any point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.phantom.arm import arm, girdle
from lesionmap.phantom.bones import physis_mm
from lesionmap.phantom.growth import size_of
from lesionmap.phantom.leg import leg, leg_lengths
from lesionmap.phantom.pelvis import pelvis, pelvis_at, sacrum
from lesionmap.phantom.pose import pose_of
from lesionmap.phantom.shapes import Frame, turned
from lesionmap.phantom.trunk import head, head_reach_mm, ribs, spine, spine_shapes, sternum
from lesionmap.skeleton.anatomy import landmarks as landmark_names

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lesionmap.phantom.growth import Size
    from lesionmap.phantom.pose import Pose
    from lesionmap.phantom.shapes import Shape
    from lesionmap.visits import Sex

    Array = NDArray[np.float64]
    Words = NDArray[np.object_]

__all__ = ["Body", "body"]

_OPEN_UNTIL = {"M": 17.5, "F": 15.5}
_SCALP_MM = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A child of the phantom's own making, lying on the table; all positions in LPS mm."""

    size: Size
    pose: Pose
    shapes: tuple[Shape, ...]
    """Every bone; some bones are several solids."""
    marks: dict[str, Array]
    """The 43 landmarks, and every vertebra by name (``T7``)."""
    frames: dict[str, Frame]
    """Of the vertebral bodies (``T7``), of the pelvis, thorax and head: for soft tissue and lesions."""

    def landmarks(self) -> dict[str, tuple[float, float, float]]:
        """Give the true 43 landmarks, LPS mm."""
        return {name: (x, y, z) for name in landmark_names() for x, y, z in [self.marks[name].tolist()]}

    def vertebrae(self) -> dict[str, tuple[float, float, float]]:
        """Give the true centres of the bodies C1 to L5, LPS mm."""
        return {n: (x, y, z) for n, v in self.marks.items() if n[1:].isdigit() for x, y, z in [v.tolist()]}

    def nearest(self, points: ArrayLike) -> tuple[NDArray[np.intp], Array]:
        """Give for points (n, 3), LPS mm, the index of the solid they lie deepest in (-1: none) and the depth."""
        rows = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        which = np.full(len(rows), -1, dtype=np.intp)
        best = np.zeros(len(rows))
        for i, shape in enumerate(self.shapes):
            low, high = shape.form.box
            near = np.flatnonzero(np.all((rows >= low) & (rows <= high), axis=1))
            if len(near) == 0:
                continue
            depth = shape.distance(rows[near])
            deeper = depth < best[near]
            best[near[deeper]] = depth[deeper]
            which[near[deeper]] = i
        return which, best

    def label(self, points: ArrayLike) -> tuple[Words, Words, Words]:
        """Give the true bone, segment and side of points.

        Parameters
        ----------
        points : array-like, shape (n, 3)
            LPS mm.

        Returns
        -------
        bone, segment, side : ndarray of str, shape (n,)
            Empty text where a point lies in no bone.
        """
        rows = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        which, _ = self.nearest(rows)
        bone, segment, side = (np.full(len(rows), "", dtype=object) for _ in range(3))
        for i in np.unique(which[which >= 0]):
            here, shape = np.flatnonzero(which == i), self.shapes[i]
            bone[here], side[here] = shape.bone, shape.side
            segment[here] = np.array(shape.segments, dtype=object)[shape.segment(rows[here])]
        return bone, segment, side

    def sites(self, points: ArrayLike) -> Words:
        """Give the true site id of points (n, 3), LPS mm; empty where a point lies in no bone."""
        bone, segment, side = self.label(points)
        return np.array(
            [f"{b}.{g}.{s}" if b else "" for b, g, s in zip(bone, segment, side, strict=True)], dtype=object
        )

    def sample_points(self, bone: str, side: str, n: int, *, seed: int = 0) -> Array:
        """Draw ``n`` points, evenly by volume, from inside one bone of one side; LPS mm, shape (n, 3)."""
        forms = [s for s in self.shapes if s.bone == bone and s.side == side]
        if not forms:
            raise LesionmapError(f"the phantom has no {side} {bone}; sides are left, right and midline")
        rng = np.random.default_rng(seed)
        low = np.min([s.form.box[0] for s in forms], axis=0)
        high = np.max([s.form.box[1] for s in forms], axis=0)
        kept = np.empty((0, 3))
        for _ in range(200):
            tried = rng.uniform(low, high, (max(8 * n, 2000), 3))
            names, _, sides = self.label(tried)
            kept = np.vstack([kept, tried[(names == bone) & (sides == side)]])
            if len(kept) >= n:
                return kept[:n]
        raise LesionmapError(f"the phantom's {side} {bone} is too thin to draw {n} points from; ask for fewer")


def _with_physes(shapes: list[Shape], age_y: float, sex: Sex) -> tuple[Shape, ...]:
    """Give every physis the thickness of the age; none where they are closed."""
    thick = physis_mm(age_y) if age_y < _OPEN_UNTIL[sex] else 0.0
    return tuple(replace(s, physes=tuple((cut, k * thick) for cut, k in s.physes if thick)) for s in shapes)


def body(age_y: float, sex: Sex, seed: int, stature_cm: float | None = None, *, pose: int | Pose = 0) -> Body:
    """Build a child.

    Parameters
    ----------
    age_y : float
        Years, 2 to 18.
    sex : "F" or "M"
    seed : int
        Which child: the same seed at another age is the same individual, grown.
    stature_cm : float, optional
        Else drawn.
    pose : int or Pose
        How the child lies; a number draws a pose.

    Returns
    -------
    Body
    """
    if not 2 <= age_y <= 18:
        raise LesionmapError(f"the phantom is made for ages of 2 to 18 years, got {age_y:g}")
    size = size_of(age_y, sex, seed, stature_cm)
    lying = pose if not isinstance(pose, int) else pose_of(pose)
    middle = Frame(np.array(lying.shift_mm), turned(lying.pelvis_tilt, lying.lean / 2, 0.0))
    p = pelvis_at(size, middle)
    standing = sum(leg_lengths(size)) + 116.0 * p.ky + head_reach_mm(size) + _SCALP_MM
    made = spine(size, lying, middle, p.s1, 10 * size.stature_cm - standing)
    p, shapes, marks = pelvis(size, middle)
    for more, new in (sacrum(size, p), head(size, lying, made)[:2]):
        shapes += more
        marks |= new
    breast, new, notch = sternum(size, made)
    upper = Frame(made.frames["T4"].origin, made.frames["T4"].bent(made.frames["T4"].origin, x_deg=-3.0).axes)
    shoulders, joints = girdle(size, lying, upper, notch)
    shapes += [*breast, *spine_shapes(size, made), *ribs(size, made), *shoulders]
    marks |= new | joints | {name: frame.origin for name, frame in made.frames.items()}
    for i, side in enumerate(("left", "right")):
        for bones, found in (
            arm(size, lying, i, marks[f"shoulder_{side}"], upper),
            leg(size, lying, i, marks[f"hip_{side}"], middle),
        ):
            shapes += bones
            marks |= found
    frames = {**made.frames, "pelvis": middle, "chest": upper, "notch": notch, "head": head(size, lying, made)[2]}
    return Body(size, lying, _with_physes(shapes, age_y, sex), marks, frames)
