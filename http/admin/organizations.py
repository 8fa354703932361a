"""`/v1/admin/organizations`."""

import msgspec
from litestar import Response, get, patch, post

from smsledger.application.admin.organizations import (
    ChangeOrganization,
    CreateOrganization,
    OrganizationDetail,
)
from smsledger.http.parameters import admin_page, decode_body, refuse_parameters

from . import documented
from .wire import AnyRequest, OrganizationList, administration_for, shown, shown_list

_create = msgspec.json.Decoder(CreateOrganization)
_change = msgspec.json.Decoder(ChangeOrganization)


@get(
    "/admin/organizations",
    operation_id="listOrganizations",
    operation_class=documented.LIST_ORGANIZATIONS,
    summary="List organizations",
    tags=["Administration"],
)
async def list_organizations(request: AnyRequest) -> Response[OrganizationList]:
    """All organizations, by id."""
    administration = await administration_for(request)
    page = admin_page(request.query_params)
    return shown_list("organizations", await administration.organizations.list(page))


@post(
    "/admin/organizations",
    status_code=201,
    operation_id="createOrganization",
    operation_class=documented.CREATE_ORGANIZATION,
    summary="Create an organization",
    tags=["Administration"],
)
async def create_organization(request: AnyRequest) -> Response[OrganizationDetail]:
    """A new organization. It has no keys and may use no template of the pool yet."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    command = decode_body(_create, await request.body())
    return shown(await administration.organizations.create(command))


@get(
    "/admin/organizations/{organizationId:str}",
    operation_id="getOrganization",
    operation_class=documented.GET_ORGANIZATION,
    summary="Get an organization",
    tags=["Administration"],
)
async def get_organization(request: AnyRequest) -> Response[OrganizationDetail]:
    """An organization with its limits and keywords."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    return shown(await administration.organizations.get(request.path_params["organizationId"]))


@patch(
    "/admin/organizations/{organizationId:str}",
    operation_id="changeOrganization",
    operation_class=documented.CHANGE_ORGANIZATION,
    summary="Change an organization",
    tags=["Administration"],
)
async def change_organization(request: AnyRequest) -> Response[OrganizationDetail]:
    """Change what the body names. It holds within a second in every process."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    command = decode_body(_change, await request.body())
    organization_id = request.path_params["organizationId"]
    return shown(await administration.organizations.change(organization_id, command))


HANDLERS = [list_organizations, create_organization, get_organization, change_organization]
