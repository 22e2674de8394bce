"""Draw the picture of docs/agreement.md: two readers of a simulated study. ``make agreement-page``."""

from __future__ import annotations

from pathlib import Path

from lesionmap.agreement import compare_readers
from lesionmap.write.agreed import write_agreement
from second_reader import Habits, two_readers

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"

if __name__ == "__main__":
    found = compare_readers(two_readers(14, Habits(misses=0.08, imagines=0.06, doubts=0.06)), ("anna", "bert"))
    write_agreement(found, IMAGES / "agreement.png", overwrite=True)
