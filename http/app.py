"""The Litestar application, made from services that are handed in."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.types import ASGIApp

from smsledger.domain.ids import OUTBOUND_PREFIX

from . import docs_page, health, preview, sms, suppressions, webhooks
from .admin import ADMIN_HANDLERS
from .allowed_methods import with_options
from .errors import HANDLERS
from .fast_lane import FastLane
from .openapi import openapi_config
from .rate_limits import LimitedLanes
from .request_id import RequestIds
from .services import Services

HANDLERS_V1 = [
    *sms.HANDLERS,
    *preview.HANDLERS,
    *suppressions.HANDLERS,
    *webhooks.HANDLERS,
    *ADMIN_HANDLERS,
]

OpenServices = Callable[[], AbstractAsyncContextManager[Services]]


def create_app(open_services: OpenServices, *, request_body_bytes_max: int) -> ASGIApp:
    """The application; `open_services` is entered when it starts and left when it stops."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state["services"] = services
            yield

    app = Litestar(
        route_handlers=[
            Router("/v1", route_handlers=with_options(HANDLERS_V1)),
            *health.HANDLERS,
            *docs_page.HANDLERS,
        ],
        lifespan=[lifespan],
        state=State(),
        logging_config=None,  # each process configures its logging once, before the application is made
        request_max_body_size=request_body_bytes_max,
        exception_handlers=HANDLERS,
        openapi_config=openapi_config(version("smsledger"), docs_page.PLUGINS),
    )
    lanes = FastLane(
        app,
        posts={"/v1/sms": sms.send, "/v1/sms/batch": sms.send_many},
        gets=("/v1/sms/", OUTBOUND_PREFIX, sms.show),
        request_body_bytes_max=request_body_bytes_max,
    )
    return RequestIds(LimitedLanes(lanes, app, request_body_bytes_max=request_body_bytes_max))
