"""Windows: which signal is black and which is white, by preset and by a drag of the mouse. No Qt, no napari."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume

__all__ = ["PRESETS", "Window", "dragged", "preset", "preset_for", "show_window", "window_of"]

PRESETS = ("auto", "marrow", "STIR", "T1", "bone scan")
"""In the order in which a key goes through them."""

_QUANTILES = {"auto": (0.005, 0.997), "STIR": (0.05, 0.996), "T1": (0.02, 0.985), "bone scan": (0.0, 0.995)}
"""Shares of the voxels that are not empty, at which the window begins and ends (chosen by eye on the samples)."""
_MARROW = (0.02, 3.0)
"""The window of the marrow begins at this share of its voxels and ends at so many times its median."""
_SIDE = 96
"""A volume is thinned to at most so many voxels along each axis."""
_PER_PX = 1 / 250
"""A drag over 250 pixels changes the window by its own width."""
_NARROWEST = 1e-3
_INVERSE = "gray_r"


@dataclass(frozen=True, slots=True)
class Window:
    """From which signal (black) to which (white), and how it is bent between them."""

    low: float
    high: float
    gamma: float = 1.0
    inverse: bool = False
    """White is low: as bone scans are read."""


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
    low, high = _QUANTILES.get(name, _QUANTILES["auto"])
    window = _between(_thinned(volume.array), low, high)
    return Window(window.low, window.high, 0.6, inverse=True) if name == "bone scan" else window


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
    Window(low=0.0, high=200.0, gamma=1.0, inverse=False)
    """
    width, level = window.high - window.low, (window.high + window.low) / 2
    level -= down_px * _PER_PX * width
    width = max(width * (1 + right_px * _PER_PX), _NARROWEST)
    return Window(level - width / 2, level + width / 2, window.gamma, window.inverse)


def window_of(image: Any) -> Window:
    """Give from which signal to which a layer is shown; without one, from 0 to 1."""
    if image is None:
        return Window(0.0, 1.0)
    low, high = image.contrast_limits
    return Window(float(low), float(high), float(image.gamma), image.colormap.name == _INVERSE)


def show_window(image: Any, window: Window) -> None:
    """Show a layer, if there is one, from one signal to another."""
    if image is not None:
        image.contrast_limits = (window.low, window.high)
        image.gamma = window.gamma
        image.colormap = _INVERSE if window.inverse else "gray"
