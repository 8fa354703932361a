"""How the administration's answers look as JSON, the same for HTTP and for `smsledger admin --json`."""

from datetime import datetime
from typing import Any

import msgspec

from smsledger.application.clock import timestamp


def json_form(value: Any) -> Any:
    """`value` (records, lists of them) as objects that encode as they are, with times as everywhere in the API."""
    return _timed(msgspec.to_builtins(value, builtin_types=(datetime,)))


def _timed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_timed(inner) for inner in value]
    if isinstance(value, datetime):
        return timestamp(value)
    return value
