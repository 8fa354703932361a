"""Conditions on their way to `ledger_append()`: guards, idempotency keys and consents of a group of submissions.

It packs parameters; what the conditions mean and do stands in `migrations/0005_append_conditions.sql`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg.sql import SQL, Identifier

from smsledger.application.ports import Append, Once

from .arrays import BoolArray, ByteaArray, Int4Array, Int8Array, TextArray, UuidArray

_STATEMENT = SQL("SELECT base, refused, suppressed, used FROM {}.ledger_append({})")
PARAMETERS = 12
"""Of an append without keys and consents."""
PARAMETERS_MAX = 21

_NO_GUARDS = (Int4Array.of([]), UuidArray.of([]), TextArray.of([]))
_NO_KEYS = (Int4Array.of([]), TextArray.of([]), TextArray.of([]), ByteaArray.of([]), ByteaArray.of([]))
_NO_CONSENTS = (Int4Array.of([]), Int8Array.of([]), TextArray.of([]), BoolArray.of([]))


def append_statements(schema: str) -> dict[int, bytes]:
    """The statements that write events, by the number of parameters; the first eight are `recorder.append_parameters`."""
    return {
        count: _STATEMENT.format(Identifier(schema), SQL(", ").join([SQL("%b")] * count)).as_bytes()
        for count in (PARAMETERS, PARAMETERS_MAX)
    }


def condition_parameters(group: Iterable[tuple[Sequence[Append], Once | None]]) -> list[Any]:
    """The parameters that follow those of the events. Appends are numbered from 0 over the whole group."""
    last_appends: list[int] = []
    guard_appends: list[int] = []
    guard_consents: list[bytes] = []
    guard_scopes: list[str] = []
    keys: list[tuple[int, Once]] = []
    consents: list[tuple[int, Append]] = []
    number = -1
    for submission, (appends, once) in enumerate(group):
        for append in appends:
            number += 1
            guard = append.guard
            if guard is not None:
                guard_appends.append(number)
                guard_consents.append(guard.consent_key)
                guard_scopes.append(guard.scope)
            if append.consents:
                consents.append((number, append))
        last_appends.append(number)
        if once is not None:
            keys.append((submission, once))
    guards = _NO_GUARDS
    if guard_appends:
        guards = (Int4Array.of(guard_appends), UuidArray.of_bytes(guard_consents), TextArray.of(guard_scopes))
    rare = [*_keys(keys), *_consents(consents)] if keys or consents else []
    return [Int4Array.of(last_appends), *guards, *rare]


def _keys(keys: Sequence[tuple[int, Once]]) -> Sequence[Any]:
    if not keys:
        return _NO_KEYS
    return (
        Int4Array.of([submission for submission, _ in keys]),
        TextArray.of([once.organization_id for _, once in keys]),
        TextArray.of([once.key for _, once in keys]),
        ByteaArray.of([once.fingerprint for _, once in keys]),
        ByteaArray.of([once.answer for _, once in keys]),
    )


def _consents(consents: Sequence[tuple[int, Append]]) -> Sequence[Any]:
    if not consents:
        return _NO_CONSENTS
    changes = [(number, change) for number, append in consents for change in append.consents]
    return (
        Int4Array.of([number for number, _ in changes]),
        Int8Array.of([change.version for _, change in changes]),
        TextArray.of([change.scope for _, change in changes]),
        BoolArray.of([change.suppressed for _, change in changes]),
    )
