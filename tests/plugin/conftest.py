"""One small study for all tests of the plugin; each test works on a copy of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from plugin.small import make_study


@pytest.fixture(scope="session")
def made_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("small"))


@pytest.fixture
def study_path(made_study: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made_study, tmp_path / "copy.lesionmap"))
