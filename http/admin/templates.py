"""`/v1/admin/templates` and their versions."""

import msgspec
from litestar import Response, get, patch, post

from smsledger.application.admin.templates import (
    ChangeTemplate,
    CreateTemplate,
    CreateVersion,
    TemplateDetail,
    TemplateFilter,
    VersionDetail,
)
from smsledger.http.parameters import admin_page, decode_body, flag, refuse_parameters

from . import documented
from .wire import (
    AnyRequest,
    TemplateList,
    VersionList,
    administration_for,
    shown,
    shown_list,
    template_id_of,
)

_create = msgspec.json.Decoder(CreateTemplate)
_change = msgspec.json.Decoder(ChangeTemplate)
_version = msgspec.json.Decoder(CreateVersion)


@get(
    "/admin/templates",
    operation_id="listTemplates",
    operation_class=documented.LIST_TEMPLATES,
    summary="List templates",
    tags=["Administration"],
)
async def list_templates(request: AnyRequest) -> Response[TemplateList]:
    """Templates of the pool and of organizations, by id, each with the text that is sent."""
    administration = await administration_for(request)
    query = request.query_params
    page = admin_page(query, "organizationId", "pool", "alias")
    wanted = TemplateFilter(
        organization_id=query.get("organizationId"), pool=flag(query, "pool"), alias=query.get("alias")
    )
    return shown_list("templates", await administration.templates.list(wanted, page))


@post(
    "/admin/templates",
    status_code=201,
    operation_id="createTemplate",
    operation_class=documented.CREATE_TEMPLATE,
    summary="Create a template",
    tags=["Administration"],
)
async def create_template(request: AnyRequest) -> Response[TemplateDetail]:
    """A new template with its first version. One of the pool is to be approved for each organization."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    return shown(await administration.templates.create(decode_body(_create, await request.body())))


@get(
    "/admin/templates/{templateId:str}",
    operation_id="getTemplate",
    operation_class=documented.GET_TEMPLATE,
    summary="Get a template",
    tags=["Administration"],
)
async def get_template(request: AnyRequest) -> Response[TemplateDetail]:
    """A template with the text that is sent and the variables that it takes."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    return shown(await administration.templates.get(template_id_of(request.path_params["templateId"])))


@patch(
    "/admin/templates/{templateId:str}",
    operation_id="changeTemplate",
    operation_class=documented.CHANGE_TEMPLATE,
    summary="Change a template",
    tags=["Administration"],
)
async def change_template(request: AnyRequest) -> Response[TemplateDetail]:
    """Change alias or name, or which version is sent: `version` goes back to an earlier one, or on to a prepared one."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    command = decode_body(_change, await request.body())
    template_id = template_id_of(request.path_params["templateId"])
    return shown(await administration.templates.change(template_id, command))


@get(
    "/admin/templates/{templateId:str}/versions",
    operation_id="listTemplateVersions",
    operation_class=documented.LIST_VERSIONS,
    summary="List a template's versions",
    tags=["Administration"],
)
async def list_versions(request: AnyRequest) -> Response[VersionList]:
    """All versions, newest first."""
    administration = await administration_for(request)
    page = admin_page(request.query_params)
    template_id = template_id_of(request.path_params["templateId"])
    return shown_list("versions", await administration.templates.versions(template_id, page))


@post(
    "/admin/templates/{templateId:str}/versions",
    status_code=201,
    operation_id="createTemplateVersion",
    operation_class=documented.CREATE_VERSION,
    summary="Create a version of a template",
    tags=["Administration"],
)
async def create_version(request: AnyRequest) -> Response[VersionDetail]:
    """A new version under the next number. It is sent from now on, unless `send` is false."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    command = decode_body(_version, await request.body())
    template_id = template_id_of(request.path_params["templateId"])
    return shown(await administration.templates.add_version(template_id, command))


HANDLERS = [list_templates, create_template, get_template, change_template, list_versions, create_version]
