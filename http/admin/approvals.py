"""`/v1/admin/templates/{templateId}/approvals`."""

import msgspec
from litestar import Response, delete, get, put

from smsledger.application.admin.approvals import ApprovalDetail, Approve
from smsledger.http.parameters import admin_page, decode_body, refuse_parameters

from . import documented
from .wire import AnyRequest, ApprovalList, administration_for, shown, shown_list, template_id_of

_approve = msgspec.json.Decoder(Approve)


@get(
    "/admin/templates/{templateId:str}/approvals",
    operation_id="listApprovals",
    operation_class=documented.LIST_APPROVALS,
    summary="List a template's approvals",
    tags=["Administration"],
)
async def list_approvals(request: AnyRequest) -> Response[ApprovalList]:
    """The organizations that may use a template of the pool, by id, with their own aliases."""
    administration = await administration_for(request)
    page = admin_page(request.query_params)
    template_id = template_id_of(request.path_params["templateId"])
    return shown_list("approvals", await administration.approvals.list(template_id, page))


@put(
    "/admin/templates/{templateId:str}/approvals/{organizationId:str}",
    operation_id="approveTemplate",
    operation_class=documented.APPROVE,
    summary="Approve a template for an organization",
    tags=["Administration"],
)
async def approve_template(request: AnyRequest) -> Response[ApprovalDetail]:
    """Let an organization use a template of the pool, by an alias of its own if it likes. Again it changes nothing."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    body = await request.body()
    command = decode_body(_approve, body) if body else Approve()
    template_id = template_id_of(request.path_params["templateId"])
    organization_id = request.path_params["organizationId"]
    return shown(await administration.approvals.approve(template_id, organization_id, command))


@delete(
    "/admin/templates/{templateId:str}/approvals/{organizationId:str}",
    status_code=204,
    operation_id="withdrawApproval",
    operation_class=documented.WITHDRAW,
    summary="Withdraw an approval",
    tags=["Administration"],
)
async def withdraw_approval(request: AnyRequest) -> None:
    """The organization may no longer use the template, also where it never might: a retry is safe."""
    administration = await administration_for(request)
    refuse_parameters(request.query_params)
    template_id = template_id_of(request.path_params["templateId"])
    await administration.approvals.withdraw(template_id, request.path_params["organizationId"])


HANDLERS = [list_approvals, approve_template, withdraw_approval]
