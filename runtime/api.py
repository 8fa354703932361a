"""Serves the HTTP API with granian: so many worker processes behind one port, until a signal ends them."""

import os
from typing import Any

import msgspec
from granian import Granian
from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from litestar.types import ASGIApp

from smsledger.http.app import create_app

from .children import die_with_parent
from .logs import configure_logging
from .services import open_api_services
from .settings import Settings, settings_from

BACKLOG = 1_024
DRAIN_S = 10


def run_api(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. A worker process that dies is started again."""
    # Worker processes read the settings anew; options given on the command line travel as variables.
    os.environ.update(_as_environment(settings))
    Granian(
        target="smsledger.runtime.api:app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=settings.api_workers,
        websockets=False,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(keep_alive=True),
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=DRAIN_S,
        log_access=False,
        log_level=LogLevels.warning,
    ).serve()


def app() -> ASGIApp:
    """The application of one worker process, which ends with the process that started it."""
    die_with_parent()
    settings = settings_from(os.environ)
    configure_logging(settings, "api")
    return create_app(
        lambda: open_api_services(settings), request_body_bytes_max=settings.request_body_bytes_max
    )


def _as_environment(settings: Settings) -> dict[str, str]:
    values: dict[str, Any] = msgspec.structs.asdict(settings)
    return {f"SMSLEDGER_{name.upper()}": str(value) for name, value in values.items()}
