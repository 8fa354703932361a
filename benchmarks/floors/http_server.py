"""The bare HTTP floor: Litestar on granian as the API runs it, which decodes the same body with the same struct and
answers with the same struct and headers, and looks up and stores nothing.

`python -m benchmarks.floors.http_server PORT` serves it in the foreground. The settings of granian are those of
runtime/api.py, and have to stay the same.
"""

import sys
from typing import Any

import msgspec
from granian import Granian
from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from litestar import Litestar, Request, Response, Router, get, post

from smsledger.http.fast_lane import POSITION
from smsledger.http.parameters import decode_batch, decode_send
from smsledger.http.wire import MessageDetail, MessageEvent, SendResult
from smsledger.runtime.api import BACKLOG
from smsledger.runtime.settings import Settings

AT = "2026-01-01T00:00:00.000Z"
MESSAGE_ID = "sms_01kq9000000000000000000000"
DETAIL = MessageDetail(
    message_id=MESSAGE_ID,
    provider_message_id="SM0123456789abcdef00000001",
    from_="+18885550100",
    to="+14155551234",
    body="Your verification code is 123456",
    status="DELIVERED",
    direction="OUTBOUND",
    segments=1,
    country="US",
    tag="verification",
    metadata={"userId": "user_123456"},
    error_code=None,
    error_message=None,
    queued_at=AT,
    sent_at=AT,
    delivered_at=AT,
    failed_at=None,
    events=[MessageEvent(name, AT) for name in ("QUEUED", "SENDING", "SENT", "DELIVERED")],
)

_encode = msgspec.json.Encoder().encode
_JSON = "application/json"

AnyRequest = Request[Any, Any, Any]


@post("/sms", status_code=200)
async def send(request: AnyRequest) -> Response[SendResult]:
    """One message in, one result out."""
    command = decode_send(await request.body())
    return _json(SendResult(command.to, AT, MESSAGE_ID, 0, "OK"))


@post("/sms/batch", status_code=200)
async def send_batch(request: AnyRequest) -> Response[list[SendResult]]:
    """So many messages in, so many results out."""
    items = decode_batch(await request.body())
    return _json([SendResult(to, AT, MESSAGE_ID, 0, "OK") for to, _ in items])


@get("/sms/{message_id:str}")
async def get_message(message_id: str) -> Response[MessageDetail]:
    """A message of the usual size, encoded anew for each request."""
    DETAIL.message_id = message_id
    return _json(DETAIL)


def app() -> Litestar:
    """The application of the one worker process."""
    return Litestar(
        route_handlers=[Router("/v1", route_handlers=[send, send_batch, get_message])],
        logging_config=None,
        openapi_config=None,
        request_max_body_size=Settings().request_body_bytes_max,
    )


def _json(answer: Any) -> Response[Any]:
    return Response(_encode(answer), media_type=_JSON, headers={POSITION.decode(): "123456"})


def serve(port: int) -> None:
    """Serve until a signal ends it."""
    Granian(
        target="benchmarks.floors.http_server:app",
        factory=True,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=1,
        websockets=False,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(keep_alive=True),
        workers_kill_timeout=1,  # nothing here is worth waiting for
        log_access=False,
        log_level=LogLevels.error,
    ).serve()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
