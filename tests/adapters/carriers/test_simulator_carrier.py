"""The simulator meets the conformance suite, and what it promises beyond it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from smsledger.adapters.carriers.simulator.client import (
    InvalidCarrierUrl,
    SimulatorCarrier,
    SimulatorUnreachable,
)
from smsledger.adapters.carriers.simulator.inject import NotTaken, inject_inbound
from smsledger.adapters.carriers.simulator.scripts import SCRIPTS, Behaviour
from smsledger.adapters.carriers.simulator.session import SessionLimits
from smsledger.application.ports import Outcome, Refused, Taken, TryLater, Unknown
from smsledger.domain.status import Status

from .conformance import DEADLINE_S, OURS, PERSON, CarrierConformance, CarrierHarness, Receiver, submission
from .simulators import AT_ONCE, ORDINARY, LocalSimulator, Peer, SimulatorHarness, SimulatorProcess


class TestSimulatorCarrier(CarrierConformance):
    """The port's promises."""

    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[CarrierHarness]:
        harness = SimulatorHarness(tmp_path)
        await harness.start()
        yield harness
        await harness.stop()


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[LocalSimulator]:
    simulator = LocalSimulator(tmp_path)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.mark.parametrize("number", [number for number, script in SCRIPTS.items() if script.steps])
async def test_a_scripted_number_gets_exactly_the_receipts_of_its_script(
    simulator: LocalSimulator, number: str
) -> None:
    carrier, script = simulator.new_carrier(), SCRIPTS[number]
    message = submission(number)
    async with Receiver(carrier) as receiver:
        async with asyncio.timeout(DEADLINE_S):
            outcome: Outcome | None = None
            while not isinstance(outcome, Taken):
                await carrier.connected()
                outcome = await carrier.submit(message)
        await receiver.until(lambda: len(receiver.of(outcome)) >= len(script.steps))
        assert [(r.status, r.error_code) for r in receiver.of(outcome)] == [
            (step.status, step.error_code) for step in script.steps
        ]
        assert await carrier.sent_counts([message.message_id]) == [1]


async def test_the_number_without_receipts_is_taken_and_stays_silent(simulator: LocalSimulator) -> None:
    carrier = simulator.new_carrier()
    async with Receiver(carrier) as receiver:
        await carrier.connected()
        silent = await carrier.submit(submission("+15005550005"))
        other = await carrier.submit(submission(ORDINARY))
        await receiver.until(lambda: receiver.of(other) != [])
        assert isinstance(silent, Taken)
        assert receiver.of(silent) == []
        assert (await carrier.counts()).pending_messages == 0


async def test_the_dropping_number_is_not_taken_at_the_first_attempt(simulator: LocalSimulator) -> None:
    carrier, message = simulator.new_carrier(), submission("+15005550014")
    async with Receiver(carrier):
        await carrier.connected()
        assert isinstance(await carrier.submit(message), Unknown)
        await carrier.connected()
        assert await carrier.look_up(message) is None
        assert isinstance(await carrier.submit(message), Taken)


async def test_a_refused_message_is_looked_up_as_refused_and_stays_refused(simulator: LocalSimulator) -> None:
    carrier, message = simulator.new_carrier(), submission("+15005550004")
    async with Receiver(carrier):
        await carrier.connected()
        refused = await carrier.submit(message)
        assert isinstance(refused, Refused)
        assert await carrier.look_up(message) == refused
        assert await carrier.submit(message) == refused
        assert await carrier.sent_counts([message.message_id]) == [0]


async def test_an_answer_that_comes_too_late_is_an_unknown_outcome(tmp_path: Path) -> None:
    simulator = LocalSimulator(tmp_path, Behaviour(answer_ms=0, receipt_ms=0, slow_answer_ms=60_000))
    await simulator.start()
    carrier, message = simulator.new_carrier(limits=SessionLimits(answer_s=0.1)), submission("+15005550011")
    async with Receiver(carrier):
        await carrier.connected()
        assert isinstance(await carrier.submit(message), Unknown)
        assert isinstance(await carrier.look_up(message), Taken)
    await simulator.stop()


