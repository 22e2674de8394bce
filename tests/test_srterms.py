"""The words of DICOM SR: every word that a reader can say has a code, and no code stands for two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

import pytest

from lesionmap.compare import SplitMerge, State
from lesionmap.lesions import Attributes, Certainty, Change, Physis, Verdict
from lesionmap.read import srterms as terms
from lesionmap.skeleton import Code
from lesionmap.visits import Phase

CODES = [value for value in vars(terms).values() if isinstance(value, Code)]
TABLES = {name: value for name, value in vars(terms).items() if isinstance(value, Mapping) and name.isupper()}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (terms.CERTAINTIES, Certainty),
        (terms.CHANGES, Change),
        (terms.PHYSES, Physis),
        (terms.VERDICTS, Verdict),
        (terms.PHASES, Phase),
        (terms.STATES, State),
    ],
)
def test_every_word_has_a_code_of_its_own(table: Mapping[Any, Code], words: Any) -> None:
    assert set(table) == set(get_args(words))
    for word, code in table.items():
        assert terms.word_of(table, code.value, code.scheme) == word
    assert len({(code.value, code.scheme) for code in table.values()}) == len(table)


def test_every_attribute_is_told() -> None:
    assert {*terms.ATTRIBUTES, "appearance"} == {field.name for field in fields(Attributes)}
    assert {"", *terms.SPLITS} == set(get_args(SplitMerge))


def test_codes_fit_their_value_representations() -> None:
    codes = [*CODES, *(code for table in TABLES.values() for code in table.values())]
    assert len(codes) > 90
    for code in codes:
        assert 0 < len(code.value) <= 16, code  # SH
        assert 0 < len(code.scheme) <= 16, code
        assert 0 < len(code.meaning) <= 64, code  # LO


def test_concepts_are_told_apart() -> None:
    seen = {(code.value, code.scheme): code.meaning for code in CODES}
    assert len(seen) == len(CODES)


def test_codes_of_dicom_are_those_of_the_dictionary() -> None:
    """The meanings of what pydicom knows are pydicom's, so that no code was mistyped."""
    from pydicom.sr.codedict import codes

    known: dict[tuple[str, str], set[str]] = {}
    for scheme in ("DCM", "SCT", "UCUM"):
        listed = getattr(codes, scheme)
        for code in (getattr(listed, name) for name in dir(listed) if name[0].isupper() or name[0] == "_"):
            if not callable(code) and hasattr(code, "meaning"):
                known.setdefault((code.value, scheme), set()).add(code.meaning.casefold())
    differ = [
        code
        for code in CODES
        if (code.value, code.scheme) in known
        and not any(
            code.meaning.casefold() in one or one in code.meaning.casefold() for one in known[code.value, code.scheme]
        )
    ]
    assert differ == []
    unknown = {
        code.meaning for code in CODES if code.scheme in ("DCM", "UCUM") and (code.value, code.scheme) not in known
    }
    assert unknown <= {"square millimeter", "milliliter"}  # UCUM has more units than a dictionary lists
