"""Patient, Visit, Series: names, ages and what is refused."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionmap.errors import LesionmapError
from lesionmap.visits import Patient, Visit, age_at, visit_key_parts
from strategies import visits


@given(visits())
def test_the_name_of_a_visit_reads_back(visit: Visit) -> None:
    assert visit_key_parts(visit.key) == (visit.date, visit.ordinal)


@pytest.mark.parametrize("key", ["", "4.5.2010", "2010-13-01", "2010-05-04.0", "2010-05-04.x", "2010-05-04.-1"])
def test_what_names_no_visit_is_refused(key: str) -> None:
    with pytest.raises(LesionmapError, match=r"a visit is named by its date, 2010-05-04 .*got"):
        visit_key_parts(key)


@given(st.dates(date(1990, 1, 1), date(2010, 1, 1)), st.integers(0, 7000))
def test_age_grows_by_a_year_in_a_year(birth: date, days: int) -> None:
    day = birth + timedelta(days=days)
    assert age_at(day, birth) == pytest.approx(days / 365.25)
    assert age_at(birth, birth) == 0


def test_age_on_a_birthday_is_whole() -> None:
    assert age_at(date(2010, 5, 4), date(2002, 5, 4)) == pytest.approx(8, abs=0.005)


def test_a_visit_before_birth_is_refused() -> None:
    with pytest.raises(LesionmapError, match=r"visit of 2001-05-04 lies before the patient's birth; .*--visit") as said:
        age_at(date(2001, 5, 4), date(2002, 5, 4))
    assert "2002" not in str(said.value)  # the birth date is personal


@given(visits(most_series=3))
def test_a_series_is_found_by_its_name(visit: Visit) -> None:
    for series in visit.series:
        assert visit.series_named(series.name) is series
    with pytest.raises(LesionmapError, match="has no series 'PET'; it has: "):
        visit.series_named("PET")


@pytest.mark.parametrize("name", ["", "Anna Müller", "../P001", "a/b", "x" * 65, "-rf", "P001\n"])
def test_what_is_no_pseudonym_is_refused_without_saying_it(name: str) -> None:
    with pytest.raises(LesionmapError, match="a patient's pseudonym is 1 to 64 letters") as said:
        Patient(name)
    assert not name or name not in str(said.value)
