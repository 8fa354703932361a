"""The administration over HTTP, `/v1/admin`, for ADMIN keys: one module a resource, which reads, calls, and renders."""

from . import approvals, keys, organizations, senders, templates

ADMIN_HANDLERS = [
    *organizations.HANDLERS,
    *keys.HANDLERS,
    *templates.HANDLERS,
    *approvals.HANDLERS,
    *senders.HANDLERS,
]
