"""Every statement on a study, in SQLAlchemy Core. Names and values always travel as bound parameters."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, inspect, select, update

from lesionmap.store import plain, tables
from lesionmap.store.history import Log
from lesionmap.visits import Patient, Series, Visit, visit_key_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping

__all__ = ["Rows", "lock_number"]


def lock_number(name: str) -> int:
    """Give the number of an advisory lock of PostgreSQL (64 bits, signed) for a name."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)


class Rows:
    """The statements, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        """For what is not a statement on the tables: migrations, copies."""

    def schema(self) -> tuple[int | None, bool]:
        """Give the schema's version (None: no study), and whether the database holds no table at all."""
        names = inspect(self.connection).get_table_names()
        if not {"meta", "edit"} <= set(names):
            return None, not names
        found = self.connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == "schema"))
        return (int(found) if found else None), False

    def make_tables(self) -> None:
        """Make the tables of a new study, unless somebody else just did."""
        from lesionmap import __version__

        self.alone("tables")
        if self.schema()[0] is not None:
            return
        tables.metadata.create_all(self.connection)
        facts = {
            "schema": str(tables.SCHEMA),
            "salt": secrets.token_hex(32),
            "created": datetime.now(UTC).isoformat(timespec="microseconds"),
            "created_by": __version__,
        }
        self.connection.execute(insert(tables.meta), [{"name": name, "value": value} for name, value in facts.items()])

    def set_schema(self) -> None:
        """Note that the tables are those of this lesionmap."""
        self.connection.execute(
            update(tables.meta).where(tables.meta.c.name == "schema").values(value=str(tables.SCHEMA))
        )

    def n_rows(self) -> int:
        """Give the number of rows of all tables."""
        counts = [select(func.count()).select_from(table) for table in tables.metadata.sorted_tables]
        return sum(self.connection.scalar(count) or 0 for count in counts)

    def strays(self) -> list[str]:
        """Give the hashes and visits that belong to no patient: the keys that a database of itself should keep."""
        known = select(tables.patient.c.id)
        hashes = select(tables.identity.c.patient).where(tables.identity.c.patient.not_in(known))
        visits = select(tables.visit.c.patient).where(tables.visit.c.patient.not_in(known))
        return sorted({*self.connection.scalars(hashes), *self.connection.scalars(visits)})

    def alone(self, name: str) -> None:
        """Wait until no other transaction is in here under the same name; SQLite's writers are alone in any case."""
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(select(func.pg_advisory_xact_lock(lock_number(name))))

    def salt(self) -> str:
        """Give the study's salt."""
        return str(self.connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == "salt")))

    def patients(self, patient: str | None = None, *, lock: bool = False) -> list[Patient]:
        """Give all patients by name, or the one asked for; ``lock``: nobody else may change them meanwhile."""
        query = select(tables.patient)
        if patient is not None:
            query = query.where(tables.patient.c.id == patient)
        rows = self.connection.execute(query.with_for_update() if lock else query)
        found = [Patient(row.id, row.sex, row.birth_date) for row in rows]
        return sorted(found, key=lambda one: one.id)  # servers sort by their country's rules

    def add_patient(self, patient: Patient) -> None:
        """Add a patient."""
        self.connection.execute(
            insert(tables.patient), {"id": patient.id, "sex": patient.sex, "birth_date": patient.birth_date}
        )

    def replace_patient(self, patient: Patient) -> None:
        """Correct sex and birth date."""
        changed = update(tables.patient).where(tables.patient.c.id == patient.id)
        self.connection.execute(changed.values(sex=patient.sex, birth_date=patient.birth_date))

    def identity(self, key: str) -> str | None:
        """Give the pseudonym of a hash."""
        return self.connection.scalar(select(tables.identity.c.patient).where(tables.identity.c.hash == key))

    def add_identity(self, key: str, patient: str) -> None:
        """Keep the pseudonym of a hash."""
        self.connection.execute(insert(tables.identity), {"hash": key, "patient": patient})

    def visits(self, patient: str, key: str | None = None, *, lock: bool = False) -> list[Visit]:
        """Give a patient's visits by date, or the one asked for; ``lock``: nobody else may change it meanwhile."""
        query = (
            select(tables.visit)
            .where(tables.visit.c.patient == patient)
            .order_by(tables.visit.c.date, tables.visit.c.ordinal)
        )
        if key is not None:
            day, ordinal = visit_key_parts(key)
            query = query.where(tables.visit.c.date == day, tables.visit.c.ordinal == ordinal)
        if lock:  # SQLite needs none: a writer is alone
            query = query.with_for_update()
        return [_visit_of(row) for row in self.connection.execute(query).mappings()]

    def has_visit(self, patient: str, key: str) -> bool:
        """Say whether a visit exists, without reading its series."""
        day, ordinal = visit_key_parts(key)
        query = select(tables.visit.c.ordinal).where(
            tables.visit.c.patient == patient, tables.visit.c.date == day, tables.visit.c.ordinal == ordinal
        )
        return self.connection.scalar(query) is not None

    def visit_keys(self, patient: str) -> list[str]:
        """Give the names of a patient's visits, without reading their series."""
        c = tables.visit.c
        found = self.connection.execute(
            select(c.date, c.ordinal).where(c.patient == patient).order_by(c.date, c.ordinal)
        )
        return [Visit(patient, day, ordinal).key for day, ordinal in found]

    def add_visit(self, visit: Visit) -> None:
        """Add a visit."""
        key = {"patient": visit.patient, "date": visit.date, "ordinal": visit.ordinal}
        self.connection.execute(insert(tables.visit), {**key, **_visit_values(visit)})

    def replace_visit(self, visit: Visit) -> None:
        """Change age, stature, weight and series."""
        c = tables.visit.c
        changed = update(tables.visit).where(
            c.patient == visit.patient, c.date == visit.date, c.ordinal == visit.ordinal
        )
        self.connection.execute(changed.values(**_visit_values(visit)))

    def top(self, key: str) -> int:
        """Give the highest n of a map, 0 if it has no edits."""
        return self.connection.scalar(select(func.max(tables.edit.c.n)).where(tables.edit.c.map == key)) or 0

    def latest(self, key: str) -> dict[str, str | None]:
        """Give what → latest value of a map, in the order in which they first came."""
        ends = (
            select(func.min(tables.edit.c.n).label("first"), func.max(tables.edit.c.n).label("last"))
            .where(tables.edit.c.map == key)
            .group_by(tables.edit.c.what)
            .subquery()
        )
        query = (
            select(tables.edit.c.what, tables.edit.c.value)
            .join(ends, tables.edit.c.n == ends.c.last)
            .where(tables.edit.c.map == key)
            .order_by(ends.c.first)
        )
        return {row.what: row.value for row in self.connection.execute(query)}

    def log(self, key: str) -> list[Log]:
        """Give the history of a map without values."""
        c = tables.edit.c
        rows = self.connection.execute(select(c.n, c.step, c.undoes, c.what).where(c.map == key).order_by(c.n))
        return [Log(*row) for row in rows]

    def history(self, key: str) -> Sequence[RowMapping]:
        """Give the whole history of a map."""
        return (
            self.connection.execute(select(tables.edit).where(tables.edit.c.map == key).order_by(tables.edit.c.n))
            .mappings()
            .all()
        )

    def all_edits(self) -> Iterator[RowMapping]:
        """Give all edits of the study, map by map, a few at a time."""
        query = select(tables.edit).order_by(tables.edit.c.map, tables.edit.c.n)
        yield from self.connection.execute(query, execution_options={"stream_results": True}).mappings()

    def reindex(self) -> None:
        """Make all indexes anew."""
        if self.connection.dialect.name == "sqlite":
            self.connection.exec_driver_sql("REINDEX")
            return
        for table in tables.metadata.sorted_tables:
            self.connection.exec_driver_sql(f'REINDEX TABLE "{table.name}"')

    def values_of(self, key: str, what: str) -> list[str | None]:
        """Give all values that a thing ever had, oldest first."""
        query = (
            select(tables.edit.c.value)
            .where(tables.edit.c.map == key, tables.edit.c.what == what)
            .order_by(tables.edit.c.n)
        )
        return list(self.connection.scalars(query))

    def value(self, key: str, n: int) -> str | None:
        """Give the value of one edit."""
        return self.connection.scalar(select(tables.edit.c.value).where(tables.edit.c.map == key, tables.edit.c.n == n))

    def maps(self, patient: str) -> list[str]:
        """Give the keys of all maps of a patient that hold something, sorted."""
        c = tables.edit.c
        mine = c.map.startswith(f"{patient}/", autoescape=True)
        if self.connection.dialect.name == "sqlite":  # from '/' up to the next character: found by the index
            mine = (c.map >= f"{patient}/") & (c.map < f"{patient}0")
        ends = (
            select(tables.edit.c.map, func.max(tables.edit.c.n).label("n"))
            .where(mine)
            .group_by(tables.edit.c.map, tables.edit.c.what)
        )
        last = ends.subquery()
        query = (
            select(tables.edit.c.map)
            .distinct()
            .join(last, (tables.edit.c.map == last.c.map) & (tables.edit.c.n == last.c.n))
            .where(tables.edit.c.value.is_not(None))
        )
        # startswith() is deaf to case on SQLite.
        return sorted(key for key in self.connection.scalars(query) if key.startswith(f"{patient}/"))

    def append(
        self, key: str, after: int, values: Mapping[str, str | None], same: Mapping[str, str | int | None]
    ) -> None:
        """Append the edits of one step, what → value, behind number ``after``; ``same`` is what they share.

        The transaction ends in TakenError if somebody else has appended there.
        """
        rows = _edits(key, after, values, same)
        if rows:
            self.connection.execute(insert(tables.edit), rows)

    def holds(
        self, key: str, after: int, values: Mapping[str, str | None], same: Mapping[str, str | int | None]
    ) -> bool:
        """Say whether just these edits stand behind number ``after``."""
        rows = _edits(key, after, values, same)
        c = tables.edit.c
        query = select(tables.edit).where(c.map == key, c.n > after, c.n <= after + len(rows)).order_by(c.n)
        return [dict(row) for row in self.connection.execute(query).mappings()] == rows


def _edits(
    key: str, after: int, values: Mapping[str, str | None], same: Mapping[str, str | int | None]
) -> list[dict[str, object]]:
    return [
        {"map": key, "n": n, "step": after + 1, "what": what, "value": value, **same}
        for n, (what, value) in enumerate(values.items(), start=after + 1)
    ]


def _visit_values(visit: Visit) -> dict[str, object]:
    return {
        "age_y": visit.age_y,
        "stature_cm": visit.stature_cm,
        "weight_kg": visit.weight_kg,
        "series": plain.dumps(visit.series, tuple[Series, ...]),
    }


def _visit_of(row: RowMapping) -> Visit:
    series: tuple[Series, ...] = plain.loads(row["series"], tuple[Series, ...])
    return Visit(row["patient"], row["date"], row["ordinal"], row["age_y"], row["stature_cm"], row["weight_kg"], series)
