"""The table `parked_receipts`: receipts that came before the event that introduces their carrier id."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.application.ports import CarrierReceipt

from .arrays import ByteaArray, Int8Array, TextArray

_PARK = """
INSERT INTO parked_receipts (carrier_reference, receipt) SELECT * FROM unnest(%b, %b) ON CONFLICT DO NOTHING
"""
# Parked receipts whose message is known by now; found by the event store's own index, so never too early. Should a
# carrier use an id twice, the newer message has it, as for receipts that come later (event_reader.py). The + 0 keeps
# the planner from walking the positions backwards, through the whole store, for an id that is not there yet.
_KNOWN = """
SELECT p.receipt_id, p.receipt, known.originator_id FROM parked_receipts p
CROSS JOIN LATERAL (
    SELECT e.originator_id FROM ledger_events e WHERE e.carrier_reference = p.carrier_reference
    ORDER BY e.notification_id + 0 DESC LIMIT 1
) known
ORDER BY p.receipt_id LIMIT %b
"""
_FORGET = "DELETE FROM parked_receipts WHERE receipt_id = ANY (%b)"


class PostgresParkedReceipts:
    """The ParkedReceipts port."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(CarrierReceipt)

    async def park(self, receipts: Sequence[CarrierReceipt]) -> None:
        """See the port."""
        references = TextArray.of([receipt.reference for receipt in receipts])
        states = ByteaArray.of([self._encoder.encode(receipt) for receipt in receipts])
        async with self._pool.connection() as conn:
            await conn.execute(_PARK, [references, states])

    async def known(self, limit: int) -> Sequence[tuple[int, CarrierReceipt, UUID]]:
        """See the port."""
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_KNOWN, [limit], binary=True)).fetchall()
        return [(number, self._decoder.decode(state), message_id) for number, state, message_id in rows]

    async def forget(self, numbers: Sequence[int]) -> None:
        """See the port."""
        async with self._pool.connection() as conn:
            await conn.execute(_FORGET, [Int8Array.of(numbers)])
