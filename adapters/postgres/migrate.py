"""Migrations: numbered SQL files, each applied once, in order, under an advisory lock, its checksum remembered.

Not a framework: no down-migrations, no generated SQL. A released file is never edited; a change is a new file.
"""

import hashlib
from importlib import resources

import msgspec
import psycopg

from smsledger.domain.errors import LedgerError

_LOCK_KEY = 0x5E5_1ED6E4

_CREATE_REGISTER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     int PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_SELECT_APPLIED = "SELECT number, checksum FROM schema_migrations ORDER BY number"
_INSERT_APPLIED = "INSERT INTO schema_migrations (number, name, checksum) VALUES (%s, %s, %s)"


class Migration(msgspec.Struct, frozen=True):
    """One numbered SQL file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


class MigrationChanged(LedgerError):
    """A released migration was edited."""

    message = (
        "migration {name} was changed after it had been applied: restore the file, and add a new one instead"
    )


class DatabaseTooNew(LedgerError):
    """The database was migrated by a newer release."""

    message = (
        "the database is at migration {found}, this release knows up to {known}: start the newer release"
    )


class DatabaseTooOld(LedgerError):
    """The database lacks migrations of this release."""

    message = "the database is at migration {found}, this release needs {known}: run `smsledger migrate`"


def migrations() -> list[Migration]:
    """All migrations of this release, in order."""
    folder = resources.files("smsledger.adapters.postgres") / "migrations"
    found = []
    for entry in folder.iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            found.append(Migration(int(number), name, entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def migrate(conninfo: str) -> list[Migration]:
    """Apply what is missing, each file in its own transaction; the migrations applied now.

    Safe to run from several processes at once. Raises MigrationChanged and DatabaseTooNew before changing anything.
    """
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", [_LOCK_KEY])
        conn.execute(_CREATE_REGISTER)
        missing = _missing(conn)
        for migration in missing:
            with conn.transaction():
                conn.execute(migration.sql.encode())
                conn.execute(_INSERT_APPLIED, [migration.number, migration.name, migration.checksum])
        return missing


def require_current(conninfo: str) -> None:
    """Raise DatabaseTooOld or DatabaseTooNew unless the database is exactly at this release's migrations."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        known = migrations()[-1].number
        try:
            missing = _missing(conn)
        except psycopg.errors.UndefinedTable:
            raise DatabaseTooOld(found=0, known=known) from None
        if missing:
            raise DatabaseTooOld(found=missing[0].number - 1, known=known)


def _missing(conn: psycopg.Connection[tuple[object, ...]]) -> list[Migration]:
    known = migrations()
    applied = {int(str(number)): checksum for number, checksum in conn.execute(_SELECT_APPLIED)}
    if applied and max(applied) > known[-1].number:
        raise DatabaseTooNew(found=max(applied), known=known[-1].number)
    for migration in known:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise MigrationChanged(name=f"{migration.number:04}_{migration.name}")
    return [migration for migration in known if migration.number not in applied]
