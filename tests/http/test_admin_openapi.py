"""The administration in the OpenAPI document: all of it, valid, with examples that fit and errors as they are answered."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from smsledger.http.admin import ADMIN_HANDLERS
from tests.running_service import Service

from .organizations import TestOrganization
from .test_openapi import documented_error, example, validate


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    """As clients fetch it."""
    document: dict[str, Any] = httpx.get(f"{service.ready.url}/docs/openapi.json", trust_env=False).json()
    return document


@pytest.fixture
def admin(service: Service, organization: TestOrganization) -> Iterator[httpx.Client]:
    """A client with an ADMIN key."""
    with service.client(organization.admin_key) as client:
        yield client


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation of the administration."""
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/admin/")
    ]


def error_example(document: dict[str, Any], path: str, method: str, status: str) -> Any:
    response = document["paths"][path][method]["responses"][status]
    return (
        example(response) if "content" in response else documented_error(document, path, method, int(status))
    )


def test_every_operation_is_there_and_its_examples_fit(document: dict[str, Any]) -> None:
    described = operations(document)
    assert {operation["operationId"] for _, _, operation in described} == {
        handler.operation_id for handler in ADMIN_HANDLERS
    }
    samples = []
    for path, method, operation in described:
        assert operation["tags"] == ["Administration"]
        named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
        if "requestBody" in operation:
            value = example(operation["requestBody"])
            samples.append({"path": path, "method": method, "status": None, "value": value})
        for status, response in operation["responses"].items():
            if status == "204":
                continue
            good = status.startswith("2")
            value = example(response) if good else error_example(document, path, method, status)
            assert good or value["error"]["statusCode"] == int(status)
            samples.append({"path": path, "method": method, "status": status, "value": value})
    validate(document, samples)


def test_the_documented_refusals_are_the_ones_that_are_answered(
    document: dict[str, Any], admin: httpx.Client
) -> None:
    missing = admin.delete("/v1/admin/keys/key_5f2b8c1d9e3a7046")
    assert missing.json() == error_example(document, "/v1/admin/keys/{keyId}", "delete", "404")
    admin.post("/v1/admin/organizations", json={"organizationId": "acme", "name": "Acme"})
    taken = admin.post("/v1/admin/organizations", json={"organizationId": "acme", "name": "Acme"})
    assert taken.json() == error_example(document, "/v1/admin/organizations", "post", "409")


def test_the_documented_parameters_are_the_ones_that_are_known(
    document: dict[str, Any], admin: httpx.Client
) -> None:
    for resource in ("organizations", "keys", "templates", "senders"):
        path = f"/v1/admin/{resource}"
        parameters = document["paths"][path]["get"]["parameters"]
        named = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        message = admin.get(f"{path}?nope=1").json()["error"]["message"]
        assert named == set(message.partition("known are ")[2].split(", "))
