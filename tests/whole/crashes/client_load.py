"""A constant load of sends over HTTP, and a note of every request: what was asked for, and what was answered.

An error or a lost connection is allowed to a client, a wrong answer is not: those are kept in `wrong`. Every second
request carries an idempotency key and is repeated until it is answered: whatever crashed meanwhile, it acts once.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from .scripted_numbers import SCRIPTED, SLOW_SCRIPTS

BATCH_ITEMS = 10
QUICK_SCRIPTS = [recipient for recipient in SCRIPTED if recipient not in SLOW_SCRIPTS]
ANSWER_S_MAX = 45.0
REPEATS_MAX = 300
REPEAT_S = 0.2
IN_USE = "IDEMPOTENCY_KEY_IN_USE"
UNAVAILABLE = {"LEDGER_UNAVAILABLE", "LEDGER_BUSY"}


class Requests:
    """Every message asked for, by the value that its request carried in `metadata.request`."""

    def __init__(self) -> None:
        self.answered: dict[str, str] = {}
        """Request value to the messageId answered with 200."""
        self.asked: set[str] = set()
        self.wrong: list[str] = []
        self.refusals: list[str] = []
        """Codes of 503 answers."""
        self.lost = 0
        """Requests that ended without an answer."""
        self.repeated = 0
        """Tries of keyed requests that were not answered."""
        self._numbers = itertools.count(1)

    def new(self) -> str:
        """A value that no other request has."""
        value = f"r{next(self._numbers)}"
        self.asked.add(value)
        return value


class Client:
    """One client with a connection of its own, one request under way at a time."""

    def __init__(self, http: httpx.AsyncClient, requests: Requests) -> None:
        self._http = http
        self._requests = requests

    async def send(self, recipient: str = "") -> str | None:
        """Ask for one message; its id where it was answered."""
        value = self._requests.new()
        body = await self._post("/v1/sms", _item(value, recipient), value)
        if body is not None:
            self._note(value, body)
        return self._requests.answered.get(value)

    async def send_batch(self) -> None:
        """Ask for several messages at once."""
        values = [self._requests.new() for _ in range(BATCH_ITEMS)]
        body = await self._post("/v1/sms/batch", [_item(value) for value in values], values[0])
        if body is None:
            return
        if not isinstance(body, list) or len(body) != len(values):
            self._requests.wrong.append(f"a batch was answered {body!r}")
            return
        for value, result in zip(values, body, strict=True):
            self._note(value, result)

    async def _post(self, path: str, content: Any, value: str) -> Any:
        if int(value[1:]) % 2:
            return await self._try(path, content, {})
        for _ in range(REPEATS_MAX):
            body = await self._try(path, content, {"Idempotency-Key": value})
            if body is not None:
                return body
            self._requests.repeated += 1
            await asyncio.sleep(REPEAT_S)
        self._requests.wrong.append(f"{path} was not answered in {REPEATS_MAX} tries")
        return None

    async def _try(self, path: str, content: Any, headers: dict[str, str]) -> Any:
        try:
            answer = await self._http.post(path, json=content, headers=headers)
        except httpx.TransportError as error:
            self._requests.lost += 1
            if isinstance(error, httpx.TimeoutException):
                self._requests.wrong.append(f"no answer to {path} within {ANSWER_S_MAX:g} s")
            return None
        if answer.status_code == httpx.codes.OK:
            return answer.json()
        code = answer.json()["error"]["code"]
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and code in UNAVAILABLE:
            self._requests.refusals.append(code)
        elif not (headers and code == IN_USE):
            self._requests.wrong.append(f"{path} was answered {answer.status_code} {answer.text}")
        return None

    def _note(self, value: str, result: Any) -> None:
        if result.get("errorCode") != 0 or not result.get("messageId"):
            self._requests.wrong.append(f"{value} was answered 200 with {result}")
        else:
            self._requests.answered[value] = result["messageId"]


def _item(value: str, recipient: str = "") -> dict[str, Any]:
    return {
        "to": recipient or _recipient(int(value[1:])),
        "templateAlias": "otp-verification",
        "templateModel": {"code": value},
        "tag": "whole",
        "metadata": {"request": value},
    }


def _recipient(number: int) -> str:
    """Mostly ordinary numbers, and now and then one with a script that ends soon."""
    if number % 11 == 0:
        return QUICK_SCRIPTS[number // 11 % len(QUICK_SCRIPTS)]
    return f"+1415555{number % 10_000:04}"


@asynccontextmanager
async def client(url: str, key: str, requests: Requests) -> AsyncIterator[Client]:
    """A client for as long as the block lasts."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=ANSWER_S_MAX) as http:
        yield Client(http, requests)


class Load:
    """Several clients at work."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._stopping = False

    async def keep_sending(self, url: str, key: str, *, batches: bool, think_s: float) -> None:
        """One client after another request, until asked to stop. A client that was refused pauses like any other."""
        async with client(url, key, self._requests) as one:
            while not self._stopping:
                await (one.send_batch() if batches else one.send())
                await asyncio.sleep(think_s)

    def stop(self) -> None:
        """Let the requests under way end, and begin no others."""
        self._stopping = True

    async def more_answers(self, count: int, *, deadline_s: float = 60.0) -> None:
        """Until `count` more messages were answered."""
        from .waiting import until

        wanted = len(self._requests.answered) + count
        await until(
            lambda: len(self._requests.answered) >= wanted,
            f"{count} more messages accepted",
            deadline_s=deadline_s,
        )


@asynccontextmanager
async def load(
    url: str, key: str, requests: Requests, *, singles: int = 4, batches: int = 2, think_s: float = 0.1
) -> AsyncIterator[Load]:
    """A constant load for as long as the block lasts; every request has ended afterwards."""
    running = Load(requests)
    async with asyncio.TaskGroup() as tasks:
        for number in range(singles + batches):
            is_batch = number >= singles
            tasks.create_task(running.keep_sending(url, key, batches=is_batch, think_s=think_s))
        try:
            yield running
        finally:
            running.stop()
