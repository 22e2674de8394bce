"""Study on a PostgreSQL server: addresses, roles, claims, locks, and errors in plain words."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import pytest

from cli_case import lesionmap
from lesionmap.clinic import Treatment
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Lesion
from lesionmap.store import Conflict, Study
from lesionmap.visits import Patient, Visit
from postgresql import PASSWORD, Cluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = "2010-05-04"
TIBIA = Lesion("L1", ("tibia.distal_metaphysis.left",), tracks=("2.25.7",))
RIB = Lesion("L2", ("rib_7.whole.left",), tracks=("2.25.8",))


@pytest.fixture
def url(postgresql: Cluster) -> str:
    """A study with a patient, a visit and a lesion, at its keeper's address."""
    where = postgresql.new()
    with Study.open(where, create=True) as study:
        study.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        study.add_visit(Visit("P001", date(2010, 5, 4)))
        empty = study.lesion_map("P001", DAY, "anna")
        study.save(empty, replace(empty, lesions=(TIBIA,)))
    return where


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def login(cluster: Cluster, url: str, role: str) -> str:
    """Run the script of the roles as the how-to says, make a login in one of them, and give its address."""
    user = f"{role}_{name_of(url)}"
    script = lesionmap("study", "roles").out
    create = f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}' IN ROLE {role}"
    cluster.ask(script, script, create, database=name_of(url))
    return cluster.url(name_of(url), user)


def refused(call: Callable[[], object], *words: str) -> None:
    """A call is refused in one line with these words, and the password is not in it."""
    with pytest.raises(LesionmapError) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    assert all(word in said for word in words), said
    shown = [said, *(repr(error) for error in (caught.value, caught.value.__cause__))]
    assert not any(secret in text for text in shown for secret in (PASSWORD, "s3cret"))


# Addresses


def test_a_study_is_opened_by_every_spelling_of_its_address(url: str, postgresql: Cluster) -> None:
    short = url.replace("postgresql://", "postgres://")
    ours = url.replace("postgresql://", "postgresql+psycopg://")
    socket = f"postgresql:///{name_of(url)}?host={postgresql.folder}&port={postgresql.port}&user=keeper"
    for where in (url, short, ours, socket):
        with Study.open(where) as study:
            assert study.readers("P001") == ("anna",)
            assert study.path is None
            assert not study.read_only


