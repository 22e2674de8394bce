"""Simulated courses of the disease: a phantom's child that grows at its growth plates and lies otherwise at each visit.

What is planted is known: which lesion is which at every visit, what is new, gone, back, merged and split.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.annotate import add_lesion, answer
from lesionmap.compare import VisitFacts
from lesionmap.lesions import Extent, LesionMap, Mask
from lesionmap.phantom import body
from lesionmap.phantom.shapes import Blob, Tube
from lesionmap.skeleton import place
from lesionmap.space import Grid
from lesionmap.visits import Series, Visit
from phantom_lesions import PLACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.phantom import Body
    from lesionmap.phantom.shapes import Shape

    Array = NDArray[np.float64]

__all__ = ["Ball", "Planted", "bodies", "carried", "course"]

# Shares of a long bone's growth at its proximal end, as orthopaedic textbooks print them; the truth of these tests.
_PROXIMAL = {"humerus": 0.8, "radius": 0.25, "ulna": 0.2, "femur": 0.3, "tibia": 0.57, "fibula": 0.6}
_AT_PLATE_MM = 18.0  # a lesion whose middle is as near as this follows the plate
_VOXEL_MM = (1.3, 5.0, 1.3)  # coronal slices
_READING_MM = 2.0  # how far the middles of two readings of one lesion lie apart, r.m.s. an axis
_LANDMARK_MM = 3.0  # and of two placings of a landmark


@dataclass(frozen=True)
class Ball:
    """A part of a lesion: where it lies in the first body, and how large it is."""

    shape: int
    centre: Array
    radius_mm: float


@dataclass
class Planted:
    """A track: one ball, or two that are one lesion until they part."""

    track: str
    balls: list[Ball]
    alive: bool = True
    apart: bool = False
    merges_with: str = ""
    merged: bool = False
    seen: bool = False
    sizes: list[float] = field(default_factory=lambda: [1.0])


@cache
def _child(age_y: float, sex: Any, seed: int, pose: int) -> Body:
    return body(age_y, sex, seed, pose=pose)


def carried(point: Array, shape: int, first: Body, other: Body) -> Array:
    """Carry a point of a solid to the same child at another visit: the bone grows at its plates, wider everywhere."""
    a, b = first.shapes[shape], other.shapes[shape]
    if isinstance(a.form, Blob) and isinstance(b.form, Blob):
        own = (point - a.form.frame.origin) @ a.form.frame.axes / a.form.half_mm
        return np.asarray(b.form.frame.origin + b.form.frame.axes @ (own * b.form.half_mm))
    assert isinstance(a.form, Tube)
    assert isinstance(b.form, Tube)
    along, offset = _in_tube(point, a.form)
    return _of_tube(_grown(along, a, b), offset, b.form)


def _lengths(form: Tube) -> Array:
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(form.nodes, axis=0), axis=1))])


def _frame(form: Tube, along: float) -> tuple[Array, Array, Array]:
    """Give the point of the centreline, the axes (wide, deep, along) and the half breadths at a length."""
    lengths = _lengths(form)
    k = int(np.clip(np.searchsorted(lengths, along) - 1, 0, len(lengths) - 2))
    step = form.nodes[k + 1] - form.nodes[k]
    axis = step / np.linalg.norm(step)
    wide = np.broadcast_to(form.wide, form.nodes.shape)[k]
    wide = wide - (wide @ axis) * axis
    wide = wide / np.linalg.norm(wide)
    t = (along - lengths[k]) / (lengths[k + 1] - lengths[k])
    half = form.half_mm[k] + np.clip(t, 0, 1) * (form.half_mm[k + 1] - form.half_mm[k])
    return form.nodes[k] + t * step, np.stack([wide, np.cross(wide, axis), axis]), half


def _middles(form: Tube, along: Array) -> Array:
    """Give the points of the centreline at these lengths, straight on beyond its ends."""
    lengths = _lengths(form)
    k = np.clip(np.searchsorted(lengths, along) - 1, 0, len(lengths) - 2)
    t = (along - lengths[k]) / (lengths[k + 1] - lengths[k])
    return np.asarray(form.nodes[k] + t[:, None] * (form.nodes[k + 1] - form.nodes[k]))


def _in_tube(point: Array, form: Tube) -> tuple[float, Array]:
    fine = np.arange(-10.0, _lengths(form)[-1] + 10.0, 0.5)
    along = float(fine[int(np.argmin(np.linalg.norm(_middles(form, fine) - point, axis=1)))])
    middle, axes, half = _frame(form, along)
    return along, (axes @ (point - middle))[:2] / half


def _of_tube(along: float, offset: Array, form: Tube) -> Array:
    middle, axes, half = _frame(form, along)
    return np.asarray(middle + (offset * half) @ axes[:2])


def _grown(along: float, a: Shape, b: Shape) -> float:
    """Give the length along the grown tube: plates carry what touches them, bone between them stays where it is."""
    assert isinstance(a.form, Tube)
    assert isinstance(b.form, Tube)
    before, after = float(_lengths(a.form)[-1]), float(_lengths(b.form)[-1])
    if "diaphysis" not in a.segments:
        return along * after / before
    (top, low), (new_top, new_low) = _plates(a), _plates(b)
    if along > low - _AT_PLATE_MM:
        return new_low + (along - low)
    if along < top + _AT_PLATE_MM:
        return new_top + (along - top)
    share = _PROXIMAL[a.bone]
    fixed, now = top + share * (low - top), new_top + share * (new_low - new_top)
    return now + (along - fixed)


def _plates(shape: Shape) -> tuple[float, float]:
    """Give the places of both growth plates along a tube; the femur's upper one is where its shaft begins."""
    assert isinstance(shape.form, Tube)
    lengths = _lengths(shape.form)
    cuts = [cut for cut, _ in shape.physes]
    fine = np.arange(0.0, lengths[-1], 0.5)
    middles = _middles(shape.form, fine)
    found = sorted(float(fine[int(np.argmin(np.abs(cut.value(middles))))]) for cut in cuts)
    return (0.0, found[0]) if len(found) == 1 else (found[0], found[-1])


