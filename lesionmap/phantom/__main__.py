"""``python -m lesionmap.phantom FOLDER``: write the first sample patient, and the facts of the second."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from lesionmap.phantom.sample import make_sample
from lesionmap.phantom.second_case import SECOND

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the sample patients of lesionmap.")
    parser.add_argument("folder", help="where to, usually sample_data", type=Path)
    folder = parser.parse_args().folder
    make_sample(folder)
    with TemporaryDirectory() as images:
        made = make_sample(images, SECOND, workers=os.cpu_count() or 1)
        (folder / SECOND.patient).mkdir(exist_ok=True)
        shutil.copy(made / "facts.json", folder / SECOND.patient / "facts.json")
