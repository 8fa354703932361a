"""Logging of every process: lines for people on a terminal, JSON lines for machines, always to stderr.

It decides how lines look and keeps personal data out of them. What is worth a line is each module's own decision.
"""

import logging
import logging.config
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from .settings import Settings

PERSONAL_KEYS = frozenset(
    {
        "recipient",
        "to",
        "body",
        "template_model",
        "templateModel",
        "metadata",
        "key",
        "authorization",
        "payload",
    }
)
"""Names that a careless line might give personal data, or a key, under."""

# A number, also as it stands in a URL; an API key; the secret of a webhook.
_SECRETS = re.compile(r"(?:\+|%2B)[1-9]\d{6,14}\b|\bsk_[a-z]+_[\w-]+|\bwhsec_[\w+/=-]+", re.IGNORECASE)
_HIDDEN = "(hidden)"

_QUIET_LIBRARIES = ("nats", "asyncio", "psycopg", "psycopg.pool")


def configure_logging(settings: Settings, name: str, *, stream: TextIO | None = None) -> None:
    """Send this process's log lines, those of libraries included, to `stream` (stderr), marked with `name`.

    A terminal gets one readable line an event, anything else one JSON object a line.
    """
    output = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _marked_with(name),
        structlog.processors.format_exc_info,
        hide_personal_data,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(output)],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)


def hide_personal_data(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Numbers and keys in any text, and everything under a name that holds personal data, do not reach the log."""
    for key, value in event.items():
        if key in PERSONAL_KEYS:
            event[key] = _HIDDEN
        elif isinstance(value, str):
            event[key] = _SECRETS.sub(_HIDDEN, value)
    return event


def _marked_with(name: str) -> Processor:
    def mark(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["process"] = name
        return event

    return mark


def _renderer(stream: TextIO) -> Processor:
    if stream.isatty():
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer(serializer=_as_json)


def _as_json(event: MutableMapping[str, Any], **_options: Callable[[Any], Any]) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