def test_the_password_may_stand_in_the_environment(
    url: str, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare = f"postgresql://keeper@127.0.0.1:{postgresql.port}/{name_of(url)}"
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    refused(lambda: Study.open(bare), f"keeper@127.0.0.1:{postgresql.port}", "put the right one into ~/.pgpass or PGPA")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with Study.open(bare) as study:
        assert len(study.patients()) == 1


def test_a_server_that_does_not_let_us_in_says_why_without_the_password(url: str, postgresql: Cluster) -> None:
    wrong = postgresql.url(name_of(url), password=f"not {PASSWORD}")
    refused(lambda: Study.open(wrong), "does not take this user or password; put the right one into ~/.pgpass")
    nobody = postgresql.url(name_of(url), "nobody")
    refused(lambda: Study.open(nobody), "does not take this user or password")
    none = postgresql.url("nowhere")
    refused(lambda: Study.open(none), "has no such database; make it first (docs/shared-study.md)")
    empty = postgresql.new()
    refused(lambda: Study.open(empty), "is not a lesionmap study (it has none of its tables); name another database")
    closed = postgresql.url(name_of(url), port=1)
    refused(lambda: Study.open(closed), "cannot be reached on its server; check the address, the network")
    astray = url.replace("127.0.0.1", "no-such-host.invalid")
    refused(lambda: Study.open(astray), "no-such-host.invalid", "cannot be reached on its server")
    hidden = f"{url}?application_name=s3cret"
    refused(lambda: Study.open(hidden.replace(name_of(url), "nowhere")), "has no such database")


def test_what_is_no_address_is_refused_without_its_password() -> None:
    for url in ("nonsense://anna:s3cret@host/db", "mysql://anna:s3cret@host/db", "postgresql://anna:s3cret@host"):
        refused(partial(Study.open, url), "a study is a file or an address like postgresql://user@host/name")
    refused(lambda: Study.open("postgresql://anna:s3cret@host:port/db"), "a study is a file or an address")


def test_a_missing_driver_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    refused(lambda: Study.open("postgresql://anna@host/db"), "pip install 'lesionmap[postgresql]'")


def test_a_database_of_other_things_is_left_alone(postgresql: Cluster) -> None:
    where = postgresql.new()
    postgresql.ask("CREATE TABLE songs (title text)", database=name_of(where))
    refused(lambda: Study.open(where, create=True), "is not a lesionmap study (it has none of its tables)")
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    assert postgresql.ask(tables, database=name_of(where)) == [("songs",)]


def test_two_may_make_a_study_at_once(postgresql: Cluster) -> None:
    where = postgresql.new()
    salts: list[str] = []
    start = threading.Barrier(4)

    def make() -> None:
        start.wait()
        with Study.open(where, create=True) as study:
            salts.append(study._salt)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(salts) == 4
    assert len(set(salts)) == 1


# Roles


def test_a_viewer_sees_all_and_changes_nothing(url: str, postgresql: Cluster) -> None:
    where = login(postgresql, url, "lesionmap_viewer")
    with Study.open(where) as study:
        assert study.read_only
        found = study.lesion_map("P001", DAY, "anna")
        assert found.lesions == (TIBIA,)
        claim = study.claim("P001", DAY, "anna")
        assert (claim.held, claim.why) == (False, "the study is read-only")
        words = ("may be read by this user but not changed; ask who keeps it for the role lesionmap_reader",)
        refused(lambda: study.save(found, replace(found, lesions=())), *words)
        refused(lambda: study.add_patient(Patient("P002")), *words)
        study._database.why_read_only = ""  # and if lesionmap forgot, the server itself would refuse
        refused(lambda: study.save(found, replace(found, lesions=())), "may not be used so by this user")
    ran = lesionmap("visit", where, "P001", "2011-01-02")
    assert ran.code == 1
    assert "may be read by this user but not changed" in ran.line
    with Study.open(url) as study:
        assert study.lesion_map("P001", DAY, "anna") == found


def test_a_reader_works_and_can_neither_change_nor_remove_an_edit(url: str, postgresql: Cluster) -> None:
    import psycopg

    where = login(postgresql, url, "lesionmap_reader")
    with Study.open(where) as study:
        assert not study.read_only
        old = study.lesion_map("P001", DAY, "anna")
        study.save(old, replace(old, lesions=(TIBIA, RIB)))
        study.undo("P001", DAY, "anna")
        study.add_patient(Patient("P002"))
        study.replace_patient(Patient("P002", "F"))
        study.remember("Hospital:1", "P002")
        visit = study.add_visit(Visit("P002", date(2012, 3, 4)))
        study.replace_visit(replace(visit, stature_cm=140.5))
        study.add_series("P002", visit.key, [])
        with study.claim("P001", DAY, "anna") as claim:
            assert claim.held
    for statement in (
        "DELETE FROM edit", "UPDATE edit SET value = NULL", "TRUNCATE edit", "DROP TABLE edit", "DELETE FROM visit",
        "UPDATE meta SET value = 'x'", "UPDATE visit SET date = '2000-01-01'", "CREATE TABLE mine (x int)",
    ):  # fmt: skip
        with psycopg.connect(where) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_who_has_no_role_gets_a_line(url: str, postgresql: Cluster) -> None:
    login(postgresql, url, "lesionmap_viewer")
    postgresql.ask(f"CREATE ROLE guest_{name_of(url)} LOGIN PASSWORD '{PASSWORD}'")
    guest = postgresql.url(name_of(url), f"guest_{name_of(url)}")
    refused(lambda: Study.open(guest), "does not let this user in")
    postgresql.ask(f"GRANT CONNECT ON DATABASE {name_of(url)} TO guest_{name_of(url)}")
    refused(lambda: Study.open(guest), "may not be used so by this user; ask who keeps it for the role lesionmap_")


# Several workstations


def test_claims_of_a_server_are_held_by_one_window(url: str) -> None:
    with Study.open(url) as study, Study.open(url) as second:
        first = study.claim("P001", DAY, "anna")
        assert first.held
        with second.claim("P001", DAY, "anna") as claim:
            assert not claim.held
            assert claim.why.startswith("another window has this map open")
        with second.claim("P001", DAY, "ben") as other:
            assert other.held
        first.release()
        first.release()
        with second.claim("P001", DAY, "anna") as claim:
            assert claim.held


def test_a_claim_ends_with_its_connection(url: str, postgresql: Cluster) -> None:
    with Study.open(url) as study, Study.open(url) as second:
        lost = study.claim("P001", DAY, "anna")
        holder = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        postgresql.ask(f"{holder} WHERE locktype = 'advisory' AND datname = '{name_of(url)}'")
        with second.claim("P001", DAY, "anna") as claim:
            assert claim.held
        lost.release()


def test_reading_sees_one_moment_though_another_writes(url: str) -> None:
    with Study.open(url) as study, Study.open(url) as other, study._database.reading() as rows:
        before = rows.latest(f"P001/{DAY}/anna")
        old = other.lesion_map("P001", DAY, "anna")
        other.save(old, replace(old, lesions=(TIBIA, RIB)))
        other.add_patient(Patient("P002"))
        assert rows.latest(f"P001/{DAY}/anna") == before
        assert [one.id for one in rows.patients()] == ["P001"]


def test_a_visit_that_is_being_changed_is_waited_for(url: str) -> None:
    """Without the lock the second would write its older copy of the visit over the first."""
    with Study.open(url) as study, Study.open(url) as other:
        with study._database.writing() as rows:
            (visit,) = rows.visits("P001", DAY, lock=True)
            late = threading.Thread(target=lambda: other.add_series("P001", DAY, []))
            late.start()
            late.join(0.3)
            assert late.is_alive()
            rows.replace_visit(replace(visit, stature_cm=133.0))
        late.join()
        assert study.visit("P001", DAY).stature_cm == 133.0


def test_who_waits_too_long_for_a_lock_is_told(url: str) -> None:
    short = f"{url}?options=-c%20lock_timeout%3D100ms"
    with Study.open(url) as study, Study.open(short) as other, study._database.writing() as rows:
        rows.visits("P001", DAY, lock=True)
        refused(lambda: other.add_series("P001", DAY, []), "is being written by another program; try again")


def test_a_circle_of_waiting_is_broken_and_the_edit_made_again(url: str) -> None:
    """The map's queue and a row, taken in the two orders: the server ends one of both."""
    key = f"P001/{DAY}/anna"
    with Study.open(url) as study, Study.open(url) as other:
        old = study.lesion_map("P001", DAY, "anna")

        def save() -> None:
            study.save(old, replace(old, lesions=(TIBIA, RIB)))

        try:
            with other._database.writing() as rows:
                rows.append(key, 1, {"signed": None}, {"reader": "ben", "time": "2026-01-01", "version": "0"})
                saving = threading.Thread(target=save)
                saving.start()
                saving.join(0.3)  # it has the queue and waits for the number
                assert saving.is_alive()
                rows.alone(key)
        except Exception as error:  # noqa: BLE001 - whichever of both the server ended
            assert type(error).__name__ == "TakenError"  # noqa: PT017
        saving.join()
        assert study.lesion_map("P001", DAY, "anna").lesions == (TIBIA, RIB)


def test_a_conflict_of_two_workstations_shows_both_versions(url: str) -> None:
    with Study.open(url) as study, Study.open(url) as other:
        old = study.lesion_map("P001", DAY, "anna")
        theirs = replace(old, lesions=(replace(TIBIA, note="theirs"),))
        mine = replace(old, lesions=(replace(TIBIA, note="mine"),))
        other.save(old, theirs)
        with pytest.raises(Conflict) as caught:
            study.save(old, mine)
        assert (caught.value.mine, caught.value.theirs) == (mine, theirs)
        study.save(caught.value.theirs, caught.value.mine)
        notes = [edit.value.note for edit in study.history("P001", DAY, "anna") if isinstance(edit.value, Lesion)]
        assert notes == ["", "theirs", "mine"]


def test_names_that_no_database_holds_are_refused(url: str) -> None:
    with Study.open(url) as study:
        drug = Treatment("Infliximab\x00", date(2008, 6, 1))
        refused(lambda: study.save_clinic("P001", [drug], "anna"), "has a character that no database can hold")


def test_no_settings_of_the_server_weaken_what_is_acknowledged(url: str, postgresql: Cluster) -> None:
    postgresql.ask(f"ALTER DATABASE {name_of(url)} SET synchronous_commit = off")
    with Study.open(url) as study, study._database.writing() as rows:
        shown = {
            name: rows.connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("synchronous_commit", "transaction_isolation", "idle_in_transaction_session_timeout")
        }
    assert list(shown.values()) == ["on", "read committed", "1min"]
