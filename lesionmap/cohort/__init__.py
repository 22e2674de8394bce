"""A verb over many patients of one or several studies, on the cores of this machine or on a cluster.

The unit of work is one patient of one study. A worker opens the study itself and writes the patient's files; what goes
to it and comes back is plain text and numbers. One bad patient never stops the rest.
"""

from lesionmap.cohort.facts import PatientFacts, Span, VisitTally, facts_of
from lesionmap.cohort.figures import write_figures
from lesionmap.cohort.order import Order, Summary
from lesionmap.cohort.run import cohort

__all__ = ["Order", "PatientFacts", "Span", "Summary", "VisitTally", "cohort", "facts_of", "write_figures"]
