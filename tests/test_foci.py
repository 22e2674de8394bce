"""Candidates on planar bone scans: lesions are found, growth plates and what is no bone are not offered."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.phantom.scan_case import scan_case
from lesionmap.segment import planar_candidates
from lesionmap.skeleton.limits import physis_planes
from lesionmap.space import Volume
from planar_cases import scan_of

if TYPE_CHECKING:
    from lesionmap.segment import Focus
    from lesionmap.skeleton import Placement
    from planar_cases import Scan


def _scan() -> Scan:
    return scan_of(4.0, 6, 3)


@cache
def _placed() -> Placement:
    return skeleton.place(_scan().case.landmarks(), age_y=4.0, sex="F")


@cache
def _ill() -> tuple[Focus, ...]:
    return planar_candidates(_scan().views, _placed())


def _off(focus: Focus, at: tuple[float, float, float]) -> float:
    x, _, z = focus.seed_lps_mm
    return float(np.hypot(x - at[0], z - at[2]))


def _bone(foci: tuple[Focus, ...]) -> list[Focus]:
    return [one for one in foci if one.not_bone is None]


def test_most_lesions_are_found_with_a_spot_and_their_site() -> None:
    lesions = _scan().lesions
    hits = [(site, one) for site, at in lesions for one in _bone(_ill()) if _off(one, at) <= 12.0]
    assert len({site for site, _ in hits}) >= len(lesions) - 1
    assert all(one.spots and 0.0 < one.score < 1.0 for _, one in hits)
    assert np.mean([site in [seen.site for seen in one.sites[:3]] for site, one in hits]) >= 0.8
    assert any(len(one.spots) == 2 for _, one in hits)


def test_the_best_come_first_and_what_is_no_bone_last() -> None:
    foci = _ill()
    scores = [one.score for one in _bone(foci)]
    assert scores == sorted(scores, reverse=True)
    assert [one.not_bone is None for one in foci] == sorted((one.not_bone is None for one in foci), reverse=True)


def test_bladder_and_injection_are_told_and_not_offered() -> None:
    for what, at in _scan().case.not_bone.items():
        near = [one.not_bone for one in _ill() if _off(one, at) <= 30.0]
        assert what in near
        assert None not in near


def test_a_well_child_is_offered_hardly_any_plate_though_they_are_the_hottest_there_is() -> None:
    case = scan_case(_scan().case.body, seed=22)
    placed = skeleton.place(case.landmarks(), age_y=4.0, sex="F")
    foci = planar_candidates({"anterior": case.anterior, "posterior": case.posterior}, placed)
    planes = [tuple(at) for _, _, _, at, *_ in physis_planes(placed)]
    assert sum(min(_off(one, at) for at in planes) <= 15.0 for one in _bone(foci)) <= 1
    assert len(_bone(foci)) <= 6


def test_one_view_alone_tells_too_and_no_more_than_asked() -> None:
    foci = planar_candidates({"posterior": _scan().case.posterior}, _placed(), most=2)
    assert len(_bone(foci)) == 2
    assert all(list(one.spots) == ["posterior"] for one in foci)
    assert min(_off(_bone(foci)[0], at) for _, at in _scan().lesions) <= 12.0


def test_slices_are_refused() -> None:
    front = _scan().case.anterior
    deep = Volume(front.array, front.grid)
    with pytest.raises(LesionmapError, match="a volume with depth came"):
        planar_candidates({"anterior": deep}, _placed())
    with pytest.raises(LesionmapError, match="none came"):
        planar_candidates({}, _placed())
