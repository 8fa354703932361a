"""The subjects that events go out on. A contract with subscribers."""

from smsledger.domain.event import Stored, event_name

PREFIX = "sms.v1"
ALL = f"{PREFIX}.>"
QUEUED = f"{PREFIX}.*.queued"


def subject_of(event: Stored) -> str:
    """`sms.v1.<organization>.<event type>`; message ids stay out, they would make millions of subjects."""
    return f"{PREFIX}.{event.organization_id}.{event_name(event.topic)}"
