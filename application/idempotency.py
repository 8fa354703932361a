"""Requests that a client may repeat: the same idempotency key and request are given the same answer, and act once.

What makes it hold over processes and crashes is the appender: the key and the answer are stored in the transaction of
the events. This is what stands around it; it knows nothing of what the requests do.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from smsledger.domain.errors import LedgerError

from .ports import KeyUsed, LedgerBusy, LedgerUnavailable, Once, UsedKey, UsedKeys

OnceFor: TypeAlias = Callable[[bytes], Once]
"""Makes the append's condition from the answer that will be given; not called where nothing is appended."""


class Given(msgspec.Struct, frozen=True):
    """An answer: its body, and the position of what the request did."""

    answer: bytes
    position: int | None
    replayed: bool = False
    """It was given before, to an earlier request under this key."""


class RepeatableRequests:
    """Runs requests that carry an idempotency key."""

    def __init__(self, used: UsedKeys) -> None:
        self._used = used
        self._in_flight: set[tuple[str, str]] = set()

    async def run(
        self,
        organization_id: str,
        key: str,
        fingerprint: bytes,
        work: Callable[[OnceFor], Awaitable[Given]],
    ) -> Given:
        """What `work` gives, or what an earlier request under `key` was given. Only what was stored is repeated.

        Raises KeyInFlight while an earlier one runs in this process (one in another process is waited for: the store
        takes one after the other), KeyReused where `fingerprint` is another request's, and what `work` raises.
        """
        mine = (organization_id, key)
        if mine in self._in_flight:
            raise KeyInFlight
        self._in_flight.add(mine)
        stores = False

        def once_for(answer: bytes) -> Once:
            nonlocal stores
            stores = True
            return Once(organization_id, key, fingerprint, answer)

        try:
            try:
                given = await work(once_for)
            except KeyUsed:
                used = await self._used.find(*mine)
                if used is None:  # its 24 hours ended just now
                    raise KeyInFlight from None
                return _repeat(used, fingerprint)
            except (LedgerBusy, LedgerUnavailable):
                raise
            except LedgerError:
                # What made an earlier request succeed may have changed since; its answer has not.
                if (used := await self._used.find(*mine)) is None:
                    raise
                return _repeat(used, fingerprint)
            if not stores and (used := await self._used.find(*mine)) is not None:
                return _repeat(used, fingerprint)
            return given
        finally:
            self._in_flight.discard(mine)


def _repeat(used: UsedKey, fingerprint: bytes) -> Given:
    if used.fingerprint != fingerprint:
        raise KeyReused
    return Given(used.answer, used.position, replayed=True)


class KeyInFlight(LedgerError):
    """An earlier request under the same key has not been answered yet."""

    message = "a request with this Idempotency-Key is being handled: try again shortly, with the same key"


class KeyReused(LedgerError):
    """Another request was made under the same key."""

    message = "this Idempotency-Key was used for another request: use a new key for every new request"
