"""Masks of one click against the truth, by signal alone and held by the clicked bone, on phantoms."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pytest

from lesionmap import skeleton
from lesionmap.phantom import body, jittered
from lesionmap.segment import click
from phantom_lesions import dice, drawn_lesions, image_around, true_mask

if TYPE_CHECKING:
    from figures import Tell


SPACING_MM = (1.2, 5.0, 1.2)


class Who(NamedTuple):
    """A child of the phantom."""

    age_y: float
    sex: Literal["F", "M"]
    seed: int


WHOS = (Who(4, "F", 11), Who(8, "M", 12), Who(11, "F", 13), Who(15, "M", 14))


def overlaps(who: Who, n: int) -> list[tuple[float, float, float, float]]:
    """Give for each lesion its overlap by signal and held by the bone, and the seconds of CPU of both."""
    child = body(who.age_y, who.sex, who.seed, pose=who.seed)
    marks = {name: list(xyz) for name, xyz in jittered(child.landmarks(), who.seed).items()}
    placement = skeleton.place(marks, age_y=who.age_y, sex=who.sex, stature_cm=child.size.stature_cm)
    skeleton.locate([marks["S1"]], placement)
    found = []
    for lesion, _, centre in drawn_lesions(child, n, who.seed, weakest=0.6, least_ml=0.7):
        volume = image_around(child, [lesion], centre, SPACING_MM)
        true = true_mask(child, lesion, volume)
        inside = true.lps_mm()
        seed = inside[int(np.argmin(np.linalg.norm(inside - centre, axis=1)))]
        start = time.process_time()
        alone = click(volume, seed)
        between = time.process_time()
        held = click(volume, seed, placement=placement)
        seconds = (between - start, time.process_time() - between)
        found.append((dice(alone.mask(), true), dice(held.mask(), true), *seconds))
    return found


@pytest.mark.timeout(3600)
def test_overlap_with_the_truth(tell: Tell) -> None:
    rows = np.array([row for who in WHOS for row in overlaps(who, 9)])
    lines = [
        f"{name}: mean {d.mean():.3f}, median {np.median(d):.3f}, least {d.min():.2f}, {np.median(t):.3f} s of CPU"
        for name, d, t in (("by signal", rows[:, 0], rows[:, 2]), ("held by the bone", rows[:, 1], rows[:, 3]))
    ]
    tell(f"one click, {len(rows)} lesions of 0.7 ml and more, overlap (Dice)", lines)
    assert rows[:, 1].mean() >= rows[:, 0].mean() - 0.005
    assert np.median(rows[:, 1]) >= 0.93
