"""lesionmap: map the bone lesions of children with CRMO/CNO on a growing skeleton, visit after visit.

A visit is read, the skeleton is placed on it, a reader marks lesions, the marks are measured and counted,
visits are compared, the result is written. Each step is a module: ``lesionmap.read``, ``lesionmap.skeleton``,
``lesionmap.annotate``, ``lesionmap.measure``, ``lesionmap.compare``, ``lesionmap.write``; ``lesionmap.store``
keeps the decisions. Research use only.
"""

from lesionmap.errors import LesionmapError
from lesionmap.space import Grid, Volume

__all__ = ["Grid", "LesionmapError", "Volume", "__version__"]

__version__ = "0.1.0"
