"""Whether the process lives (`/healthz`) and whether it can serve (`/readyz`), with the state of every loop."""

import asyncio
from typing import Any

import psycopg
from litestar import Request, Response, get
from psycopg_pool import PoolTimeout

from .services import services_of

STATE_S_MAX = 1.0
"""Probes want an answer soon, whatever PostgreSQL does."""


@get(
    "/healthz",
    operation_id="healthz",
    summary="Liveness and the loops' state",
    tags=["Operations"],
    security=[{}],
)
async def healthz(request: Request[Any, Any, Any]) -> Response[Any]:
    """200 as long as the process answers; what it can see of the loops is in the body."""
    return Response(await _state(request))


@get("/readyz", operation_id="readyz", summary="Readiness", tags=["Operations"], security=[{}])
async def readyz(request: Request[Any, Any, Any]) -> Response[Any]:
    """200 when requests can be served, 503 while PostgreSQL cannot be reached. Lagging loops do not unready the API."""
    state = await _state(request)
    return Response(state, status_code=200 if state["status"] == "ok" else 503)


async def _state(request: Request[Any, Any, Any]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(STATE_S_MAX):
            return {"status": "ok", "ledger": await services_of(request).status()}
    except (psycopg.Error, PoolTimeout, OSError, TimeoutError) as error:
        return {
            "status": "unavailable",
            "reason": f"PostgreSQL: {str(error).strip() or type(error).__name__}",
        }


HANDLERS = [healthz, readyz]
