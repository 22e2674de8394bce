"""What changed: the state of each track at each visit of a patient, by one table and in any order of entry.

State of a track at a visit, the first line that fits:

=========================== ============================================== ==================================
marked now                  before                                         state
=========================== ============================================== ==================================
yes                         never marked, an earlier visit had it imaged   ``new``
yes                         never marked, else                             ``first_seen``
yes                         last decision *resolved*                       ``recurrent``
yes                         marked                                         ``improved persistent worsened``
no, Answer given            marked                                         ``resolved not_imaged cannot_judge``
no, site not imaged         marked                                         ``not_imaged`` (computed)
no                          marked, not resolved                           ``unanswered``
no                          resolved                                       no row until it is marked again
=========================== ============================================== ==================================

*Decisions* are marks and Answers *resolved*: *not_imaged* and *cannot_judge* decide nothing about the lesion, so what
was resolved stays resolved behind them. A site that was imaged in part proves nothing, neither that the lesion would
have been seen (``new``) nor that it could not be (``not_imaged``). Before its first mark a track has no row; the
coverage of its site at those visits stands beside it. Marks called *normal_variant* or *not_bone* keep their
track's states, as they are on the map, and say that they are not counted.
"""

from __future__ import annotations

from lesionmap.compare.again import Doubt, look_again
from lesionmap.compare.course import compare
from lesionmap.compare.disease import Disease, Pattern, VisitDisease, disease_of, is_read
from lesionmap.compare.facts import Change, Imaged, SplitMerge, State, Threshold, TrackCourse, VisitFacts
from lesionmap.compare.matching import Match, match
from lesionmap.compare.modalities import MarkedOn, SiteSeen, marked_on, seen_by_site
from lesionmap.compare.pairing import pair_series

__all__ = [
    "Change",
    "Disease",
    "Doubt",
    "Imaged",
    "MarkedOn",
    "Match",
    "Pattern",
    "SiteSeen",
    "SplitMerge",
    "State",
    "Threshold",
    "TrackCourse",
    "VisitDisease",
    "VisitFacts",
    "compare",
    "disease_of",
    "is_read",
    "look_again",
    "marked_on",
    "match",
    "pair_series",
    "seen_by_site",
]
