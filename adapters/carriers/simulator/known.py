"""Which messages were taken or refused, by id, in little memory: 20 bytes each, where a dict takes 140.

The newest stand in a dict; every `FROZEN_MESSAGES` of them are frozen into sorted arrays. Ids that rise with time
(UUIDv7) make it quick: a new id lies behind all frozen ones. What is forgotten, and when, is `memory.py`'s.
"""

from array import array
from bisect import bisect_left
from typing import TypeAlias

import msgspec

FROZEN_MESSAGES = 10_000
_KEY_BYTES = 16


class Refusal(msgspec.Struct, frozen=True):
    """Why a message was refused for good."""

    error_code: str
    reason: str


Fate: TypeAlias = int | Refusal
"""The number under which a message was taken, or why it was refused."""


class Known:
    """The fates of messages, by UUID as an integer (UUID's own hash runs in Python)."""

    def __init__(self) -> None:
        self._newest: dict[int, Fate] = {}
        self._frozen: list[_Frozen] = []

    def __contains__(self, key: int) -> bool:
        return self.get(key) is not None

    def __setitem__(self, key: int, fate: Fate) -> None:
        self._newest[key] = fate
        if len(self._newest) >= FROZEN_MESSAGES:
            self._frozen.append(_Frozen(self._newest))
            self._newest = {}

    def get(self, key: int) -> Fate | None:
        """The fate last set; None where there is none."""
        fate = self._newest.get(key)
        if fate is None:
            for frozen in reversed(self._frozen):
                fate = frozen.get(key)
                if fate is not None:
                    break
        return fate


class _Frozen:
    """Fates that do not change any more."""

    __slots__ = ("_first", "_first_number", "_keys", "_last", "_numbers", "_refusals")

    def __init__(self, fates: dict[int, Fate]) -> None:
        keys = sorted(fates)
        self._first, self._last = keys[0], keys[-1]
        self._keys = b"".join(key.to_bytes(_KEY_BYTES) for key in keys)
        self._refusals = {key: fate for key, fate in fates.items() if isinstance(fate, Refusal)}
        numbers = [fate for fate in fates.values() if isinstance(fate, int)]
        self._first_number = min(numbers, default=0)
        self._numbers = array(
            "I", [fate - self._first_number if isinstance(fate := fates[key], int) else 0 for key in keys]
        )

    def get(self, key: int) -> Fate | None:
        if not self._first <= key <= self._last:
            return None
        place = bisect_left(range(len(self._numbers)), key, key=self._key)
        if self._key(place) != key:
            return None
        return self._refusals.get(key) or self._first_number + self._numbers[place]

    def _key(self, place: int) -> int:
        return int.from_bytes(self._keys[place * _KEY_BYTES : (place + 1) * _KEY_BYTES])
