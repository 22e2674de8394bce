"""Study: the store of patients, visits, placements, lesion maps and their history, on SQLite (PostgreSQL by URL)."""

from lesionmap.store.claims import Claim
from lesionmap.store.history import Conflict, Edit, VisitConflict
from lesionmap.store.study import Study
from lesionmap.store.words import HistoryRow, conflict_words, history_words

__all__ = ["Claim", "Conflict", "Edit", "HistoryRow", "Study", "VisitConflict", "conflict_words", "history_words"]
