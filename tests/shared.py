"""Where the reference data beside the checkout is; tests that need it skip when it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

__all__ = ["shared_data"]

_ROOT = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data(name: str) -> Path:
    """Give the folder or file of that name among the reference data, or skip the test."""
    path = _ROOT / name
    if not path.exists():
        pytest.skip(f"../shared/data/{name} is not on this machine")
    return path
