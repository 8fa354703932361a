"""Parallel arrays in PostgreSQL's binary array format, packed by hand: the parameters of a bulk insert.

psycopg's own list dumper asks every element for its type; on the append path that costs as much as the insert.
Format: array_recv() in PostgreSQL's src/backend/utils/adt/arrayfuncs.c. Only one-dimensional arrays.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = struct.Struct("!iiIii")
_HEAD_EMPTY = struct.Struct("!iiI")
_LENGTH = struct.Struct("!i")
_NULL = _LENGTH.pack(-1)
_TRUE, _FALSE = _LENGTH.pack(1) + b"\x01", _LENGTH.pack(1) + b"\x00"
_INT4 = struct.Struct("!ii")
_INT8 = struct.Struct("!iq")
_UUID_LENGTH = _LENGTH.pack(16)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class PackedArray:
    """A one-dimensional array in wire format; each subclass is one element type."""

    __slots__ = ("wire",)
    element_type: ClassVar[str]

    def __init__(self, elements: Sequence[bytes], *, has_null: bool = False) -> None:
        oid = psycopg.postgres.types[self.element_type].oid
        if elements:
            self.wire = _HEAD.pack(1, int(has_null), oid, len(elements), 1) + b"".join(elements)
        else:
            self.wire = _HEAD_EMPTY.pack(0, 0, oid)


class Int4Array(PackedArray):
    """int4[]"""

    element_type = "int4"

    @classmethod
    def of(cls, values: Iterable[int]) -> "Int4Array":
        """Pack `values`."""
        return cls([_INT4.pack(4, value) for value in values])


class Int8Array(PackedArray):
    """int8[]"""

    element_type = "int8"

    @classmethod
    def of(cls, values: Iterable[int]) -> "Int8Array":
        """Pack `values`."""
        return cls([_INT8.pack(8, value) for value in values])


class UuidArray(PackedArray):
    """uuid[]"""

    element_type = "uuid"

    @classmethod
    def of(cls, values: Iterable[UUID]) -> "UuidArray":
        """Pack `values`."""
        return cls([_UUID_LENGTH + value.bytes for value in values])

    @classmethod
    def of_bytes(cls, values: Iterable[bytes]) -> "UuidArray":
        """Pack UUIDs that are given as their 16 bytes."""
        return cls([_UUID_LENGTH + value for value in values])


class BoolArray(PackedArray):
    """bool[]"""

    element_type = "bool"

    @classmethod
    def of(cls, values: Iterable[bool]) -> "BoolArray":
        """Pack `values`."""
        return cls([_TRUE if value else _FALSE for value in values])


class ByteaArray(PackedArray):
    """bytea[]"""

    element_type = "bytea"

    @classmethod
    def of(cls, values: Iterable[bytes]) -> "ByteaArray":
        """Pack `values`."""
        return cls([_LENGTH.pack(len(value)) + value for value in values])


class TextArray(PackedArray):
    """text[]; None is NULL."""

    element_type = "text"

    @classmethod
    def of(cls, values: Iterable[str | None]) -> "TextArray":
        """Pack `values`; a value that repeats is encoded once."""
        packed: dict[str | None, bytes] = {}
        elements = []
        for value in values:
            wire = packed.get(value)
            if wire is None:
                wire = packed[value] = _text(value)
            elements.append(wire)
        return cls(elements, has_null=None in packed)


class TimeArray(PackedArray):
    """timestamptz[]; None is NULL."""

    element_type = "timestamptz"

    @classmethod
    def of(cls, values: Iterable[datetime | None]) -> "TimeArray":
        """Pack aware `values`."""
        elements = [_NULL if value is None else _time(value) for value in values]
        return cls(elements, has_null=_NULL in elements)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    encoded = value.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def _time(value: datetime) -> bytes:
    since = value - _EPOCH
    return _INT8.pack(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


class _PackedArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: PackedArray) -> bytes:
        return obj.wire


def _register(cls: type[PackedArray]) -> None:
    oid = psycopg.postgres.types[cls.element_type].array_oid
    dumper = type(f"{cls.__name__}Dumper", (_PackedArrayDumper,), {"oid": oid})
    psycopg.adapters.register_dumper(cls, dumper)


for _cls in (Int4Array, Int8Array, UuidArray, BoolArray, ByteaArray, TextArray, TimeArray):
    _register(_cls)  # a table look-up in memory, no connection: psycopg then knows the classes everywhere
