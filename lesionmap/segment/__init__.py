"""A click becomes a mask, painted slices become a body, bright marrow becomes candidates."""

from lesionmap.segment.click import Click, click, grow
from lesionmap.segment.fill import fill_between

__all__ = ["Click", "click", "fill_between", "grow"]
