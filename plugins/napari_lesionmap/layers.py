"""The one place where LPS x, y, z becomes napari's array order and world millimetres, and back.

napari's world is (y, z, x) in LPS mm: true numbers, positive scales, no rotation. Which way an axis runs on the screen
is the camera's business: seen coronally from the front, z upwards and x (to the patient's left) to the right, so that
the patient's right is on screen left, as radiologists hang their pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.space import Grid, Volume, resample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from lesionmap.lesions import Mask

__all__ = [
    "AXIS_LABELS",
    "UNITS",
    "XYZ",
    "LayerTuple",
    "View",
    "array_from_grid",
    "image_layer",
    "labels_layer",
    "lps_from_world",
    "plane_order",
    "segments",
    "shown_box",
    "shown_grid",
    "shown_view",
    "steps",
    "tilt",
    "tilt_words",
    "view",
    "volume_of",
    "voxels_from_shown",
    "window",
    "world_from_lps",
]

AXIS_LABELS = ("y", "z", "x")
"""Names of the world's axes: to the back, to the head, to the patient's left."""
UNITS = ("mm", "mm", "mm")

_LPS_AXIS = (1, 2, 0)
"""Patient axis (x, y, z = 0, 1, 2) of each world axis."""
_TILT_SHOWN_AS_IT_IS_DEG = 0.01
_SMALL_LABELS = 200
"""Labels below this, and 55 more to come, fit into a byte."""
_THICK = 1.3
"""Slices this much thicker than the pixels tell the plane; else it is coronal."""

XYZ = tuple[float, float, float]
LayerTuple = tuple[Any, dict[str, Any], str]
Vertical = Literal["up", "down"]


def world_from_lps(lps_mm: ArrayLike) -> NDArray[np.float64]:
    """Give napari's world coordinates (y, z, x), mm, of points in LPS mm, shape (..., 3)."""
    return np.asarray(np.asarray(lps_mm, dtype=np.float64)[..., list(_LPS_AXIS)])


def lps_from_world(world: ArrayLike) -> NDArray[np.float64]:
    """Give LPS mm of points in napari's world (y, z, x), shape (..., 3)."""
    return np.asarray(np.asarray(world, dtype=np.float64)[..., [2, 0, 1]])


def _order(grid: Grid) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Say for each world axis which array axis runs along it, and whether it runs backwards."""
    letters = grid.letters
    axes = tuple(next(i for i, c in enumerate(letters) if c in pair) for pair in ("AP", "FH", "RL"))
    return axes, tuple(letters[axis] in "AFR" for axis in axes)


def array_from_grid(array: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Turn an array [i, j, k] of a grid into napari's order (y, z, x), all axes growing; a view, no copy."""
    axes, backwards = _order(grid)
    turned = np.transpose(array, axes)
    return turned[tuple(slice(None, None, -1 if back else 1) for back in backwards)]


def tilt(grid: Grid) -> float:
    """Give the angle between the grid and the patient's axes in degrees."""
    return grid.obliquity_deg


def tilt_words(grid: Grid) -> str:
    """Say in words what was done to a tilted grid to show it; empty for a straight one."""
    degrees = tilt(grid)
    if degrees <= _TILT_SHOWN_AS_IT_IS_DEG:
        return ""
    return f"acquired {degrees:.0f}° oblique; shown resampled to the patient's axes"


def shown_grid(grid: Grid) -> Grid:
    """Give the grid on which a volume is shown: its own where it is straight, else a straight one around it.

    The straight one has the spacing of the array axis nearest to each patient axis and holds every voxel.
    """
    if tilt(grid) <= _TILT_SHOWN_AS_IT_IS_DEG:
        return grid
    axes, _ = _order(grid)
    spacing = np.array([grid.spacing_mm[axes[w]] for w in (2, 0, 1)])
    corners = grid.corners_lps_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    shape = np.maximum(1, np.ceil((high - low) / spacing - 1e-6)).astype(int)
    matrix = np.diag([*spacing.tolist(), 1.0])
    matrix[:3, 3] = (low + high) / 2 - (shape - 1) / 2 * spacing
    nx, ny, nz = shape.tolist()
    return Grid((nx, ny, nz), matrix)


def _straight(volume: Volume, order: int) -> Volume:
    grid = shown_grid(volume.grid)
    return volume if grid is volume.grid else resample(Volume(volume.array, volume.grid), grid, order=order)


def _placed(grid: Grid) -> dict[str, Any]:
    """Scale and translation in the world of a straight grid turned by ``array_from_grid``."""
    axes, _ = _order(grid)
    ends = grid.lps([[0, 0, 0], [n - 1 for n in grid.shape]])
    first = world_from_lps(ends.min(axis=0))
    return {
        "scale": tuple(grid.spacing_mm[axis] for axis in axes),
        "translate": tuple(first.tolist()),
        "units": UNITS,
        "axis_labels": AXIS_LABELS,
    }


