"""What every test stands on: no screen unless asked, no patient data in tracebacks, the same examples each time."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from figures import figures, pytest_addoption, pytest_configure, pytest_terminal_summary, ratio, tell
from orthanc import large, no_credentials, orthanc, secure_orthanc, strict_orthanc
from postgresql import place, postgresql, where

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "figures", "large", "no_credentials", "orthanc", "place", "postgresql", "pytest_addoption", "pytest_configure",
    "pytest_terminal_summary", "ratio", "secure_orthanc", "strict_orthanc", "tell", "where",
]  # fmt: skip

# Before anything imports matplotlib, psygnal or napari.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("PSYGNAL_HIDE_LOCALS", "1")
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp(prefix="lesionmap-napari-")) / "settings.yaml"))
os.environ.setdefault("LESIONMAP_STATE", tempfile.mkdtemp(prefix="lesionmap-state-"))
os.environ.setdefault("NO_COLOR", "1")

settings.register_profile(
    "lesionmap",
    deadline=None,  # machines differ; speed is measured in tests/benchmarks
    derandomize=True,  # a red test is red again
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("lesionmap")

PERSONAL = (
    "SAMPLE^PATIENT",
    "SAMPLE-CRMO",
    "HIDDEN^PERSON",
    "Secret^Name",
    "SECRET-",
    "Doe^Jane",
    "Müller^",
    "HOSPITAL-",
)
"""Names and hospital numbers of the patients of tests."""


@pytest.fixture(autouse=True)
def no_person_in_any_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Look through what was logged in each test, ours and the libraries': it must name nobody."""
    yield
    said = [record.getMessage() for when in ("setup", "call") for record in caplog.get_records(when)]
    assert not [line for line in said if any(name in line for name in PERSONAL)]
