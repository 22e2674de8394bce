"""From solids to pixels: what STIR and T1 show of a body, through slices, stations, coils and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lesionmap.phantom.raster import Lattice
from lesionmap.phantom.soft import discs, organs, skin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.phantom.body import Body
    from lesionmap.phantom.lesion import LesionShape
    from lesionmap.phantom.shapes import Form, Shape

    Array = NDArray[np.float64]
    Picture = NDArray[np.float32]
    Floats = NDArray[np.floating[Any]]
    Window = tuple[slice, slice, slice]

__all__ = ["SIGNAL", "Contrast", "Tissues", "marrow_red_share", "skin_distance", "tissues"]

Contrast = Literal["STIR", "T1"]

# Tissue: signal in STIR and T1, arbitrary units before coil, gain and noise. Lesion to muscle is 5.6 in STIR, as in
# Kieninger 2021; the other levels are assumed.
SIGNAL: dict[str, tuple[float, float]] = {
    "fat": (34, 700), "muscle": (120, 240), "cortex": (18, 26), "red": (170, 380), "yellow": (48, 640),
    "physis": (330, 210), "lesion": (672, 190), "lung": (24, 20), "heart": (150, 190), "vessel": (60, 60),
    "liver": (130, 330), "spleen": (300, 220), "kidney": (360, 260), "bowel": (210, 250), "gas": (10, 10),
    "bladder": (830, 110), "csf": (780, 90), "cord": (330, 290), "brain": (360, 320), "eye": (760, 120),
    "disc": (330, 230),
}  # fmt: skip

_AXIAL = ("vertebra", "sacrum", "coccyx", "sternum", "rib", "ilium", "ischium", "pubis")
_FOOT = ("talus", "calcaneus", "navicular", "cuboid", "cuneiform", "metatarsal", "toe")
_HAND_FOOT = ("carpals", "metacarpal", "finger", "patella", *_FOOT)


def marrow_red_share(bone: str, segment: str, age_y: float) -> float:
    """Give the share of red marrow: it leaves the limbs from the ends of the fingers and toes inwards."""
    first = bone.split("_", 1)[0]
    if first in _AXIAL:
        return float(np.interp(age_y, [2, 18], [0.95, 0.75]))
    if first in _HAND_FOOT:
        return float(np.interp(age_y, [1, 6], [0.4, 0.05]))
    if segment.endswith("epiphysis") or segment == "greater_trochanter":
        return 0.06
    if segment == "diaphysis":
        return float(np.interp(age_y, [1, 10, 14], [0.9, 0.4, 0.15]))
    if segment == "distal_metaphysis":
        return float(np.interp(age_y, [5, 10, 16], [0.7, 0.45, 0.1]))
    return float(np.interp(age_y, [5, 12, 20], [0.85, 0.6, 0.35]))


@dataclass(frozen=True, slots=True, eq=False)
class Tissues:
    """The noiseless signal of a body on a lattice, in STIR and in T1."""

    lattice: Lattice
    stir: Picture
    t1: Picture
    inside: Picture
    """1 inside the skin, 0 outside."""

    def signal(self, contrast: Contrast) -> Picture:
        """Give the signal in one contrast."""
        return self.stir if contrast == "STIR" else self.t1


def _cover(distance: Floats, blur_mm: float) -> Picture:
    """Turn distances to a surface into the share of a voxel that lies inside."""
    return np.asarray(np.clip(0.5 - distance / blur_mm, 0, 1), dtype=np.float32)


def _texture(lattice: Lattice, grain_mm: float, seed: int) -> Picture:
    """Give smooth noise of mean 0 and SD about 1: the same at one place in every series of a visit."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([17, seed])
    step = grain_mm / 2.0
    coarse = rng.standard_normal([int(extent / step) for extent in (700, 500, 2200)])
    coarse = gaussian_filter(coarse, 1.2, mode="wrap")
    coarse /= coarse.std()
    return _interpolated(coarse, [axis / step for axis in (lattice.x, lattice.y, lattice.z)])


