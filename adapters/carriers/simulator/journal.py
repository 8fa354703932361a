"""The append-only files in which the simulator keeps what it must not forget, one JSON line per record.

A line is handed to the kernel before the answer that depends on it is sent, without fsync: that survives
`kill -9` of the process, not a crash of the machine. It knows no meaning of records beyond their shape; that is
`memory.py`. Files are kept to the newest two or three segments, so the disk holds a bounded past.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import msgspec

from smsledger.domain.errors import LedgerError

from .protocol import BadLine, FrameReader

JOURNAL_VERSION = 1
SEGMENTS_KEPT = 2
_READ_BYTES = 1_048_576
_PATTERN = "journal-*.ndjson"


class _Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Stored format: change only by adding fields with defaults at the end, or another record."""


class Opened(_Record, frozen=True, tag="opened"):
    """Begins every segment: what makes provider ids unique, and the number of the next message."""

    epoch: str
    next_number: int
    version: int = JOURNAL_VERSION


class MessageTaken(_Record, frozen=True, tag="taken"):
    """The message was put on the air, now."""

    message_id: UUID
    number: int
    script: str
    account: str
    at: datetime


class MessageCarried(_Record, frozen=True, tag="carried"):
    """A message of an older segment that has receipts to come; it is not put on the air by this."""

    message_id: UUID
    number: int
    script: str
    account: str
    at: datetime
    unacked: int
    """Bit i: receipt i of the script has not been acknowledged."""
    on_air: int


class MessageRefused(_Record, frozen=True, tag="refused"):
    """The message was refused for good."""

    message_id: UUID
    error_code: str
    reason: str


class ReceiptsAcked(_Record, frozen=True, tag="acked"):
    """These receipts need not be sent again."""

    receipt_ids: list[int]


class InboundMade(_Record, frozen=True, tag="inbound"):
    """A message came in from a phone; acknowledged under the id of its receipt 0."""

    number: int
    account: str
    sender: str
    recipient: str
    body: str
    at: datetime


Record: TypeAlias = Opened | MessageTaken | MessageCarried | MessageRefused | ReceiptsAcked | InboundMade

_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_ENCODER = msgspec.json.Encoder()


class JournalLocked(LedgerError):
    """Another simulator process uses the same folder."""

    message = "another simulator keeps its journal in {folder}: stop it, or choose another folder"


class JournalUnreadable(LedgerError):
    """A journal file is damaged or of a newer version."""

    message = "the simulator's journal {file} cannot be read ({problem}): restore it, or move it away to start empty"


class JournalFailed(LedgerError):
    """A record could not be stored, so nothing may be answered any more."""

    message = "the simulator cannot write its journal in {folder}: {reason}"


class Journal:
    """The segments in one folder, held by one process at a time. Call `replay` to its end before `append`."""

    def __init__(self, folder: Path) -> None:
        """Lock `folder`, making it where it is missing. Raises JournalLocked and JournalFailed."""
        self._folder = folder
        self._waiting: list[Record] = []
        self._file: int | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalFailed(folder=folder, reason=error.strerror) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise JournalLocked(folder=folder) from None
        self._segments = sorted(folder.glob(_PATTERN))

    def replay(self) -> Iterator[Record]:
        """Every stored record, oldest first; a line torn by the end of a process is cut off. Raises JournalUnreadable."""
        for segment in self._segments:
            yield from self._replay_segment(segment)
        if self._segments:
            self._file = os.open(self._segments[-1], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def append(self, record: Record) -> None:
        """Have `record` stored by the next `flush`."""
        self._waiting.append(record)

    def flush(self) -> None:
        """Hand all waiting records to the kernel. Raises JournalFailed; the process must then answer nothing more."""
        if self._waiting:
            lines = _ENCODER.encode_lines(self._waiting)
            self._waiting.clear()
            self._write(self._file, lines)

    def start_segment(self, records: Sequence[Record]) -> None:
        """Begin a new segment with `records`, complete from its first moment, and drop the oldest. Raises JournalFailed."""
        self.flush()
        last = int(self._segments[-1].stem.removeprefix("journal-")) if self._segments else 0
        segment = self._folder / f"journal-{last + 1:06d}.ndjson"
        fresh = segment.with_suffix(".new")
        try:
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._write(file, _ENCODER.encode_lines(records))
            fresh.rename(segment)
        except OSError as error:
            raise JournalFailed(folder=self._folder, reason=error.strerror) from None
        if self._file is not None:
            os.close(self._file)
        self._file = file
        self._segments.append(segment)
        while len(self._segments) > SEGMENTS_KEPT:
            self._segments.pop(0).unlink(missing_ok=True)

    def close(self) -> None:
        """Store what waits and let go of the folder."""
        try:
            self.flush()
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            os.close(self._lock)

    def _replay_segment(self, segment: Path) -> Iterator[Record]:
        reader = FrameReader(_DECODER)
        size = 0
        try:
            with segment.open("rb") as file:
                while chunk := file.read(_READ_BYTES):
                    size += len(chunk)
                    yield from reader.feed(chunk)
        except (BadLine, OSError) as error:
            raise JournalUnreadable(file=segment, problem=error) from None
        if reader.incomplete_bytes:
            os.truncate(segment, size - reader.incomplete_bytes)

    def _write(self, file: int | None, lines: bytes) -> None:
        if file is None:
            raise JournalFailed(folder=self._folder, reason="it is not open")
        try:
            while lines:
                lines = lines[os.write(file, lines) :]
        except OSError as error:
            raise JournalFailed(folder=self._folder, reason=error.strerror) from None
