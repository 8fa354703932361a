"""`/v1/admin/keys`."""

import msgspec
from litestar import Response, delete, get, post

from smsledger.application.admin.keys import CreateKey, NewKey
from smsledger.http.parameters import admin_page, decode_body, refuse_parameters

from . import documented
from .wire import SECRET, AnyRequest, KeyList, administration_for, shown, shown_list

_create = msgspec.json.Decoder(CreateKey)


@get(
    "/admin/keys",
    operation_id="listKeys",
    operation_class=documented.LIST_KEYS,
    summary="List keys",
    tags=["Administration"],
)
async def list_keys(request: AnyRequest) -> Response[KeyList]:
    """Keys, newest first, revoked and expired ones among them; never the keys themselves."""
    administration = await administration_for(request)
    page = admin_page(request.query_params, "organizationId")
    return shown_list(
        "keys", await administration.keys.list(request.query_params.get("organizationId"), page)
    )


@post(
    "/admin/keys",
    status_code=201,
    operation_id="createKey",
    operation_class=documented.CREATE_KEY,
    summary="Create a key",
    tags=["Administration"],
)
async def create_key(request: AnyRequest) -> Response[NewKey]:
    """A new key. The answer shows it, this once."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    command = decode_body(_create, await request.body())
    return shown(await administration.keys.create(command), SECRET)


@delete(
    "/admin/keys/{keyId:str}",
    status_code=204,
    operation_id="revokeKey",
    operation_class=documented.REVOKE_KEY,
    summary="Revoke a key",
    tags=["Administration"],
)
async def revoke_key(request: AnyRequest) -> None:
    """Revoke a key; it is refused within a second in every process. It stays in the list."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    await administration.keys.revoke(request.path_params["keyId"])


HANDLERS = [list_keys, create_key, revoke_key]
