"""What the simulator remembers over its own end, and how much of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from smsledger.adapters.carriers.simulator.journal import (
    Journal,
    JournalLocked,
    JournalUnreadable,
    MessageTaken,
)
from smsledger.adapters.carriers.simulator.known import FROZEN_MESSAGES, Known, Refusal
from smsledger.adapters.carriers.simulator.memory import Memory, Pending, receipt_id
from smsledger.adapters.carriers.simulator.scripts import BY_NAME, DELIVERED, Script

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NO_RECEIPT = BY_NAME["no_receipt"]


def take(memory: Memory, number: int, script: Script = DELIVERED) -> Pending:
    return memory.take(UUID(int=number), script, "smsledger", AT, None)


def end_suddenly(memory: Memory) -> None:
    """What a kill leaves: what was flushed. (The lock goes with the process.)"""
    memory.flush()
    memory.close()


def test_a_new_memory_knows_nothing(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    assert memory.find(UUID(int=1)) is None
    assert memory.on_air(UUID(int=1)) == 0
    memory.close()


def test_messages_refusals_and_open_receipts_are_known_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    open_, done = take(memory, 1), take(memory, 2)
    memory.refuse(UUID(int=3), Refusal("code", "reason"), AT)
    provider_id = memory.provider_message_id(open_.number)
    assert memory.acknowledge([receipt_id(done.number, 0)]) == [receipt_id(done.number, 0)]
    end_suddenly(memory)

    again = Memory(tmp_path)
    assert again.find(UUID(int=1)) == open_.number
    assert again.provider_message_id(open_.number) == provider_id
    assert again.find(UUID(int=3)) == Refusal("code", "reason")
    assert list(again.pending) == [open_.number]
    assert again.pending[open_.number].at == AT
    assert [again.on_air(UUID(int=number)) for number in (1, 2, 3)] == [1, 1, 0]
    assert take(again, 4).number == done.number + 1
    again.close()


def test_a_receipt_is_acknowledged_once(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    pending = take(memory, 1, BY_NAME["doubled"])
    assert memory.acknowledge([receipt_id(pending.number, 1)] * 2) == [receipt_id(pending.number, 1)]
    assert pending.unacked_steps() == [0]
    assert memory.acknowledge([receipt_id(pending.number, 5), 999_999]) == []
    memory.close()


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    take(memory, 1)
    end_suddenly(memory)
    [segment] = tmp_path.glob("journal-*")
    sound = segment.read_bytes()
    segment.write_bytes(sound + b'["taken","00000000-00')

    again = Memory(tmp_path)
    assert segment.read_bytes() == sound
    take(again, 2)
    end_suddenly(again)
    third = Memory(tmp_path)
    assert third.find(UUID(int=2)) == 2
    third.close()


@pytest.mark.parametrize("line", [b"gibberish\n", b'["unheard of",1]\n', b'["opened","aa",1,99]\n'])
def test_a_journal_that_cannot_be_read_is_named_and_left_alone(tmp_path: Path, line: bytes) -> None:
    Memory(tmp_path).close()
    [segment] = tmp_path.glob("journal-*")
    damaged = line + segment.read_bytes()
    segment.write_bytes(damaged)
    with pytest.raises(JournalUnreadable, match="journal"):
        Memory(tmp_path)
    assert segment.read_bytes() == damaged


def test_a_folder_belongs_to_one_simulator_at_a_time(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    with pytest.raises(JournalLocked, match="another simulator"):
        Memory(tmp_path)
    memory.close()
    Memory(tmp_path).close()


def test_a_message_put_on_the_air_twice_would_be_counted_twice(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    take(memory, 1)
    take(memory, 1)  # what the simulator never does
    assert memory.on_air(UUID(int=1)) == 2
    end_suddenly(memory)
    again = Memory(tmp_path)
    assert again.on_air(UUID(int=1)) == 2
    again.close()


def test_provider_ids_differ_between_journals(tmp_path: Path) -> None:
    one, other = Memory(tmp_path / "one"), Memory(tmp_path / "other")
    assert one.provider_message_id(1) != other.provider_message_id(1)
    one.close()
    other.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("journal-*"))


@pytest.mark.parametrize("restart", [False, True])
def test_the_past_is_bounded_and_open_receipts_outlive_it(tmp_path: Path, restart: bool) -> None:
    memory = Memory(tmp_path, remembered_messages=10, remembered=timedelta())
    first = take(memory, 1)
    for number in range(2, 101):
        take(memory, number, NO_RECEIPT)
    if restart:
        end_suddenly(memory)
        memory = Memory(tmp_path, remembered_messages=10, remembered=timedelta())
    known = [number for number in range(1, 101) if memory.find(UUID(int=number)) is not None]
    assert known == [1, *range(81, 101)]
    assert files(tmp_path) == ["journal-000009.ndjson", "journal-000010.ndjson"]
    assert memory.pending[first.number].unacked_steps() == [0]
    assert memory.on_air(UUID(int=1)) == 1
    assert memory.acknowledge([receipt_id(first.number, 0)])
    assert take(memory, 200).number == 101
    memory.close()


def test_a_journal_hands_nothing_over_before_it_is_flushed(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    [segment] = tmp_path.glob("journal-*")
    before = segment.read_bytes()
    take(memory, 1)
    assert segment.read_bytes() == before
    memory.flush()
    assert b"taken" in segment.read_bytes()
    memory.close()
    journal = Journal(tmp_path)
    assert [record.number for record in journal.replay() if isinstance(record, MessageTaken)] == [1]
    journal.close()


def test_what_is_young_is_not_forgotten_however_much_it_is(tmp_path: Path) -> None:
    memory = Memory(tmp_path, remembered_messages=10, remembered=timedelta(minutes=3))
    for number in range(1, 101):
        at = AT + timedelta(seconds=number)
        memory.take(UUID(int=number), NO_RECEIPT, "smsledger", at, None)
    assert all(memory.find(UUID(int=number)) is not None for number in range(1, 101))
    for number in range(101, 401):
        memory.take(UUID(int=number), NO_RECEIPT, "smsledger", AT + timedelta(seconds=number), None)
    assert memory.find(UUID(int=1)) is None
    assert memory.find(UUID(int=400 - 180)) is not None
    memory.close()


def test_fates_are_the_same_in_little_memory() -> None:
    known, expected = Known(), dict[int, int | Refusal]()
    for number in range(1, 3 * FROZEN_MESSAGES):
        key = number * 7_919 % 1_000_003  # in no order
        fate = Refusal("code", str(number)) if number % 100 == 0 else number
        known[key] = expected[key] = fate
    assert all(known.get(key) == fate for key, fate in expected.items())
    assert all((key in known) == (key in expected) for key in range(1, 1_000_003, 11))


def test_a_message_from_a_phone_is_known_until_it_is_acknowledged(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    sent = take(memory, 1)
    kept, done = (memory.make_inbound("smsledger", "+1", "+2", body, AT) for body in ("kept", "done"))
    provider_ids = {memory.provider_message_id(one.number) for one in (sent, kept, done)}
    assert len(provider_ids) == 3
    assert memory.acknowledge([receipt_id(done.number, 0)]) == [receipt_id(done.number, 0)]
    end_suddenly(memory)

    again = Memory(tmp_path)
    assert again.inbound == {kept.number: kept}
    assert memory.provider_message_id(kept.number) in provider_ids
    assert take(again, 2).number == done.number + 1
    assert again.acknowledge([receipt_id(kept.number, 0)]) == [receipt_id(kept.number, 0)]
    assert again.acknowledge([receipt_id(kept.number, 0)]) == []
    again.close()


def test_a_message_from_a_phone_is_carried_from_generation_to_generation(tmp_path: Path) -> None:
    memory = Memory(tmp_path, remembered_messages=2, remembered=timedelta())
    kept = memory.make_inbound("smsledger", "+1", "+2", "kept", AT)
    taken = [take(memory, number, NO_RECEIPT) for number in range(10)]
    end_suddenly(memory)
    again = Memory(tmp_path)
    assert again.inbound == {kept.number: kept}
    assert take(again, 99).number == taken[-1].number + 1
    again.close()
