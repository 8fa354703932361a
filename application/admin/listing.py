"""Pages of the administration's lists: by an offset, or from a cursor that neither skips nor repeats a row.

A cursor is the key of the last row shown, with the name of its list; it is opaque to clients.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from smsledger.projections.messages import PAGE_COUNT_MAX, PAGE_OFFSET_MAX, InvalidPage
from smsledger.projections.page_cursor import InvalidCursor

T = TypeVar("T")
K = TypeVar("K", bound=tuple[object, ...])

CURSOR_CHARACTERS_MAX = 500


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list: `count` rows, after `offset` rows or after the row that `cursor` names.

    Raises InvalidPage.
    """

    count: int = 100
    offset: int = 0
    cursor: str | None = None

    def __post_init__(self) -> None:
        """Check the limits."""
        if not 1 <= self.count <= PAGE_COUNT_MAX:
            raise InvalidPage(field="count", least=1, most=PAGE_COUNT_MAX, value=self.count)
        if not 0 <= self.offset <= PAGE_OFFSET_MAX:
            raise InvalidPage(field="offset", least=0, most=PAGE_OFFSET_MAX, value=self.offset)

    def after(self, list_name: str, key: type[K]) -> K | None:
        """The key to go on after; None: from the beginning. Raises InvalidCursor."""
        if self.cursor is None:
            return None
        try:
            if len(self.cursor) > CURSOR_CHARACTERS_MAX:
                raise InvalidCursor
            encoded = urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4))
            name, raw = msgspec.json.decode(encoded, type=tuple[str, msgspec.Raw])
            found = msgspec.json.decode(raw, type=key)
        except (ValueError, msgspec.DecodeError):
            raise InvalidCursor from None
        if name != list_name or any(isinstance(value, str) and "\x00" in value for value in found):
            raise InvalidCursor
        return found


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list: its rows, the number of all that fit, and the cursor of the next page; None on the last."""

    total_count: int
    rows: Sequence[T]
    next_cursor: str | None


def next_cursor(list_name: str, key: tuple[object, ...]) -> str:
    """The cursor that goes on after the row with this key."""
    return urlsafe_b64encode(msgspec.json.encode((list_name, key))).rstrip(b"=").decode()
