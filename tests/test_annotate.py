"""The reader's verbs: what they make, what they refuse, and that they leave their argument alone."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lesionmap import annotate
from lesionmap.annotate import (
    add_extent,
    add_lesion,
    answer,
    change_lesion,
    lesions_from_mask,
    merge_lesions,
    mirror_lesion,
    new_track,
    parts_by_component,
    parts_by_track,
    remove_lesion,
    sign,
    split_components,
    split_lesion,
    unlock,
    withdraw_answer,
)
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Attributes, Extent, Lesion, LesionMap, Mask
from lesionmap.space import Grid, Volume
from strategies import extents, lesion_maps, lesions, masks, site_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TIBIA = "tibia.distal_metaphysis.left"
EMPTY = LesionMap("P001", "2010-05-04", "anna")
MATRIX = np.array([[0.3, -1.6, 0.5, -40], [0.1, 0.4, 3.1, 12], [-0.9, -0.3, 1.0, 7], [0, 0, 0, 1]])
GRID = Grid((5, 7, 11), MATRIX)

open_maps = lesion_maps().map(unlock)
marked_maps = open_maps.filter(lambda lesion_map: len(lesion_map.lesions) > 0)


def pair_of_components() -> Mask:
    return Mask.of_voxels(np.array([[0, 0, 0], [1, 1, 1], [4, 5, 9], [4, 6, 10], [3, 6, 10]]), GRID)


# ---- add, change, remove --------------------------------------------------------------------------------------------


def test_a_lesion_is_added_with_the_next_number_and_a_track_of_its_own() -> None:
    one = add_lesion(EMPTY, sites=[TIBIA], note="warm")
    two = add_lesion(one, sites=["ankle.left"], certainty="probable", track="2.25.7")
    assert [x.id for x in two.lesions] == ["L1", "L2"]
    assert two.lesions[0].sites == (TIBIA,)
    assert two.lesions[0].note == "warm"
    assert re.fullmatch(r"2\.25\.\d{20,39}", two.lesions[0].tracks[0])
    assert two.lesions[1].tracks == ("2.25.7",)
    assert two.lesions[1].certainty == "probable"


def test_new_tracks_differ_and_are_dicom_uids() -> None:
    tracks = {new_track() for _ in range(50)}
    assert len(tracks) == 50
    assert all(re.fullmatch(r"2\.25\.(0|[1-9]\d*)", track) and len(track) <= 64 for track in tracks)


def test_the_id_of_a_removed_lesion_is_not_given_again() -> None:
    three = add_lesion(add_lesion(add_lesion(EMPTY, sites=[TIBIA]), sites=["knee.left"]), sites=["hip.left"])
    without = remove_lesion(three, "L3")
    assert [x.id for x in without.lesions] == ["L1", "L2"]
    assert add_lesion(without, sites=["hip.left"]).lesions[-1].id == "L4"


def test_marking_a_track_takes_back_its_answer() -> None:
    answered = answer(answer(EMPTY, "2.25.7", "resolved"), "2.25.8", "cannot_judge")
    marked = add_lesion(answered, sites=[TIBIA], track="2.25.7")
    assert [x.track for x in marked.answers] == ["2.25.8"]
    other = add_lesion(answered, sites=[TIBIA])
    assert [x.track for x in change_lesion(other, "L1", tracks=("2.25.8",)).answers] == ["2.25.7"]


def test_fields_are_changed_and_the_others_stay() -> None:
    before = add_lesion(EMPTY, sites=[TIBIA], track="2.25.7", note="n")
    after = change_lesion(before, "L1", sites=["knee.left"], change="worsened", physis="spares")
    assert after.lesions[0] == replace(before.lesions[0], sites=("knee.left",), change="worsened", physis="spares")
    assert change_lesion(before, "L1") == before


def test_an_extent_on_the_same_series_and_phase_gives_way() -> None:
    early, late = Extent("bone scan", phase="early"), Extent("bone scan", phase="late")
    lesion_map = add_extent(add_extent(add_lesion(EMPTY, sites=[TIBIA]), "L1", early), "L1", late)
    moved = replace(early, marker_lps_mm=(1.0, 2.0, 3.0))
    assert add_extent(lesion_map, "L1", moved).lesions[0].extents == (late, moved)


def test_the_other_side_is_marked_by_site_only() -> None:
    drawn = add_lesion(
        EMPTY, sites=[TIBIA, "tibia.distal_epiphysis.left"], extents=[Extent("STIR", pair_of_components())], note="x"
    )
    mirrored = mirror_lesion(drawn, "L1").lesions[1]
    assert mirrored.sites == ("tibia.distal_metaphysis.right", "tibia.distal_epiphysis.right")
    assert mirrored.extents == ()
    assert mirrored.note == ""
    assert set(mirrored.tracks).isdisjoint(drawn.lesions[0].tracks)
    joint = add_lesion(EMPTY, sites=["clavicle.medial.left", "sternum.manubrium.midline"])
    assert mirror_lesion(joint, "L1").lesions[1].sites == ("clavicle.medial.right", "sternum.manubrium.midline")


def test_a_lesion_of_the_midline_has_no_other_side() -> None:
    lesion_map = add_lesion(EMPTY, sites=["vertebra_T8.body.midline"])
    with pytest.raises(LesionmapError, match=r"^lesion L1 lies in the midline \(vertebra_T8\.body\.midline\) and has"):
        mirror_lesion(lesion_map, "L1")


# ---- answers, signing, refusals -------------------------------------------------------------------------------------


def test_an_answer_replaces_the_one_before_and_can_be_taken_back() -> None:
    said = answer(answer(EMPTY, "2.25.7", "cannot_judge"), "2.25.7", "resolved", "no oedema left")
    assert [(x.verdict, x.note) for x in said.answers] == [("resolved", "no oedema left")]
    assert withdraw_answer(said, "2.25.7") == EMPTY
    with pytest.raises(LesionmapError, match=r"no answer for track 2\.25\.8; there is nothing to take back"):
        withdraw_answer(said, "2.25.8")


def test_an_answer_for_a_marked_track_is_refused() -> None:
    marked = add_lesion(EMPTY, sites=[TIBIA], track="2.25.7")
    with pytest.raises(LesionmapError, match=r"^track 2\.25\.7 is marked in this visit \(2010-05-04, L1\)"):
        answer(marked, "2.25.7", "resolved")


SIGNED = sign(answer(add_lesion(EMPTY, sites=[TIBIA], track="2.25.7"), "2.25.9", "resolved"))


@pytest.mark.parametrize(
    "verb",
    [
        lambda m: add_lesion(m, sites=[TIBIA]),
        lambda m: change_lesion(m, "L1", note="x"),
        lambda m: remove_lesion(m, "L1"),
        lambda m: mirror_lesion(m, "L1"),
        lambda m: add_extent(m, "L1", Extent("STIR")),
        lambda m: merge_lesions(m, ["L1", "L1"]),
        lambda m: split_lesion(m, "L1", [m.lesions[0], m.lesions[0]]),
        lambda m: answer(m, "2.25.8", "resolved"),
        lambda m: withdraw_answer(m, "2.25.9"),
    ],
)
def test_a_signed_map_is_not_changed(verb: Callable[[LesionMap], LesionMap]) -> None:
    with pytest.raises(LesionmapError, match=r"^the lesion map of visit 2010-05-04 is signed; unlock it to change it$"):
        verb(SIGNED)
    assert unlock(SIGNED) == replace(SIGNED, signed=False)


def test_words_that_lesionmap_does_not_know_are_refused() -> None:
    with pytest.raises(LesionmapError, match=r"^site 'tibia\.knee\.left' is not known; did you mean .*knee\.left"):
        add_lesion(EMPTY, sites=["tibia.knee.left"])
    with pytest.raises(LesionmapError, match=r"^certainty 'sure' is not known; it is one of definite, probable, equiv"):
        add_lesion(EMPTY, sites=[TIBIA], certainty="sure")  # type: ignore[arg-type]
    with pytest.raises(LesionmapError, match=r"^answer 'gone' is not known; it is one of resolved, not_imaged, cannot"):
        answer(EMPTY, "2.25.7", "gone")  # type: ignore[arg-type]
    with pytest.raises(LesionmapError, match="needs at least one site, got none; name a site or a site group"):
        add_lesion(EMPTY, sites=[])
    with pytest.raises(LesionmapError, match="names each site once"):
        add_lesion(EMPTY, sites=[TIBIA, TIBIA])
    one = add_lesion(EMPTY, sites=[TIBIA])
    with pytest.raises(LesionmapError, match="a lesion has no field id that can be changed; it has: sites, certainty"):
        change_lesion(one, "L1", id="L9")  # type: ignore[call-arg]
    with pytest.raises(LesionmapError, match="visit 2010-05-04 has no lesion 'L9'; it has: L1"):
        change_lesion(one, "L9", note="")
    with pytest.raises(
        LesionmapError, match="change 'better' is not known; it is one of improved, persistent, worsened"
    ):
        change_lesion(one, "L1", change="better")  # type: ignore[arg-type]


# ---- merge, split ---------------------------------------------------------------------------------------------------


def test_merging_joins_sites_tracks_notes_and_masks() -> None:
    low, high = split_components(pair_of_components())
    lesion_map = add_lesion(EMPTY, sites=[TIBIA], extents=[Extent("STIR", low)], certainty="equivocal", note="a")
    lesion_map = add_lesion(lesion_map, sites=["hip.left"])
    both = add_lesion(lesion_map, sites=["knee.left", TIBIA], extents=[Extent("STIR", high), Extent("T1")], note="b")
    both = change_lesion(both, "L1", attributes=Attributes(painful=True), change="improved")
    both = change_lesion(both, "L3", attributes=Attributes(painful=False, biopsied=False), change="worsened")
    merged = merge_lesions(both, ["L3", "L1"])
    assert [x.id for x in merged.lesions] == ["L2", "L3"]
    one = merged.lesion("L3")
    assert one.sites == ("knee.left", TIBIA)
    assert one.tracks == (*both.lesion("L3").tracks, *both.lesion("L1").tracks)
    assert one.extents == (Extent("STIR", pair_of_components()), Extent("T1"))
    assert one.certainty == "definite"
    assert one.attributes == Attributes(painful=False, biopsied=False)
    assert one.change is None  # the two words differ, so nobody said this of the whole
    assert one.note == "b; a"


def test_merging_takes_two() -> None:
    with pytest.raises(LesionmapError, match="to merge takes two or more lesions, got L1, L1"):
        merge_lesions(add_lesion(EMPTY, sites=[TIBIA]), ["L1", "L1"])


def test_splitting_by_components_gives_other_series_to_the_nearest() -> None:
    low, high = split_components(pair_of_components())
    marker = Extent("bone scan", marker_lps_mm=(*high.lps_mm()[0].tolist(),))
    whole = add_lesion(
        EMPTY, sites=[TIBIA], extents=[Extent("STIR", pair_of_components()), Extent("T1", low), marker], track="2.25.7"
    )
    parts = parts_by_component(whole.lesions[0])
    assert [part.extents for part in parts] == [
        (Extent("STIR", low), Extent("T1", low)),
        (Extent("STIR", high), marker),
    ]
    split = split_lesion(whole, "L1", parts)
    assert [(x.id, x.tracks, x.sites) for x in split.lesions] == [
        ("L1", ("2.25.7",), (TIBIA,)),
        ("L2", ("2.25.7",), (TIBIA,)),
    ]
    assert merge_lesions(split, ["L1", "L2"]) == whole
    assert parts_by_component(parts[0]) == (parts[0],)


def test_splitting_by_track_measures_no_voxel_twice() -> None:
    whole = add_lesion(EMPTY, sites=[TIBIA], extents=[Extent("STIR", pair_of_components())], track="2.25.7")
    whole = change_lesion(whole, "L1", tracks=("2.25.7", "2.25.8"))
    split = split_lesion(whole, "L1", parts_by_track(whole.lesions[0]))
    assert [(x.id, x.tracks, len(x.extents)) for x in split.lesions] == [
        ("L1", ("2.25.7",), 1),
        ("L2", ("2.25.8",), 0),
    ]
    assert merge_lesions(split, ["L1", "L2"]) == whole


def test_splitting_loses_no_track_and_takes_two_parts() -> None:
    whole = add_lesion(EMPTY, sites=[TIBIA], track="2.25.7")
    other = replace(whole.lesions[0], tracks=("2.25.8",))
    with pytest.raises(LesionmapError, match=r"splitting lesion L1 would lose track 2\.25\.7; give it to a part"):
        split_lesion(whole, "L1", [other, other])
    with pytest.raises(LesionmapError, match="to split lesion L1 takes two or more parts, got 1"):
        split_lesion(whole, "L1", whole.lesions)


# ---- masks ----------------------------------------------------------------------------------------------------------


def test_each_label_is_a_lesion_and_a_mask_of_ones_is_split() -> None:
    array = np.zeros(GRID.shape, dtype=np.int16)
    array[0, 0, 0] = array[1, 1, 1] = 7  # touch by a corner
    array[4, 6, 10] = 3
    array[0, 6, 0] = 7  # apart, but of the same label
    assert [m.voxels().tolist() for m in lesions_from_mask(Volume(array, GRID))] == [
        [[4, 6, 10]],
        [[0, 0, 0], [0, 6, 0], [1, 1, 1]],
    ]
    ones = Volume((array > 0).astype(np.float32), GRID)
    parts = [[[0, 0, 0], [1, 1, 1]], [[0, 6, 0]], [[4, 6, 10]]]
    assert [m.voxels().tolist() for m in lesions_from_mask(ones)] == parts
    assert [m.voxels().tolist() for m in lesions_from_mask(Volume(array, GRID), kind="components")] == parts
    assert len(lesions_from_mask(ones, kind="labels")) == 1


def test_a_mask_of_255_as_image_programs_write_it_is_split_like_one_of_ones() -> None:
    array = np.zeros(GRID.shape, dtype=np.uint8)
    array[0, 0, 0] = array[3, 5, 9] = 255
    assert len(lesions_from_mask(Volume(array, GRID))) == 2


def test_masks_that_hold_no_lesion_or_no_labels_are_refused() -> None:
    with pytest.raises(LesionmapError, match="the mask has no voxel that is not 0; expected one or more lesions"):
        lesions_from_mask(Volume(np.zeros(GRID.shape), GRID))
    for value in (0.5, np.nan):
        with pytest.raises(
            LesionmapError, match="a mask holds whole numbers, 0 for no lesion, got values with fractio"
        ):
            lesions_from_mask(Volume(np.full(GRID.shape, value), GRID))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.03, 0.1, 0.25, 0.6, 1.0]), st.permutations([0, 1, 2]))
def test_components_are_those_of_scipy_in_any_memory_order(seed: int, share: float, axes: list[int]) -> None:
    from scipy.ndimage import label

    array = np.random.default_rng(seed).random(GRID.shape) < share
    assume(array.any())
    expected, n = label(array, np.ones((3, 3, 3)))
    stored: NDArray[np.bool_] = np.ascontiguousarray(array.transpose(axes)).transpose(np.argsort(axes))
    found = lesions_from_mask(Volume(stored, GRID))
    assert found == [Mask.of(Volume(expected == number, GRID)) for number in range(1, n + 1)]


@given(masks())
def test_components_of_a_mask_are_apart_and_make_it_up(mask: Mask) -> None:
    parts = split_components(mask)
    voxels = np.concatenate([part.voxels() for part in parts])
    assert sorted(voxels.tolist()) == mask.voxels().tolist()
    for n, part in enumerate(parts):
        for other in parts[n + 1 :]:
            steps = np.abs(part.voxels()[:, None] - other.voxels()[None]).max(axis=2)
            assert steps.min() > 1


# ---- laws -----------------------------------------------------------------------------------------------------------


@given(marked_maps, site_names(), extents(), st.data())
def test_every_verb_leaves_its_argument_unchanged(
    lesion_map: LesionMap, site: str, extent: Extent, data: st.DataObject
) -> None:
    before, used = deepcopy(lesion_map), lesion_map.used
    ids = [x.id for x in lesion_map.lesions]
    one = data.draw(st.sampled_from(ids))
    lesion = lesion_map.lesion(one)
    results = [
        add_lesion(lesion_map, sites=[site], extents=[extent]),
        change_lesion(lesion_map, one, sites=[site], note="other"),
        add_extent(lesion_map, one, extent),
        remove_lesion(lesion_map, one),
        answer(lesion_map, "2.25.0", "resolved"),
        split_lesion(lesion_map, one, [lesion, replace(lesion, extents=())]),
        sign(lesion_map),
        *([merge_lesions(lesion_map, ids)] if len(ids) > 1 else []),
    ]
    assert lesion_map == before
    assert lesion_map.used == used
    assert all(len({x.id for x in result.lesions}) == len(result.lesions) for result in results)


@given(open_maps, st.lists(st.booleans(), min_size=1, max_size=8))
def test_an_id_is_never_given_twice(lesion_map: LesionMap, adds: list[bool]) -> None:
    given_ids = {x.id for x in lesion_map.lesions}
    for add in adds:
        if add or not lesion_map.lesions:
            lesion_map = add_lesion(lesion_map, sites=[TIBIA])
            assert lesion_map.lesions[-1].id not in given_ids
            given_ids.add(lesion_map.lesions[-1].id)
        else:
            lesion_map = remove_lesion(lesion_map, lesion_map.lesions[-1].id)


@given(lesions(), masks())
def test_merge_after_split_is_identity(lesion: Lesion, mask: Mask) -> None:
    whole = replace(EMPTY, lesions=(replace(lesion, extents=(Extent("STIR", mask),)),))
    parts = parts_by_component(whole.lesions[0])
    assume(len(parts) > 1)
    split = split_lesion(whole, "L1", parts)
    assert len(split.lesions) == len(parts)
    assert merge_lesions(split, [x.id for x in split.lesions]) == whole


def test_the_verbs_are_those_of_the_package() -> None:
    assert all(callable(getattr(annotate, name)) for name in annotate.__all__)
