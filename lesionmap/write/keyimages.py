"""One picture for each lesion: the slice that shows most of it, cropped around it, with its outline."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.measure import main_measurement
from lesionmap.skeleton import place_name
from lesionmap.write.sections import capital

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from lesionmap.compare import VisitFacts
    from lesionmap.lesions import Lesion, Mask
    from lesionmap.space import Grid, Volume
    from lesionmap.write.results import Results

    Array = NDArray[np.float64]

__all__ = ["KeyImage", "image_title", "key_images", "shown_of"]

_BESIDE_MM = 50.0  # of the body that is shown with the largest reading of a lesion
_LEAST_MM, _MOST_MM = 70.0, 170.0
_SIZES = ((40, 220), (90, 160), (10_000, 110))
"""So many pictures at most, so many pixels a side: 40 lesions at four visits still make less than 3 MB."""
_DARK, _BRIGHT = 1.0, 99.7  # percentiles of the slice
_AXES = {  # the world's axis that is looked along: what lies to the right, and downwards, as in radiology
    0: ((0, 1, 0), (0, 0, -1)),
    1: ((1, 0, 0), (0, 0, -1)),
    2: ((1, 0, 0), (0, 1, 0)),
}


@dataclass(frozen=True, slots=True, eq=False)
class KeyImage:
    """A slice of one visit around a lesion."""

    visit: str
    lesion: str
    series: str
    png: bytes
    """Square, 8 bit grey."""
    size: int
    """Pixels a side."""
    fov_mm: float
    """Millimetres a side; the same at all visits of a track."""
    outline: tuple[Array, ...]
    """Closed lines in pixels, shape (n, 2): to the right, downwards."""
    letters: tuple[str, str, str, str]
    """Where left, right, top and bottom lie in the patient: R, L, H, F, A, P."""


def key_images(visits: Sequence[VisitFacts], volume_of: Callable[[str, str], Volume | None]) -> tuple[KeyImage, ...]:
    """Make a picture of every lesion that has an outline on a series whose pixels can be read.

    Parameters
    ----------
    visits : sequence of VisitFacts
        Of one patient, measured.
    volume_of : callable
        Gives the pixels of a visit (its key) and series (its name); None where they cannot be read any more.
    """
    chosen = [(facts, lesion, found) for facts in visits for lesion, found in _outlined(facts)]
    size = next(pixels for most, pixels in _SIZES if len(chosen) <= most)
    fields = _fields_mm([(_names(facts, lesion), mask) for facts, lesion, (_, mask) in chosen])
    made = []
    for facts, lesion, (series, mask) in chosen:
        volume = volume_of(facts.visit.key, series)
        if volume is not None:
            field_mm = max(fields[name] for name in _names(facts, lesion))
            made.append(_picture(facts, lesion, (series, mask), volume, (field_mm, size)))
    return tuple(made)


def _outlined(facts: VisitFacts) -> list[tuple[Lesion, tuple[str, Mask]]]:
    """Give for each lesion the series that stands for it in tables, if it is outlined there, else another one."""
    found = []
    for lesion in facts.lesion_map.lesions:
        main = main_measurement(facts.measurements.get(lesion.id, ())).series
        masks = [(extent.series, extent.mask) for extent in lesion.extents if extent.mask is not None]
        masks.sort(key=lambda one: one[0] != main)
        if masks:
            found.append((lesion, masks[0]))
    return found


def _names(facts: VisitFacts, lesion: Lesion) -> tuple[str, ...]:
    """Give its tracks; a lesion that has none is its own."""
    return lesion.tracks or (f"{facts.visit.key}/{lesion.id}",)


def _fields_mm(lesions: Sequence[tuple[Sequence[str], Mask]]) -> dict[str, float]:
    """Give the side of the picture for each track: room for its largest reading."""
    found: dict[str, float] = {}
    for tracks, mask in lesions:
        reach = float(np.max(np.array(mask.box.shape[:2]) * mask.grid.spacing_mm[:2])) + _BESIDE_MM
        for track in tracks:
            found[track] = float(np.clip(max(reach, found.get(track, 0.0)), _LEAST_MM, _MOST_MM))
    return found


def _picture(
    facts: VisitFacts, lesion: Lesion, drawn: tuple[str, Mask], volume: Volume, frame: tuple[float, int]
) -> KeyImage:
    (name, mask), (field_mm, size) = drawn, frame
    series = facts.visit.series_named(name)
    k = int(np.argmax(mask.box.sum(axis=(0, 1))))
    voxels = np.argwhere(mask.box[:, :, k]) + mask.origin[:2]
    middle = mask.grid.lps(np.append(voxels.mean(axis=0), k + mask.origin[2]))
    right, down, letters = _ways(mask.grid, behind=series.projection and series.plane == "posterior")
    steps = (np.arange(size) - (size - 1) / 2) * field_mm / size
    points = middle + steps[None, :, None] * right + steps[:, None, None] * down
    at = np.moveaxis(mask.grid.voxels(points.reshape(-1, 3)).reshape(size, size, 3), -1, 0)[:2]
    plane = np.asarray(volume.array[:, :, k + mask.origin[2]], dtype=np.float64)
    flat = np.zeros(plane.shape)
    flat[tuple(voxels.T)] = 1.0
    return KeyImage(
        facts.visit.key, lesion.id, name, _png(_grey(plane, at, inverse=volume.projection)), size, field_mm,
        _lines(flat, at), letters,
    )  # fmt: skip


def _ways(grid: Grid, *, behind: bool) -> tuple[Array, Array, tuple[str, str, str, str]]:
    """Give the ways to the right and down, the array's axes that are nearest to radiology's, and the letters."""
    ways = grid.lps_from_voxel[:3, :3] / np.array(grid.spacing_mm)
    wanted = np.array(_AXES[int(np.argmax(np.abs(ways[:, 2])))], dtype=float)
    if behind:
        wanted[0] *= -1
    first, second = ways[:, 0], ways[:, 1]
    if abs(first @ wanted[0]) < abs(second @ wanted[0]):
        first, second = second, first
    right, down = first * (np.sign(first @ wanted[0]) or 1.0), second * (np.sign(second @ wanted[1]) or 1.0)
    return right, down, (_letter(-right), _letter(right), _letter(-down), _letter(down))


def _letter(way: Array) -> str:
    axis = int(np.argmax(np.abs(way)))
    return ("RL", "AP", "FH")[axis][int(way[axis] > 0)]


def _grey(plane: Array, at: Array, *, inverse: bool) -> NDArray[np.uint8]:
    from scipy.ndimage import map_coordinates

    values = np.sqrt(plane.clip(0)) if inverse else plane
    seen = values[values > 0] if (values > 0).any() else values
    low, high = np.percentile(seen, [_DARK, _BRIGHT])
    shown = map_coordinates(values, at, order=1, cval=float(values.min()))
    level = ((shown - low) / max(float(high - low), 1e-9)).clip(0, 1)
    return np.asarray(np.rint(255 * (1 - level if inverse else level)), dtype=np.uint8)


def _lines(flat: Array, at: Array) -> tuple[Array, ...]:
    from scipy.ndimage import map_coordinates
    from skimage.measure import find_contours

    inside = np.pad(map_coordinates(flat, at, order=1, cval=0.0), 1)
    return tuple((line - 1)[:, ::-1] for line in find_contours(inside, 0.5))


def _png(grey: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def image_title(results: Results, image: KeyImage) -> str:
    """Say what a key image shows: visit, lesion, site and state."""
    lesion = results.facts(image.visit).lesion_map.lesion(image.lesion)
    change = results.change(image.visit, lesion)
    state = f", {results.texts.name('state', change.state)}" if change else ""
    return f"{image.visit} · {image.lesion} · {capital(place_name(lesion.sites[0], results.texts))}{state}"


def shown_of(results: Results, image: KeyImage) -> list[tuple[KeyImage, str, bool]]:
    """Give what is shown of a lesion, each with words and whether it is outlined: before, now, now without."""
    before = _before(results, image)
    earlier = [] if before is None else [(before, results.texts.say("images.before", visit=before.visit), True)]
    return [*earlier, (image, image.visit, True), (image, image.series, False)]


def _before(results: Results, image: KeyImage) -> KeyImage | None:
    """Give the last picture before of one of the lesion's tracks; None: there is none."""
    have = {(one.visit, one.lesion): one for one in results.key_images or ()}
    keys = [facts.visit.key for facts in results.visits]
    for key in reversed(keys[: keys.index(image.visit)]):
        for number in results.tracks(image.visit, image.lesion):
            change = results.courses[number].states.get(key)
            found = next((have[key, x] for x in (change.lesions if change else ()) if (key, x) in have), None)
            if found is not None:
                return found
    return None
