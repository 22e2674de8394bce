"""Labels that another plugin drew become lesions of the visit that is open. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap import annotate
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent
from napari_lesionmap.layers import shown_grid
from napari_lesionmap.proposals import bones_of
from napari_lesionmap.resolve import site_name
from napari_lesionmap.stage import MASKS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from lesionmap.lesions import Mask
    from lesionmap.skeleton import Placement
    from lesionmap.space import Grid, Volume
    from lesionmap.visits import Series
    from napari_lesionmap.session import Session

__all__ = ["FoundLabel", "find_labels", "foreign_labels", "take_over"]

_MOST = 500
"""Labels that can be lesions; more are a map of organs or of noise."""
_UNTOLD = np.eye(4)[[2, 0, 1, 3]]
"""LPS mm from the voxels of a layer whose plugin gave it no scale and no place."""


@dataclass(frozen=True, slots=True)
class FoundLabel:
    """One value of a label layer, on the Series that is shown."""

    label: int
    extent: Extent | None
    """None: no voxel of it lies in the image."""
    sites: tuple[str, ...]
    """Proposed, the primary one first; empty where no bone is near."""


def foreign_labels(viewer: ViewerModel) -> Any:
    """Give the label layer to take over: the one that is selected, else the only one that is not ours.

    Raises
    ------
    LesionmapError
        If there is none, or there are several and none is selected.
    """
    from napari.layers import Labels

    others = [x for x in viewer.layers if isinstance(x, Labels) and x.name != MASKS]
    chosen = [x for x in others if x in viewer.layers.selection] or others
    if len(chosen) == 1:
        return chosen[0]
    raise LesionmapError(
        "a label layer of another plugin was expected, there is none; draw or open one, then take it over"
        if not others
        else f"one label layer was expected, got {', '.join(x.name for x in chosen)}; select one in the list of layers"
    )


def find_labels(labels: Volume, series: Series, placement: Placement | None) -> tuple[FoundLabel, ...]:
    """Bring each label onto a Series' grid, nearest neighbour, and propose its sites; changes nothing.

    Parameters
    ----------
    labels : Volume
        Of the layer, LPS mm; each value but 0 is one.
    series : Series
        That is shown.
    placement : Placement, optional
        The skeleton of the visit; needed.

    Raises
    ------
    LesionmapError
        If no skeleton is placed, the Series is a projection, the layer is empty, or its place is not told.
    """
    if placement is None:
        raise LesionmapError("no skeleton is placed that could name the sites; place it on the page Skeleton first")
    if series.projection:
        raise LesionmapError(f"{series.name} is a planar view without depth; show a series of slices, then take over")
    _check_place(labels, series)
    return tuple(_found(label, mask, series, placement) for label, mask in _masks(labels))


def _check_place(labels: Volume, series: Series) -> None:
    """Refuse labels drawn on the image's voxels by a plugin that told no place: they would lie elsewhere."""
    shown = shown_grid(series.grid)
    if np.allclose(_ends(labels.grid), _ends(shown), rtol=0, atol=0.01):
        return
    if np.allclose(labels.grid.lps_from_voxel, _UNTOLD) and sorted(labels.array.shape) == sorted(shown.shape):
        raise LesionmapError(
            "the label layer has the shape of the image but no place in mm (scale 1, translate 0); give it the scale "
            "and the translate of the image"
        )


def _ends(grid: Grid) -> NDArray[np.float64]:
    return np.sort(grid.corners_lps_mm(), axis=0)


def _masks(labels: Volume) -> list[tuple[int, Mask]]:
    masks = annotate.lesions_from_mask(labels, kind="labels")
    if len(masks) > _MOST:
        raise LesionmapError(
            f"a label layer of lesions was expected, got {len(masks)} labels; take over one of {_MOST} at most"
        )
    return [(int(labels.array[tuple(mask.voxels()[0])]), mask) for mask in masks]


def _found(label: int, mask: Mask, series: Series, placement: Placement) -> FoundLabel:
    from lesionmap.mark import proposed_sites

    there = mask.on(series.grid)
    if there is None:
        return FoundLabel(label, None, ())
    sites = proposed_sites(there.lps_mm(), placement, bones_of(placement))
    return FoundLabel(label, Extent(series.name, there, None, series.phase), sites)


def take_over(session: Session, found: Iterable[FoundLabel], layer: str) -> str:
    """Mark a lesion for each label that lies in a bone, as one act; what was done with each label, in words.

    Raises
    ------
    LesionmapError
        If no label can be a lesion: the words say why, and nothing is changed.
    """
    new, lines, left = session.lesion_map, [], []
    first = ""
    for one in found:
        why = _why_not(session, one)
        if why or one.extent is None:
            left.append(f"label {one.label} {why}")
            continue
        new = annotate.add_lesion(new, sites=one.sites[:1], extents=(one.extent,))
        first = first or new.lesions[-1].id
        lines.append(f"{new.lesions[-1].id} {site_name(one.sites[0])}")
    if not lines:
        raise LesionmapError(f"nothing was taken over: {'; '.join(left)}")
    n = len(lines)
    session.commit(new, f"take over {n} label{'s' if n > 1 else ''} of {layer}")
    session.select(first)
    return "; ".join([f"taken over: {', '.join(lines)}", *(f"left: {words}" for words in left)])


def _why_not(session: Session, one: FoundLabel) -> str:
    """Say why a label is no new lesion; empty: it is one."""
    if one.extent is None:
        return f"lies outside {session.shown}"
    marked = next((x.id for x in session.lesion_map.lesions if one.extent in x.extents), "")
    if marked:
        return f"is marked already as {marked}"
    return "" if one.sites else f"at {_middle(one.extent)} mm lies in no bone of the skeleton"


def _middle(extent: Extent) -> str:
    points = extent.mask.lps_mm() if extent.mask is not None else np.zeros((1, 3))
    return f"({', '.join(f'{x:.0f}' for x in points.mean(axis=0))})"
