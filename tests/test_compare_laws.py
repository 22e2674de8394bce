"""Laws of the comparison, on any visits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from lesionmap.compare import VisitFacts, compare
from visit_facts import replace_year, sized, visit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

    from lesionmap.compare import Imaged
    from lesionmap.lesions import Verdict

_TRACKS = "abcd"
_VERDICTS: tuple[Verdict, ...] = ("resolved", "not_imaged", "cannot_judge")
_COVERAGES: tuple[Imaged, ...] = ("imaged", "partly", "not_imaged", "unknown")
_MARKED = {"new", "first_seen", "recurrent", "improved", "persistent", "worsened"}


@st.composite
def any_visits(draw: DrawFn, year: int) -> VisitFacts:
    """Draw up to four lesions of any of four tracks each, with volumes, and answers for what is not marked."""
    marks = draw(st.lists(st.lists(st.sampled_from(_TRACKS), min_size=1, max_size=3, unique=True), max_size=4))
    free = sorted(set(_TRACKS) - {track for tracks in marks for track in tracks})
    answers = {track: draw(st.sampled_from(_VERDICTS)) for track in free if draw(st.booleans())}
    facts = visit(year, *[tuple(tracks) for tracks in marks], **answers)
    volumes = [draw(st.none() | st.floats(0.05, 40)) for _ in marks]
    return sized(facts, *volumes, error_ml=draw(st.sampled_from([0.0, 0.1, 2.0])))


def by_track(visits: Sequence[VisitFacts], year: int) -> dict[str, tuple[str, str]]:
    found = compare(visits)
    key = f"{year}-01-02"
    return {x.track: (x.states[key].state, x.states[key].split_merge) for x in found if key in x.states}


@given(any_visits(2010))
def test_a_visit_compared_with_itself_is_persistent(one: VisitFacts) -> None:
    marked = {track for lesion in one.lesion_map.lesions for track in lesion.tracks}
    again = by_track([one, replace_year(one, 2011)], 2011)
    assert {track: state for track, (state, _) in again.items()} == dict.fromkeys(marked, "persistent")


@given(any_visits(2010), any_visits(2011))
def test_a_course_read_backwards_says_the_opposite(one: VisitFacts, two: VisitFacts) -> None:
    forward = by_track([one, two], 2011)
    backward = by_track([replace_year(two, 2009), one], 2010)
    opposite = {"improved": "worsened", "worsened": "improved", "persistent": "persistent"}
    turned = {"": "", "merged": "split", "split": "merged", "merged and split": "merged and split"}
    assert set(forward) == set(backward)
    for track, (state, column_) in forward.items():
        other, other_column = backward[track]
        if state in opposite:
            assert (other, other_column) == (opposite[state], turned[column_])
        else:  # newly marked in the one direction is no longer marked in the other
            assert (state in _MARKED) != (other in _MARKED)


@given(st.tuples(*[any_visits(year) for year in (2010, 2011, 2012, 2013)]), st.permutations(range(4)))
def test_the_order_of_entry_does_not_matter(visits: tuple[VisitFacts, ...], order: list[int]) -> None:
    assert compare([visits[n] for n in order]) == compare(visits)


@given(
    st.tuples(*[any_visits(year) for year in (2010, 2011, 2012, 2013)]),
    st.lists(st.sampled_from(_COVERAGES), min_size=4, max_size=4),
)
def test_laws_of_the_states(visits: tuple[VisitFacts, ...], coverage: list[Imaged]) -> None:
    for row in compare(visits, imaged=lambda facts, _: coverage[facts.visit.date.year - 2010]):
        gone = started = False
        for n, facts in enumerate(visits):
            change = row.states.get(facts.visit.key)
            marked = any(row.track in lesion.tracks for lesion in facts.lesion_map.lesions)
            said = {x.track: x.verdict for x in facts.lesion_map.answers}.get(row.track)
            state = change.state if change else None
            assert marked == (state in _MARKED)
            assert (state == "recurrent") == (marked and gone)
            assert (state in ("new", "first_seen")) == (marked and not started)
            assert (state == "resolved") == (said == "resolved" and started)  # never computed
            assert (change is None) == (
                not marked and (not started or (gone and not said and coverage[n] != "not_imaged"))
            )
            assert change is None or (change.counted is None) == (not marked)
            gone = (gone or (said == "resolved" and started)) and not marked
            started = started or marked
