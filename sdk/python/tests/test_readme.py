"""The README's first example runs as it stands, against the live service."""

import re
from pathlib import Path

import pytest

from tests.http.organizations import TestOrganization
from tests.running_service import Service

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_first_message_is_sent_as_the_readme_says(
    service: Service,
    organization: TestOrganization,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SMSLEDGER_KEY", organization.server_key)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "http://127.0.0.1:8080" in example
    names: dict[str, object] = {}
    exec(compile(example.replace("http://127.0.0.1:8080", service.ready.url), "README.md", "exec"), names)
    assert capsys.readouterr().out.strip() in ("QUEUED", "SENDING", "SENT", "DELIVERED")
    names["client"].close()  # type: ignore[attr-defined]  # it is the client


def test_every_method_of_the_client_is_in_the_readme() -> None:
    from smsledger_client.client import Sms, Suppressions, Webhooks

    for kind in (Sms, Suppressions, Webhooks):
        for name in vars(kind):
            if not name.startswith("_"):
                assert re.search(rf"`(?:\w+\.)*{name}`", README), f"{kind.__name__}.{name}"