def _draw_ball(child: Body, rng: np.random.Generator, taken: Sequence[Array]) -> Ball:
    weight = np.array([w for *_, w in PLACES])
    while True:
        bone, segment, _ = PLACES[int(rng.choice(len(PLACES), p=weight / weight.sum()))]
        side = str(rng.choice(sorted({s.side for s in child.shapes if s.bone == bone})))
        points = _sampled(child, bone, side)
        ok = np.flatnonzero(child.label(points)[1] == segment)
        if not len(ok):
            continue
        centre = points[int(rng.choice(ok))]
        if all(np.linalg.norm(centre - other) > 28 for other in taken):
            return Ball(int(child.nearest(centre[None])[0][0]), centre, float(rng.uniform(6.5, 13.0)))


@cache
def _sampled(child: Body, bone: str, side: str) -> Array:
    return child.sample_points(bone, side, 150, seed=3)


def _beside(ball: Ball, child: Body, rng: np.random.Generator, gap_mm: float) -> Ball | None:
    """Give a second ball in the same solid, so far from the first."""
    shape = child.shapes[ball.shape]
    points = _sampled(child, shape.bone, shape.side)
    away = np.linalg.norm(points - ball.centre, axis=1)
    radius = float(rng.uniform(6.5, 10.0))
    near, _ = child.nearest(points)
    ok = np.flatnonzero((np.abs(away - (ball.radius_mm + radius + gap_mm)) < 4) & (near == ball.shape))
    return Ball(ball.shape, points[int(rng.choice(ok))], radius) if len(ok) else None


def _plant(n: int, child: Body, rng: np.random.Generator) -> list[Planted]:
    found: list[Planted] = []
    while len(found) < n:
        ball = _draw_ball(child, rng, [b.centre for x in found for b in x.balls])
        one, kind = Planted(f"t{len(found)}", [ball]), rng.random()
        if kind < 0.12 and (other := _beside(ball, child, rng, 4.0)):
            second = Planted(f"t{len(found) + 1}", [other], merges_with=one.track)
            one.merges_with = second.track
            found.append(second)
        elif kind < 0.2 and (other := _beside(ball, child, rng, -3.0)):
            one.balls.append(other)
        elif kind < 0.28 and (other := _beside(ball, child, rng, 12.0)):
            found.append(Planted(f"t{len(found) + 1}", [other]))
        found.append(one)
    return found


def _happens(planted: list[Planted], child: Body, rng: np.random.Generator) -> None:
    """Let the time between two visits pass."""
    names = {one.track: one for one in planted}
    for one in planted:
        one.sizes.append(float(np.exp(0.12 * rng.standard_normal())))
        if one.merges_with and one.alive and names[one.merges_with].alive and one.track < one.merges_with:
            one.merged = names[one.merges_with].merged = one.merged or bool(rng.random() < 0.4)
            if one.merged:
                continue
        if one.merged:
            continue
        if one.alive:
            one.alive = bool(rng.random() > 0.2)
            if len(one.balls) == 2 and one.alive and rng.random() < 0.5:
                one.apart = True
        else:
            one.alive = bool(rng.random() < 0.25)
    for _ in range(int(rng.poisson(0.12 * len(planted)))):
        planted.append(
            Planted(f"t{len(planted)}", [_draw_ball(child, rng, [b.centre for x in planted for b in x.balls])])
        )


