"""The opaque cursor of a list that is ordered newest first: where the page before it ended.

A key, not a count of rows: pages neither skip nor repeat a row while new ones arrive.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from smsledger.domain.errors import LedgerError

_VERSION = 1
_KEY = struct.Struct("!Bq16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TEXT_LENGTH = 34  # 25 bytes in base64, its padding cut off


class InvalidCursor(LedgerError):
    """A text is not a cursor of this release."""

    message = (
        "not a cursor: pass the next cursor of the page before unchanged, or none to start at the newest"
    )


class PageCursor(msgspec.Struct, frozen=True):
    """The key of the last row of a page."""

    created_at: datetime
    message_id: UUID

    def encode(self) -> str:
        """As clients are given it: base64url."""
        microseconds = (self.created_at - _EPOCH) // _MICROSECOND
        return (
            urlsafe_b64encode(_KEY.pack(_VERSION, microseconds, self.message_id.bytes)).rstrip(b"=").decode()
        )

    @classmethod
    def decode(cls, text: str) -> "PageCursor":
        """The cursor in a client's text. Raises InvalidCursor."""
        if len(text) != _TEXT_LENGTH:
            raise InvalidCursor
        try:
            version, microseconds, message_id = _KEY.unpack(urlsafe_b64decode(text + "=="))
            created_at = _EPOCH + timedelta(microseconds=microseconds)
        except (ValueError, OverflowError, struct.error):
            raise InvalidCursor from None
        if version != _VERSION:
            raise InvalidCursor
        return cls(created_at, UUID(bytes=message_id))
