"""Candidates on planar bone scans of phantom children that no limit was chosen on: lesions, plates, what is no bone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lesionmap import skeleton
from lesionmap.place import place_views
from lesionmap.segment import planar_candidates
from lesionmap.skeleton.limits import physis_planes
from planar_cases import eight_of, scan_of

if TYPE_CHECKING:
    from figures import Tell
    from lesionmap.segment import Focus
    from planar_cases import Scan

CASES = [(age, seed) for seed in (5, 6, 7) for age in (4.0, 8.0, 12.0, 16.0)]
_ON_MM, _PLATE_MM, _NOT_BONE_MM = 12.0, 15.0, 30.0


def _off(focus: Focus, points: list[tuple[float, float, float]]) -> np.ndarray:
    at = np.array(points, dtype=float).reshape(-1, 3) - np.array(focus.seed_lps_mm)
    return np.asarray(np.hypot(at[:, 0], at[:, 2]))


def _told(scan: Scan, foci: tuple[Focus, ...]) -> tuple[int, int, int, int]:
    """Count lesions found, plates and other places offered, and offers where bladder or injection is."""
    truth = skeleton.place(scan.case.landmarks(), age_y=scan.age_y, sex=scan.sex, flat=True)
    planes = [tuple(at) for _, _, _, at, *_ in physis_planes(truth)]
    lesions = [at for _, at in scan.lesions]
    found, plates, others, hot = set(), 0, 0, 0
    for focus in foci:
        if focus.not_bone is not None:
            continue
        off = _off(focus, lesions)
        if off.min() <= _ON_MM:
            found.add(int(off.argmin()))
        elif _off(focus, list(scan.case.not_bone.values())).min() <= _NOT_BONE_MM:
            hot += 1
        elif planes and _off(focus, planes).min() <= _PLATE_MM:
            plates += 1
        else:
            others += 1
    return len(found), plates, others, hot


@pytest.mark.long
def test_twelve_scans(tell: Tell) -> None:
    lines = []
    rows: dict[str, list[tuple[int, int, int, int]]] = {"eight and counts": [], "by itself": []}
    lesions, seconds, told = 0, [], {"bladder": 0, "injection": 0}
    for age, seed in CASES:
        scan = scan_of(age, seed)
        lesions += len(scan.lesions)
        for way, given in (("eight and counts", eight_of(scan, seed)), ("by itself", None)):
            placed = place_views(scan.views, given, age_y=age, sex=scan.sex)
            start = time.perf_counter()
            foci = planar_candidates(scan.views, placed)
            seconds.append(time.perf_counter() - start)
            rows[way].append(_told(scan, foci))
            if given is not None:
                for what, at in scan.case.not_bone.items():
                    told[what] += any(one.not_bone == what and _off(one, [at])[0] <= _NOT_BONE_MM for one in foci)
        scan_of.cache_clear()
    for way, counted in rows.items():
        found, plates, others, hot = np.array(counted).T
        lines.append(
            f"{way:18} lesions found {found.sum() / lesions:.3f} of {lesions}; offered: plates {plates.mean():.2f}, "
            f"at most {plates.max()}, others {others.mean():.2f}, at bladder or injection {hot.mean():.2f} a scan"
        )
    lines.append(
        f"told as no bone {told} of {len(CASES)}; {np.median(seconds):.1f} s, at most {max(seconds):.1f} s a pair"
    )
    tell("candidates", lines)
    found, plates, _, hot = np.array(rows["eight and counts"]).T
    assert found.sum() / lesions >= 0.85
    assert plates.mean() <= 1.0
    assert hot.sum() == 0
