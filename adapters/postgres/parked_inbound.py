"""The table `parked_inbound`: messages that came in to a number of which nobody knows yet whose it is."""

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.application.ports import CarrierInbound

_PARK = "INSERT INTO parked_inbound (carrier_reference, message) VALUES (%b, %b) ON CONFLICT DO NOTHING"
# A page of those kept (primary key).
_WAITING = "SELECT inbound_id, message FROM parked_inbound WHERE inbound_id > %b ORDER BY inbound_id LIMIT %b"
_FORGET = "DELETE FROM parked_inbound WHERE inbound_id = %b"


class PostgresParkedInbound:
    """The ParkedInbound port."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(CarrierInbound)

    async def park(self, message: CarrierInbound) -> None:
        """See the port."""
        async with self._pool.connection() as conn:
            await conn.execute(_PARK, [message.reference, self._encoder.encode(message)])

    async def waiting(self, after: int, limit: int) -> Sequence[tuple[int, CarrierInbound]]:
        """See the port."""
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_WAITING, [after, limit], binary=True)).fetchall()
        return [(number, self._decoder.decode(message)) for number, message in rows]

    async def forget(self, number: int) -> None:
        """See the port."""
        async with self._pool.connection() as conn:
            await conn.execute(_FORGET, [number])
