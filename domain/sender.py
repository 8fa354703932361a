"""Which of several senders a message goes out from. Pure; where senders are kept is the directory's business."""

import zlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def choose_sender(senders: Sequence[T], recipient: str) -> T:
    """One of `senders` (not empty, in a stable order), the same for a recipient as long as the list stands.

    Recipients keep seeing one number without anything being stored per recipient.
    """
    if len(senders) == 1:
        return senders[0]
    return senders[zlib.crc32(recipient.encode()) % len(senders)]