async def test_submissions_beyond_the_window_wait_and_are_taken(simulator: LocalSimulator) -> None:
    carrier = simulator.new_carrier(limits=SessionLimits(in_flight_max=3))
    async with Receiver(carrier):
        await carrier.connected()
        outcomes = await asyncio.gather(*[carrier.submit(submission(ORDINARY)) for _ in range(100)])
        assert all(isinstance(outcome, Taken) for outcome in outcomes)


async def test_submissions_beyond_what_may_wait_are_told_to_come_later(simulator: LocalSimulator) -> None:
    carrier = simulator.new_carrier(limits=SessionLimits(in_flight_max=1, waiting_max=2))
    async with Receiver(carrier):
        await carrier.connected()
        outcomes = await asyncio.gather(*[carrier.submit(submission(ORDINARY)) for _ in range(5)])
        assert [type(outcome) for outcome in outcomes] == [Taken, Taken, Taken, TryLater, TryLater]


async def test_a_carrier_that_hangs_is_noticed(unused_tcp_port_factory: Callable[[], int]) -> None:
    heard = asyncio.Event()

    async def bind_and_hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"type":"bound"}\n')
        while await reader.read(65_536):
            heard.set()
        writer.close()

    port = unused_tcp_port_factory()
    server = await asyncio.start_server(bind_and_hang, "127.0.0.1", port)
    carrier = SimulatorCarrier(f"tcp://127.0.0.1:{port}", limits=SessionLimits(ping_s=0.1))
    async with Receiver(carrier), asyncio.timeout(DEADLINE_S):
        await carrier.connected()
        assert isinstance(await carrier.submit(submission(ORDINARY)), Unknown)
        assert heard.is_set()
    server.close()
    await server.wait_closed()


async def test_messages_that_never_reached_a_hanging_carrier_may_be_tried_again(
    unused_tcp_port_factory,
) -> None:
    async def bind_and_hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"type":"bound"}\n')
        while await reader.read(65_536):
            pass
        writer.close()

    port = unused_tcp_port_factory()
    server = await asyncio.start_server(bind_and_hang, "127.0.0.1", port)
    limits = SessionLimits(ping_s=0.1, in_flight_max=1)
    carrier = SimulatorCarrier(f"tcp://127.0.0.1:{port}", limits=limits)
    async with Receiver(carrier), asyncio.timeout(DEADLINE_S):
        await carrier.connected()
        outcomes = await asyncio.gather(*[carrier.submit(submission(ORDINARY)) for _ in range(3)])
        assert [type(outcome) for outcome in outcomes] == [Unknown, TryLater, TryLater]
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("url", ["", "localhost:1", "http://localhost:1", "tcp://localhost", "tcp://h:99999"])
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(InvalidCarrierUrl):
        SimulatorCarrier(url)


async def test_receipts_go_to_another_connection_of_the_account_when_the_own_is_gone(tmp_path: Path) -> None:
    simulator = LocalSimulator(tmp_path, Behaviour(answer_ms=0, receipt_ms=200))
    await simulator.start()
    carrier = simulator.new_carrier()
    stranger = await Peer.bind(simulator.port, "another account")
    async with Receiver(carrier):
        await carrier.connected()
        outcome = await carrier.submit(submission(ORDINARY))
    other = simulator.new_carrier(connection_name="other")
    async with Receiver(other) as receiver:
        await receiver.until(lambda: receiver.of(outcome) != [])
        assert receiver.of(outcome)[0].status is Status.DELIVERED
    assert stranger.reader.at_eof() is False
    await stranger.close()
    await simulator.stop()


@pytest.mark.timeout(60)
async def test_killing_the_simulator_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with SimulatorProcess(tmp_path) as process:
        await _kill_again_and_again(process)
        assert await process.end(signal.SIGTERM) == 0


