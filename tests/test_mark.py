"""Masks, markers and sites become lesions: the same voxels, the right series, one track."""

from __future__ import annotations

import re
from datetime import date
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionmap import annotate, mark
from lesionmap.compare import VisitFacts
from lesionmap.errors import LesionmapError
from lesionmap.lesions import LesionMap
from lesionmap.mark import masks
from lesionmap.read.rows import MarkRow
from lesionmap.space import Grid, Volume
from lesionmap.visits import Series, Visit
from strategies import grids

if TYPE_CHECKING:
    from numpy.typing import NDArray

STIR = Grid((5, 7, 11), np.array([[2.0, 0, 0, -30], [0, 0, 4.0, 10], [0, -3.0, 0, 60], [0, 0, 0, 1]]))
T1 = Grid((5, 7, 6), np.array([[2.0, 0, 0, -30], [0, 0, 8.0, 10], [0, -3.0, 0, 60], [0, 0, 0, 1]]))
SITE = "clavicle.medial.left"


def series(name: str, grid: Grid, *, projection: bool = False) -> Series:
    return Series(name, grid, "MR", "STIR", "coronal", (), projection=projection)


def visit(day: str = "2010-05-04") -> Visit:
    return Visit("P001", date.fromisoformat(day), series=(series("T1 coronal", T1), series("STIR coronal", STIR)))


def empty(day: str = "2010-05-04") -> LesionMap:
    return LesionMap("P001", day, "anna")


def turned(volume: Volume, order: tuple[int, ...], flips: tuple[bool, ...]) -> Volume:
    """Give the same voxels in another order, as another program may save them."""
    new_from_old = np.zeros((4, 4))
    new_from_old[3, 3] = 1
    array: NDArray[np.generic] = np.transpose(volume.array, order)
    for new, old in enumerate(order):
        new_from_old[new, old] = -1 if flips[new] else 1
        new_from_old[new, 3] = array.shape[new] - 1 if flips[new] else 0
    array = np.flip(array, tuple(axis for axis in range(3) if flips[axis]))
    return Volume(array, Grid(array.shape, volume.grid.lps_from_voxel @ np.linalg.inv(new_from_old)))


