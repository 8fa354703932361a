"""A real NATS server through its starts, stops and crashes."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

from smsledger.runtime.embedded.errors import (
    DataFolderNotUsable,
    PortBusy,
    ServerDidNotStart,
    ServerNotInstalled,
)
from smsledger.runtime.embedded.nats import PAYLOAD_BYTES_MAX, EmbeddedNats, start_nats


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedNats]:
    server = start_nats(tmp_path)
    yield server
    server.stop()


async def publish(url: str, body: bytes) -> int:
    """The sequence number that the stream gave it."""
    client = await nats.connect(url)
    stream = client.jetstream()
    await stream.add_stream(name="TEST", subjects=["test.>"])
    acknowledgement = await stream.publish("test.one", body)
    await client.close()
    return acknowledgement.seq


async def read(url: str, sequence: int) -> bytes | None:
    client = await nats.connect(url)
    message = await client.jetstream().get_msg("TEST", sequence)
    await client.close()
    return message.data


def taken_port() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def test_the_next_start_finds_the_stream_at_the_same_url(tmp_path: Path) -> None:
    first = start_nats(tmp_path)
    sequence = asyncio.run(publish(first.url, b"kept"))
    first.stop()
    first.stop()
    assert first.process.returncode == 0
    second = start_nats(tmp_path)
    assert second.url == first.url
    assert asyncio.run(read(second.url, sequence)) == b"kept"
    second.stop()


def test_a_killed_server_is_started_again_at_once_with_all_that_was_acknowledged(
    server: EmbeddedNats, tmp_path: Path
) -> None:
    sequence = asyncio.run(publish(server.url, b"kept"))
    server.process.kill()
    again = start_nats(tmp_path)
    assert again.url == server.url
    assert asyncio.run(read(again.url, sequence)) == b"kept"
    again.stop()


def test_a_server_left_behind_is_stopped_before_the_next_one_starts(
    server: EmbeddedNats, tmp_path: Path
) -> None:
    again = start_nats(tmp_path)
    assert server.process.wait(0) == 0
    assert again.url == server.url
    again.stop()


def test_another_port_is_picked_when_somebody_else_has_the_last_one(tmp_path: Path) -> None:
    first = start_nats(tmp_path)
    first.stop()
    with socket.create_server(("127.0.0.1", first.port)):
        second = start_nats(tmp_path)
        assert second.port != first.port
        second.stop()


def test_a_busy_port_that_was_asked_for_is_refused_in_one_line(tmp_path: Path) -> None:
    with taken_port() as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortBusy) as refused:
            start_nats(tmp_path, port=port)
    assert str(refused.value) == (
        f"NATS cannot listen on 127.0.0.1:{port}, another program does: "
        "stop that program or choose another port"
    )
    assert not (tmp_path / "nats" / "jetstream").exists()


def test_the_port_that_was_asked_for_is_taken(tmp_path: Path) -> None:
    with taken_port() as listener:
        port = listener.getsockname()[1]
    server = start_nats(tmp_path, port=port)
    assert server.port == port
    server.stop()


def test_nobody_gets_in_without_the_password(server: EmbeddedNats) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client, client.makefile("rb") as lines:
        assert lines.readline().startswith(b"INFO ")
        client.sendall(b"CONNECT {}\r\n")
        assert lines.readline() == b"-ERR 'Authorization Violation'\r\n"


def test_the_servers_limits_are_the_ones_written_here(server: EmbeddedNats) -> None:
    async def payload_bytes_max() -> int:
        client = await nats.connect(server.url)
        await client.close()
        return client.max_payload

    assert asyncio.run(payload_bytes_max()) == PAYLOAD_BYTES_MAX


def test_the_store_can_be_flushed_before_each_acknowledgement(tmp_path: Path) -> None:
    server = start_nats(tmp_path, sync_interval="always")
    assert asyncio.run(publish(server.url, b"flushed")) == 1
    server.stop()


def test_a_setting_that_the_server_refuses_is_told_in_one_line_and_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(ServerDidNotStart, match=r"NATS did not start: .*often.*nats\.log\)$") as refused:
        start_nats(tmp_path, sync_interval="often")
    assert "\n" not in str(refused.value)
    start_nats(tmp_path).stop()


def test_a_broken_identity_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "identity.json").write_text("{")
    with pytest.raises(DataFolderNotUsable, match=r"identity\.json: .*remove that file"):
        start_nats(tmp_path)


def test_a_folder_with_quotes_spaces_and_umlauts_in_its_name_works(tmp_path: Path) -> None:
    folder = tmp_path / 'a "földer" with $x \\ spaces'
    folder.mkdir()
    server = start_nats(folder)
    assert asyncio.run(publish(server.url, b"x")) == 1
    assert (folder / "nats" / "jetstream").is_dir()
    server.stop()


def test_a_missing_wheel_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ServerNotInstalled, match=r"pip install 'smsledger\[embedded\]'"):
        start_nats(tmp_path)
