"""The OpenAPI document of `/v1/sms`: what the client commits and generates its types from.

`python -m tests.clients.typescript.openapi_document FILE` writes it; `make sdk-types` does, and generates.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx

from smsledger.http.app import create_app
from smsledger.http.services import Services


def sms_part(document: dict[str, Any]) -> dict[str, Any]:
    """The part that is the client's: other surfaces may change without it."""
    paths = {path: methods for path, methods in document["paths"].items() if path.startswith("/v1/sms")}
    used = set(_references(paths))
    waiting = list(used)
    while waiting:
        kind, name = waiting.pop()
        fresh = set(_references(document["components"][kind][name])) - used
        used |= fresh
        waiting += fresh
    components = {
        kind: {name: value for name, value in named.items() if (kind, name) in used}
        for kind, named in document["components"].items()
    }
    return {
        "openapi": document["openapi"],
        "info": document["info"],
        "paths": paths,
        "components": components,
    }


def _references(value: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of each component that is referred to."""
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            _, _, kind, name = reference.split("/")
            yield kind, name
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def openapi_document() -> dict[str, Any]:
    """As `/docs/openapi.json` serves it, without a service."""

    async def fetch() -> dict[str, Any]:
        app = create_app(_no_services, request_body_bytes_max=2 * 1024 * 1024)
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # its own types of ASGI are narrower
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            document: dict[str, Any] = (await client.get("/docs/openapi.json")).raise_for_status().json()
            return document

    return asyncio.run(fetch())


def _no_services() -> AbstractAsyncContextManager[Services]:
    raise AssertionError("the document needs no services")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(
        json.dumps(sms_part(openapi_document()), indent=1, ensure_ascii=False) + "\n"
    )
