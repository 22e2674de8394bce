"""Centres of the vertebral bodies, from labels of one vertebra each and from labels of a whole stretch of the spine."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import anatomy, bones

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.place.pieces import Bones, Piece

    Array = NDArray[np.float64]

__all__ = ["spine"]

_ORDER = tuple(b.id.removeprefix("vertebra_") for b in bones() if b.id.startswith("vertebra_"))
"""C1 to L5, head to foot."""

_CANAL_SHARE = 0.2  # a front part smaller than this share of the cut is no body
_FROM_SACRUM = ("L5", "L4", "L3", "L2", "L1", "T12")  # levels that may be counted up from the sacrum
_BAND_MM = 16.0  # as deep as every body is
_LEAST_C1 = 0.3  # the atlas takes at least this share of its height in the reference body
_WITHOUT_C1 = np.array([1.03, 1.05, 1.07])  # size of a spine up to C2 against one whose C1 is as high as its pitch
_WITHOUT_C1.setflags(write=False)
_STIFF = 4.0  # how much a gap of unlikely height counts against an empty disc


def spine(found: Bones, scale: float | None) -> dict[str, Array]:
    """Give the centres of the vertebral bodies that the map holds, by level (``T7``), LPS mm.

    Parameters
    ----------
    found : Bones
    scale : float, optional
        Size of the body against the reference adult, where bones beside the spine tell it.
    """
    marks: dict[str, Array] = {}
    held = [(sorted(_ORDER.index(b[9:]) for b, _ in keys if b.startswith("vertebra_")), len(keys), piece)
            for keys, piece in found.pieces]  # fmt: skip
    # From the sacrum upwards: the neck takes its size from the chest.
    for levels, count, piece in sorted((x for x in held if x[0]), key=lambda x: (len(x[0]) > 1, -x[0][-1])):
        if len(levels) != count:
            continue
        if count == 1:
            body = _body(piece)
            if body is not None and levels[0] > 0:  # C1 has no body
                marks[_ORDER[levels[0]]] = body
        else:
            marks |= _stretch(piece, [_ORDER[n] for n in levels], found, (_size(marks), scale))
    return _axis(found, marks)


def _axis(found: Bones, marks: dict[str, Array]) -> dict[str, Array]:
    """Put C2 into its body below the dens: half a C3 above their disc."""
    piece = found.only(["vertebra_C2"], "midline")
    if "C2" not in marks or piece is None:
        return marks
    front = _front(piece)
    height = float(np.ptp(front[:, 2])) if front is not None else 0.0
    return marks | {"C2": marks["C2"] - [0.0, 0.0, 0.25 * height]}


def _front(piece: Piece) -> Array | None:
    """Give the body in a vertebra's cut in the midline, filled, as points (x, y, z); None where the border cuts it."""
    from scipy.ndimage import binary_fill_holes, label

    x = float(np.median(piece.points[:, 0]))
    slab = piece.part(np.abs(piece.points[:, 0] - x) < max(4.0, 0.75 * piece.step))
    if not len(slab.points):
        return None
    low = slab.points[:, 1:].min(axis=0)
    cells = np.rint((slab.points[:, 1:] - low) / piece.step).astype(int)
    image = np.zeros(cells.max(axis=0) + 1, dtype=bool)
    image[tuple(cells.T)] = True
    parts, count = label(binary_fill_holes(image), np.ones((3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    major = [n + 1 for n in range(count) if sizes[n] >= _CANAL_SHARE * sizes.sum()]
    chosen = min(major, key=lambda n: float(np.argwhere(parts == n)[:, 0].mean()))
    if slab.edge[parts[tuple(cells.T)] == chosen].any():
        return None
    inside = np.argwhere(_without_arch(parts == chosen)) * piece.step + low
    return np.column_stack([np.full(len(inside), x), inside])


def _without_arch(cut: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep of a midline cut (rows run to the back) what lies before its first waist: the canal, in a coarse map."""
    heights = cut.sum(axis=1)
    rows = np.flatnonzero(heights)
    body = float(np.median(heights[rows[: max(len(rows) // 3, 2)]]))
    waist = [r for r in rows[rows > rows[0] + 0.6 * body] if heights[r] < 0.6 * body]
    kept = cut.copy()
    if waist:
        kept[waist[0] :] = False
    return kept


def _body(piece: Piece) -> Array | None:
    """Find the centre of a vertebra's body."""
    front = _front(piece)
    if front is None:
        return None
    centre = front.mean(axis=0)
    # Sideways the body reaches as far to the left as to the right; arches lie behind, ribs are other bones.
    level = np.abs(piece.points[:, 2] - centre[2]) < max(3.0, piece.step)
    wide = piece.points[level & (piece.points[:, 1] < centre[1]), 0]
    if len(wide):
        centre[0] = (wide.min() + wide.max()) / 2
    return np.asarray(centre)


def _stretch(
    piece: Piece, levels: Sequence[str], found: Bones, sizes: tuple[float | None, float | None]
) -> dict[str, Array]:
    """Find the bodies in a label of many vertebrae, where it can be told which they are.

    They can if the whole stretch is in the map; or if its lower end stands on the sacrum and goes up to L5, and the
    size of the body is known. ``sizes``: of the chest's vertebrae and of the hips against those of the reference body.
    """
    chest, scale = sizes[0], sizes[0] or sizes[1]
    z, front, fill = _profile(piece)
    lower, upper = (bool(piece.edge[near].any()) for near in _ends(piece, z))
    upwards = list(reversed(levels))
    if lower or (upper and (levels[-1] != "L5" or scale is None or found.having("sacrum", "midline") is None)):
        return {}
    heights = _from_below(z, fill, upwards, scale) if upper and scale is not None else _known(z, fill, upwards, chest)
    pitch = np.abs(np.gradient(list(heights.values()))) if len(heights) > 1 else np.full(len(heights), 25.0)
    centres = {
        name: _centre_at(piece, height, float(own), float(np.interp(height, z, front)))
        for (name, height), own in zip(heights.items(), pitch, strict=True)
    }
    return {name: point for name, point in centres.items() if name not in ("C1", "C2") and np.isfinite(point).all()}


def _size(marks: dict[str, Array]) -> float | None:
    """Give the size of the upper chest's vertebrae against those of the reference body, where they are known."""
    if not {"T1", "T4"} <= marks.keys():
        return None
    reference = anatomy.table()["reference"]
    return float(
        np.linalg.norm(marks["T1"] - marks["T4"]) / np.linalg.norm(np.subtract(*(reference[n] for n in ("T1", "T4"))))
    )


def _known(z: Array, fill: Array, upwards: Sequence[str], chest: float | None) -> dict[str, float]:
    """Part a stretch that is in the map as a whole; its ends are bone, without half a disc.

    ``chest``: size of the chest's vertebrae against those of the reference body, where they are known.
    """
    pitch = _pitch(upwards)
    share = np.where([name[0] == "L" for name in upwards], 0.22, 0.14)
    pitch[0] *= 1.0 - share[0] / 2
    if upwards[-1] != "C1":
        pitch[-1] *= 1.0 - share[-1] / 2
    whole = (z[-1] - z[0]) / float(pitch.sum())
    # How high dens and atlas reach differs: the neck is measured from below, and C1 takes what is left. Without a chest
    # several sizes are tried. Hips tell none: against the length of its spine a child's are narrower than a man's.
    sizes = [whole]
    if upwards[-1] == "C1":
        sizes = [chest] if chest is not None else (whole * _WITHOUT_C1).tolist()
    best: tuple[float, list[int]] = (np.inf, [])
    for size in sizes:
        tried = pitch * size
        if upwards[-1] == "C1":
            tried[-1] = max(z[-1] - z[0] - tried[:-1].sum(), _LEAST_C1 * tried[-1])
        at, cost = _discs(z, fill, tried)
        if cost < best[0] or not best[1]:
            best = cost, at
    return dict(zip(upwards, _middles(best[1], z), strict=True))


def _ends(piece: Piece, z: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Give the voxels at the lower and at the upper end."""
    return piece.points[:, 2] < z[0] + 1.5 * piece.step, piece.points[:, 2] > z[-1] - 1.5 * piece.step


def _profile(piece: Piece) -> tuple[Array, Array, Array]:
    """Give heights, the front of the bodies there, and how full the front of the spine is, from 0 (disc) to 1."""
    from scipy.ndimage import binary_fill_holes, gaussian_filter1d

    x = _midline_x(piece)
    slab = piece.points[np.abs(piece.points[:, 0] - x) < max(5.0, 0.75 * piece.step)]
    low = slab[:, 1:].min(axis=0)
    cells = np.rint((slab[:, 1:] - low) / piece.step).astype(int)
    image = np.zeros(cells.max(axis=0) + 1, dtype=bool)
    image[tuple(cells.T)] = True
    image = np.asarray(binary_fill_holes(image))
    front = _bodies_front(image, piece.step)
    depth = max(round(_BAND_MM / piece.step), 2)
    fill = np.array([image[max(int(f), 0) : max(int(f), 0) + depth, k].mean() for k, f in enumerate(front)])
    z = low[1] + np.arange(image.shape[1]) * piece.step
    on = np.flatnonzero(fill > 0.3)
    kept = slice(int(on[0]), int(on[-1]) + 1)
    return z[kept], low[0] + front[kept] * piece.step, gaussian_filter1d(fill, 0.7)[kept]


def _bodies_front(image: NDArray[np.bool_], step: float) -> Array:
    """Give the row where the bodies begin, for each height: a smooth curve that leaves out discs and arches."""
    first = image.argmax(axis=0).astype(float)
    use = image.any(axis=0)
    place = np.linspace(-1.0, 1.0, image.shape[1])
    length = image.shape[1] * step
    fit = np.polynomial.Polynomial.fit(place[use], first[use], 1, domain=[-1, 1])
    for degree in (1, 1, 2, 2, 2, 3, 3, 3, 3, 3) + ((5, 5, 5) if length > 300.0 else ()):
        # Where the front is empty, what comes first lies far behind: discs less so, arches more.
        late = first - fit(place)
        near = use & (late < max(np.quantile(late[use], 0.5), 4.0 / step))
        fit = np.polynomial.Polynomial.fit(place[near], first[near], degree, domain=[-1, 1])
    return np.asarray(fit(place))


def _midline_x(piece: Piece) -> Array:
    """Give for each voxel x of the spine's middle at its height: a smooth curve, so that scoliosis is followed."""
    z = piece.points[:, 2]
    knots = np.arange(z.min(), z.max() + 20.0, 20.0)
    values = []
    for knot in knots:
        near = np.abs(z - knot) < 20.0
        values.append(float(np.median(piece.points[near, 0])) if near.any() else float(np.median(piece.points[:, 0])))
    return np.asarray(np.interp(z, knots, values))


def _pitch(levels: Sequence[str]) -> Array:
    """Give the heights of vertebrae with their discs in the reference body, mm."""
    reference = anatomy.table()["reference"]
    order = (*_ORDER, "S1")
    height = []
    for name in levels:
        i = order.index(name)
        above = reference[order[max(i - 1, 0)]][2]
        height.append(above - reference[order[i + 1]][2])
    return np.array(height) / np.where([name == "C1" for name in levels], 1.0, 2.0)


def _discs(z: Array, fill: Array, pitch: Array) -> tuple[list[int], float]:
    """Part a stretch, from below, at its emptiest places whose distances are near to those expected.

    Returns
    -------
    indices of the lower end, the discs and the upper end, and the mean cost of a disc
    """
    n = len(z)
    cost = np.full(n, np.inf)
    cost[0] = 0.0
    came: list[NDArray[np.int_]] = []
    hollow = _emptiest_within(fill)
    for k, expected in enumerate(pitch.tolist()):
        gap = (z[None, :] - z[:, None]) / expected
        step = np.where((gap > 0.55) & (gap < 1.6), _STIFF * (gap - 1.0) ** 2 + hollow, np.inf)
        total = cost[:, None] + step + (fill[None, :] if k < len(pitch) - 1 else 0.0)
        came.append(total.argmin(axis=0))
        cost = total.min(axis=0)
    if not np.isfinite(cost[-1]):
        even = np.concatenate([[0.0], np.cumsum(pitch)]) / pitch.sum() * (n - 1)
        return np.rint(even).astype(int).tolist(), np.inf
    at = [n - 1]
    for back in reversed(came):
        at.append(int(back[at[-1]]))
    return at[::-1], float(cost[-1]) / len(pitch)


def _emptiest_within(fill: Array) -> Array:
    """Give for each stretch [a, b] how empty its emptiest place away from the ends is: a disc that was passed over."""
    n = len(fill)
    empty = np.zeros((n, n))
    for a in range(n):
        for b in range(a + 4, min(a + 60, n)):
            margin = max((b - a) // 4, 1)
            empty[a, b] = 1.0 - fill[a + margin : b - margin + 1].min()
    return empty


def _middles(at: Sequence[int], z: Array) -> list[float]:
    return [float(z[a] + z[b]) / 2 for a, b in pairwise(at)]


def _from_below(z: Array, fill: Array, upwards: Sequence[str], scale: float) -> dict[str, float]:
    """Count the vertebrae up from L5 as far as the map goes; the topmost, which may be cut, is left out."""
    best: tuple[float, dict[str, float]] = (np.inf, {})
    for size in (scale * np.arange(0.8, 1.26, 0.03)).tolist():
        tops = np.cumsum(_pitch(upwards)) * size
        count = int(np.searchsorted(tops, z[-1] - z[0] + 0.3 * 25.0 * size))
        count = min(max(count, 1), len(upwards))
        end = int(np.searchsorted(z, z[0] + tops[count - 1] + 0.3 * 25.0 * size))
        at, cost = _discs(z[:end], fill[:end], _pitch(upwards[:count]) * size)
        if cost < best[0]:
            best = cost, dict(zip(upwards[: count - 1], _middles(at, z)[: count - 1], strict=True))
    # Every level may be counted wrong by one, and the next ones with it: only the lowest are honest.
    return {name: height for name, height in best[1].items() if name in _FROM_SACRUM}


def _centre_at(piece: Piece, height: float, pitch: float, face: float) -> Array:
    """Give the centre of the body at a height: in the midline, half a body behind its front.

    ``pitch``: height of a vertebra with its disc; a body is about as deep. ``face``: y of the front, about.
    """
    from scipy.ndimage import binary_fill_holes

    near = piece.points[np.abs(piece.points[:, 2] - height) < max(4.0, piece.step)]
    if not len(near):
        return np.full(3, np.nan)
    forward = near[near[:, 1] <= np.percentile(near[:, 1], 35)]
    x = float((forward[:, 0].min() + forward[:, 0].max()) / 2)
    line = near[np.abs(near[:, 0] - x) < max(4.0, 0.75 * piece.step), 1]
    cells = np.unique(np.rint((line - line.min()) / piece.step).astype(int)) if len(line) else np.array([0])
    filled = np.asarray(binary_fill_holes(np.isin(np.arange(cells.max() + 1), cells)))
    run = int(np.argmin(np.append(filled, False)))
    first = float(line.min()) if len(line) else face
    depth = float(np.clip((run - 1) * piece.step, 0.75 * pitch, 1.1 * pitch))
    return np.array([x, first + depth / 2, height])