@given(
    grid=grids(),
    order=st.sampled_from(list(permutations(range(3)))),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_same_voxels_in_another_order_come_back(grid: Grid, order: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    original = Volume(np.arange(np.prod(grid.shape)).reshape(grid.shape), grid)
    back = mark.onto_grid(turned(original, order, flips), grid)
    assert back is not None
    assert back.grid == grid
    np.testing.assert_array_equal(back.array, original.array)


@given(grid=grids(), axis=st.integers(0, 2), step=st.sampled_from([-0.4, 0.4, 1.0]))
def test_shifted_mask_is_another_place(grid: Grid, axis: int, step: float) -> None:
    matrix = grid.lps_from_voxel.copy()
    matrix[:3, 3] += step * matrix[:3, axis]
    assert mark.onto_grid(Volume(np.ones(grid.shape), Grid(grid.shape, matrix)), grid) is None


def test_mask_of_half_the_slices_is_another_shape() -> None:
    assert mark.onto_grid(Volume(np.ones((5, 7, 6)), STIR.crop((0, 0, 0), (5, 7, 6))), STIR) is None


def test_mask_that_fits_no_series_says_what_there_is() -> None:
    mask = Volume(np.ones((4, 7, 11), dtype=np.uint8), STIR.crop((0, 0, 0), (4, 7, 11)))
    with pytest.raises(LesionmapError) as caught:
        masks._on_series(mask, visit(), None)
    text = str(caught.value)
    assert "this one has 4 × 7 × 11 voxels of 2.00 × 3.00 × 4.00 mm and fits none" in text
    assert "'T1 coronal' has 5 × 7 × 6 voxels of 2.00 × 3.00 × 8.00 mm" in text


def test_mask_finds_the_series_with_its_voxels() -> None:
    mask = Volume(np.ones(STIR.shape, dtype=np.uint8), STIR)
    found, fitted = masks._on_series(mask, visit(), None)
    assert (found.name, fitted.grid) == ("STIR coronal", STIR)
    with pytest.raises(LesionmapError, match="fits none"):
        masks._on_series(mask, visit(), "T1 coronal")


def test_mask_without_a_skeleton() -> None:
    with pytest.raises(LesionmapError, match="no skeleton to propose sites; place it with 'lesionmap place' first"):
        mark.add_masks(empty(), visit(), None, Volume(np.ones(STIR.shape), STIR))


def test_marker_lies_on_the_series_that_holds_it() -> None:
    inside = tuple(STIR.lps([2, 3, 9]).tolist())
    row = MarkRow("7", inside, SITE, "probable", note="small")
    (lesion,) = mark.add_marks(empty(), visit(), None, [row]).lesions
    assert (lesion.sites, lesion.certainty, lesion.note) == ((SITE,), "probable", "small")
    (extent,) = lesion.extents
    assert (extent.series, extent.marker_lps_mm, extent.mask) == ("T1 coronal", inside, None)


def test_marker_outside_every_series() -> None:
    with pytest.raises(LesionmapError, match=re.escape("the marker at (500, 0, 0) mm lies outside every series")):
        mark.add_marks(empty(), visit(), None, [MarkRow("7", (500.0, 0.0, 0.0), SITE)])


def test_marker_without_site_and_skeleton() -> None:
    inside = tuple(STIR.lps([2, 3, 4]).tolist())
    with pytest.raises(LesionmapError, match="marker '7' names no site and no skeleton is placed"):
        mark.add_marks(empty(), visit(), None, [MarkRow("7", inside)])


def test_unknown_site_names_near_ones_and_marks_nothing() -> None:
    old = empty()
    with pytest.raises(LesionmapError, match=r"'clavicle\.medial\.lefd' is not known; did you mean clavicle\.medial"):
        mark.add_marks(old, visit(), None, [MarkRow("1", None, SITE), MarkRow("2", None, "clavicle.medial.lefd")])
    assert old.lesions == ()


def test_track_is_a_uid() -> None:
    with pytest.raises(LesionmapError, match=r"a track is a DICOM UID .* got 'the old one'"):
        mark.add_marks(empty(), visit(), None, [MarkRow("1", None, SITE, track="the old one")])


def test_answer_at_a_site_finds_its_track() -> None:
    earlier = annotate.add_lesion(empty(), sites=[SITE], track="2.25.1")
    earlier = annotate.add_lesion(earlier, sites=["ankle.left"], track="2.25.2")
    row = MarkRow("row 1", None, "ankle.left", answer="resolved", note="gone")
    new = mark.add_marks(empty("2012-01-01"), visit("2012-01-01"), None, [row], [earlier])
    assert [(x.track, x.verdict, x.note) for x in new.answers] == [("2.25.2", "resolved", "gone")]


def test_answer_needs_one_track() -> None:
    row = MarkRow("row 1", None, SITE, answer="resolved")
    with pytest.raises(LesionmapError, match=f"an answer at {SITE} needs one track .*, no track was"):
        mark.add_marks(empty(), visit(), None, [row], [])
    two = annotate.add_lesion(annotate.add_lesion(empty(), sites=[SITE]), sites=[SITE])
    with pytest.raises(LesionmapError, match="2 tracks were; name it in the column track"):
        mark.add_marks(empty("2012-01-01"), visit("2012-01-01"), None, [row], [two])


def test_an_answer_at_a_site_is_for_all_that_had_merged_there() -> None:
    first = annotate.add_lesion(empty("2010-01-01"), sites=[SITE], track="2.25.1")
    first = annotate.add_lesion(first, sites=[SITE], track="2.25.2")
    merged = annotate.add_lesion(empty("2011-01-01"), sites=[SITE], track="2.25.1")
    merged = annotate.change_lesion(merged, merged.lesions[0].id, tracks=("2.25.1", "2.25.2"))
    row = MarkRow("row 1", None, SITE, answer="resolved")
    new = mark.add_marks(empty("2012-01-01"), visit("2012-01-01"), None, [row], [merged, first])
    assert {x.track for x in new.answers} == {"2.25.1", "2.25.2"}
    with pytest.raises(LesionmapError, match="2 tracks were; name it in the column track"):
        mark.add_marks(empty("2011-01-01"), visit("2011-01-01"), None, [row], [merged, first])


def test_tracks_are_taken_only_when_asked() -> None:
    earlier = annotate.add_lesion(empty(), sites=[SITE], track="2.25.1")
    now = annotate.add_lesion(empty("2012-01-01"), sites=[SITE])
    assert now.lesions[0].tracks != ("2.25.1",)
    facts = [VisitFacts(visit(x.visit), x) for x in (now, earlier)]
    assert mark.accept_tracks(facts[0], facts[1:]).lesions[0].tracks == ("2.25.1",)
    assert now.lesions[0].tracks != ("2.25.1",)
