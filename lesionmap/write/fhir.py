"""A visit as FHIR R4B: one Bundle that holds all it refers to, pseudonymous, the same each time it is written.

A lesion is an Observation at a BodyStructure, a count is an Observation with its rule in a note, and a DiagnosticReport
names them all. Concepts are those of the DICOM report; RadLex codes of changes stand beside (openimagingdata/
findingmodels, MIT). What no standard has is of the private code system ``urn:lesionmap:99LESIONMAP``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from lesionmap.compare import is_read
from lesionmap.errors import LesionmapError
from lesionmap.measure import main_measurement
from lesionmap.read import srterms as terms
from lesionmap.skeleton import Code
from lesionmap.write.codes import site_codes
from lesionmap.write.files import saving
from lesionmap.write.rows import count_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lesionmap.compare import Change, State, TrackCourse
    from lesionmap.lesions import Lesion
    from lesionmap.write.results import Results

__all__ = ["PRIVATE", "fhir_bundle", "write_fhir"]

Plain = dict[str, Any]

PRIVATE = "urn:lesionmap:99LESIONMAP"
"""Code system of what no standard has; its codes are those of the DICOM report."""

_SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        "SCT": "http://snomed.info/sct",
        "DCM": "http://dicom.nema.org/resources/ontology/DCM",
        "RADLEX": "http://radlex.org",
        "FMA": "urn:oid:2.16.840.1.113883.6.119",
        "NCIt": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
        "LN": "http://loinc.org",
        terms.SCHEME: PRIVATE,
    }
)
_UCUM = "http://unitsofmeasure.org"
_HL7 = "http://terminology.hl7.org/CodeSystem"
_REPORT = Code("18748-4", "LN", "Diagnostic imaging study")
_CHANGE = (terms.CHANGE, Code("263702003", "SCT", "Change from prior"))
_PRESENT = (Code("52101004", "SCT", "Present"), Code("RID28472", "RADLEX", "present"))
_ABSENT = (Code("2667000", "SCT", "Absent"), Code("RID28473", "RADLEX", "absent"))
_RADLEX: Mapping[State, Code] = MappingProxyType(
    {
        "new": Code("RID5720", "RADLEX", "new"),
        "persistent": Code("RID39268", "RADLEX", "unchanged"),
        "worsened": Code("RID36043", "RADLEX", "increased"),
        "improved": Code("RID36044", "RADLEX", "decreased"),
    }
)
_NO_VALUE: Mapping[State, str] = MappingProxyType(
    {"not_imaged": "not-performed", "cannot_judge": "unknown", "unanswered": "unknown"}
)
"""States in which nothing is known of a lesion, and the data-absent-reason of each."""
_WITHOUT_HANDS_FEET = (terms.N_LESIONS_PART, terms.N_BONES_PART, terms.N_SITES_PART)
_SEXES = {"F": "female", "M": "male"}


@dataclass(frozen=True, slots=True)
class _Visit:
    """What all resources of a bundle share."""

    results: Results
    key: str

    def uuid(self, *what: str) -> str:
        """Give the id of a resource: the same whenever the same thing is written."""
        reader = self.results.reader
        return str(uuid5(NAMESPACE_URL, "\n".join(("lesionmap", self.results.patient.id, self.key, reader, *what))))

    @property
    def patient(self) -> str:
        """The id of the patient, the same in all visits."""
        return str(uuid5(NAMESPACE_URL, f"lesionmap\n{self.results.patient.id}"))

    def site(self, name: str) -> str:
        """Give the id of a place of the patient's body, the same in all visits."""
        return str(uuid5(NAMESPACE_URL, f"lesionmap\n{self.results.patient.id}\nsite\n{name}"))

    def observation(self, what: str, name: str) -> Plain:
        """Begin an Observation."""
        facts = self.results.facts(self.key)
        return {
            "resourceType": "Observation",
            "id": self.uuid(what, name),
            "status": "final" if facts.lesion_map.signed else "preliminary",
            "category": [{"coding": [_coding(f"{_HL7}/observation-category", "imaging", "Imaging")]}],
            "subject": _reference(self.patient),
            "effectiveDateTime": facts.visit.date.isoformat(),
        }


