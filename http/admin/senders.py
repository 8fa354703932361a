"""`/v1/admin/senders`."""

import msgspec
from litestar import Response, delete, get, post

from smsledger.application.admin.senders import AddSender, SenderDetail, SenderFilter
from smsledger.http.errors import InvalidRequest
from smsledger.http.parameters import admin_page, decode_body, flag, refuse_parameters

from . import documented
from .wire import AnyRequest, SenderList, administration_for, shown, shown_list

_add = msgspec.json.Decoder(AddSender)


@get(
    "/admin/senders",
    operation_id="listSenders",
    operation_class=documented.LIST_SENDERS,
    summary="List senders",
    tags=["Administration"],
)
async def list_senders(request: AnyRequest) -> Response[SenderList]:
    """Senders of the pool and of organizations, by country and name."""
    administration = await administration_for(request)
    query = request.query_params
    page = admin_page(query, "organizationId", "pool", "country")
    wanted = SenderFilter(
        organization_id=query.get("organizationId"), pool=flag(query, "pool"), country=query.get("country")
    )
    return shown_list("senders", await administration.senders.list(wanted, page))


@post(
    "/admin/senders",
    status_code=201,
    operation_id="addSender",
    operation_class=documented.ADD_SENDER,
    summary="Add a sender",
    tags=["Administration"],
)
async def add_sender(request: AnyRequest) -> Response[SenderDetail]:
    """A number or a name to send from, for one country: of the pool, or of one organization."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    return shown(await administration.senders.add(decode_body(_add, await request.body())))


@delete(
    "/admin/senders/{sender:str}",
    status_code=204,
    operation_id="removeSender",
    operation_class=documented.REMOVE_SENDER,
    summary="Remove a sender",
    tags=["Administration"],
)
async def remove_sender(request: AnyRequest) -> None:
    """Send no more from it, to one country or to any. Messages that were sent from it keep it."""
    administration = await administration_for(request)
    query = request.query_params
    if unknown := set(query) - {"country"}:
        raise InvalidRequest(problem=f"{min(unknown)[:40]}: not a parameter; known is country")
    await administration.senders.remove(request.path_params["sender"], query.get("country"))


HANDLERS = [list_senders, add_sender, remove_sender]
