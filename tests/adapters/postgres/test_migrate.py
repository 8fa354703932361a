"""Migrations: from nothing, again, at the same time, and against a database of another release.

The previous release's schema: there is none yet. With the second release, a dump of the first one's stands here
as `schema_<release>.sql`, is loaded into an empty database, and goes through the same tests.
"""

import subprocess
import sys

import psycopg
import pytest

from smsledger.adapters.postgres.migrate import (
    DatabaseTooNew,
    DatabaseTooOld,
    MigrationChanged,
    migrate,
    migrations,
    require_current,
)

_MIGRATE = (
    "import sys; from smsledger.adapters.postgres.migrate import migrate; print(len(migrate(sys.argv[1])))"
)


@pytest.fixture
def database(empty_database: str) -> str:
    """A migrated database of the test's own, as these tests change what is reused elsewhere."""
    migrate(empty_database)
    return empty_database


def execute(database: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database, autocommit=True) as conn:
        cursor = conn.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def tables(database: str) -> list[tuple[object, ...]]:
    return execute(
        database,
        """SELECT table_name, column_name, data_type, column_default FROM information_schema.columns
        WHERE table_schema = 'public' ORDER BY 1, ordinal_position""",
    )


def test_files_are_numbered_from_one_without_gaps_and_say_what_they_are_for() -> None:
    found = migrations()
    assert [migration.number for migration in found] == list(range(1, len(found) + 1))
    assert all(migration.sql.startswith("-- ") for migration in found)


def test_an_empty_database_gets_all_migrations(empty_database: str) -> None:
    assert migrate(empty_database) == migrations()
    require_current(empty_database)
    register = execute(empty_database, "SELECT number, name, checksum FROM schema_migrations ORDER BY 1")
    assert register == [(one.number, one.name, one.checksum) for one in migrations()]


def test_a_second_run_changes_nothing(empty_database: str) -> None:
    migrate(empty_database)
    before = tables(empty_database), execute(empty_database, "SELECT * FROM schema_migrations")
    assert migrate(empty_database) == []
    assert (tables(empty_database), execute(empty_database, "SELECT * FROM schema_migrations")) == before


def test_two_processes_at_once_apply_each_migration_once(empty_database: str) -> None:
    command = [sys.executable, "-c", _MIGRATE, empty_database]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    applied = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sorted(applied) == [0, len(migrations())]
    require_current(empty_database)


def test_a_database_without_any_migration_is_too_old(empty_database: str) -> None:
    with pytest.raises(DatabaseTooOld, match="at migration 0, this release needs"):
        require_current(empty_database)
    assert tables(empty_database) == []


def test_a_database_that_lacks_the_last_migration_is_too_old(database: str) -> None:
    last = migrations()[-1].number
    execute(database, f"DELETE FROM schema_migrations WHERE number = {last}")
    with pytest.raises(DatabaseTooOld, match=f"at migration {last - 1}, this release needs {last}"):
        require_current(database)


def test_a_migration_that_was_edited_after_it_was_applied_is_refused(database: str) -> None:
    execute(database, "UPDATE schema_migrations SET checksum = 'another' WHERE number = 2")
    before = tables(database)
    for refuse in (migrate, require_current):
        with pytest.raises(MigrationChanged, match="0002_directory was changed"):
            refuse(database)
    assert tables(database) == before


def test_a_database_of_a_newer_release_is_refused_and_left_alone(database: str) -> None:
    execute(database, "INSERT INTO schema_migrations VALUES (9999, 'of_the_future', 'some')")
    before = tables(database)
    for refuse in (migrate, require_current):
        with pytest.raises(DatabaseTooNew, match="at migration 9999, this release knows up to"):
            refuse(database)
    assert tables(database) == before


def test_a_refusal_of_an_older_release_is_not_hidden_by_a_missing_migration(database: str) -> None:
    last = migrations()[-1].number
    execute(database, f"DELETE FROM schema_migrations WHERE number = {last}")
    execute(database, "INSERT INTO schema_migrations VALUES (9999, 'of_the_future', 'some')")
    with pytest.raises(DatabaseTooNew):
        migrate(database)