def fhir_bundle(results: Results, visit: str) -> Plain:
    """Give a visit as a FHIR R4B Bundle of type *collection*, as plain values of its JSON.

    Parameters
    ----------
    results : Results
        Of one patient and reader.
    visit : str
        Its key. Of its marks those that count are in it, and the tracks that counted before.

    Returns
    -------
    dict
        Patient (pseudonym and sex), BodyStructures, Observations, DiagnosticReport. The reader, notes, and birth date
        are not in it.

    Raises
    ------
    LesionmapError
        If nobody read the visit, or the resources are not as FHIR wants them.
    """
    from fhir.resources.R4B.bundle import Bundle

    facts = results.facts(visit)
    if not is_read(facts):
        raise LesionmapError(f"visit {visit} was not read by {results.reader!r}; mark, answer or sign it first")
    here = _Visit(results, visit)
    counted = [x for x in facts.lesion_map.lesions if results.counts[visit].of(x.id).counted]
    gone = [(course, change) for course in results.courses if (change := _unmarked(course, visit))]
    names = dict.fromkeys([name for lesion in counted for name in lesion.sites] + [course.site for course, _ in gone])
    lesions = [_lesion(here, lesion) for lesion in counted] + [_without_mark(here, *one) for one in gone]
    found = [*lesions, *_counts(here)]
    resources = [_patient(here), *(_body_structure(here, name) for name in names), *found, _report(here, found)]
    bundle = {
        "resourceType": "Bundle",
        "id": here.uuid("bundle"),
        "type": "collection",
        "entry": [{"fullUrl": f"urn:uuid:{_entry_id(here, one)}", "resource": one} for one in resources],
    }
    try:
        made = Bundle.model_validate(bundle)
    except ValueError as error:  # pydantic's, whose text shows values
        raise LesionmapError(f"visit {visit} is no FHIR R4B bundle ({type(error).__name__}); please tell us") from None
    plain: Plain = json.loads(made.model_dump_json())
    return plain


