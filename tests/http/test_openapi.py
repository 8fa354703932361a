"""The OpenAPI document: valid, its examples are real, and its page needs nothing from elsewhere."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from smsledger.domain.ids import parse_message_id
from tests.clients.node import node_project
from tests.running_service import Service, wait_for_status

from .inbound import received, store_received
from .organizations import TestOrganization

SMS = {
    ("/v1/sms", "post"),
    ("/v1/sms/batch", "post"),
    ("/v1/sms/preview", "post"),
    ("/v1/sms/messages", "get"),
    ("/v1/sms/inbound", "get"),
    ("/v1/sms/{messageId}", "get"),
    ("/v1/sms/{messageId}/events", "get"),
}
SUPPRESSIONS = {
    ("/v1/sms/suppressions", "get"),
    ("/v1/sms/suppressions", "post"),
    ("/v1/sms/suppressions/{phoneNumber}", "get"),
    ("/v1/sms/suppressions/{phoneNumber}", "delete"),
    ("/v1/sms/suppressions/{phoneNumber}/history", "get"),
}
WEBHOOKS = {
    ("/v1/sms/webhooks", "get"),
    ("/v1/sms/webhooks", "post"),
    ("/v1/sms/webhooks/{webhookId}", "get"),
    ("/v1/sms/webhooks/{webhookId}", "patch"),
    ("/v1/sms/webhooks/{webhookId}", "delete"),
}


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    """As clients fetch it."""
    answer = httpx.get(f"{service.ready.url}/docs/openapi.json", trust_env=False)
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def example(described: dict[str, Any]) -> Any:
    return described["content"]["application/json"]["examples"]["example"]["value"]


def shape(value: Any) -> Any:
    """Names and kinds, without the values; of a list, the last element's."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[-1])] if value else []
    return type(value).__name__


def documented_error(document: dict[str, Any], path: str, method: str, status: int) -> Any:
    response = document["paths"][path][method]["responses"][str(status)]
    if "$ref" not in response:
        return example(response)
    reference = response["$ref"]
    return example(document["components"]["responses"][reference.removeprefix("#/components/responses/")])


