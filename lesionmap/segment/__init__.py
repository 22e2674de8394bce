"""A click becomes a mask, painted slices become a body, bright marrow becomes candidates."""

from lesionmap.segment.clicked import Click, click, grow
from lesionmap.segment.fill import fill_between
from lesionmap.segment.spots import Candidate, candidates

__all__ = ["Candidate", "Click", "candidates", "click", "fill_between", "grow"]