def write_fhir(results: Results, visit: str, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the bundle of a visit as JSON.

    Parameters
    ----------
    results, visit
        As for ``fhir_bundle``.
    path : str or Path
        Ends in ``.json``.
    overwrite : bool
        Whether an existing file may be replaced.
    """
    bundle = fhir_bundle(results, visit)
    with saving(path, overwrite=overwrite) as temporary, temporary.open("x", encoding="utf-8") as stream:
        json.dump(bundle, stream, ensure_ascii=False, indent=1, allow_nan=False)
        stream.write("\n")


def _entry_id(here: _Visit, resource: Plain) -> str:
    return here.patient if resource["resourceType"] == "Patient" else resource["id"]


def _coding(system: str, code: str, display: str) -> Plain:
    return {"system": system, "code": code, "display": display}


def _concept(codes: Iterable[Code], text: str = "") -> Plain:
    """Give a CodeableConcept of codes that mean the same."""
    listed = list(codes)
    coding = [_coding(_SYSTEMS[code.scheme], code.value, code.meaning) for code in listed]
    return {"coding": coding, "text": text or listed[0].meaning}


def _reference(uuid: str) -> Plain:
    return {"reference": f"urn:uuid:{uuid}"}


def _patient(here: _Visit) -> Plain:
    who = here.results.patient
    # An underscore may stand in a pseudonym, and not in an id.
    name = who.id if "_" not in who.id else here.patient
    return {"resourceType": "Patient", "id": name, "gender": _SEXES.get(who.sex or "", "unknown")}


def _body_structure(here: _Visit, name: str) -> Plain:
    """Give a site or a group; where it has no code of its own its nearest parent has one, and the text says which."""
    codes = site_codes(name)
    parent = f" (coded by the nearest that has a code: {codes.region.meaning})" if codes.region_is_parent else ""
    qualifiers = [*codes.modifiers, *([codes.laterality] if codes.laterality else [])]
    return {
        "resourceType": "BodyStructure",
        "id": here.site(name),
        "identifier": [{"system": f"{PRIVATE}:site", "value": name}],
        "location": _concept([codes.region], codes.text),
        **({"locationQualifier": [_concept([code]) for code in qualifiers]} if qualifiers else {}),
        "description": f"{codes.text}{parent}",
        "patient": _reference(here.patient),
    }


def _site(here: _Visit, name: str) -> Plain:
    """Give the bodySite of an Observation, which points to the BodyStructure."""
    codes = site_codes(name)
    link = {
        "url": "http://hl7.org/fhir/StructureDefinition/bodySite",
        "valueReference": _reference(here.site(name)),
    }
    return {"extension": [link], **_concept([codes.region], codes.text)}


def _identifiers(tracks: Sequence[str]) -> Plain:
    found = [{"system": "urn:dicom:uid", "value": f"urn:oid:{track}"} for track in tracks if track]
    return {"identifier": found} if found else {}


def _lesion(here: _Visit, lesion: Lesion) -> Plain:
    """Give a lesion that counts."""
    facts = here.results.facts(here.key)
    measured = main_measurement(facts.measurements.get(lesion.id, ()))
    change = here.results.change(here.key, lesion)
    components = [
        _size(terms.VOLUME, measured.volume_ml, 3, ("ml", "mL"), measured.why_not),
        _size(terms.DIAMETER, measured.diameter_mm, 2, ("mm", "mm"), measured.why_not),
        {"code": _concept([terms.CERTAINTY]), "valueCodeableConcept": _concept([terms.CERTAINTIES[lesion.certainty]])},
        *({"code": _concept([terms.FINDING_SITE]), "valueCodeableConcept": _more(name)} for name in lesion.sites[1:]),
        *(_change(change) if change else ()),
    ]
    return {
        **here.observation("lesion", "\n".join((*lesion.tracks, lesion.id))),
        **_identifiers(lesion.tracks),
        "code": _concept([terms.LESION]),
        "bodySite": _site(here, lesion.sites[0]),
        "valueCodeableConcept": _concept(_PRESENT),
        "component": components,
    }


def _more(name: str) -> Plain:
    codes = site_codes(name)
    return _concept([codes.region], codes.text)


def _size(code: Code, value: float | None, digits: int, unit: tuple[str, str], why_not: str) -> Plain:
    words, ucum = unit
    if value is None:
        reason = {"coding": [_coding(f"{_HL7}/data-absent-reason", "unknown", "Unknown")]}
        return {"code": _concept([code]), "dataAbsentReason": {**reason, **({"text": why_not} if why_not else {})}}
    quantity = {"value": round(value, digits), "unit": words, "system": _UCUM, "code": ucum}
    return {"code": _concept([code]), "valueQuantity": quantity}


def _change(change: Change) -> list[Plain]:
    """Give the change since the prior by the standards' codes where there are, and by our own word."""
    standard = [terms.STATES[change.state]] if terms.STATES[change.state].scheme != terms.SCHEME else []
    own = Code(change.state, terms.SCHEME, change.state.replace("_", " "))
    codes = [*standard, *([_RADLEX[change.state]] if change.state in _RADLEX else []), own]
    found = [{"code": _concept(_CHANGE), "valueCodeableConcept": _concept(codes, own.meaning)}]
    if change.split_merge:
        said = _concept([terms.SPLITS[change.split_merge]])
        found.append({"code": _concept([terms.SPLIT_MERGE]), "valueCodeableConcept": said})
    return found


def _unmarked(course: TrackCourse, visit: str) -> Change | None:
    """Give the change of a track that counted before the visit and is not marked in it."""
    change = course.states.get(visit)
    before = list(course.states)[: list(course.states).index(visit)] if change else []
    counted = any(course.states[key].counted for key in before)
    return change if change is not None and not change.lesions and counted else None


def _without_mark(here: _Visit, course: TrackCourse, change: Change) -> Plain:
    """Give a lesion of before: gone, or nothing is known of it, and why."""
    begun = {
        **here.observation("track", course.track or f"{course.site}\n{min(course.states)}"),
        **_identifiers([course.track]),
        "code": _concept([terms.LESION]),
        "bodySite": _site(here, course.site),
    }
    if change.state in _NO_VALUE:
        code = _NO_VALUE[change.state]
        said = _coding(f"{_HL7}/data-absent-reason", code, code.replace("-", " ").capitalize())
        own = terms.STATES[change.state]
        coding = [said, _coding(PRIVATE, own.value, own.meaning)]
        return {**begun, "dataAbsentReason": {"coding": coding, "text": own.meaning}}
    return {**begun, "valueCodeableConcept": _concept(_ABSENT), "component": _change(change)}


def _counts(here: _Visit) -> list[Plain]:
    count = here.results.counts[here.key]
    whole, part = count.total, count.without_hands_feet
    numbers = {
        terms.N_LESIONS: whole.lesions,
        terms.N_BONES: whole.bones,
        terms.N_SITES: whole.sites,
        **dict(zip(_WITHOUT_HANDS_FEET, (part.lesions, part.bones, part.sites), strict=True)),
    }
    return [
        {
            **here.observation("count", code.value),
            "code": _concept([code]),
            "valueInteger": n,
            "note": [{"text": here.results.rule.sentence}],
        }
        for code, n in numbers.items()
    ]


def _report(here: _Visit, found: Sequence[Plain]) -> Plain:
    facts = here.results.facts(here.key)
    words = f"{count_words(here.results, facts)}. {here.results.rule.sentence}"
    return {
        "resourceType": "DiagnosticReport",
        "id": here.uuid("report"),
        "status": "final" if facts.lesion_map.signed else "preliminary",
        "category": [{"coding": [_coding(f"{_HL7}/v2-0074", "RAD", "Radiology")]}],
        "code": _concept([_REPORT], "Map of bone lesions"),
        "subject": _reference(here.patient),
        "effectiveDateTime": facts.visit.date.isoformat(),
        "result": [_reference(one["id"]) for one in found],
        "conclusion": f"{words} Research use only. Not for diagnosis or treatment.",
    }
