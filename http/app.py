"""The Litestar application, made from services that are handed in."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

import psycopg
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from psycopg_pool import PoolTimeout

from smsledger.domain.errors import LedgerError

from . import docs_page, health, sms
from .errors import on_fault, on_framework_error, on_ledger_error, on_store_error
from .openapi import openapi_config
from .services import Services

OpenServices = Callable[[], AbstractAsyncContextManager[Services]]


def create_app(open_services: OpenServices, *, request_body_bytes_max: int) -> Litestar:
    """The application; `open_services` is entered when it starts and left when it stops."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state["services"] = services
            yield

    return Litestar(
        route_handlers=[Router("/v1", route_handlers=sms.HANDLERS), *health.HANDLERS, *docs_page.HANDLERS],
        lifespan=[lifespan],
        state=State(),
        logging_config=None,  # each process configures its logging once, before the application is made
        request_max_body_size=request_body_bytes_max,
        exception_handlers={
            LedgerError: on_ledger_error,
            HTTPException: on_framework_error,
            psycopg.Error: on_store_error,
            PoolTimeout: on_store_error,
            Exception: on_fault,
        },
        openapi_config=openapi_config(version("smsledger"), docs_page.PLUGINS),
    )
