"""kill -9 of every process at random points under load: nothing is lost, doubled, reordered or stuck."""

import asyncio
import random
import signal
from collections.abc import Callable

import pytest

from .client_load import Requests, load
from .ledger_oracle import everything_holds
from .mortal_service import MortalService

ROUNDS = 2
PAUSE_S = (0.1, 1.5)
"""Between two blows: long enough to get under way, short enough to meet the recovery from the one before."""

Blow = Callable[[MortalService, random.Random], None]


def _kill(name: str, number: signal.Signals = signal.SIGKILL) -> Blow:
    return lambda service, _: service.hit(name, number)


def _kill_an_api_worker(service: MortalService, chance: random.Random) -> None:
    service.hit_api_worker(chance.randrange(2))


BLOWS: dict[str, Blow] = {
    "an API worker": _kill_an_api_worker,
    "the API": _kill("api"),
    "the publisher": _kill("publisher"),
    "the projector": _kill("projector"),
    "the dispatcher": _kill("dispatcher"),
    "the simulator": _kill("simulator"),
    "NATS": _kill("nats"),
    "PostgreSQL, in immediate mode": _kill("postgres", signal.SIGQUIT),
    "PostgreSQL": _kill("postgres"),
}


@pytest.mark.timeout(240)
async def test_whatever_is_killed_under_load_every_promise_holds(
    service: MortalService, requests: Requests, chance: random.Random
) -> None:
    async with load(service.ready.url, service.server_key, requests) as running:
        await running.more_answers(50)
        for _ in range(ROUNDS):
            for name in chance.sample(list(BLOWS), len(BLOWS)):
                print(f"killing {name}")  # noqa: T201  # shown with a failure
                BLOWS[name](service, chance)
                # A random point in time is what is wanted here.
                await asyncio.sleep(chance.uniform(*PAUSE_S))
            await running.more_answers(100)
    ledger = await everything_holds(service, requests)
    print(  # noqa: T201  # shown with a failure
        f"{len(ledger.messages)} messages, {len(ledger.events)} events; {len(requests.refusals)} requests were "
        f"refused, {requests.lost} lost their connection"
    )