async def _kill_again_and_again(process: SimulatorProcess) -> None:
    port = process.port
    carrier = SimulatorCarrier(f"tcp://127.0.0.1:{port}")
    messages = [submission(ORDINARY) for _ in range(3_000)]
    waiting = iter(messages)
    taken: dict[UUID, Taken] = {}
    progress = asyncio.Condition()

    async def send_as_a_dispatcher_would() -> None:
        for message in waiting:
            while message.message_id not in taken:
                await carrier.connected()
                outcome = await carrier.submit(message)
                if isinstance(outcome, Taken):
                    taken[message.message_id] = outcome
            async with progress:
                progress.notify_all()

    def enough_are_taken(enough: int) -> bool:
        return len(taken) >= enough

    async with Receiver(carrier) as receiver:
        sending = [asyncio.create_task(send_as_a_dispatcher_would()) for _ in range(100)]
        for enough in (300, 900, 1_500, 2_400):
            async with progress:
                await progress.wait_for(partial(enough_are_taken, enough))
            assert await process.end(signal.SIGKILL) == -signal.SIGKILL
            await process.start()
            assert process.port == port
        await asyncio.gather(*sending)
        ids = {outcome.provider_message_id for outcome in taken.values()}
        assert len(ids) == len(messages)
        for message in messages:
            found = await carrier.look_up(message)
            assert isinstance(found, Taken)
            assert found.provider_message_id == taken[message.message_id].provider_message_id
        await receiver.until(lambda: {r.provider_message_id for r in receiver.receipts} == ids)
        assert await carrier.sent_counts([message.message_id for message in messages]) == [1] * len(messages)


async def test_the_slow_number_answers_late_and_is_delivered_after_that(tmp_path: Path) -> None:
    simulator = LocalSimulator(tmp_path, AT_ONCE)
    await simulator.start()
    carrier = simulator.new_carrier()
    async with Receiver(carrier) as receiver:
        await carrier.connected()
        slow = asyncio.create_task(carrier.submit(submission("+15005550011")))
        quick = await carrier.submit(submission(ORDINARY))
        await receiver.until(lambda: receiver.of(quick) != [])
        assert not slow.done()
        outcome = await slow
        await receiver.until(lambda: receiver.of(outcome) != [])
    await simulator.stop()


async def bring_in(port: int, body: str) -> str:
    return await inject_inbound(f"tcp://127.0.0.1:{port}", sender=PERSON, recipient=OURS, body=body)


async def test_where_nobody_is_connected_a_message_from_a_phone_is_refused(simulator: LocalSimulator) -> None:
    with pytest.raises(NotTaken, match="nobody is connected as smsledger"):
        await bring_in(simulator.port, "STOP")
    async with Receiver(simulator.new_carrier(account="another")) as receiver:
        with pytest.raises(NotTaken, match="nobody is connected as smsledger"):
            await bring_in(simulator.port, "STOP")
        assert receiver.inbound == []


@pytest.mark.parametrize("body", ["", "x" * 1_601])
async def test_a_message_that_no_phone_could_send_is_refused(simulator: LocalSimulator, body: str) -> None:
    with pytest.raises(NotTaken, match=f"body has {len(body)} characters, 1 to 1600 are taken"):
        await bring_in(simulator.port, body)


async def test_a_simulator_that_is_not_there_is_named(simulator: LocalSimulator) -> None:
    await simulator.stop()
    with pytest.raises(SimulatorUnreachable, match=f"127.0.0.1:{simulator.port}"):
        await bring_in(simulator.port, "STOP")
    await simulator.start()


@pytest.mark.timeout(60)
async def test_a_message_from_a_phone_is_kept_over_a_killed_simulator_until_it_is_taken(
    tmp_path: Path,
) -> None:
    async with SimulatorProcess(tmp_path) as process:
        carrier = SimulatorCarrier(f"tcp://127.0.0.1:{process.port}")
        ids = []
        async with Receiver(carrier, inbound_refusals=3) as receiver:
            for refused in (1, 2, 3):
                await carrier.connected()
                ids.append(await bring_in(process.port, f"number {refused}"))
                await receiver.until(lambda refused=refused: len(receiver.inbound_refused) >= refused)  # type: ignore[misc]
                await process.end(signal.SIGKILL)
                await process.start()
            await receiver.until(lambda: {one.provider_message_id for one in receiver.inbound} == {*ids})
            assert [one.body for one in receiver.inbound] == ["number 1", "number 2", "number 3"]
        assert await process.end(signal.SIGTERM) == 0
        async with Receiver(carrier) as receiver:
            await process.start()
            await carrier.connected()
            outcome = await carrier.submit(submission(ORDINARY))
            await receiver.until(lambda: receiver.of(outcome) != [])
            assert receiver.inbound == []
