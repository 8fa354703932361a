"""The documents agree with the product: settings, errors, endpoints, examples, and no link leads nowhere."""

import json
import re
from pathlib import Path
from uuid import UUID

import pytest

from smsledger.domain.consent import consent_id
from smsledger.domain.ids import render_consent_id, render_message_id
from smsledger.http import (
    examples,
    examples_suppressions,
    examples_webhooks,
    preview,
    sms,
    suppressions,
    webhooks,
)
from smsledger.http.admin import ADMIN_HANDLERS
from smsledger.http.errors import ERRORS, INTERNAL, ITEM_INVALID
from smsledger.runtime.settings import setting_infos

ROOT = Path(__file__).resolve().parent.parent
API = (ROOT / "docs" / "api.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


def settings_table() -> str:
    """As `docs/settings.md` shows it."""
    rows = ["| variable | meaning | unit | default |", "|---|---|---|---|"]
    rows += [
        f"| `{info.variable}` | {info.meaning} | {info.unit} | {f'`{info.default}`' if info.default != '' else ''} |"
        for info in setting_infos()
    ]
    return "\n".join(rows)


def error_table() -> str:
    """As `docs/api.md` shows it."""
    rows = [
        (
            kind.status,
            kind.code,
            "" if kind.number in (None, ITEM_INVALID) else str(kind.number),
            error.message,
        )
        for error, kind in ERRORS.items()
    ]
    rows += [
        (404, "NOT_FOUND", "", "nothing is at {path}: see /docs"),
        (405, "METHOD_NOT_ALLOWED", "", "{method} is not possible here, only {methods}"),
        (413, "REQUEST_TOO_LARGE", "", "the body is larger than {bytes} bytes"),
        (INTERNAL.status, INTERNAL.code, "", "internal error"),
    ]
    lines = ["| HTTP | code | errorCode | message |", "|---|---|---|---|"]
    lines += [
        f"| {status} | `{code}` | {number} | {message} |" for status, code, number, message in sorted(rows)
    ]
    return "\n".join(lines)


def test_every_setting_is_documented() -> None:
    assert settings_table() in (ROOT / "docs" / "settings.md").read_text(), settings_table()


def test_every_error_is_documented() -> None:
    assert error_table() in API, error_table()


def test_every_endpoint_is_documented() -> None:
    served = set()
    for handler in [*sms.HANDLERS, *preview.HANDLERS, *suppressions.HANDLERS, *webhooks.HANDLERS]:
        (method,) = handler.http_methods
        (path,) = handler.paths
        served.add(f"{method} /v1{path.replace(':str', '')}")
    documented = set(re.findall(r"^## (?:.* )?`((?:GET|POST|PATCH|DELETE) /v1/\S+)`$", API, re.MULTILINE))
    assert documented == served


def test_every_example_is_one_that_the_tests_send_or_compare() -> None:
    known = [
        value
        for module in (examples, examples_suppressions, examples_webhooks)
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and not name.endswith("_ID")
    ]
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", API, re.DOTALL)]
    assert len(blocks) >= 6
    for block in blocks:
        assert block in known, json.dumps(block, indent=2)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_link_leads_nowhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_endpoint_of_the_administration_is_documented() -> None:
    served = {
        f"{next(iter(handler.http_methods - {'HEAD'}))} /v1{next(iter(handler.paths)).replace(':str', '')}"
        for handler in ADMIN_HANDLERS
    }
    documented = re.findall(r"^\| `([A-Z]+ /v1/admin/\S+)` \|", API, re.MULTILINE)
    assert sorted(documented) == sorted(served)


def test_the_ids_of_the_suppression_examples_are_those_that_they_would_be() -> None:
    (event,) = examples_suppressions.HISTORY["events"]
    data = event["data"]
    assert event["subject"] == render_consent_id(consent_id(event["organization"], data["number"]))
    (suppression,) = examples_suppressions.CHECK["suppressions"]
    assert suppression["messageId"] == render_message_id(UUID(data["message_id"]), inbound=True)
