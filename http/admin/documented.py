"""The administration's operations in the OpenAPI document: bodies, parameters, good answers and refusals with examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from litestar.openapi.spec import OpenAPIResponse, Operation, Parameter, Reference, Schema
from litestar.openapi.spec.enums import OpenAPIType

from smsledger.application.admin.approvals import NotOfThePool
from smsledger.application.admin.keys import KeyNotFound
from smsledger.application.admin.organizations import OrganizationExists, OrganizationNotFound
from smsledger.application.admin.senders import SenderExists, SenderNotFound, SenderTaken
from smsledger.application.admin.templates import AliasTaken, TemplateMissing
from smsledger.domain.errors import LedgerError
from smsledger.http.errors import error_body, kind_of
from smsledger.http.openapi_parts import (
    ERROR_SCHEMA,
    JSON,
    json_body,
    json_response,
    page_parameters,
    query,
)

from . import examples, schemas

_NO_ORGANIZATION = OrganizationNotFound(organization_id="acme")
_NO_TEMPLATE = TemplateMissing(template_id=7)
_ALIAS_TAKEN = AliasTaken(field="alias", alias="parcel-arrived", template_id=3, owner="the pool")
_CUSTOM_ALIAS_TAKEN = AliasTaken(
    field="customAlias", alias="parcel", template_id=9, owner="organization `acme`"
)


def _path(name: str, schema: Schema, description: str) -> Parameter:
    return Parameter(name=name, param_in="path", schema=schema, description=description, required=True)


_STRING, _INTEGER = OpenAPIType.STRING, OpenAPIType.INTEGER
_ID = Schema(type=_STRING, pattern=schemas.ID_PATTERN, examples=["acme"])
_COUNTRY = Schema(type=_STRING, pattern="^[A-Z]{2}$", examples=["DE"])
_PAGE = tuple(page_parameters("Rows"))
_OF_ORGANIZATION = query("organizationId", _ID, "Only this organization's own")
_OF_POOL = query(
    "pool", Schema(type=OpenAPIType.BOOLEAN), "true: only the pool's; false: only organizations' own"
)
_ORGANIZATION_PATH = _path("organizationId", _ID, "The organization's ID")
_KEY_PATH = _path(
    "keyId",
    Schema(type=_STRING, examples=[examples.KEY_ID]),
    "The key's ID, which is not the key itself",
)
_TEMPLATE_PATH = _path("templateId", Schema(type=_INTEGER, minimum=1, examples=[7]), "The template's ID")
_SENDER_PATH = _path("sender", Schema(type=_STRING, examples=["+18005551234"]), "The number or name")


class AdminOperation(Operation):
    """An operation of the administration: what it reads, its answer with an example, and what it may end with."""

    status: ClassVar[int]
    answer: ClassVar[Any]
    answer_description: ClassVar[str]
    described_parameters: ClassVar[Sequence[Parameter]]
    body: ClassVar[tuple[Schema, Any] | None]
    body_required: ClassVar[bool]
    refusals: ClassVar[Sequence[LedgerError]]

    def __post_init__(self) -> None:
        """Describe all that; the schema of the good answer is what the framework read from the handler."""
        good = (self.responses or {})[str(self.status)]
        if isinstance(good, OpenAPIResponse) and good.content and JSON in good.content:
            good = json_response(good.content[JSON].schema, self.answer, self.answer_description)
        elif isinstance(good, OpenAPIResponse):
            good.description = self.answer_description
        self.responses = {str(self.status): good}
        for status in (400, 401, 403, 503, *((413,) if self.body else ())):
            self.responses[str(status)] = Reference(ref=f"#/components/responses/Error{status}")
        self.responses |= _refused(self.refusals)
        self.parameters = list(self.described_parameters)
        if self.body is not None:
            self.request_body = json_body(*self.body, "What to do")
            self.request_body.required = self.body_required


def _refused(refusals: Sequence[LedgerError]) -> dict[str, OpenAPIResponse | Reference]:
    by_status: dict[str, list[LedgerError]] = {}
    for error in refusals:
        by_status.setdefault(str(kind_of(error).status), []).append(error)
    return {
        status: json_response(
            ERROR_SCHEMA,
            msgspec.to_builtins(error_body(errors[0])),
            " or ".join(dict.fromkeys(kind_of(error).code for error in errors)),
        )
        for status, errors in by_status.items()
    }


def _operation(
    answer: Any,
    answer_description: str,
    *,
    status: int = 200,
    parameters: Sequence[Parameter] = (),
    body: tuple[Schema, Any] | None = None,
    body_required: bool = True,
    refusals: Sequence[LedgerError] = (),
) -> type[Operation]:
    content = {
        "status": status,
        "answer": answer,
        "answer_description": answer_description,
        "described_parameters": parameters,
        "body": body,
        "body_required": body_required,
        "refusals": refusals,
    }
    return dataclass(type("DescribedOperation", (AdminOperation,), content))


LIST_ORGANIZATIONS = _operation(examples.ORGANIZATIONS, "A page of organizations", parameters=_PAGE)
CREATE_ORGANIZATION = _operation(
    examples.ORGANIZATION,
    "The new organization",
    status=201,
    body=(schemas.CREATE_ORGANIZATION, examples.NEW_ORGANIZATION),
    refusals=[OrganizationExists(organization_id="acme")],
)
GET_ORGANIZATION = _operation(
    examples.ORGANIZATION,
    "The organization",
    parameters=[_ORGANIZATION_PATH],
    refusals=[_NO_ORGANIZATION],
)
CHANGE_ORGANIZATION = _operation(
    examples.ORGANIZATION,
    "The organization as it is now",
    parameters=[_ORGANIZATION_PATH],
    body=(schemas.CHANGE_ORGANIZATION, examples.ORGANIZATION_CHANGE),
    refusals=[_NO_ORGANIZATION],
)

LIST_KEYS = _operation(
    examples.KEYS,
    "A page of keys; `lastUsedAt` is some seconds behind",
    parameters=[*_PAGE, query("organizationId", _ID, "Only this organization's")],
    refusals=[_NO_ORGANIZATION],
)
CREATE_KEY = _operation(
    examples.CREATED_KEY,
    "The new key, shown this once",
    status=201,
    body=(schemas.CREATE_KEY, examples.NEW_KEY),
    refusals=[_NO_ORGANIZATION],
)
REVOKE_KEY = _operation(
    None,
    "It is revoked, now or before",
    status=204,
    parameters=[_KEY_PATH],
    refusals=[KeyNotFound(key_id=examples.KEY_ID)],
)

LIST_TEMPLATES = _operation(
    examples.TEMPLATES,
    "A page of templates",
    parameters=[
        *_PAGE,
        _OF_ORGANIZATION,
        _OF_POOL,
        query("alias", Schema(type=_STRING, pattern=schemas.ALIAS_PATTERN), "Only those of this alias"),
    ],
    refusals=[_NO_ORGANIZATION],
)
CREATE_TEMPLATE = _operation(
    examples.TEMPLATE,
    "The new template",
    status=201,
    body=(schemas.CREATE_TEMPLATE, examples.NEW_TEMPLATE),
    refusals=[_NO_ORGANIZATION, _ALIAS_TAKEN],
)
GET_TEMPLATE = _operation(
    examples.TEMPLATE, "The template", parameters=[_TEMPLATE_PATH], refusals=[_NO_TEMPLATE]
)
CHANGE_TEMPLATE = _operation(
    examples.TEMPLATE,
    "The template as it is now",
    parameters=[_TEMPLATE_PATH],
    body=(schemas.CHANGE_TEMPLATE, examples.TEMPLATE_CHANGE),
    refusals=[_NO_TEMPLATE, _ALIAS_TAKEN],
)
LIST_VERSIONS = _operation(
    examples.VERSIONS,
    "A page of versions",
    parameters=[_TEMPLATE_PATH, *_PAGE],
    refusals=[_NO_TEMPLATE],
)
CREATE_VERSION = _operation(
    examples.VERSION,
    "The new version",
    status=201,
    parameters=[_TEMPLATE_PATH],
    body=(schemas.CREATE_VERSION, examples.NEW_VERSION),
    refusals=[_NO_TEMPLATE],
)

LIST_APPROVALS = _operation(
    examples.APPROVALS,
    "A page of approvals",
    parameters=[_TEMPLATE_PATH, *_PAGE],
    refusals=[_NO_TEMPLATE],
)
APPROVE = _operation(
    examples.APPROVAL,
    "The approval",
    parameters=[_TEMPLATE_PATH, _ORGANIZATION_PATH],
    body=(schemas.APPROVE, examples.APPROVE),
    body_required=False,
    refusals=[
        _NO_TEMPLATE,
        _NO_ORGANIZATION,
        _CUSTOM_ALIAS_TAKEN,
        NotOfThePool(template_id=7, owner="acme"),
    ],
)
WITHDRAW = _operation(
    None,
    "The organization may not use it",
    status=204,
    parameters=[_TEMPLATE_PATH, _ORGANIZATION_PATH],
    refusals=[_NO_TEMPLATE, _NO_ORGANIZATION],
)

LIST_SENDERS = _operation(
    examples.SENDERS,
    "A page of senders",
    parameters=[*_PAGE, _OF_ORGANIZATION, _OF_POOL, query("country", _COUNTRY, "Only for this country")],
    refusals=[_NO_ORGANIZATION],
)
ADD_SENDER = _operation(
    examples.SENDER,
    "The new sender",
    status=201,
    body=(schemas.ADD_SENDER, examples.NEW_SENDER),
    refusals=[
        _NO_ORGANIZATION,
        SenderExists(sender="Acme", country="DE"),
        SenderTaken(sender="Acme", owner="organization `other`"),
    ],
)
REMOVE_SENDER = _operation(
    None,
    "It is removed",
    status=204,
    parameters=[_SENDER_PATH, query("country", _COUNTRY, "Only for this country; left out: for all")],
    refusals=[SenderNotFound(sender="Acme")],
)
