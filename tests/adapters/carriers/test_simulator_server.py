"""What the simulator does with peers that are slow, silent, wrong or gone; seen from the wire."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from smsledger.adapters.carriers.simulator import protocol as wire
from smsledger.adapters.carriers.simulator.connection import Limits
from smsledger.adapters.carriers.simulator.journal import JournalFailed
from smsledger.adapters.carriers.simulator.scripts import Behaviour
from smsledger.adapters.carriers.simulator.server import SimulatorCannotListen

from .simulators import AT_ONCE, ORDINARY, LocalSimulator, Peer


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[LocalSimulator]:
    simulator = LocalSimulator(tmp_path)
    await simulator.start()
    yield simulator
    await simulator.stop()


def submit(seq: int, recipient: str = ORDINARY, body: str = "Hello") -> wire.Submit:
    return wire.Submit(seq, uuid7(), "+12025550100", recipient, body)


async def test_the_first_line_has_to_be_a_bind_of_this_version(simulator: LocalSimulator) -> None:
    for first in (submit(1), wire.Bind("smsledger", "peer", version=2)):
        peer = await Peer.connect(simulator.port)
        peer.send(first)
        assert isinstance(await peer.read(), wire.BindRefused)
        assert await peer.read() is None
        await peer.close()


@pytest.mark.parametrize("line", [b"gibberish\n", b'{"type":"submit","seq":1}\n', b"x" * 200_000])
async def test_a_line_that_cannot_be_read_ends_the_connection(simulator: LocalSimulator, line: bytes) -> None:
    peer = await Peer.bind(simulator.port)
    peer.writer.write(line)
    assert await peer.read() is None
    await peer.close()


async def test_lines_may_come_in_any_pieces(simulator: LocalSimulator) -> None:
    peer = await Peer.bind(simulator.port, receipts=False)
    lines = wire.ENCODER.encode_lines([submit(1), submit(2)])
    for start in range(0, len(lines), 50):
        peer.writer.write(lines[start : start + 50])
        await peer.writer.drain()
        await asyncio.sleep(0)
    assert [(await peer.read()).seq for _ in range(2)] == [1, 2]
    await peer.close()


async def test_a_ping_is_answered(simulator: LocalSimulator) -> None:
    peer = await Peer.bind(simulator.port)
    peer.send(wire.Ping())
    assert await peer.read() == wire.Pong()
    await peer.close()


async def test_a_receipt_without_acknowledgement_comes_again_as_it_was(simulator: LocalSimulator) -> None:
    peer = await Peer.bind(simulator.port)
    peer.send(submit(1))
    assert isinstance(await peer.read(), wire.Submitted)
    first, second = await peer.read(), await peer.read()
    assert first == second
    peer.send(wire.ReceiptAck([first.receipt_id]), wire.Stats(2))
    counts = await peer.read()
    while isinstance(counts, wire.Receipt):
        counts = await peer.read()
    assert (counts.receipts_acked, counts.pending_messages) == (1, 0)
    await peer.close()


async def test_an_acknowledged_receipt_does_not_come_again_after_a_restart(simulator: LocalSimulator) -> None:
    peer = await Peer.bind(simulator.port)
    peer.send(submit(1), submit(2))
    frames = [await peer.read() for _ in range(4)]
    receipts = [frame for frame in frames if isinstance(frame, wire.Receipt)]
    peer.send(wire.ReceiptAck([receipts[0].receipt_id]), wire.Ping())
    assert await peer.read() == wire.Pong()
    await peer.close()
    await simulator.stop()
    await simulator.start()
    again = await Peer.bind(simulator.port)
    assert await again.read() == receipts[1]
    await again.close()


async def test_a_receipt_under_way_on_a_connection_that_ends_comes_over_another(tmp_path: Path) -> None:
    simulator = LocalSimulator(tmp_path, AT_ONCE, Limits(ack_wait_s=3_600))
    await simulator.start()
    peer = await Peer.bind(simulator.port)
    peer.send(submit(1))
    assert isinstance(await peer.read(), wire.Submitted)
    receipt = await peer.read()
    await peer.close()
    other = await Peer.bind(simulator.port)
    assert await other.read() == receipt
    await other.close()
    await simulator.stop()


async def test_a_connection_without_receipts_is_given_none(simulator: LocalSimulator) -> None:
    transmitter = await Peer.bind(simulator.port, receipts=False)
    transmitter.send(submit(1))
    assert isinstance(await transmitter.read(), wire.Submitted)
    transmitter.send(wire.Stats(2))
    counts = await transmitter.read()
    assert (counts.backlog_receipts, counts.receipts_sent) == (1, 0)
    receiver = await Peer.bind(simulator.port)
    assert isinstance(await receiver.read(), wire.Receipt)
    await transmitter.close()
    await receiver.close()


async def test_no_more_receipts_are_under_way_than_the_window_holds(tmp_path: Path) -> None:
    simulator = LocalSimulator(tmp_path, AT_ONCE, Limits(unacked_receipts_max=3))
    await simulator.start()
    peer = await Peer.bind(simulator.port)
    peer.send(*[submit(seq) for seq in range(1, 11)], wire.Stats(11))
    frames = [await peer.read() for _ in range(14)]
    receipts = [frame.receipt_id for frame in frames if isinstance(frame, wire.Receipt)]
    [counts] = [frame for frame in frames if isinstance(frame, wire.Counts)]
    assert len(receipts) == 3
    assert counts.backlog_receipts == 7
    while len(receipts) < 10:
        peer.send(wire.ReceiptAck(receipts[-3:]))
        receipts += [(await peer.read()).receipt_id for _ in range(min(3, 10 - len(receipts)))]
    assert len(set(receipts)) == 10
    await peer.close()
    await simulator.stop()


async def test_submissions_beyond_the_window_are_throttled(tmp_path: Path) -> None:
    limits = Limits(unanswered_submissions_max=2)
    simulator = LocalSimulator(tmp_path, Behaviour(answer_ms=50, receipt_ms=50), limits)
    await simulator.start()
    peer = await Peer.bind(simulator.port, receipts=False)
    peer.send(*[submit(seq) for seq in range(1, 4)])
    assert isinstance(await peer.read(), wire.Throttled)
    assert {(await peer.read()).seq for _ in range(2)} == {1, 2}
    await peer.close()
    await simulator.stop()


async def test_a_silent_peer_is_disconnected(tmp_path: Path) -> None:
    simulator = LocalSimulator(tmp_path, AT_ONCE, Limits(silence_s=0.1))
    await simulator.start()
    peer = await Peer.bind(simulator.port)
    assert await peer.read() is None
    await peer.close()
    await simulator.stop()


async def test_a_peer_that_does_not_read_is_disconnected(tmp_path: Path) -> None:
    simulator = LocalSimulator(tmp_path, AT_ONCE, Limits(unread_bytes_max=1_000))
    await simulator.start()
    peer = await Peer.bind(simulator.port, receipts=False)
    assert isinstance(peer.writer.transport, asyncio.Transport)
    peer.writer.transport.pause_reading()
    pings = wire.ENCODER.encode_lines([wire.Ping()] * 1_000)
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            while not peer.writer.is_closing():
                peer.writer.write(pings)
                await peer.writer.drain()
    await peer.close()
    await simulator.stop()


async def test_a_full_house_lets_nobody_in(tmp_path: Path) -> None:
    simulator = LocalSimulator(tmp_path, AT_ONCE, Limits(connections_max=1))
    await simulator.start()
    guest = await Peer.bind(simulator.port)
    late = await Peer.connect(simulator.port)
    assert await late.read() is None
    await late.close()
    await guest.close()
    await simulator.stop()


async def test_a_port_that_is_taken_is_named(simulator: LocalSimulator, tmp_path: Path) -> None:
    second = LocalSimulator(tmp_path / "second")
    second.port = simulator.port
    with pytest.raises(SimulatorCannotListen, match=str(simulator.port)):
        await second.start()


async def test_nothing_is_answered_that_could_not_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = LocalSimulator(tmp_path)
    await simulator.start()
    peer = await Peer.bind(simulator.port)

    def disk_is_full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", disk_is_full)
        peer.send(submit(1))
        assert await peer.read() is None
        with pytest.raises(JournalFailed, match="No space left"):
            await simulator.stop()
    await peer.close()


async def test_messages_under_many_connections_are_known_to_all_of_them(simulator: LocalSimulator) -> None:
    one, other = (
        await Peer.bind(simulator.port, receipts=False),
        await Peer.bind(simulator.port, receipts=False),
    )
    message = submit(1)
    one.send(message)
    taken = await one.read()
    other.send(wire.LookUp(7, message.message_id), wire.Handset(8, [message.message_id, uuid7()]))
    assert await other.read() == wire.Submitted(7, taken.provider_message_id)
    assert await other.read() == wire.OnAir(8, [1, 0])
    await one.close()
    await other.close()
