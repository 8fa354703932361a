"""Makes results of JSON: the API's names to Python's, texts to times, objects to dataclasses, what is unknown to `extra`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .results import Result

R = TypeVar("R", bound=Result)


_NOT_IN_THE_ANSWER = {one.name for one in fields(Result)}
_known: dict[type[Result], tuple[Field, ...]] = {}


class Unparsable(Exception):
    """The answer is not what the API answers; the message says where."""


class Field:
    """One field of a result."""

    def __init__(self, name: str, hint: Any, *, required: bool) -> None:
        self.name = name
        self.wire_name = wire_name(name)
        self.read = _reader(hint)
        self.required = required


def wire_name(name: str) -> str:
    """`message_id` as the API writes it: `messageId`; `from_`: `from`."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def parse(kind: type[R], data: Any) -> R:
    """The result in a decoded answer. Raises Unparsable."""
    if not isinstance(data, Mapping):
        raise Unparsable(f"expected an object for {kind.__name__}")
    unknown = dict(data)
    values: dict[str, Any] = {}
    for known in _fields(kind):
        if known.wire_name not in unknown:
            if known.required:
                raise Unparsable(f"{kind.__name__} has no {known.wire_name}")
            continue
        value = unknown.pop(known.wire_name)
        try:
            values[known.name] = known.read(value)
        except (TypeError, ValueError, AttributeError) as error:
            raise Unparsable(f"{known.wire_name} of {kind.__name__}: {error}") from None
    return kind(**values, extra=unknown)


def _fields(kind: type[Result]) -> tuple[Field, ...]:
    known = _known.get(kind)
    if known is None:
        known = _known[kind] = _inspected(kind)
    return known


def _inspected(kind: type[Result]) -> tuple[Field, ...]:
    hints = get_type_hints(kind)
    return tuple(
        Field(
            one.name,
            hints[one.name],
            required=one.default is MISSING and one.default_factory is MISSING,
        )
        for one in fields(kind)
        if one.name not in _NOT_IN_THE_ANSWER
    )


def _reader(hint: Any) -> Callable[[Any], Any]:
    """What makes a value of that type of a decoded one."""
    if get_origin(hint) in (Union, UnionType):
        read = _reader(next(kind for kind in get_args(hint) if kind is not type(None)))
        return lambda value: None if value is None else read(value)
    if get_origin(hint) is tuple:
        read_item = _reader(get_args(hint)[0])
        return lambda value: tuple(read_item(item) for item in value)
    if hint is datetime:
        return _moment
    if isinstance(hint, type) and issubclass(hint, Result):
        kind: type[Result] = hint
        return lambda value: parse(kind, value)
    return _as_it_is


def _moment(text: str) -> datetime:
    # Python 3.10 reads no Z.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _as_it_is(value: Any) -> Any:
    return value
