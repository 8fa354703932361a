"""Every scripted number of docs/simulator.md ends as it is documented there, and none is stuck."""

import httpx
import pytest

from .client_load import Requests, client
from .ledger_oracle import everything_holds
from .mortal_service import MortalService
from .scripted_numbers import SCRIPTED

EACH = 3


@pytest.mark.timeout(180)
async def test_every_scripted_number_ends_as_it_is_documented(
    service: MortalService, requests: Requests
) -> None:
    sent: dict[str, str] = {}
    async with client(service.ready.url, service.server_key, requests) as one:
        for recipient in list(SCRIPTED) * EACH:
            message_id = await one.send(recipient)
            assert message_id is not None
            sent[message_id] = recipient
    await everything_holds(service, requests)
    ended = {}
    headers = {"Authorization": f"Bearer {service.server_key}"}
    async with httpx.AsyncClient(base_url=service.ready.url, headers=headers) as http:
        for message_id in sent:
            message = (await http.get(f"/v1/sms/{message_id}")).json()
            ended[message_id] = (message["status"], message["errorCode"])
    assert ended == {message_id: SCRIPTED[recipient] for message_id, recipient in sent.items()}
