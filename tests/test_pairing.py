"""Series of two visits are paired by what they show."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionmap.compare import pair_series
from lesionmap.space import Grid
from lesionmap.visits import Series, Visit

if TYPE_CHECKING:
    from collections.abc import Sequence

_MATRIX = np.array([[1.5, 0, 0, 10], [0, 0, 6.0, 20], [0, -2.0, 0, 300], [0, 0, 0, 1.0]])


def _mr(name: str, sequence: str, plane: str = "coronal", rows: int = 500, **other: Any) -> Series:
    return Series(name, Grid((50, rows, 7), _MATRIX), "MR", sequence, plane, (), **{"kind": ("magnitude",), **other})


def _nm(name: str, plane: str, phase: Any = "late") -> Series:
    return Series(name, Grid((50, 90, 1), _MATRIX), "NM", "planar", plane, (), (plane,), phase, projection=True)


def _paired(earlier: Sequence[Series], later: Sequence[Series]) -> dict[str, str]:
    pairs = pair_series(
        Visit("P001", date(2008, 3, 2), series=tuple(earlier)), Visit("P001", date(2010, 5, 4), series=tuple(later))
    )
    return {now: before for before, now in pairs}


STIR, T1, T2 = _mr("STIR coronal", "STIR"), _mr("T1 coronal", "T1"), _mr("T2 coronal", "T2")
SAGITTAL = _mr("STIR sagittal", "STIR", "sagittal")
WATER = _mr("T2 coronal water", "T2", kind=("magnitude", "water"))
FAT = _mr("T2 coronal fat", "T2", kind=("magnitude", "fat"))
PD = _mr("PD coronal", "PD")


@pytest.mark.parametrize(
    ("later", "earlier", "expected"),
    [
        (STIR, [T1, SAGITTAL, T2, STIR], "STIR coronal"),
        (STIR, [T1, T2, WATER, SAGITTAL], "STIR sagittal"),  # the same sequence in another plane goes before
        (STIR, [T1, FAT, T2, WATER], "T2 coronal water"),
        (STIR, [T1, FAT, PD, T2], "T2 coronal"),
        (STIR, [T1, FAT, PD], "PD coronal"),
        (STIR, [FAT, T1], "T1 coronal"),
        (STIR, [FAT], None),
        (T1, [STIR, WATER, T2], "T2 coronal"),
        (WATER, [T1, T2, STIR], "STIR coronal"),
        (FAT, [WATER, T2, FAT], "T2 coronal fat"),
        (FAT, [WATER, T2, STIR], None),
    ],
)
def test_mr_is_paired_by_contrast_then_plane(later: Series, earlier: list[Series], expected: str | None) -> None:
    for order in (earlier, earlier[::-1]):
        assert _paired(order, [later]).get(later.name) == expected


def test_views_and_phases_of_bone_scans() -> None:
    front, back = _nm("bone scan anterior late", "anterior"), _nm("bone scan posterior late", "posterior")
    early, untold = _nm("bone scan anterior early", "anterior", "early"), _nm("bone scan anterior", "anterior", None)
    assert _paired([back, early, front, STIR], [front, back]) == {front.name: front.name, back.name: back.name}
    assert _paired([early, back], [front]) == {}
    assert _paired([early, untold], [front]) == {front.name: untold.name}
    assert _paired([STIR], [front]) == {}
    assert _paired([front], [STIR]) == {}


def test_parts_pair_with_like_parts() -> None:
    phase = _mr("MR axial phase", "", "axial", kind=("phase",))
    magnitude = _mr("MR axial", "", "axial")
    assert _paired([magnitude, phase], [phase, magnitude]) == {phase.name: phase.name, magnitude.name: magnitude.name}
    assert _paired([magnitude], [phase]) == {}
    assert _paired([STIR], [_mr("localizer", "STIR", kind=("localizer",))]) == {}


def test_diffusion_goes_by_the_nearest_b_value() -> None:
    def dwi(b: int) -> Series:
        return _mr(f"DWI axial b={b}", "DWI", "axial", kind=("magnitude", f"b={b}"))

    adc = _mr("ADC axial", "ADC", "axial", kind=("adc",))
    found = _paired([dwi(0), dwi(900), adc, STIR], [dwi(50), dwi(800), adc])
    assert found == {"DWI axial b=50": "DWI axial b=0", "DWI axial b=800": "DWI axial b=900", adc.name: adc.name}
    assert _paired([STIR, T1], [adc, dwi(800)]) == {}


def test_the_whole_body_pairs_with_the_whole_body() -> None:
    pelvis, body = _mr("STIR coronal", "STIR", rows=120), _mr("STIR coronal 2", "STIR", rows=560)
    assert _paired([pelvis, body], [_mr("STIR coronal", "STIR", rows=610)]) == {"STIR coronal": "STIR coronal 2"}


def test_echoes_of_one_name_pair_in_their_order() -> None:
    echoes = [_mr("T2 coronal", "T2"), _mr("T2 coronal 2", "T2")]
    assert _paired(echoes[::-1], echoes) == {echo.name: echo.name for echo in echoes}


_ALL = [STIR, SAGITTAL, T1, T2, WATER, FAT, PD, _nm("bone scan anterior late", "anterior"), _mr("MR", "")]


@given(st.lists(st.sampled_from(_ALL), unique=True), st.lists(st.sampled_from(_ALL), unique=True))
def test_a_series_that_is_in_both_visits_is_its_own_pair(earlier: list[Series], later: list[Series]) -> None:
    found = _paired(earlier, later)
    assert set(found) <= {s.name for s in later}
    assert set(found.values()) <= {s.name for s in earlier}
    for series in later:
        if series in earlier:
            assert found[series.name] == series.name


# ---- what tells two apart, one after the other


CT = Series("CT axial", Grid((50, 500, 7), _MATRIX), "CT", "", "axial", (), kind=("magnitude",))
WATER_T1, WATER_PD = (_mr(f"{name} coronal water", name, kind=("magnitude", "water")) for name in ("T1", "PD"))


@pytest.mark.parametrize(
    ("later", "earlier", "expected"),
    [
        (STIR, [T2, WATER_PD], "PD coronal water"),  # fat-suppressed PD is as good as fat-suppressed T2 …
        (STIR, [T2, WATER_T1], "T2 coronal"),  # … of T1 the water is still a T1
        (STIR, [PD, WATER_T1], "PD coronal"),
        (T1, [PD, STIR, WATER_T1], "T1 coronal water"),
        (PD, [STIR, T1], "T1 coronal"),  # 1.5 steps to either: both as far, so the first one holds
        (PD, [T1, T2], "T2 coronal"),
        (T2, [STIR, T1], "STIR coronal"),
        (T2, [STIR, PD], "PD coronal"),
        (_mr("T2 coronal phase", "T2", kind=("phase",)), [T2, STIR, WATER], None),
        (T2, [_mr("T2 coronal phase", "T2", kind=("phase",))], None),
        (_mr("MR axial", "", "axial"), [CT], None),  # of one part and no sequence, but of another modality
        (_nm("scan", "anterior"), [Series("scan", Grid((50, 90, 9), _MATRIX), "NM", "planar", "anterior", ())], None),
    ],
)
def test_steps_from_fluid_to_fat(later: Series, earlier: list[Series], expected: str | None) -> None:
    names = {_paired(order, [later]).get(later.name) for order in (earlier, earlier[::-1])}
    tie = later is PD and STIR in earlier
    assert names == ({s.name for s in earlier} if tie else {expected})


def _rows(name: str, rows: int, plane: str = "coronal") -> Series:
    return _mr(name, "STIR", plane, rows=rows)


@pytest.mark.parametrize(
    ("rows", "earlier", "expected"),
    [
        (400, [_rows("a", 200), _rows("b", 600)], "b"),  # half as long is farther off than one and a half times
        (400, [_rows("a", 300), _rows("b", 900)], "a"),
        (400, [_rows("a", 410, "sagittal"), _rows("b", 100)], "b"),  # the plane goes before the length
        (610, [_rows("a", 609), _rows("STIR coronal", 590)], "STIR coronal"),  # a like length: the name tells
        (610, [_rows("a", 609), _rows("STIR coronal", 500)], "a"),
    ],
)
def test_the_like_length_of_body_comes_after_the_plane(rows: int, earlier: list[Series], expected: str) -> None:
    for order in (earlier, earlier[::-1]):
        assert _paired(order, [_rows("STIR coronal", rows)]) == {"STIR coronal": expected}


def test_the_length_of_body_is_that_along_it() -> None:
    """Twice as many slices, or a broader image, is no other length."""
    broad = Series("a", Grid((99, 500, 20), _MATRIX), "MR", "STIR", "coronal", (), kind=("magnitude",))
    short = _rows("b", 250)
    assert _paired([short, broad], [STIR]) == {"STIR coronal": "a"}


@pytest.mark.parametrize(("b", "expected"), [(600, 400), (700, 900), (20, 0), (40, 50), (2000, 900)])
def test_the_nearest_b_value_comes_before_the_length(b: int, expected: int) -> None:
    def dwi(b: int, rows: int = 500) -> Series:
        return _mr(f"DWI b={b}", "DWI", "axial", rows, kind=("magnitude", f"b={b}"))

    earlier = [dwi(0), dwi(50), dwi(400), dwi(900)]
    short = [dwi(x, 120) if x == expected else dwi(x) for x in (0, 50, 400, 900)]
    for order in (earlier, earlier[::-1], short):
        assert _paired(order, [dwi(b)]) == {f"DWI b={b}": f"DWI b={expected}"}


def test_a_diffusion_image_without_b_value_is_taken_for_one_of_zero() -> None:
    told = [_mr(f"DWI b={b}", "DWI", "axial", kind=("magnitude", f"b={b}")) for b in (50, 0)]
    assert _paired(told, [_mr("DWI", "DWI", "axial")]) == {"DWI": "DWI b=0"}


def test_of_two_bone_scans_the_phase_goes_before_the_name() -> None:
    late, untold = _nm("a", "anterior"), _nm("b", "anterior", None)
    for order in ([late, untold], [untold, late]):
        assert _paired(order, [_nm("b", "anterior")]) == {"b": "a"}
        assert _paired(order, [_nm("a", "anterior", None)]) == {"a": "b"}
    assert _paired([late, _nm("c", "anterior")], [_nm("c", "anterior")]) == {"c": "c"}
