"""The second sample patient: its design holds by its shapes, and read from its images it comes out as its facts say."""

from __future__ import annotations

import csv
import json
from collections import Counter
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from cli_case import lesionmap
from lesionmap.cli.demo import sample_folder
from lesionmap.compare import Threshold
from lesionmap.phantom import SECOND
from lesionmap.phantom.lesion import truth

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((sample_folder() / SECOND.patient / "facts.json").read_text("utf-8"))
    return found


def test_the_facts_tell_every_state_and_every_change_of_identity(facts: dict[str, Any]) -> None:
    states = {state for visit in facts["visits"] for state in visit["states"].values()}
    assert states >= {"first_seen", "new", "recurrent", "improved", "persistent", "worsened", "resolved", "not_imaged"}
    having = [{x["id"]: x.get("tracks", [x["id"]]) for x in visit["lesions"]} for visit in facts["visits"]]
    assert any(len(tracks) > 1 for lesions in having for tracks in lesions.values())  # merged
    assert any(max(Counter(chain.from_iterable(x.values())).values()) > 1 for x in having)  # split
    assert len(facts["visits"]) == 6


def test_states_follow_from_true_volumes(facts: dict[str, Any]) -> None:
    volumes: dict[str, list[float]] = {}
    for visit in facts["visits"]:
        marked: dict[str, float] = {}
        for lesion in visit["lesions"]:
            for track in lesion.get("tracks", [lesion["id"]]):
                marked[track] = marked.get(track, 0.0) + lesion["volume_ml"]
        for track, ml in marked.items():
            volumes.setdefault(f"{track} {visit['date']}", []).append(ml)
    for track, course in SECOND.states.items():
        seen = [
            (state, volumes[f"{track} {visit.day.isoformat()}"][0])
            for state, visit in zip(course, SECOND.visits, strict=True)
            if f"{track} {visit.day.isoformat()}" in volumes
        ]
        for (_, before), (state, now) in pairwise(seen):
            if state != "recurrent":
                change = (now - before) / min(now, before)
                limit = Threshold().volume_change
                expected = "worsened" if change > limit else "improved" if change < -limit else "persistent"
                assert state == expected, (track, before, now)


def test_a_stored_lesion_is_what_its_shape_says(facts: dict[str, Any]) -> None:
    visit = SECOND.visits[0]
    child = SECOND.body(visit)
    stored = {x["id"]: x for x in facts["visits"][0]["lesions"]}
    for lesion in SECOND.lesions(visit, child):
        ml, middle = truth(lesion, child, 0.6)
        assert ml == pytest.approx(stored[lesion.name]["volume_ml"], rel=0.05)
        assert middle == pytest.approx(stored[lesion.name]["centroid_lps_mm"], abs=0.3)
        assert child.sites(middle)[0] == stored[lesion.name]["site"] == lesion.site


def _states(comparison: Path) -> Counter[tuple[str, str, str]]:
    with comparison.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return Counter(
        (name.partition("@")[2], row["site"], state)
        for row in rows
        for name, state in row.items()
        if name.startswith("state@") and state
    )


@pytest.mark.long
def test_read_from_its_images_it_comes_out_as_the_facts_say(facts: dict[str, Any], tmp_path: Path) -> None:
    ran = lesionmap("demo", "--course", "--no-window", "-o", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads((tmp_path / "out" / SECOND.patient / "facts.json").read_text("utf-8")) == facts
    expected = Counter(
        (visit["date"], SECOND.sites[track], state)
        for visit in facts["visits"]
        for track, state in visit["states"].items()
    )
    assert _states(tmp_path / "out" / "comparison.csv") == expected
    with (tmp_path / "out" / "lesions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert Counter(row["visit_date"] for row in rows) == {v["date"]: v["count"] for v in facts["visits"]}
    changed = {(row["visit_date"], row["site"], row["split_merge"]) for row in rows if row["split_merge"]}
    assert changed == {
        ("2009-09-02", "tibia.distal_metaphysis.left", "merged"),
        ("2010-04-21", "femur.distal_metaphysis.right", "split"),
    }
    assert {row["modality"] for row in rows if row["visit_date"] == "2010-04-21"} >= {"MR"}
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "pamidronate" in page
    assert "Bone scan of 2010-04-21" in page
