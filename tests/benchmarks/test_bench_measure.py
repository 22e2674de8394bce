"""Components of a mask and the numbers of the lesion table, 200 lesions on 26 million voxels, beside SimpleITK."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import pytest
import SimpleITK

from lesionmap.annotate import lesions_from_mask
from lesionmap.lesions import Extent
from lesionmap.measure import measure_extent
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from figures import Ratio


_T = TypeVar("_T")
SHAPE = (320, 256, 320)
REPEATS = 3


class Case(NamedTuple):
    mask: Volume
    image: Volume
    peer_mask: Any
    peer_image: Any


@pytest.fixture(scope="module")
def case() -> Case:
    """Draw 200 ellipsoids, one in each cell of a coarse lattice so that none touch, and noise as the image."""
    rng = np.random.default_rng(7)
    array = np.zeros(SHAPE, dtype=np.uint8)
    lattice = np.meshgrid(*[np.arange(n // 40) for n in SHAPE], indexing="ij")
    cells = rng.permutation(np.stack(lattice, axis=-1).reshape(-1, 3))
    offsets = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), axis=-1)
    for cell in cells[:200]:
        radii = rng.uniform(2, 9, 3)
        inside = ((offsets / radii) ** 2).sum(axis=-1) <= 1
        i, j, k = (cell * 40 + 20 - 9).tolist()
        array[i : i + 19, j : j + 19, k : k + 19] = inside
    spacing = (1.2, 1.3, 5.0)
    grid = Grid(SHAPE, np.diag([*spacing, 1.0]))
    pixels = rng.normal(size=SHAPE).astype(np.float32)
    peers = []
    for data in (array, pixels):
        peer = SimpleITK.GetImageFromArray(data.transpose(2, 1, 0))
        peer.SetSpacing(spacing)
        peers.append(peer)
    return Case(Volume(array, grid), Volume(pixels, grid), *peers)


def best_of(work: Callable[[], _T]) -> tuple[float, _T]:
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        result = work()
        times.append(perf_counter() - start)
    return min(times), result


def test_components_of_a_mask(case: Case, ratio: Ratio) -> None:
    ours_s, masks = best_of(lambda: lesions_from_mask(case.mask))
    peer_s, labels = best_of(lambda: SimpleITK.ConnectedComponent(case.peer_mask, True))
    assert len(masks) == 200 == SimpleITK.GetArrayViewFromImage(labels).max()
    ratio("components of 26 M voxels", ours_s, peer_s, "SimpleITK.ConnectedComponent")


def test_lesion_table_of_200_lesions(case: Case, ratio: Ratio) -> None:
    masks = lesions_from_mask(case.mask)
    labels = SimpleITK.ConnectedComponent(case.peer_mask, True)

    def peer() -> tuple[Any, Any]:
        shape = SimpleITK.LabelShapeStatisticsImageFilter()
        shape.ComputeFeretDiameterOn()
        shape.Execute(labels)
        signal = SimpleITK.LabelStatisticsImageFilter()
        signal.Execute(case.peer_image, labels)
        return shape, signal

    ours_s, table = best_of(lambda: [measure_extent(Extent("STIR", mask), case.image) for mask in masks])
    peer_s, (shape, signal) = best_of(peer)
    ours = sorted((x.volume_ml or 0.0, x.signal_mean or 0.0) for x in table)
    theirs = sorted((shape.GetPhysicalSize(n) / 1000, signal.GetMean(n)) for n in shape.GetLabels())
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    ratio("lesion table, 200 lesions", ours_s, peer_s, "SimpleITK label shape (Feret) + label statistics")
