"""Windows: which signal is black and which is white, by preset and by a drag of the mouse. No Qt, no napari."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume

__all__ = ["PRESETS", "Window", "dragged", "preset", "preset_for", "show_window", "window_of"]

PRESETS = ("auto", "marrow", "STIR", "T1", "bone scan", "bone scan log")
"""In the order in which a key goes through them."""

_QUANTILES = {"auto": (0.005, 0.997), "STIR": (0.05, 0.996), "T1": (0.02, 0.985)}
"""Shares of the voxels that are not empty, at which the window begins and ends (chosen by eye on the samples)."""
_MARROW = (0.02, 3.0)
"""The window of the marrow begins at this share of its voxels and ends at so many times its median."""
_SIDE = 96
"""A volume is thinned to at most so many voxels along each axis."""
_PER_PX = 1 / 250
"""A drag over 250 pixels changes the window by its own width."""
_NARROWEST = 1e-3
_HOT = 0.995
"""Share of the pixels with counts that a bone scan shows not yet black: plates and bladder hide the rest else."""
_DECADES = 100.0
"""Between the least and the largest count that a logarithmic scale tells apart (assumed)."""
_NAMES = {(False, False): "gray", (True, False): "gray_r", (False, True): "log gray", (True, True): "log gray_r"}
"""Of colour maps by (inverse, log)."""


@dataclass(frozen=True, slots=True)
class Window:
    """From which signal (black) to which (white), and how it is bent between them."""

    low: float
    high: float
    gamma: float = 1.0
    inverse: bool = False
    """White is low: as bone scans are read."""
    log: bool = False
    """Shown by the logarithm instead of linear; a ``gamma`` of 0.5 from 0 on is the square root."""


def preset_for(modality: str, sequence: str) -> str:
    """Give the preset to begin with."""
    if modality == "NM":
        return "bone scan"
    return sequence if sequence in PRESETS else "auto"


def preset(name: str, volume: Volume, placement: Placement | None = None) -> Window:
    """Give the window of a preset.

    Parameters
    ----------
    name : str
        One of ``PRESETS``.
    volume : Volume
        What is shown.
    placement : Placement, optional
        Tells where marrow is; without one the marrow's window is the automatic one.
    """
    if name == "marrow" and placement is not None and not volume.projection:
        found = _marrow(volume, placement)
        if found is not None:
            return found
    if name.startswith("bone scan"):
        high = _between(_thinned(volume.array), 0.0, _HOT).high
        log = name.endswith("log")
        return Window(0.0, max(high, 1.0), 1.0 if log else 0.5, inverse=True, log=log)
    low, high = _QUANTILES.get(name, _QUANTILES["auto"])
    return _between(_thinned(volume.array), low, high)


def _thinned(array: NDArray[Any]) -> NDArray[Any]:
    thinned = array[tuple(slice(None, None, max(1, n // _SIDE)) for n in array.shape)]
    return np.asarray(thinned[np.isfinite(thinned)])


def _between(values: NDArray[Any], low: float, high: float) -> Window:
    if not values.size:
        return Window(0.0, 1.0)
    filled = values[values > values.min()]
    ends = np.quantile(filled, [low, high]).tolist() if filled.size else [float(values.min())] * 2
    return Window(ends[0], ends[1] if ends[1] > ends[0] else ends[0] + 1)


def _marrow(volume: Volume, placement: Placement) -> Window | None:
    """Look at the signal along the middle of the bones: most of it is healthy marrow, a lesion some times as bright."""
    from lesionmap.skeleton import bone_lines

    points = np.concatenate([line for _, _, line in bone_lines(placement)])
    inside = points[volume.grid.contains(points)]
    if len(inside) < _SIDE:
        return None
    voxels = np.rint(volume.grid.voxels(inside)).astype(int)
    values = volume.array[tuple(voxels.T)].astype(np.float64)
    middle, low = float(np.median(values)), float(np.quantile(values, _MARROW[0]))
    return Window(min(low, 0.5 * middle), _MARROW[1] * middle) if middle > 0 else None


def dragged(window: Window, right_px: float, down_px: float) -> Window:
    """Give a window after a drag: to the right wider (less contrast), downwards brighter, as workstations do.

    Examples
    --------
    >>> dragged(Window(100.0, 300.0), 0.0, 125.0)
    Window(low=0.0, high=200.0, gamma=1.0, inverse=False, log=False)
    """
    width, level = window.high - window.low, (window.high + window.low) / 2
    level -= down_px * _PER_PX * width
    width = max(width * (1 + right_px * _PER_PX), _NARROWEST)
    return replace(window, low=level - width / 2, high=level + width / 2)


def window_of(image: Any) -> Window:
    """Give from which signal to which a layer is shown; without one, from 0 to 1."""
    if image is None:
        return Window(0.0, 1.0)
    low, high = image.contrast_limits
    inverse, log = next((kind for kind, name in _NAMES.items() if name == image.colormap.name), (False, False))
    return Window(float(low), float(high), float(image.gamma), inverse, log)


def show_window(image: Any, window: Window) -> None:
    """Show a layer, if there is one, from one signal to another."""
    if image is not None:
        image.contrast_limits = (window.low, window.high)
        image.gamma = window.gamma
        name = _NAMES[window.inverse, window.log]
        image.colormap = _log_gray(name, inverse=window.inverse) if window.log else name


def _log_gray(name: str, *, inverse: bool) -> Any:
    """Give grey by the logarithm of the signal."""
    from napari.utils import Colormap

    at = np.linspace(0.0, 1.0, 257) ** 2  # closer where the logarithm is steep
    grey = np.log1p(_DECADES * at) / np.log1p(_DECADES)
    grey = 1 - grey if inverse else grey
    return Colormap(np.column_stack([grey, grey, grey, np.ones_like(grey)]), name=name, controls=at)
