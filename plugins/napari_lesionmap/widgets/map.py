"""Page Map: the drawn skeleton with the lesions of the visit, the count, and the rule by which it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QLabel

from lesionmap.measure import RULES
from napari_lesionmap.resolve import count_words, site_name
from napari_lesionmap.widgets.legend import Legend
from napari_lesionmap.widgets.livemap import LiveMap
from napari_lesionmap.widgets.parts import Choice, button, heading, hint, page

if TYPE_CHECKING:
    from lesionmap.write import MapPanel
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["MapPage"]


class MapPage:
    """The body map of the visit, live; a click chooses a lesion or a site."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._site = ""
        self.widget, layout = page()
        self.count = heading("")
        self.count.setWordWrap(True)
        layout.addWidget(self.count)
        self._live = LiveMap(desk, "map")
        self.body = self._live.body
        self.body.site_clicked.connect(self._pick_site)
        self.body.site_double_clicked.connect(self._add_site)
        self.body.lesion_clicked.connect(self._pick_lesion)
        layout.addWidget(self.body, 1)
        self.legend = Legend()
        layout.addWidget(self.legend)
        layout.addLayout(self._site_row())
        layout.addLayout(self._rule_row())
        self._rule = hint()
        layout.addWidget(self._rule)
        session = desk.session
        for signal in (session.visit_changed, session.map_changed, session.skeleton_changed):
            signal.connect(self.show)
        session.selection_changed.connect(self._show_selection)
        self.show()

    def _site_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.chosen = hint("Click a bone to name a site; double-click marks a lesion there.")
        row.addWidget(self.chosen, 1)
        self.add = button("Mark lesion here", lambda: self._add_site(self._site), "A lesion known by its site only")
        self.add.setEnabled(False)
        row.addWidget(self.add)
        return row

    def _rule_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(QLabel("Count by"))
        self.rule = Choice()
        self.rule.setAccessibleName("count rule")
        for name in RULES:
            self.rule.addItem(name.replace("_", " "), name)
        self.rule.activated.connect(lambda _i: self._desk.session.choose_rule(str(self.rule.currentData())))
        row.addWidget(self.rule, 1)
        return row

    def _pick_site(self, site: str) -> None:
        self._site = site
        self.chosen.setText(site_name(site))
        self.add.setEnabled(self._desk.session.now is not None)
        self._show_selection()

    def _pick_lesion(self, lesion: str) -> None:
        session = self._desk.session
        session.select(lesion)
        if session.lesion is not None:
            self._desk.stage.jump_to(session.lesion)

    def _add_site(self, site: str) -> None:
        if site and self._desk.attempt(self._desk.session.add_site, site):
            self._desk.say(
                f"{self._desk.session.selected}: {site_name(site)}, marked by its site only; undo takes it back"
            )

    def show(self) -> None:
        """Show the count at once, and the map as soon as its dots are placed."""
        from lesionmap.write import map_model

        session = self._desk.session
        self._rule.setText(session.rule.sentence)
        self.rule.setCurrentIndex(self.rule.findData(session.rule.name))
        results, key = session.results, session.key
        if results is None or not key:
            self.count.setText("No visit is open")
            self._take_panel(None)
            return
        self.count.setText(count_words(results, key))
        self._desk.quietly("map", lambda: map_model(results, [key])[0], self._take_panel)

    def _take_panel(self, panel: MapPanel | None) -> None:
        self._live.show(panel)
        self.legend.show_states([dot.state for dot in panel.dots] if panel else [], bool(panel and panel.not_imaged))
        self._show_selection()

    def _show_selection(self) -> None:
        self.body.pick(site=self._site, lesion=self._desk.session.selected)