def _interpolated(values: Floats, index: Sequence[Floats]) -> Picture:
    """Give values at the places of a lattice by index, linearly between them; beyond the edge they begin anew.

    The same as ``map_coordinates`` with ``grid-wrap``, axis by axis: a lattice has few places along each.
    """
    for places in index:
        low = np.floor(places).astype(int)
        share = (places - low)[:, None, None]
        rows = np.ascontiguousarray(values)
        before, behind = rows[low % len(rows)], rows[(low + 1) % len(rows)]
        before *= 1 - share
        behind *= share
        before += behind
        values = np.moveaxis(before, 0, -1)  # the next axis comes first; after three all are in their order again
    return np.ascontiguousarray(values, dtype=np.float32)


def skin_distance(body: Body, lattice: Lattice) -> Picture:
    """Give the distance to the skin: the smooth union of its solids on a coarse lattice, brought to the fine one."""
    step, melt = 4.0, 7.0
    low = np.array([a[0] for a in (lattice.x, lattice.y, lattice.z)]) - 2 * step
    high = np.array([a[-1] for a in (lattice.x, lattice.y, lattice.z)]) + 2 * step
    coarse = Lattice.spanning(low, high, (step,) * 3)
    near = np.full(coarse.shape, np.exp(-30.0 / melt))
    for form in skin(body):
        found = coarse.distance(form, form.box, 30.0)
        if found is not None:
            near[found[0]] += np.exp(-np.clip(found[2], -60, 30) / melt)
    axes = zip((lattice.x, lattice.y, lattice.z), low, strict=True)
    return _interpolated(-melt * np.log(near), [(axis - first) / step for axis, first in axes])


