"""The phantom: children of its own making, with known truth, and the sample patients made of two of them.

It knows the atlas's vocabulary (site ids) and nothing of its geometry, so that the atlas can be measured against it.
``python -m lesionmap.phantom sample_data`` writes the first, and the facts of the second.
"""

from lesionmap.phantom.body import Body, body
from lesionmap.phantom.sample import jittered, make_sample
from lesionmap.phantom.second_case import SECOND
from lesionmap.phantom.stations import Plan, Stack, acquire, render
from lesionmap.phantom.tissue import Tissues, tissues

__all__ = [
    "SECOND",
    "Body",
    "Plan",
    "Stack",
    "Tissues",
    "acquire",
    "body",
    "jittered",
    "make_sample",
    "render",
    "tissues",
]
