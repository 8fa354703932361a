"""The scripted numbers are what the documentation says, and shares are kept without chance."""

from pathlib import Path
from uuid import UUID

import phonenumbers
import pytest

from smsledger.adapters.carriers.simulator.scripts import (
    BY_NAME,
    DELIVERED,
    SCRIPTS,
    STEPS_MAX,
    THROTTLED,
    UNDELIVERED,
    Behaviour,
    Script,
    script_for,
)

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "simulator.md"
ORDINARY = "+4915112345678"


@pytest.mark.parametrize("number", SCRIPTS)
def test_a_scripted_number_is_valid_and_in_the_us(number: str) -> None:
    parsed = phonenumbers.parse(number)
    assert phonenumbers.is_valid_number(parsed)
    assert phonenumbers.region_code_for_number(parsed) == "US"


@pytest.mark.parametrize(("number", "script"), SCRIPTS.items())
def test_the_documentation_names_every_scripted_number_and_its_script(number: str, script: Script) -> None:
    [line] = [line for line in DOCUMENTATION.read_text().splitlines() if line.startswith(f"| `{number}`")]
    assert f"`{script.name}`" in line
    for step in script.steps:
        assert step.status in line
        assert step.error_code in line


def test_script_names_are_unique_and_scripts_are_short() -> None:
    assert len(BY_NAME) == len(SCRIPTS)
    assert all(len(script.steps) <= STEPS_MAX for script in SCRIPTS.values())


def test_other_numbers_are_delivered() -> None:
    assert script_for(ORDINARY, UUID(int=1), 1, Behaviour()) is DELIVERED


def test_the_shares_of_undelivered_and_throttled_messages_are_kept() -> None:
    behaviour = Behaviour(undelivered_percent=20, refused_percent=10)
    fates = [script_for(ORDINARY, UUID(int=number), 1, behaviour) for number in range(10_000)]
    assert 900 < fates.count(THROTTLED) < 1_100
    assert 1_650 < fates.count(UNDELIVERED) < 1_950  # 20 % of the rest
    assert fates == [script_for(ORDINARY, UUID(int=number), 1, behaviour) for number in range(10_000)]


def test_a_throttled_message_gets_another_chance_at_its_next_attempt() -> None:
    behaviour = Behaviour(refused_percent=50)
    for number in range(100):
        assert any(
            script_for(ORDINARY, UUID(int=number), attempt, behaviour) is DELIVERED
            for attempt in range(1, 30)
        )


def test_shares_do_not_touch_scripted_numbers() -> None:
    behaviour = Behaviour(undelivered_percent=100, refused_percent=100)
    assert script_for("+15005550001", UUID(int=1), 1, behaviour) is DELIVERED