def image_layer(volume: Volume, name: str, **options: object) -> LayerTuple:
    """Make the layer data tuple of an image.

    Parameters
    ----------
    volume : Volume
        What to show; where it is tilted it is resampled to the patient's axes.
    name : str
        Of the layer.
    **options
        More for ``viewer.add_image``: colormap, contrast_limits, opacity.
    """
    straight = _straight(volume, 1)
    metadata = {"lps_from_voxel": volume.grid.lps_from_voxel, "tilt": tilt_words(volume.grid)}
    options.setdefault("contrast_limits", window(straight.array))
    given = {"name": name, "metadata": metadata, "blending": "additive", **_placed(straight.grid), **options}
    return array_from_grid(straight.array, straight.grid), given, "image"


def window(array: NDArray[Any]) -> tuple[float, float]:
    """Propose a window: 0.5 % to 99.7 % of the values that are not empty, looked up in a thinned array."""
    thinned = array[tuple(slice(None, None, max(1, n // 96)) for n in array.shape)]
    values = thinned[thinned > thinned.min()]
    low, high = np.percentile(values, [0.5, 99.7]).tolist() if values.size else (0.0, 1.0)
    if high > low:
        return low, high
    return float(thinned.min()), float(max(thinned.max(), thinned.min() + 1))


def labels_layer(masks: Iterable[tuple[int, Mask]], grid: Grid, name: str, **options: object) -> LayerTuple:
    """Make the layer data tuple of masks that lie on one Series' grid, each with its label.

    The array is that of ``shown_grid(grid)``: on a tilted grid the masks are resampled, nearest neighbour.
    """
    # Columns lie side by side in memory, as in the images: a coronal slice is then read in one go.
    masks = list(masks)
    # napari makes a table of all values of the type for its colours: a small type is drawn at once.
    small = max((label for label, _ in masks), default=0) < _SMALL_LABELS
    array = np.zeros(grid.shape, dtype=np.uint8 if small else np.uint16, order="F")
    for label, mask in masks:
        array[mask.slices][mask.box] = label
    straight = _straight(Volume(array, grid), 0)
    given = {"name": name, **_placed(straight.grid), **options}
    return array_from_grid(straight.array, straight.grid), given, "labels"


def volume_of(layer: Any, *, named: bool = False) -> Volume:
    """Give the array of any layer with its place in the patient, as the layer's transforms have it.

    Parameters
    ----------
    layer : napari Image or Labels
        Of three axes. One without units is taken to be in the millimetres of the images that it lies over.
    named : bool
        Whether the layer must say itself that its axes are those of the patient.

    Raises
    ------
    LesionmapError
        If it has not three axes, several resolutions, or other axes.
    """
    if layer.multiscale or layer.ndim != 3:
        raise LesionmapError(
            f"layer {layer.name!r} has {'several resolutions' if layer.multiscale else f'{layer.ndim} axes'}, expected "
            "one volume of three axes; make a layer of one volume"
        )
    axes = tuple(layer.axis_labels)
    if axes != AXIS_LABELS and (named or set(axes) == set(AXIS_LABELS)):
        raise LesionmapError(
            f"layer {layer.name!r} has the axes {', '.join(axes)}, expected {', '.join(AXIS_LABELS)} in mm; make it "
            "over an image that lesionmap opened"
        )
    to_mm = np.array([_millimetres(unit) for unit in layer.units])
    points = np.array([layer.data_to_world(point) for point in ([0, 0, 0], *np.eye(3).tolist())]) * to_mm
    matrix = np.eye(4)
    matrix[:3, 3] = lps_from_world(points[0])
    matrix[:3, :3] = lps_from_world(points[1:] - points[0]).T
    array = np.asarray(layer.data)
    a, b, c = array.shape
    return Volume(array, Grid((a, b, c), matrix))


def _millimetres(unit: Any) -> float:
    """Give how many mm a unit is; 1 where it is no length, as of pixels."""
    return float((1 * unit).to("mm").magnitude) if unit.is_compatible_with("mm") else 1.0


def shown_box(mask: Mask) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Give the lowest and the highest index, both included, of a mask's box in its layer's array (y, z, x)."""
    shown = shown_grid(mask.grid)
    axes, backwards = _order(shown)
    a, b, c = mask.box.shape
    index = np.sort(shown.voxels(mask.grid.crop(mask.origin, (a, b, c)).corners_lps_mm()), axis=0)[[0, -1]]
    half = np.array([[0.5], [-0.5]])  # from the outer faces of the box to the centres of its end voxels
    index = np.clip(np.rint(index + half).astype(int), 0, np.array(shown.shape) - 1)
    turned = [
        shown.shape[a] - 1 - index[::-1, a] if back else index[:, a] for a, back in zip(axes, backwards, strict=True)
    ]
    low, high = np.stack(turned, axis=1)
    return low, high


def shown_view(data: NDArray[Any], mask: Mask) -> NDArray[Any]:
    """Give the part of a layer's array (y, z, x) that a mask's box fills; of a straight grid only."""
    low, high = shown_box(mask)
    return data[tuple(slice(a, b + 1) for a, b in zip(low.tolist(), high.tolist(), strict=True))]


def voxels_from_shown(indices: NDArray[np.int_], grid: Grid) -> NDArray[np.int_]:
    """Give the voxels i, j, k of a Series' grid that lie under voxels of its layer.

    Parameters
    ----------
    indices : ndarray, shape (n, 3)
        Indices into the layer's array (y, z, x).
    grid : Grid
        Of the Series.

    Returns
    -------
    ndarray, shape (m, 3)
        Without doubles; on a straight grid m = n.
    """
    shown = shown_grid(grid)
    axes, backwards = _order(shown)
    voxels = np.empty_like(indices)
    for world_axis, (axis, back) in enumerate(zip(axes, backwards, strict=True)):
        column = indices[:, world_axis]
        voxels[:, axis] = shown.shape[axis] - 1 - column if back else column
    if shown is grid:
        return voxels
    return _covered(voxels, shown, grid)


def _covered(voxels: NDArray[np.int_], shown: Grid, grid: Grid) -> NDArray[np.int_]:
    """List the voxels of a tilted grid whose centres lie inside voxels of the straight one."""
    near = np.rint(grid.voxels(shown.lps(voxels))).astype(int)
    low = np.maximum(near.min(axis=0) - 2, 0)
    high = np.minimum(near.max(axis=0) + 3, grid.shape)
    box = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1).reshape(-1, 3)
    index = np.rint(shown.voxels(grid.lps(box))).astype(int)
    painted = np.ravel_multi_index(tuple(voxels.T), shown.shape)
    inside = np.all((index >= 0) & (index < shown.shape), axis=1)
    kept = box[inside]
    return np.asarray(kept[np.isin(np.ravel_multi_index(tuple(index[inside].T), shown.shape), painted)])


def steps(grid: Grid) -> XYZ:
    """Give the distance of neighbouring slices along each axis of the world (y, z, x), mm, as a grid is shown.

    Layers that lie over an image take it as their scale, so that the sliders step from slice to slice.
    """
    axes, _ = _order(grid)
    y, z, x = (grid.spacing_mm[axis] for axis in axes)
    return y, z, x


def plane_order(grid: Grid) -> tuple[int, int, int]:
    """Give the order of the dimensions in which a volume is looked at: slice by slice as it was acquired.

    Examples
    --------
    >>> sagittal = Grid((9, 8, 5), np.array([[0.0, 0, 4, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]))
    >>> plane_order(sagittal)
    (2, 1, 0)
    """
    axes, _ = _order(grid)
    shape, step = np.array([grid.shape[axis] for axis in axes]), np.array(steps(grid))
    flat, thick = shape.min() == 1, step.max() > _THICK * step.min()
    depth = int(shape.argmin()) if flat else int(step.argmax()) if thick else 0
    orders = ((0, 1, 2), (1, 0, 2), (2, 1, 0))
    return orders[depth]


def segments(lines: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Give napari vectors (n, 2, 3: start, direction) of polylines in LPS mm."""
    parts = [
        np.stack([world_from_lps(line[:-1]), world_from_lps(np.diff(line, axis=0))], axis=1)
        for line in lines
        if len(line) > 1
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 2, 3))


@dataclass(frozen=True, slots=True)
class View:
    """How the canvas is hung for one order of the dimensions."""

    orientation: tuple[str, str, str]
    """Depth, vertical, horizontal, as napari's camera wants them."""
    letters: tuple[str, str, str, str]
    """Left, right, top, bottom of the canvas."""
    plane: str
    """coronal, sagittal, axial."""


_POSITIVE = {"x": "L", "y": "P", "z": "H"}
_NEGATIVE = {"x": "R", "y": "A", "z": "F"}
_PLANE = {"y": "coronal", "x": "sagittal", "z": "axial"}


def view(order: Sequence[int]) -> View:
    """Say how to hang an order of dimensions: coronal, axial and sagittal in the radiological way.

    Columns grow to the right; rows grow downwards, but upwards where they are the head-foot axis.

    Parameters
    ----------
    order : sequence of int
        ``viewer.dims.order``: world axes, the last two are rows and columns.

    Examples
    --------
    >>> view((0, 1, 2)).plane, view((0, 1, 2)).letters
    ('coronal', ('R', 'L', 'H', 'F'))
    >>> view((1, 0, 2)).plane, view((1, 0, 2)).letters
    ('axial', ('R', 'L', 'A', 'P'))
    """
    depth, row, column = (AXIS_LABELS[axis] for axis in tuple(order)[-3:])
    up = row == "z"
    ends = (_POSITIVE[row], _NEGATIVE[row]) if up else (_NEGATIVE[row], _POSITIVE[row])
    # Right-handed world on the screen: towards the viewer is columns × up.
    axes = {"x": 0, "y": 1, "z": 2}
    handed = np.linalg.det(np.eye(3)[[axes[column], axes[row], axes[depth]]])
    away = (handed > 0) != up
    return View(
        ("away" if away else "towards", "up" if up else "down", "right"),
        (_NEGATIVE[column], _POSITIVE[column], *ends),
        _PLANE[depth],
    )
