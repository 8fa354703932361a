"""How a connection behaves while NATS is away."""

import asyncio

import nats.errors
import pytest
from nats.aio.msg import Msg

from smsledger.adapters.nats.connection import NatsUnreachable, connect_nats

from .conftest import MortalNats, until


async def test_a_server_that_does_not_answer_is_named(unused_tcp_port: int) -> None:
    url = f"nats://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(NatsUnreachable, match=f"{unused_tcp_port}.*SMSLEDGER_NATS_URL"):
        await connect_nats(url, "test", connect_s_max=1.0)


async def test_a_password_in_the_address_is_not_repeated_in_the_error(unused_tcp_port: int) -> None:
    url = f"nats://user:hush-hush@127.0.0.1:{unused_tcp_port}"
    with pytest.raises(NatsUnreachable) as caught:
        await connect_nats(url, "test", connect_s_max=1.0)
    assert "hush-hush" not in str(caught.value)


async def test_what_cannot_be_sent_now_fails_now_and_never_comes_out_later(mortal_nats: MortalNats) -> None:
    client = await connect_nats(mortal_nats.url, "test")
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: Msg) -> None:
        heard.put_nowait(message.data)

    await client.subscribe("some.subject", cb=hear)
    await client.flush()
    mortal_nats.kill()
    await until(lambda: not client.is_connected)
    with pytest.raises(nats.errors.OutboundBufferLimitError):
        await client.publish("some.subject", b"while away")
    with pytest.raises(nats.errors.OutboundBufferLimitError):
        await client.request("some.subject", b"while away", timeout=60)
    mortal_nats.start()
    await until(lambda: client.is_connected)
    await client.publish("some.subject", b"back again")
    assert await asyncio.wait_for(heard.get(), 10) == b"back again"
    await client.close()
