"""Study: pseudonyms, patients, visits and their series."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from sqlalchemy import select

from lesionmap.errors import LesionmapError
from lesionmap.store import Study, tables
from lesionmap.visits import Patient, Series, Visit
from strategies import series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = "2010-05-04"


@pytest.fixture
def study(where: str) -> Iterator[Study]:
    with Study.open(where, create=True) as made:
        made.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        made.add_visit(Visit("P001", date(2010, 5, 4)))
        yield made


def everything(where: str) -> bytes:
    """Give all that is stored of a study."""
    if "://" not in where:
        return b"".join(path.read_bytes() for path in Path(where).parent.glob(f"{Path(where).name}*"))
    with Study.open(where) as study, study._database.reading() as rows:
        return repr([rows.connection.execute(select(table)).all() for table in tables.metadata.sorted_tables]).encode()


def test_pseudonyms_count_up_and_are_known_again_by_a_hash_only(study: Study, where: str) -> None:
    key = "Hospital^Kinderklinik:KG4711-Müller"
    assert study.pseudonym(key) is None
    assert study.next_pseudonym() == "P002"
    study.add_patient(Patient("P002"))
    study.add_patient(Patient("P1500"))
    study.add_patient(Patient("Anna"))
    assert study.next_pseudonym() == "P1501"
    study.remember(key, "P002")
    study.remember(key, "P002")
    study.remember("Other:1", "P002")  # the same child in another hospital
    assert study.pseudonym(key) == study.pseudonym("Other:1") == "P002"
    with pytest.raises(LesionmapError, match="these images belong to patient P002 of this study, not to P001") as got:
        study.remember(key, "P001")
    with pytest.raises(LesionmapError, match="the study has no patient 'P009'; it has: Anna, P001, P002, P1500"):
        study.remember(key, "P009")
    study.close()
    stored = everything(where)
    assert b"P1500" in stored
    assert "KG4711" not in str(got.value)
    assert b"KG4711" not in stored  # no letters of hexadecimal: hashes and salt cannot hold them by chance
    assert b"Kinderklinik" not in stored


def test_the_salt_makes_hashes_of_two_studies_differ(place: Callable[[], str]) -> None:
    hashes: list[str] = []
    for where in (place(), place()):
        with Study.open(where, create=True) as study:
            hashes.append(study._hash("x:1"))
        with Study.open(where) as study:
            assert study._hash("x:1") == hashes[-1]
    assert hashes[0] != hashes[1]


def test_a_patient_is_added_once_and_can_be_corrected(study: Study) -> None:
    with pytest.raises(LesionmapError, match=r"has a patient P001 already; take study.next_pseudonym"):
        study.add_patient(Patient("P001"))
    study.replace_patient(Patient("P001", "F", date(2003, 1, 1)))
    assert study.patient("P001") == Patient("P001", "F", date(2003, 1, 1))
    with pytest.raises(LesionmapError, match="visit of 2010-05-04 lies before the patient's birth"):
        study.replace_patient(Patient("P001", "F", date(2013, 1, 1)))
    with pytest.raises(LesionmapError, match="the study has no patient 'P007'; it has: P001"):
        study.visits("P007")


def test_a_visit_gets_its_age_and_the_next_ordinal(study: Study) -> None:
    assert study.visit("P001", DAY).age_y == pytest.approx(8, abs=0.005)
    assert study.add_visit(Visit("P001", date(2010, 5, 4), age_y=8.5)).key == "2010-05-04.2"
    assert study.visit("P001", "2010-05-04.2").age_y == 8.5
    assert study.visit("P001", "20100504").key == DAY
    with pytest.raises(LesionmapError, match="has a visit 2010-05-04 already; add its series to it"):
        study.add_visit(Visit("P001", date(2010, 5, 4)), same_day="refuse")
    study.add_visit(Visit("P001", date(2009, 5, 4)))
    assert [v.key for v in study.visits("P001")] == ["2009-05-04", DAY, "2010-05-04.2"]


def test_a_visit_before_birth_is_refused_and_nothing_is_stored(study: Study) -> None:
    with pytest.raises(LesionmapError, match=r"visit of 2001-05-04 lies before the patient's birth; correct the date"):
        study.add_visit(Visit("P001", date(2001, 5, 4)))
    with pytest.raises(LesionmapError, match="age at a visit lies between 0 and 130 years, got -1"):
        study.add_visit(Visit("P001", date(2011, 5, 4), age_y=-1))
    assert len(study.visits("P001")) == 1


@settings(max_examples=5, deadline=None)
@given(stir=series(), scan=series(name="bone scan anterior late"))
def test_series_are_added_to_a_visit_under_names_of_their_own(
    place: Callable[[], str], stir: Series, scan: Series
) -> None:
    with Study.open(place(), create=True) as study:
        study.add_patient(Patient("P001"))
        key = study.add_visit(Visit("P001", date(2010, 5, 4))).key
        add_series(study, key, stir, scan)


def add_series(study: Study, key: str, stir: Series, scan: Series) -> None:
    study.add_series("P001", key, [stir])
    assert study.add_series("P001", key, [scan]).series == (stir, scan)
    assert study.visit("P001", key).series == (stir, scan)
    with pytest.raises(LesionmapError, match=r"have different names, but visit .* would have 'STIR coronal' twice"):
        study.add_series("P001", key, [stir])
    with pytest.raises(LesionmapError, match="would have 'STIR coronal' twice"):
        study.add_visit(Visit("P001", date(2011, 1, 2), series=(stir, stir)))
    assert study.visit("P001", key).series == (stir, scan)


def test_a_visit_that_is_not_there_is_named_with_those_that_are(study: Study) -> None:
    with pytest.raises(LesionmapError, match="patient P001 has no visit 2011-01-01; it has: 2010-05-04"):
        study.lesion_map("P001", "2011-01-01", "anna")
    with pytest.raises(LesionmapError, match="patient P001 has no visit 2011-01-01"):
        study.replace_visit(Visit("P001", date(2011, 1, 1)))
    with pytest.raises(LesionmapError, match="the study has no patient 'P02'"):
        study.placement("P02", DAY)
    with pytest.raises(LesionmapError, match="a visit is named by its date"):
        study.visit("P001", "yesterday")
