"""Has a message come in from a phone, by way of a running simulator: for people who try things out, and for tests.

A connection of its own for one line and its answer; the ledger's connection is `client.py`'s.
"""

import asyncio
from contextlib import suppress

import msgspec

from smsledger.domain.errors import LedgerError

from . import protocol as wire
from .client import SimulatorUnreachable, address

ANSWER_S_MAX = 5.0


class NotTaken(LedgerError):
    """The simulator did not have the message come in."""

    message = "the carrier simulator did not take the message: {reason}"


async def inject_inbound(
    url: str, *, sender: str, recipient: str, body: str, account: str = "smsledger"
) -> str:
    """Have `body` come in from `sender` to `recipient`; the carrier's id of it, which is then in its journal.

    Raises InvalidCarrierUrl, SimulatorUnreachable and NotTaken.
    """
    host, port = address(url)
    for name, text, characters_max in (
        ("from", sender, wire.NUMBER_CHARACTERS_MAX),
        ("to", recipient, wire.NUMBER_CHARACTERS_MAX),
        ("body", body, wire.BODY_CHARACTERS_MAX),
    ):
        if not 1 <= len(text) <= characters_max:
            raise NotTaken(reason=f"{name} has {len(text)} characters, 1 to {characters_max} are taken")
    lines = [
        wire.ENCODER.encode(frame)
        for frame in (
            wire.Bind(account, "simulate", receipts=False),
            wire.Inject(1, sender, recipient, body),
        )
    ]
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            reader, writer = await asyncio.open_connection(host, port, limit=wire.LINE_BYTES_MAX)
            try:
                writer.write(b"\n".join([*lines, b""]))
                return await _answer(reader)
            finally:
                writer.close()
                with suppress(ConnectionError):  # the simulator may have been faster
                    await writer.wait_closed()
    except TimeoutError:
        raise SimulatorUnreachable(reason=f"no answer from {host}:{port}") from None
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise SimulatorUnreachable(reason=f"{host}:{port}: {str(error) or type(error).__name__}") from None


async def _answer(reader: asyncio.StreamReader) -> str:
    while line := await reader.readline():
        frame = wire.TO_LEDGER.decode(line)
        if isinstance(frame, wire.Injected):
            return frame.provider_message_id
        if isinstance(frame, wire.NotInjected | wire.BindRefused):
            raise NotTaken(reason=frame.reason)
    raise NotTaken(reason="it closed the connection")