class _Canvas:
    """The two pictures while they are painted."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.pictures = [np.zeros(lattice.shape, dtype=np.float32) for _ in range(2)]
        self.blur_mm = float(np.mean([lattice.x[1] - lattice.x[0], lattice.z[1] - lattice.z[0]]))

    def paint(self, window: Window, share: Floats, values: Sequence[Floats | float]) -> None:
        """Lay a tissue over what is there."""
        for picture, value in zip(self.pictures, values, strict=True):
            part = picture[window]
            part += share * (np.asarray(value, dtype=np.float32) - part)

    def solid(self, form: Form, tissue: str) -> None:
        """Paint a solid of one tissue."""
        found = self.lattice.distance(form, form.box, 2.0)
        if found is not None:
            self.paint(found[0], _cover(found[2], self.blur_mm), SIGNAL[tissue])


def _cortex_mm(shape: Shape, age_y: float) -> Array:
    """Give the thickness of the cortex for each segment of a bone (assumed)."""
    k = float(np.interp(age_y, [2, 18], [0.55, 1.0]))
    thick = {"diaphysis": 4.0, "proximal_metaphysis": 1.3, "distal_metaphysis": 1.3, "middle": 2.2}
    base = 0.8 if shape.bone.startswith("vertebra") else 1.2
    return np.array([thick.get(segment, base) * k for segment in shape.segments])


def _bone(canvas: _Canvas, body: Body, members: list[Shape], grain: Picture) -> None:
    """Paint one bone: cortex, marrow, physes. Its solids are one: no cortex where they overlap."""
    boxes = [s.form.box for s in members]
    low, high = np.min([b[0] for b in boxes], axis=0) - 2, np.max([b[1] for b in boxes], axis=0) + 2
    window = canvas.lattice.window(low, high)
    if any(w.stop <= w.start for w in window):
        return
    size = tuple(w.stop - w.start for w in window)
    best = np.full(size, 9.0)
    values = np.zeros((4, *size), dtype=np.float32)  # inner distance, STIR, T1, share of physis
    values[0] = 9.0
    for shape in members:
        found = canvas.lattice.distance(shape, shape.form.box, 2.0)
        if found is None:
            continue
        part = tuple(slice(w.start - v.start, w.stop - v.start) for w, v in zip(found[0], window, strict=True))
        _take(shape, body.size.age_y, found, (best[part], values[(slice(None), *part)]), canvas.blur_mm)
    texture = 1 + 0.06 * grain[window]
    canvas.paint(window, _cover(best, canvas.blur_mm), SIGNAL["cortex"])
    share = _cover(values[0], canvas.blur_mm)
    canvas.paint(window, share, [values[1] * texture, values[2]])
    canvas.paint(window, _cover(best + 0.3, canvas.blur_mm) * values[3], SIGNAL["physis"])


def _take(
    shape: Shape, age_y: float, found: tuple[Window, Array, Array], best: tuple[Array, Picture], blur_mm: float
) -> None:
    """Let a solid rule where it lies deepest."""
    _, points, distance = found
    nearest, values = best
    index = shape.segment(points).reshape(distance.shape)
    inner = distance + _cortex_mm(shape, age_y)[index]
    red = np.array([marrow_red_share(shape.bone, g, age_y) for g in shape.segments])[index]
    band = np.zeros(distance.shape)
    for cut, thick in shape.physes:
        band = np.maximum(
            band, np.clip(0.5 + (thick / 2 - np.abs(cut.value(points).reshape(distance.shape))) / blur_mm, 0, 1)
        )
    mine = distance < nearest
    nearest[mine] = distance[mine]
    values[1][mine], values[2][mine] = (
        (SIGNAL["red"][c] * red + SIGNAL["yellow"][c] * (1 - red))[mine] for c in (0, 1)
    )
    values[3][mine] = band[mine]
    deep = inner < values[0]
    values[0][deep] = inner[deep]


def tissues(body: Body, lattice: Lattice, lesions: Sequence[LesionShape] = ()) -> Tissues:
    """Paint a body with its lesions on a lattice, without noise.

    Parameters
    ----------
    body : Body
    lattice : Lattice
        Finer than the slices it will be averaged to.
    lesions : sequence of LesionShape
    """
    canvas = _Canvas(lattice)
    distance = skin_distance(body, lattice)
    grain, coarse = _texture(lattice, 9.0, 1), _texture(lattice, 26.0, 2)
    whole = (slice(None),) * 3
    inside = _cover(distance, canvas.blur_mm)
    canvas.paint(whole, inside, SIGNAL["fat"])
    fat_mm = (6.0 + 1.2 * coarse) * (1 + 0.25 * body.size.z["fat"])
    septa = 0.35 + 0.65 * np.clip(np.abs(coarse) / 0.05, 0, 1)
    lean = _cover(distance + np.maximum(fat_mm, 2.0), canvas.blur_mm) * septa
    canvas.paint(whole, lean, [SIGNAL["muscle"][c] * (1 + 0.08 * coarse + 0.04 * grain) for c in (0, 1)])
    for kind, form in organs(body):
        canvas.solid(form, kind)
    for form in discs(body):
        canvas.solid(form, "disc")
    groups: dict[str, list[Shape]] = {}
    for shape in body.shapes:
        groups.setdefault(shape.bone if shape.bone == "sacrum" else f"{shape.bone} {shape.side}", []).append(shape)
    for members in groups.values():
        _bone(canvas, body, members, grain)
    for lesion in lesions:
        _paint_lesion(canvas, body, lesion, grain)
    return Tissues(lattice, canvas.pictures[0], canvas.pictures[1], inside)


def _paint_lesion(canvas: _Canvas, body: Body, lesion: LesionShape, grain: Picture) -> None:
    low, high = lesion.box
    window = canvas.lattice.window(low - 2, high + 2)
    if any(w.stop <= w.start for w in window):
        return
    points = canvas.lattice.points(window)
    share = _cover(lesion.distance(points, body).reshape([w.stop - w.start for w in window]), canvas.blur_mm)
    level = lesion.strength * (1 + 0.05 * grain[window])
    canvas.paint(window, share, [SIGNAL["lesion"][0] * level, SIGNAL["lesion"][1]])
