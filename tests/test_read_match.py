"""Gain and offset between stations, with known truths; where nothing is sure nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dicom_files as df
from lesionmap.read.blend import join
from lesionmap.read.match import match
from lesionmap.space import Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

LEVELS = (900.0, 900.0)


def _tissue(n: int = 20_000, air: float = 0.4, seed: int = 1) -> Floats:
    """Signals of an overlap: air, and tissue from dark to bright."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(60, 1000, n)
    values[: int(air * n)] = 0
    return np.asarray(rng.permutation(values), dtype=np.float32)


def _noisy(values: Floats, sigma: float, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return np.asarray(values + rng.normal(0, sigma, values.shape), dtype=np.float32)


@given(gain=st.floats(0.3, 3.5), share=st.floats(0.05, 0.4), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_known_gain_and_offset_are_found(gain: float, share: float, seed: int) -> None:
    truth = _tissue(seed=seed)
    offset = share * 900
    known, other = _noisy(truth, 12, seed), _noisy((truth - offset) / gain, 12 / gain, seed + 1)
    found_gain, found_offset = match(known, other, (900.0, float(np.percentile(other, 95))))
    assert found_gain == pytest.approx(gain, rel=0.04)
    assert found_offset == pytest.approx(offset, abs=18)


@given(gain=st.floats(0.2, 5), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_pure_gain_gets_no_offset(gain: float, seed: int) -> None:
    truth = _tissue(seed=seed)
    known, other = _noisy(truth, 25, seed), _noisy(truth / gain, 25 / gain, seed + 1)
    found_gain, found_offset = match(known, other, (900.0, 900.0 / gain))
    assert found_gain == pytest.approx(gain, rel=0.02)
    assert found_offset == 0


def test_rice_noise_of_two_coils_does_not_spoil_the_gain() -> None:
    truth = _tissue()
    rng = np.random.default_rng(0)
    seen = [
        np.hypot(g * truth + rng.normal(0, s, truth.shape), rng.normal(0, s, truth.shape))
        for g, s in ((1, 20), (0.5, 20))
    ]
    gain, offset = match(seen[0].astype(np.float32), seen[1].astype(np.float32), (900, 450))
    assert gain == pytest.approx(2, rel=0.05)
    assert abs(offset) < 40


@pytest.mark.parametrize("n", [0, 1, 50])
def test_little_overlap_changes_nothing(n: int) -> None:
    assert match(_tissue(n), 2 * _tissue(n), LEVELS) == (1.0, 0.0)


def test_an_overlap_of_air_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    one, two = (np.abs(rng.normal(0, s, 9000)).astype(np.float32) for s in (10, 30))
    assert match(one, two, LEVELS) == (1.0, 0.0)


def test_an_overlap_of_one_tissue_gets_a_gain_and_no_offset() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(700, 25, 9000).astype(np.float32)
    gain, offset = match(one, (one / 2 - 90).astype(np.float32), LEVELS)
    assert gain == pytest.approx(700 / 260, rel=0.02)
    assert offset == 0


def test_clipped_and_masked_values_do_not_count() -> None:
    truth = _tissue(air=0.3)
    other = np.minimum(truth / 0.5, 1300)  # bright voxels clipped
    other[truth == 0] = 0  # air masked to zero in one of them only
    known = np.where(truth == 0, 25, truth).astype(np.float32)
    assert match(known, other.astype(np.float32), (900, 1300)) == pytest.approx((0.5, 0.0), rel=0.01)


def test_values_that_are_no_numbers_do_not_count() -> None:
    truth = _tissue()
    other = (truth / 2).astype(np.float32)
    other[::3] = np.nan
    gain, _ = match(truth, other, LEVELS)
    assert gain == pytest.approx(2, rel=0.01)


def test_a_joined_body_of_known_gains_and_offsets_is_even() -> None:
    whole = df.grid((40, 260, 9), spacing=(3.0, 2.0, 6.0), directions=df.turned(5, -4, 3))
    index = np.moveaxis(np.indices(whole.shape), 0, -1)
    x, y, z = np.moveaxis(whole.lps(index), -1, 0)
    truth = 500 + 300 * np.sin(x / 19) * np.cos(z / 23 + y / 31) + 120 * np.sin(y / 13 + x / 40)
    truth[np.abs(index[..., 0] - 20) > 15] = 0
    volumes = []
    for n, (gain, offset) in enumerate(((1.6, 0.0), (1.0, 0.0), (0.7, 150.0))):
        part = truth[:, 80 * n : 80 * n + 100]
        seen = (part - offset) / gain + np.random.default_rng(n).normal(0, 5, part.shape)
        volumes.append(Volume(seen.astype(np.float32), whole.crop((0, 80 * n, 0), (40, 100, 9))))
    joined = join(volumes, whole)
    tissue = truth > 0
    assert np.abs(joined - truth)[tissue].mean() < 12
    left = join(volumes, whole, match=False)
    assert np.abs(left - truth)[tissue].mean() > 60
