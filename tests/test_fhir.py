"""A visit as FHIR: FHIR's own models take it, nothing points outside, nothing tells who."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cli_case import lesionmap
from lesionmap.errors import LesionmapError
from lesionmap.lesions import LesionMap
from lesionmap.skeleton import groups, sites
from lesionmap.store import Study
from lesionmap.visits import Patient
from lesionmap.write import fhir_bundle, results_of, write_fhir
from lesionmap.write.fhir import PRIVATE
from write_case import CLAVICLE, EVIL, JOINT, SPINE, Mark, case, facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THEN, LATER = "2008-05-04", "2009-05-04"


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def lesions(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give track → Observation."""
    found = resources(bundle, "Observation")
    return {x["identifier"][0]["value"].removeprefix("urn:oid:"): x for x in found if "identifier" in x}


def component(observation: dict[str, Any], words: str) -> dict[str, Any]:
    (found,) = (x for x in observation["component"] if x["code"]["text"] == words)
    return dict(found)


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "reference" in value:
            yield value["reference"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


@pytest.mark.parametrize("visit", ["2006-03-01", THEN, LATER])
def test_it_comes_back_from_the_models_and_every_reference_resolves(tmp_path: Path, visit: str) -> None:
    from fhir.resources.R4B.bundle import Bundle

    path = tmp_path / "b.json"
    write_fhir(case(), visit, path)
    text = path.read_text(encoding="utf-8")
    bundle = json.loads(text)
    again = Bundle.model_validate_json(text)
    assert json.loads(again.model_dump_json()) == bundle
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    used = set(references(bundle))
    assert used <= set(urls)
    (report,) = resources(bundle, "DiagnosticReport")
    assert len(report["result"]) == len(resources(bundle, "Observation"))
    assert {url for url in urls if url not in used} == {f"urn:uuid:{report['id']}"}
    with pytest.raises(LesionmapError, match="exists already"):
        write_fhir(case(), visit, path)


def test_it_is_the_same_each_time_and_another_for_another_reader() -> None:
    assert fhir_bundle(case(), THEN) == fhir_bundle(case(), THEN)
    one, other = fhir_bundle(case(), THEN), fhir_bundle(case("ben"), THEN)
    assert {x["id"] for x in resources(one, "Observation")} & {
        x["id"] for x in resources(other, "Observation")
    } == set()
    later = fhir_bundle(case(), LATER)
    assert resources(later, "Patient") == resources(one, "Patient") == [
        {"resourceType": "Patient", "id": "P001", "gender": "male"}
    ]  # fmt: skip


def test_nothing_tells_who_read_or_what_was_noted() -> None:
    text = json.dumps(fhir_bundle(case(EVIL), THEN)) + json.dumps(fhir_bundle(case(EVIL), LATER))
    assert "alert" not in text
    assert "cmd" not in text
    assert "birthDate" not in text


def test_lesions_that_count_have_size_and_certainty() -> None:
    bundle = fhir_bundle(case(), THEN)
    found = lesions(bundle)
    assert len(found) == 4  # the normal variant in the foot is not among them
    clavicle = found[CLAVICLE]
    assert component(clavicle, "Volume")["valueQuantity"] == {
        "value": 8.2, "unit": "ml", "system": "http://unitsofmeasure.org", "code": "mL"
    }  # fmt: skip
    assert component(clavicle, "Diameter")["valueQuantity"]["value"] == 17.25
    assert component(clavicle, "certainty")["valueCodeableConcept"]["text"] == "definite"
    change = component(clavicle, "Change from prior")["valueCodeableConcept"]["coding"]
    assert [x["code"] for x in change] == ["35105006", "RID36043", "worsened"]
    joint = component(found[JOINT], "Volume")
    assert "valueQuantity" not in joint
    assert joint["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    seen = component(found[SPINE], "Change from prior")["valueCodeableConcept"]["coding"]
    assert [(x["system"], x["code"]) for x in seen] == [(PRIVATE, "first_seen")]


def test_counts_stand_with_their_rule() -> None:
    results = case()
    found = {x["code"]["text"]: x for x in resources(fhir_bundle(results, THEN), "Observation") if "valueInteger" in x}
    assert found["Number of lesions"]["valueInteger"] == results.counts[THEN].total.lesions == 4
    assert found["bones affected without hands and feet"]["valueInteger"] == 4
    assert len(found) == 6
    for one in found.values():
        assert one["note"] == [{"text": results.rule.sentence}]


def test_what_is_gone_is_absent_and_what_nobody_knows_has_no_value() -> None:
    found = lesions(fhir_bundle(case(), LATER))
    assert found[SPINE]["valueCodeableConcept"]["coding"][0]["code"] == "2667000"
    gone = component(found[SPINE], "Change from prior")["valueCodeableConcept"]["coding"]
    assert [(x["system"], x["code"]) for x in gone] == [(PRIVATE, "resolved")]
    joint = found[JOINT]
    assert "valueCodeableConcept" not in joint
    assert [x["code"] for x in joint["dataAbsentReason"]["coding"]] == ["unknown", "cannot_judge"]
    unanswered = next(x for x in found.values() if x["bodySite"]["text"] == "left distal tibial metaphysis")
    assert unanswered["dataAbsentReason"]["text"] == "marked before, neither marked nor answered now"


def test_what_came_back_and_what_merged_have_codes_of_our_own() -> None:
    spot = "tibia.distal_metaphysis.left"
    visits = [facts(f"20{n:02}-01-01", None, [Mark(spot, CLAVICLE)], None) for n in (10, 12)]
    from lesionmap.lesions import Answer

    empty = LesionMap("P001", "2011-01-01", "anna", (), (Answer(CLAVICLE, "resolved"),))
    between = replace(facts("2011-01-01", None, [], None), lesion_map=empty)
    found = lesions(fhir_bundle(results_of(Patient("P001"), [visits[0], between, visits[1]]), "2012-01-01"))
    said = component(found[CLAVICLE], "Change from prior")["valueCodeableConcept"]["coding"]
    assert [(x["system"], x["code"]) for x in said] == [(PRIVATE, "recurrent")]
    two = facts("2010-01-01", None, [Mark(spot, CLAVICLE), Mark(spot, SPINE)], None)
    (lesion,) = visits[1].lesion_map.lesions
    one = replace(visits[1].lesion_map, lesions=(replace(lesion, tracks=(CLAVICLE, SPINE)),))
    bundle = fhir_bundle(results_of(Patient("P_1", "F"), [two, replace(visits[1], lesion_map=one)]), "2012-01-01")
    (merged,) = lesions(bundle).values()
    assert component(merged, "merged or split")["valueCodeableConcept"]["coding"][0]["code"] == "merged"
    (who,) = resources(bundle, "Patient")
    assert who["gender"] == "female"
    assert "_" not in who["id"]


def test_a_split_lesion_is_two_and_a_signed_map_is_final() -> None:
    then = facts("2010-01-01", None, [Mark("tibia.diaphysis.left", CLAVICLE)], None)
    now = facts("2011-01-01", None, [Mark("tibia.diaphysis.left", CLAVICLE)] * 2, None)
    now = replace(now, lesion_map=replace(now.lesion_map, signed=True))
    bundle = fhir_bundle(results_of(Patient("P001"), [then, now]), "2011-01-01")
    both = [x for x in resources(bundle, "Observation") if "identifier" in x]
    assert len({x["id"] for x in both}) == 2
    assert {x["identifier"][0]["value"] for x in both} == {f"urn:oid:{CLAVICLE}"}
    assert {component(x, "merged or split")["valueCodeableConcept"]["coding"][0]["code"] for x in both} == {"split"}
    (report,) = resources(bundle, "DiagnosticReport")
    assert {x["status"] for x in (report, *both)} == {"final"}
    assert "2 lesions in 1 bone" in report["conclusion"]


def test_every_site_and_group_has_a_body_structure() -> None:
    names = [*(place.id for place in sites()), *(place.id for place in groups())]
    marks = [Mark(name, f"2.25.{n}") for n, name in enumerate(names, start=1)]
    found = resources(fhir_bundle(results_of(Patient("P001"), [facts(THEN, None, marks, None)]), THEN), "BodyStructure")
    assert [x["identifier"][0]["value"] for x in found] == names
    by_name = dict(zip(names, found, strict=True))
    for x in found:
        (code,) = x["location"]["coding"]
        assert code["code"]
        assert x["description"]
    ankle = by_name["ankle.left"]
    assert ankle["locationQualifier"][-1]["text"] == "Left"
    parents = [x for x in found if "coded by the nearest that has a code" in x["description"]]
    assert by_name["pubis.whole.left"] in parents
    assert 0 < len(parents) < len(found) / 2


def test_a_visit_that_nobody_read_is_no_bundle() -> None:
    unread = results_of(Patient("P001"), [facts(THEN, None, [], None)])
    with pytest.raises(LesionmapError, match="was not read by 'anna'"):
        fhir_bundle(unread, THEN)


def test_the_verb_writes_it(tmp_path: Path) -> None:
    with Study.open(tmp_path / "s", create=True) as study:
        study.add_patient(Patient("P001"))
        first = facts(THEN, 9.0, [Mark("ankle.left", CLAVICLE)], None)
        study.add_visit(first.visit)
        study.save(replace(first.lesion_map, lesions=()), first.lesion_map)
    ran = lesionmap("export", tmp_path / "s", "P001", THEN, "--fhir", "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    bundle = json.loads((tmp_path / "out" / f"P001_{THEN}_fhir.json").read_text(encoding="utf-8"))
    assert list(lesions(bundle)) == [CLAVICLE]
    assert lesionmap("export", tmp_path / "s", "P001", THEN, "--fhir", "-o", tmp_path / "out").code == 1