def validate(document: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    report = json.loads(
        node_project("openapi").run("validate.mjs", json.dumps({"document": document, "samples": samples}))
    )
    assert report == {"version": "3.1", "problems": []}


def test_the_document_is_valid_and_so_are_its_examples(document: dict[str, Any]) -> None:
    served = {
        (path, method)
        for path, methods in document["paths"].items()
        for method in methods
        if not path.startswith("/v1/admin/")
    }
    assert served == SMS | SUPPRESSIONS | WEBHOOKS | {("/healthz", "get"), ("/readyz", "get")}
    samples = []
    for path, method in served - {("/healthz", "get"), ("/readyz", "get")}:
        operation = document["paths"][path][method]
        good = {status for status in operation["responses"] if status.startswith("2")}
        for status in good - {"204"}:
            value = example(operation["responses"][status])
            samples.append({"path": path, "method": method, "status": status, "value": value})
        if "requestBody" in operation:
            samples.append(
                {"path": path, "method": method, "status": None, "value": example(operation["requestBody"])}
            )
        for status in set(operation["responses"]) - good:
            value = documented_error(document, path, method, int(status))
            assert value["error"]["statusCode"] == int(status)
            samples.append({"path": path, "method": method, "status": status, "value": value})
    assert len(samples) > 20
    validate(document, samples)


def test_a_wrong_document_and_a_wrong_sample_are_found(document: dict[str, Any]) -> None:
    broken = document | {"paths": document["paths"] | {"nonsense": 1}}
    sample = {"path": "/v1/sms", "method": "post", "status": "200", "value": {"to": 1}}
    with pytest.raises(AssertionError):
        validate(broken, [])
    with pytest.raises(AssertionError):
        validate(document, [sample])


def test_the_documented_requests_work_and_are_answered_as_documented(
    document: dict[str, Any], service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    paths = document["paths"]
    samples = []

    def answered(path: str, method: str, answer: httpx.Response) -> Any:
        assert answer.status_code == 200
        documented = paths[path][method]["responses"]["200"]
        for name in set(documented.get("headers", ())) - {"Idempotency-Replayed"}:
            assert name in answer.headers
        value = answer.json()
        samples.append({"path": path, "method": method, "status": "200", "value": value})
        return value, example(documented)

    sent, expected = answered(
        "/v1/sms", "post", client.post("/v1/sms", json=example(paths["/v1/sms"]["post"]["requestBody"]))
    )
    assert shape(sent) == shape(expected)
    message_id = sent["messageId"]
    parse_message_id(expected["messageId"])  # raises, were it none

    body = example(paths["/v1/sms/batch"]["post"]["requestBody"])
    results, expected = answered("/v1/sms/batch", "post", client.post("/v1/sms/batch", json=body))
    assert shape(results) == shape(expected)
    assert [result["to"] for result in results] == [result["to"] for result in expected]

    body = example(paths["/v1/sms/preview"]["post"]["requestBody"])
    preview, expected = answered("/v1/sms/preview", "post", client.post("/v1/sms/preview", json=body))
    differ = ("from", "templateId")  # of this installation
    assert {name: preview[name] for name in expected if name not in differ} == {
        name: value for name, value in expected.items() if name not in differ
    }

    wait_for_status(client, message_id, "DELIVERED")
    path = "/v1/sms/{messageId}"
    message, expected = answered(path, "get", client.get(path.format(messageId=message_id)))
    assert shape(message) == shape(expected)
    same = ("to", "body", "status", "direction", "segments", "country", "tag", "metadata", "errorCode")
    assert {name: message[name] for name in same} == {name: expected[name] for name in same}
    assert [step["eventType"] for step in message["events"]] == [
        step["eventType"] for step in expected["events"]
    ]

    path = "/v1/sms/{messageId}/events"
    answer = client.get(path.format(messageId=message_id))
    position = {"Ledger-Position": answer.headers["Ledger-Position"]}
    events, expected = answered(path, "get", answer)
    for documented, real in zip(expected["events"], events["events"][-1:], strict=True):
        assert set(documented) == set(real)
        assert set(documented["data"]) <= set(real["data"])
        assert documented["topic"] == real["topic"]

    path = "/v1/sms/messages"
    query = "?count=50&status=DELIVERED&tag=verification"
    listed, expected = answered(path, "get", client.get(f"{path}{query}", headers=position))
    assert shape(listed) == shape(expected)

    path = "/v1/sms/inbound"
    at, sent_id = datetime(2024, 1, 1, 12, 30, tzinfo=UTC), parse_message_id(message_id)
    arrived = received(organization.organization_id, at, in_reply_to=sent_id)
    _, position = store_received(service.ready.postgres_url, [arrived])
    inbox, expected = answered(path, "get", client.get(path, headers=position))
    assert shape(inbox) == shape(expected)
    validate(document, samples)


def test_the_documented_errors_are_the_ones_that_are_answered(
    document: dict[str, Any], service: Service, client: httpx.Client
) -> None:
    sms = example(document["paths"]["/v1/sms"]["post"]["requestBody"])
    with service.client(None) as nobody:
        answers = {
            400: client.post("/v1/sms", json=sms | {"tag": ""}),
            401: nobody.post("/v1/sms", json=sms),
            404: client.get("/v1/sms/sms_01hk153x00e45bavdxkn2xkbtr"),
            413: client.post("/v1/sms", content=b" " * 3_000_000),
        }
    for status, answer in answers.items():
        path, method = ("/v1/sms/{messageId}", "get") if status == 404 else ("/v1/sms", "post")
        assert (answer.status_code, answer.json()) == (
            status,
            documented_error(document, path, method, status),
        )


def test_the_documented_parameters_are_the_ones_that_are_known(
    document: dict[str, Any], client: httpx.Client
) -> None:
    for path in ("/v1/sms/messages", "/v1/sms/inbound"):
        parameters = document["paths"][path]["get"]["parameters"]
        named = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        message = client.get(f"{path}?nope=1").json()["error"]["message"]
        assert named == set(message.partition("known are ")[2].split(", "))


def test_the_page_loads_nothing_from_elsewhere(service: Service) -> None:
    with service.client(None) as nobody:
        page = nobody.get("/docs")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert not re.findall(r"(?:https?:)?//[a-z]", page.text)
        loaded = re.findall(r'(?:src|href|url)(?:=|: )"([^"]+)"', page.text)
        assert len(loaded) == 4
        for path in loaded:
            assert path.startswith("/docs/")
            assert nobody.get(path).status_code == 200
        assert "validatorUrl: null" in page.text, "Swagger UI would load a badge from its maker's server"
        style = nobody.get("/docs/assets/swagger-ui.css")
        assert style.headers["content-type"].startswith("text/css")
        assert not re.findall(r"url\((?!['\"]?data:)", style.text)
