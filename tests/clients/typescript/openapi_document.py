"""The service's OpenAPI document without a service: what clients commit and generate their types from.

`python -m tests.clients.typescript.openapi_document FILE` writes it; `make sdk-types` does, and generates.
"""

import asyncio
import json
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx

from smsledger.http.app import create_app
from smsledger.http.services import Services


def openapi_document() -> dict[str, Any]:
    """As `/docs/openapi.json` serves it."""

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
    Path(sys.argv[1]).write_text(json.dumps(openapi_document(), indent=1, ensure_ascii=False) + "\n")
