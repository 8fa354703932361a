"""Which of several senders a message goes out from. Pure; where senders are kept is the directory's business.

Rendezvous hashing (Thaler and Ravishankar, 1998): each sender has a weight for each recipient, and the heaviest is
taken. So a recipient keeps seeing one number without anything being stored per recipient; a sender that is added takes
over only the recipients that come to it, and one that is removed hands on only its own.
"""

import zlib
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

BUCKETS = 4_096
"""Recipients are chosen for together, in so many groups: what was found for one is remembered for all of its group."""

_NONE_YET = 0xFFFF
SENDERS_MAX = _NONE_YET
"""In a list that remembers; of a longer one only the first are used."""
_MASK = 0xFFFF_FFFF_FFFF_FFFF


class Named(Protocol):
    """What messages go out from."""

    @property
    def sender(self) -> str:
        """Its number or name."""
        ...


T = TypeVar("T", bound=Named)


class RememberingSenders(tuple[T, ...]):
    """A list of senders that remembers which of them each group of recipients gets: 8 KiB once it was asked."""

    _chosen: "array[int]"

    def choose(self, bucket: int) -> T:
        """The sender of a group of recipients."""
        try:
            place = self._chosen[bucket]
        except AttributeError:
            self._chosen = array("H", [_NONE_YET]) * BUCKETS
            place = _NONE_YET
        if place == _NONE_YET:
            place = self._chosen[bucket] = _heaviest(self[:SENDERS_MAX], bucket)
        return self[place]


def choose_sender(senders: Sequence[T], recipient: str) -> T:
    """One of `senders` (not empty), the same for a recipient whatever else is in the list, in whichever order."""
    if len(senders) == 1:
        return senders[0]
    bucket = zlib.crc32(recipient.encode()) % BUCKETS
    if isinstance(senders, RememberingSenders):
        chosen: T = senders.choose(bucket)
        return chosen
    return senders[_heaviest(senders, bucket)]


def _heaviest(senders: Sequence[Named], bucket: int) -> int:
    """The place of the sender with the greatest weight; of equal ones the greatest name."""
    return max(
        range(len(senders)), key=lambda place: (_weight(senders[place].sender, bucket), senders[place].sender)
    )


def _weight(sender: str, bucket: int) -> int:
    """A number that looks random. CRC alone is linear: the order of two senders' weights would hang on one bit."""
    mixed = (_seed(sender) + bucket * 0x9E37_79B9_7F4A_7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
    return mixed ^ (mixed >> 31)


@lru_cache(maxsize=4_096)
def _seed(sender: str) -> int:
    name = sender.encode()
    return zlib.crc32(name) << 32 | zlib.adler32(name)