def _lesions(planted: list[Planted]) -> list[tuple[tuple[str, ...], list[Ball], float]]:
    """Give tracks, balls and swelling of each lesion of a visit."""
    found: list[tuple[tuple[str, ...], list[Ball], float]] = []
    for one in planted:
        size = float(np.prod(one.sizes[-1:]))
        if not one.alive or (one.merged and one.track > one.merges_with):
            continue
        if one.merged:
            other = next(x for x in planted if x.track == one.merges_with)
            found.append(((one.track, other.track), one.balls + other.balls, 1.3 * size))
        elif one.apart:
            found += [((one.track,), [ball], 0.8 * size) for ball in one.balls]
        else:
            found.append(((one.track,), one.balls, size))
    return found


def _cloud(balls: Sequence[Ball], swelling: float, first: Body, child: Body, rng: np.random.Generator) -> Array:
    """Give the points of a lesion in the body of a visit, as a reader outlines it."""
    shift = rng.normal(0.0, _READING_MM, 3)
    steps = np.arange(-18.0, 18.1, 1.2)
    offsets = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    clouds = []
    for ball in balls:
        centre = carried(ball.centre, ball.shape, first, child) + shift
        points = centre + offsets[np.linalg.norm(offsets, axis=1) <= ball.radius_mm * swelling]
        shape = child.shapes[ball.shape]
        names, _, sides = child.label(points)
        mine = points[(names == shape.bone) & (sides == shape.side)]
        clouds.append(mine if len(mine) > 20 else points)
    return np.concatenate(clouds)


def _visit(number: int, bodies: tuple[Body, Body], planted: list[Planted], rng: np.random.Generator) -> VisitFacts:
    first, child = bodies
    age = child.size.age_y
    marks = {k: (np.array(v) + rng.normal(0, _LANDMARK_MM, 3)).tolist() for k, v in child.landmarks().items()}
    placement = place(marks, age_y=age, sex=child.size.sex, stature_cm=child.size.stature_cm)
    low = np.min([s.form.box[0] for s in child.shapes], axis=0) - 20
    size = np.max([s.form.box[1] for s in child.shapes], axis=0) + 20 - low
    matrix = np.diag([*_VOXEL_MM, 1.0])
    matrix[:3, 3] = low
    grid = Grid(tuple((size / _VOXEL_MM).astype(int).tolist()), matrix)
    day = date(2010 + number, 3, 4)
    lesion_map = LesionMap("P001", day.isoformat(), "anna")
    for tracks, balls, swelling in _lesions(planted):
        points = _cloud(balls, swelling, first, child, rng)
        mask = Mask.of_voxels(np.unique(np.rint(grid.voxels(points)).astype(int), axis=0), grid)
        names, counts = np.unique(child.sites(points).astype(str), return_counts=True)
        counts[names == ""] = 0
        sites = [str(x) for x in names[np.argsort(-counts)] if x and counts[names == x] > 0.25 * counts.sum()]
        lesion_map = add_lesion(lesion_map, sites=sites, track=tracks[0])
        last = replace(lesion_map.lesions[-1], tracks=tracks, extents=(Extent("STIR", mask),))
        lesion_map = replace(lesion_map, lesions=(*lesion_map.lesions[:-1], last))
    series = Series("STIR", grid, "MR", "STIR", "coronal", ())
    return VisitFacts(Visit("P001", day, age_y=age, series=(series,)), lesion_map, placement)


def bodies(seed: int, visits: int = 4, growth_years: float = 1.0) -> tuple[Body, ...]:
    """Give the child of a course at each of its visits."""
    start = float(_rng(seed).uniform(4.0, 15.0 - visits * growth_years))
    sex = "F" if seed % 2 else "M"
    return tuple(_child(start + n * growth_years, sex, 100 + seed, 1000 + 10 * seed + n) for n in range(visits))


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([311, seed])


def course(seed: int, n: int, visits: int = 4, growth_years: float = 1.0) -> list[VisitFacts]:
    """Simulate a course; every lesion carries its true tracks, what is gone is answered *resolved*."""
    rng = _rng(seed)
    rng.uniform()  # the age at the first visit, which ``bodies`` draws
    children = bodies(seed, visits, growth_years)
    planted, found, known = _plant(n, children[0], rng), [], set[str]()
    for number, child in enumerate(children):
        facts = _visit(number, (children[0], child), planted, rng)
        here = {track for lesion in facts.lesion_map.lesions for track in lesion.tracks}
        lesion_map = facts.lesion_map
        for track in sorted(known - here):
            lesion_map = answer(lesion_map, track, "resolved")
        known |= here
        found.append(replace(facts, lesion_map=lesion_map))
        _happens(planted, children[0], rng)
    return found
