"""A click becomes a mask, painted slices become a body, bright marrow becomes candidates."""

from lesionmap.segment.candidates import Candidate, candidates
from lesionmap.segment.click import Click, click, grow
from lesionmap.segment.fill import fill_between

__all__ = ["Candidate", "Click", "candidates", "click", "fill_between", "grow"]
