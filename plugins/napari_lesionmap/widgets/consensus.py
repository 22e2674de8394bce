"""A consensus in the window: started from two signed maps, with what they do not say alike as a list to be settled."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QInputDialog, QVBoxLayout, QWidget

from lesionmap.agreement import CONSENSUS
from lesionmap.errors import LesionmapError
from lesionmap.readers import begin_consensus, consensus_readers, consensus_worklist, signed_readers
from napari_lesionmap.resolve import site_name
from napari_lesionmap.widgets.parts import cell, fill, heading, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QTableWidgetItem

    from lesionmap.agreement import Difference
    from napari_lesionmap.widgets.desk import Desk

    _Found = tuple[str, tuple[str, str], tuple[Difference, ...], str]
    """Visit, both readers, what they do not say alike; in words why that cannot be told."""

__all__ = ["ConsensusList", "enter_consensus"]

_SETTLED = "#8d939c"


class ConsensusList:
    """A row for each difference; a click goes to its lesion. Seen only where the map is a consensus."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._found: tuple[Difference, ...] = ()
        self.widget = QWidget()
        layout = QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 6)
        layout.setSpacing(4)
        self.heading = heading("")
        layout.addWidget(self.heading)
        self.table = table(("", "Site", "What they say"), 2, 5)
        self.table.setAccessibleName("differences of the readers")
        self.table.setWordWrap(True)
        self.table.cellClicked.connect(self._go)
        self.table.cellActivated.connect(self._go)  # Enter
        self.table.setMaximumHeight(self.table.minimumHeight())
        layout.addWidget(self.table)
        for signal in (desk.session.visit_changed, desk.session.map_changed):
            signal.connect(self.look)
        self.look()

    def look(self) -> None:
        """List the differences and what of them is settled, in a thread."""
        now, study = self._desk.session.now, self._desk.session.study
        self.widget.setVisible(False if now is None else now.lesion_map.reader == CONSENSUS and self.widget.isVisible())
        if now is None or study is None or now.lesion_map.reader != CONSENSUS:
            return
        who, when = now.visit.patient, now.visit.key

        def work() -> _Found:
            try:
                names = consensus_readers(study, who, when)
                return when, names, consensus_worklist(study, who, when, names), ""
            except LesionmapError as error:
                return when, ("", ""), (), str(error)

        self._desk.newest("consensus", work, self._take)

    def _take(self, found: _Found | None) -> None:
        now = self._desk.session.now
        if found is None or now is None or now.lesion_map.reader != CONSENSUS or found[0] != now.visit.key:
            self.widget.setVisible(False)
            return
        _, names, self._found, why = found
        left = sum(not one.settled for one in self._found)
        todo = f"{left} of {len(self._found)} to settle" if self._found else "none"
        self.heading.setText(why or f"Differences of {names[0]} and {names[1]}: {todo}")
        self.heading.setWordWrap(True)
        fill(self.table, [_cells(one, names) for one in self._found])
        self.table.resizeRowsToContents()
        self.widget.setVisible(True)

    def _go(self, row: int, _column: int) -> None:
        """Show the lesion that a row is of; where it was taken off, the site."""
        session, one = self._desk.session, self._found[row]
        session.select(one.lesions[0] if one.lesions else "")
        if session.lesion is None or not self._desk.stage.jump_to(session.lesion):
            self._desk.stage.jump_to_site(one.site)


def _cells(one: Difference, names: tuple[str, str]) -> tuple[QTableWidgetItem, ...]:
    colour = _SETTLED if one.settled else ""
    said = one.words or f"only {names[0 if one.ones else 1]}"
    tick = cell("✓" if one.settled else "", "settled" if one.settled else "to be settled", colour)
    return tick, cell(site_name(one.site), colour=colour), cell(said, colour=colour)


def enter_consensus(desk: Desk, open_map: Callable[[str, str, str], object], parent: QWidget) -> None:
    """Open the consensus of the visit that is open, or start it from two signed maps.

    Parameters
    ----------
    desk : Desk
        With a visit that is open.
    open_map : callable
        Opens a patient's map of a reader at a visit.
    parent : QWidget
        Of the question whose maps, where more than two have signed.
    """
    session = desk.session
    now, study = session.now, session.study
    if now is None or study is None:
        raise LesionmapError("no visit is open; open a study and choose a visit on the page Visits")
    who, when = now.visit.patient, now.visit.key

    def look() -> tuple[bool, tuple[str, ...]]:
        return CONSENSUS in study.readers(who, when), signed_readers(study, who, when)

    def choose(found: tuple[bool, tuple[str, ...]]) -> None:
        there, signed = found
        if there:
            open_map(who, CONSENSUS, when)
            return
        pairs = {f"{a} and {b}": (a, b) for a, b in combinations(signed, 2)}
        if not pairs:
            told = f"only {signed[0]} has" if signed else "nobody has"
            raise LesionmapError(f"a consensus starts from two signed maps of the visit, {told} signed yet; sign first")
        words = next(iter(pairs))
        if len(pairs) > 1:
            words, chosen = QInputDialog.getItem(parent, "Consensus", "From whose maps?", list(pairs), 0, False)
            if not chosen:
                return
        desk.run(
            f"starting the consensus of {words}",
            lambda: begin_consensus(study, who, when, pairs[words]),
            lambda _made: open_map(who, CONSENSUS, when),
        )

    desk.run("looking for signed maps", look, choose)
