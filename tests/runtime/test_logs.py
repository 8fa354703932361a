"""Log lines: JSON for machines, without personal data, for our own loggers and for libraries' alike."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from smsledger.runtime.logs import configure_logging
from smsledger.runtime.settings import Settings


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging(Settings(log_level="info"), "publisher", stream=stream)
    yield stream
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


def lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_its_process(output: io.StringIO):
    structlog.get_logger("test").warning("loop_failed", role="publisher", retry_s=0.1)
    (line,) = lines(output)
    assert (line["event"], line["level"], line["process"], line["retry_s"]) == (
        "loop_failed",
        "warning",
        "publisher",
        0.1,
    )


def test_lines_of_libraries_look_the_same(output: io.StringIO):
    logging.getLogger("some.library").error("it broke: %s", "badly")
    (line,) = lines(output)
    assert (line["event"], line["level"], line["process"]) == ("it broke: badly", "error", "publisher")


def test_what_is_below_the_level_is_not_logged(output: io.StringIO):
    structlog.get_logger("test").debug("detail")
    logging.getLogger("some.library").debug("detail")
    assert lines(output) == []


def test_an_exception_stays_on_its_line(output: io.StringIO):
    try:
        int("to +14155551234")
    except ValueError:
        structlog.get_logger("test").exception("failed")
    (line,) = lines(output)
    assert "ValueError" in str(line["exception"])
    assert "+14155551234" not in output.getvalue()


def test_numbers_and_personal_fields_are_hidden(output: io.StringIO):
    structlog.get_logger("test").info(
        "sent +14155551234", recipient="+14155551234", body="Your code is 1", error="no +4915123456789"
    )
    structlog.get_logger("test").info(
        "failed",
        path="/v1/admin/keys/sk_server_Ab-c_9",
        url="/v1/sms/suppressions/%2B4915123456789",
        error="whsec_a+b/c=",
    )
    text = output.getvalue()
    assert not any(personal in text for personal in ("4155551234", "Your code", "4915123456789"))
    assert not any(secret in text for secret in ("Ab-c_9", "a+b/c"))
