"""Windows by preset and by a drag, on signal whose levels are known."""

from __future__ import annotations

import numpy as np
import pytest

from lesionmap.skeleton import bone_lines, place
from lesionmap.space import Grid, Volume
from napari_lesionmap.windows import PRESETS, Window, dragged, preset, preset_for, show_window, window_of
from plugin.small import LANDMARKS

GRID = Grid((90, 310, 24), np.array([[5.0, 0, 0, -226], [0, 0, 6.0, -62], [0, -5.0, 0, 240], [0, 0, 0, 1.0]]))


@pytest.fixture(scope="module")
def image() -> Volume:
    """Air 0, tissue 100, marrow 300, one very bright tenth of a percent."""
    rng = np.random.default_rng(3)
    array = np.zeros(GRID.shape, np.float32)
    array[10:80] = 100 + rng.normal(0, 5, array[10:80].shape)
    points = np.concatenate([line for _, _, line in bone_lines(place(LANDMARKS, age_y=10.0, sex="M"))])
    voxels = np.rint(GRID.voxels(points[GRID.contains(points)])).astype(int)
    array[tuple(voxels.T)] = 300 + rng.normal(0, 10, len(voxels))
    bright = rng.choice(array.size, array.size // 1000, replace=False)
    array.reshape(-1)[bright] = 5000
    return Volume(array, GRID)


def test_the_window_of_the_marrow_holds_marrow_and_what_is_three_times_as_bright(image: Volume) -> None:
    window = preset("marrow", image, place(LANDMARKS, age_y=10.0, sex="M"))
    assert 100 < window.low <= 160
    assert window.high == pytest.approx(900, rel=0.05)


def test_without_a_skeleton_the_marrow_is_shown_automatically(image: Volume) -> None:
    assert preset("marrow", image) == preset("auto", image)


def test_a_few_very_bright_voxels_do_not_make_the_rest_black(image: Volume) -> None:
    for name in ("auto", "STIR", "T1"):
        assert preset(name, image).high < 5000 or name == "STIR"
    assert preset("T1", image).high < 400


def test_a_bone_scan_is_black_on_white() -> None:
    counts = np.random.default_rng(1).poisson(9, (61, 97, 1)).astype(np.int16)
    window = preset("bone scan", Volume(counts, Grid((61, 97, 1), np.diag([2.0, 3.0, 1.0, 1.0])), projection=True))
    assert window.inverse
    assert (window.low, window.gamma, window.log) == (0.0, 0.5, False)  # the square root of the counts
    assert np.quantile(counts, 0.98) <= window.high <= counts.max()


def test_a_bone_scan_is_shown_by_the_logarithm_too() -> None:
    from napari.layers import Image

    counts = np.random.default_rng(1).poisson(9, (61, 97, 1)).astype(np.int16)
    window = preset("bone scan log", Volume(counts, Grid((61, 97, 1), np.diag([2.0, 3.0, 1.0, 1.0])), projection=True))
    layer = Image(counts)
    show_window(layer, window)
    assert window_of(layer) == window
    share = np.array([0.0, 0.01, 0.1, 0.5, 1.0])
    shown = 1 - np.asarray(layer.colormap.map(share))[:, 0]
    np.testing.assert_allclose(shown, np.log1p(100 * share) / np.log1p(100), atol=0.01)
    assert layer.data is counts  # counts stay counts
    show_window(layer, dragged(window, 40.0, 0.0))
    assert window_of(layer).log


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("value", [0, 7])
def test_an_even_image_has_a_window_too(name: str, value: int) -> None:
    window = preset(name, Volume(np.full((5, 7, 11), value, np.int16), Grid((5, 7, 11), np.diag([2.0, -3, 4, 1]))))
    assert window.high > window.low


def test_the_sequence_tells_the_preset() -> None:
    assert [preset_for("MR", "STIR"), preset_for("MR", "T1"), preset_for("MR", "DWI"), preset_for("NM", "planar")] == [
        "STIR", "T1", "auto", "bone scan",
    ]  # fmt: skip


def test_a_drag_there_and_back_changes_nothing() -> None:
    window = Window(100.0, 500.0, 0.7, inverse=True)
    wide = dragged(window, 100.0, 0.0)
    assert wide.high - wide.low > window.high - window.low
    assert dragged(window, 0.0, 40.0).low < window.low, "downwards is brighter"
    assert dragged(dragged(window, 0.0, 40.0), 0.0, -40.0) == window
    assert dragged(window, -10_000.0, 0.0).high > dragged(window, -10_000.0, 0.0).low
