"""What the HTTP surface is given by the composition root. It makes nothing itself."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar.connection import ASGIConnection

from smsledger.application.accept import Accept, NumberReader
from smsledger.application.admin.administration import Administration
from smsledger.application.clock import Clock
from smsledger.application.consent import ConsentBook, Suppressions
from smsledger.application.directory import Directory, KeyUses
from smsledger.application.idempotency import RepeatableRequests
from smsledger.application.ports import EventReader
from smsledger.application.preview import Preview
from smsledger.application.rate_limits import RateLimiter
from smsledger.application.webhooks import Webhooks
from smsledger.projections.position_watch import LendConnection, PositionWatch


class Services(msgspec.Struct, frozen=True):
    """Everything a handler may use."""

    directory: Directory
    accept: Accept
    repeatable: RepeatableRequests
    preview: Preview
    consents: ConsentBook
    suppressions: Suppressions
    numbers: NumberReader
    reader: EventReader
    read_connection: LendConnection
    """Lends a connection for the queries of the read models."""
    watch: PositionWatch
    status: Callable[[], Awaitable[Any]]
    """The state of the ledger and its loops. Raises psycopg.Error where PostgreSQL cannot be reached."""
    position_wait_s_max: float
    clock: Clock
    rates: RateLimiter
    key_uses: KeyUses
    administration: Administration
    webhooks: Webhooks


def services_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Services:
    """The services of the application that serves this connection."""
    services: Services = connection.app.state["services"]
    return services
