"""Bone label maps made from the phantom's bodies, in any numbering."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom import Body, body
from lesionmap.place import read_names
from lesionmap.place.names import members
from lesionmap.skeleton import bones
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.phantom.shapes import Shape

__all__ = ["EVERY_BONE", "child", "crop", "label_map", "map_of", "renumbered"]

EVERY_BONE: tuple[tuple[int, str, str], ...] = tuple(
    (n, b, s) for n, (b, s) in enumerate(((b.id, s) for b in bones() for s in b.sides), start=1)
)
"""A numbering of its own for each bone and side."""


@cache
def child() -> Body:
    """Give a girl of five."""
    return body(5.0, "F", 5, pose=3)


@cache
def label_map() -> Volume:
    """Give all her bones, each with its own number, on a left-handed grid of 4 × 3.5 × 4 mm."""
    return map_of(child(), child().shapes, (4.0, 3.5, 4.0))


def map_of(body_: Body, shapes: Sequence[Shape], spacing_mm: tuple[float, float, float]) -> Volume:
    """Give some bones of a body, each with its own number, on a left-handed grid around them."""
    low = np.min([s.form.box[0] for s in shapes], axis=0) - 10.0
    high = np.max([s.form.box[1] for s in shapes], axis=0) + 10.0
    step = np.array(spacing_mm)
    n = np.ceil((high - low) / step).astype(int)
    matrix = np.diag([-step[0], step[1], step[2], 1.0])
    matrix[:3, 3] = [low[0] + step[0] * (n[0] - 1), low[1], low[2]]
    grid = Grid((int(n[0]), int(n[1]), int(n[2])), matrix)
    number = {(b, s): label for label, b, s in EVERY_BONE}
    # The phantom's sacrum has a left and a right part; for a label map it is one bone.
    of_shape = np.array(
        [*(number.get((s.bone, s.side)) or number[s.bone, "midline"] for s in shapes), 0], dtype=np.uint8
    )
    which, _ = replace(body_, shapes=tuple(shapes)).nearest(grid.lps(np.indices(grid.shape).reshape(3, -1).T))
    array = of_shape[which].reshape(grid.shape)
    array.setflags(write=False)
    return Volume(array, grid)


def renumbered(numbering: str, volume: Volume | None = None) -> Volume:
    """Give the map in a numbering by name; bones that it lacks are gone."""
    of_label = np.zeros(len(EVERY_BONE) + 1, dtype=np.uint8)
    number = {(b, s): label for label, b, s in EVERY_BONE}
    for label, bone, side in read_names(numbering):
        for key in members(bone, side):
            of_label[number[key]] = label
    source = volume or label_map()
    return Volume(of_label[source.array], source.grid)


def crop(volume: Volume, top_lps_mm: float | None = None, bottom_lps_mm: float | None = None) -> Volume:
    """Give the part of the map between two heights (its third axis runs upwards)."""
    z = volume.grid.lps(np.column_stack([np.zeros((volume.grid.shape[2], 2)), np.arange(volume.grid.shape[2])]))[:, 2]
    kept = np.flatnonzero((z <= (top_lps_mm or np.inf)) & (z >= (bottom_lps_mm or -np.inf)))
    first, count = int(kept[0]), len(kept)
    shape = (volume.grid.shape[0], volume.grid.shape[1], count)
    return Volume(volume.array[:, :, first : first + count], volume.grid.crop((0, 0, first), shape))
