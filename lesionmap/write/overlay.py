"""The views of a bone scan as a picture, with the outlines of the lesions on them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.measure import geometric_mean
from lesionmap.visits import planar_views
from lesionmap.write.files import ending, saving
from lesionmap.write.lettering import figure_settings
from lesionmap.write.style import FAINT, INK, PAPER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionmap.lesions import Extent, LesionMap
    from lesionmap.space import Volume
    from lesionmap.visits import Series, Visit

__all__ = ["scan_picture"]

_HEIGHT_IN, _HEAD_IN, _FOOT_IN, _GAP_IN = 9.0, 0.75, 0.35, 0.25
_OUTLINE = "#d55e00"
_BRIGHT = 99.7  # percentile of the body's counts that is black: plates and bladder do not hide the rest
_BESIDE_MM = 60.0  # of the body that is shown beside it
_BAR_MM = 100.0


class _Panel(NamedTuple):
    title: str
    series: Series
    """Whose outlines are drawn, and from where it is seen."""
    volume: Volume


def scan_picture(
    visit: Visit, lesion_map: LesionMap, views: Mapping[str, Volume], path: str | Path, *, overwrite: bool = False
) -> None:
    """Draw the planar views of a visit side by side, each as it is seen: inverse grey, root of the counts.

    Behind a pair of views comes their geometric mean, seen from the front.

    Parameters
    ----------
    visit : Visit
        Whose planar series are drawn, in their order.
    lesion_map : LesionMap
        Its outlines and markers, with the names of the lesions. ``not_bone`` is dashed.
    views : mapping of str to Volume
        Counts by name of the Series.
    path : str or Path
        ``.png``.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    LesionmapError
        If the visit has no planar view among ``views``, or the file cannot be written.
    """
    ending(path, (".png",))
    panels = [_Panel(x.name, x, views[x.name]) for x in visit.series if x.projection and x.name in views]
    if not panels:
        raise LesionmapError(f"a planar view was expected in visit {visit.key}, it has none; import a bone scan first")
    pair = planar_views(visit)
    if len(pair) == 2 and all(one.name in views for one in pair.values()):
        front, back = pair["anterior"], pair["posterior"]
        mean = geometric_mean(views[front.name], views[back.name])
        panels.append(_Panel(f"geometric mean of both views {front.phase or ''}".strip(), front, mean))
    with figure_settings():
        picture = _drawn(lesion_map, f"{lesion_map.patient} · {visit.key} · read by {lesion_map.reader}", panels)
        with saving(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(picture)


def _drawn(lesion_map: LesionMap, title: str, panels: list[_Panel]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    boxes = [_body(panel.volume) for panel in panels]
    sizes = [(box[1] - box[0], box[3] - box[2]) for box in boxes]
    scale = _HEIGHT_IN / max(tall for _, tall in sizes)
    width = sum(wide * scale + _GAP_IN for wide, _ in sizes) + _GAP_IN
    height = _HEIGHT_IN + _HEAD_IN + _FOOT_IN
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    figure.text(_GAP_IN / width, 1 - 0.3 / height, title, fontsize=12, weight="bold", color=INK, parse_math=False)
    note = "Research use only. Grey: root of the counts."
    figure.text(_GAP_IN / width, 0.12 / height, note, fontsize=8, color=FAINT)
    left = _GAP_IN
    for panel, box, (wide, tall) in zip(panels, boxes, sizes, strict=True):
        place = (left / width, _FOOT_IN / height, wide * scale / width, tall * scale / height)
        axes = figure.add_axes(place)
        _view(axes, panel, box)
        for lesion in lesion_map.lesions:
            for extent in (one for one in lesion.extents if one.series == panel.series.name):
                _outline(axes, extent, lesion.id, dashed=lesion.certainty == "not_bone")
        left += wide * scale + _GAP_IN
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _counts(volume: Volume) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(volume.array[:, :, 0], dtype=np.float64)).clip(0)


def _edges(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give x of the columns' and z of the rows' middles, LPS mm."""
    first, second = volume.grid.shape[:2]
    x = volume.grid.lps(np.column_stack([np.arange(first), np.zeros(first), np.zeros(first)]))[:, 0]
    z = volume.grid.lps(np.column_stack([np.zeros(second), np.arange(second), np.zeros(second)]))[:, 2]
    return x, z


def _body(volume: Volume) -> tuple[float, float, float, float]:
    """Give x and z, LPS mm, between which all but a hundredth of the counts lie, and some beside them."""
    counts, (x, z) = _counts(volume), _edges(volume)
    ends = []
    for values, sums in ((x, counts.sum(axis=1)), (z, counts.sum(axis=0))):
        order = np.argsort(values)
        share = np.cumsum(sums[order]) / max(float(sums.sum()), 1e-9)
        low, high = values[order][np.searchsorted(share, [0.005, 0.995]).clip(max=len(values) - 1)]
        ends += [max(low - _BESIDE_MM, values.min()), min(high + _BESIDE_MM, values.max())]
    return ends[0], ends[1], ends[2], ends[3]


def _view(axes: Any, panel: _Panel, box: tuple[float, float, float, float]) -> None:
    counts, (x, z) = _counts(panel.volume), _edges(panel.volume)
    seen = counts[counts > 0]
    top = float(np.percentile(seen, _BRIGHT)) if len(seen) else 1.0
    axes.pcolormesh(x, z, np.sqrt(counts).T, cmap="gray_r", vmin=0, vmax=top**0.5, shading="nearest", rasterized=True)
    behind = panel.series.plane == "posterior"
    axes.set_xlim(*((box[1], box[0]) if behind else (box[0], box[1])))
    axes.set_ylim(box[2], box[3])
    axes.set_xticks([])
    axes.set_yticks([])
    letters = ("L", "R") if behind else ("R", "L")
    for at, letter in zip((0.03, 0.97), letters, strict=True):
        axes.text(at, 0.985, letter, transform=axes.transAxes, ha="center", va="top", fontsize=11, color=INK)
    axes.set_title(panel.title, fontsize=9, color=FAINT, pad=4, parse_math=False)
    end = box[0] + 15 if behind else box[1] - 15
    axes.plot([end, end + (_BAR_MM if behind else -_BAR_MM)], [box[2] + 18] * 2, color=INK, linewidth=2)
    axes.text(end + (50 if behind else -50), box[2] + 24, "10 cm", ha="center", va="bottom", fontsize=7, color=INK)


def _outline(axes: Any, extent: Extent, name: str, *, dashed: bool) -> None:
    style: dict[str, Any] = {"linewidths": 1.1, "linestyles": "dashed" if dashed else "solid", "colors": [_OUTLINE]}
    if extent.mask is not None:
        mask = extent.mask
        wide = np.pad(mask.box[:, :, 0].astype(float), 1)
        cells = np.array([[i, j] for i in range(wide.shape[0]) for j in range(wide.shape[1])]) - 1 + mask.origin[:2]
        at = mask.grid.lps(np.column_stack([cells, np.zeros(len(cells))]))
        axes.contour(at[:, 0].reshape(wide.shape), at[:, 2].reshape(wide.shape), wide, levels=[0.5], **style)
        x, _, z = mask.lps_mm().max(axis=0)
    elif extent.marker_lps_mm is not None:
        x, _, z = extent.marker_lps_mm
        axes.plot([x], [z], marker="+", color=_OUTLINE, markersize=7)
    else:
        return
    axes.annotate(name, (x, z), xytext=(4, 4), textcoords="offset points", fontsize=8, color=_OUTLINE, parse_math=False)
