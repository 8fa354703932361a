"""A read gets the live generation, even where the switch comes between looking it up and reading it."""

from psycopg import connect as connect_blocking
from psycopg.sql import SQL, Composed

from smsledger.projections.projector import Projector
from smsledger.projections.registry import read_live

from .store import Ledger, new_id, queued

SWITCH = """
UPDATE projections SET live = false WHERE generation = 1;
INSERT INTO projections (name, generation, live, shape, position) VALUES ('messages', 2, true, 1, 77)
"""


async def test_a_read_that_meets_a_switch_reads_the_new_generation(
    ledger: Ledger, projector: Projector, database: str
) -> None:
    await ledger.append(new_id(), queued())
    await projector.step()
    asked: list[int] = []

    def query(generation: int) -> Composed:
        if not asked:
            with connect_blocking(database) as conn:
                conn.execute(SWITCH)
        asked.append(generation)
        return SQL("SELECT {} AS n").format(generation)

    assert await read_live(ledger.conn, "messages", query, SQL("page.n"), {}) == (77, [(2,)])
    assert asked == [1, 2]


async def test_a_read_that_finds_its_tables_dropped_reads_the_new_generation(
    ledger: Ledger, projector: Projector, database: str
) -> None:
    await ledger.append(new_id(), queued())
    await projector.step()
    asked: list[int] = []

    def query(generation: int) -> Composed:
        asked.append(generation)
        if len(asked) > 1:
            return SQL("SELECT {} AS n").format(generation)
        with connect_blocking(database) as conn:
            conn.execute(SWITCH)
            conn.execute("DROP TABLE messages_1")
        return SQL("SELECT {} AS n FROM messages_1").format(generation)

    assert await read_live(ledger.conn, "messages", query, SQL("page.n"), {}) == (77, [(2,)])
    assert asked == [1, 2]
