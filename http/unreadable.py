"""Says in words of JSON why a body cannot be read: msgspec's message, without Python's names of types."""

import re
from enum import Enum
from typing import Any

import msgspec
from msgspec import inspect

VALUE_SHOWN_MAX = 40
"""Characters of a wrong value that are said back."""

_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x78\x9c": "deflate"}
_WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_MISMATCH = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_NO_CHOICE = re.compile(r"Invalid enum value (['\"])(.*)\1")
_STEP = re.compile(r"\[[^]]*\]|[^.\[\]]+")
"""A field, or an element of an array or object, in msgspec's path: `.events[0]`."""


def problem_of(error: Exception, body: bytes | msgspec.Raw, wanted: Any) -> str:
    """Why `body` is no `wanted`, with the field in front: "to: expected a string, got an integer"."""
    if not isinstance(error, msgspec.ValidationError):
        return f"the body is not valid JSON: {_not_json(error, body)}"
    text, _, path = str(error).rpartition(" - at `$") if " - at `$" in str(error) else (str(error), "", "")
    field = path.rstrip("`").lstrip(".")
    problem = _in_words(text, field, wanted)
    return f"{field}: {problem}" if field else problem


def _in_words(text: str, field: str, wanted: Any) -> str:
    if mismatch := _MISMATCH.fullmatch(text):
        expected, got = (_words(kinds) for kinds in mismatch.groups())
        return f"expected {expected}, got {got}"
    if (refused := _NO_CHOICE.fullmatch(text)) and (choices := _choices(wanted, field)):
        return f"expected one of {', '.join(choices)}, got `{refused[2][:VALUE_SHOWN_MAX]}`"
    return text[0].lower() + text[1:]


def _words(kinds: str) -> str:
    """Of `str | null`: a string or null. An integer is a number as well."""
    names = kinds.split(" | ")
    return " or ".join(_WORDS.get(name, name) for name in names if name != "int" or "float" not in names)


def _choices(wanted: Any, field: str) -> list[str]:
    """What the field may be, where `wanted` has an enum there."""
    kinds = _alternatives(inspect.type_info(wanted))
    for step in _STEP.findall(field):
        kinds = [inner for kind in kinds for below in _below(kind, step) for inner in _alternatives(below)]
    enums: list[type[Enum]] = [kind.cls for kind in kinds if isinstance(kind, inspect.EnumType)]
    return [str(member.value) for enum in enums for member in enum]


def _below(kind: inspect.Type, step: str) -> list[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        return [field.type for field in kind.fields if field.encode_name == step]
    if isinstance(kind, inspect.ListType):
        return [kind.item_type]
    return [kind.value_type] if isinstance(kind, inspect.DictType) else []


def _alternatives(kind: inspect.Type) -> list[inspect.Type]:
    return list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]


def _not_json(error: Exception, body: bytes | msgspec.Raw) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    content = bytes(body)
    for magic, name in _COMPRESSED.items():
        if content.startswith(magic):
            return f"it is compressed ({name}): send it as it is, without Content-Encoding"
    return str(error) if content.strip() else "it is empty"
