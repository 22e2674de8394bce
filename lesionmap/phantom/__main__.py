"""``python -m lesionmap.phantom FOLDER``: write the sample patient."""

from __future__ import annotations

import argparse

from lesionmap.phantom.sample import make_sample

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the sample patient of lesionmap.")
    parser.add_argument("folder", help="where to, usually sample_data")
    make_sample(parser.parse_args().folder)
