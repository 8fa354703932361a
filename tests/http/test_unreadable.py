"""What is wrong with a body, in words of JSON."""

from typing import Any

import msgspec
import pytest

from smsledger.application.admin.keys import CreateKey
from smsledger.application.directory import KeyKind
from smsledger.http.unreadable import problem_of


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """One field for each kind of value."""

    text: str = ""
    maybe_text: str | None = None
    whole: int = 0
    fraction: int | float | None = None
    is_set: bool = False
    rows: list[dict[str, int]] = []
    kind: KeyKind | None = None
    kinds: list[KeyKind] = []
    by_name: dict[str, KeyKind] = {}
    key: CreateKey | None = None


_KEY = '{"organizationId": "acme", "name": "x", "kind": "sending"}'
_KINDS = "expected one of SENDING, SERVER, ADMIN, got"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("5", "expected an object, got an integer"),
        ('{"text": 1}', "text: expected a string, got an integer"),
        ('{"text": null}', "text: expected a string, got null"),
        ('{"text": true}', "text: expected a string, got true or false"),
        ('{"maybeText": []}', "maybeText: expected a string or null, got an array"),
        ('{"whole": 1.5}', "whole: expected an integer, got a number"),
        ('{"whole": "1"}', "whole: expected an integer, got a string"),
        ('{"fraction": "1"}', "fraction: expected a number or null, got a string"),
        ('{"isSet": {}}', "isSet: expected true or false, got an object"),
        ('{"rows": [{"a": "b"}]}', "rows[0][...]: expected an integer, got a string"),
        ('{"kind": "manual"}', f"kind: {_KINDS} `manual`"),
        (f'{{"kind": "{"x" * 100}"}}', f"kind: {_KINDS} `{'x' * 40}`"),
        ('{"kind": "a - at `$.text`"}', f"kind: {_KINDS} `a - at `$.text``"),
        ('{"kind": "a\\nb"}', f"kind: {_KINDS} `a\\nb`"),
        ('{"kind": "it\'s"}', f"kind: {_KINDS} `it's`"),
        ('{"kinds": ["SERVER", ""]}', f"kinds[1]: {_KINDS} ``"),
        ('{"byName": {"a": "b"}}', f"byName[...]: {_KINDS} `b`"),
        (f'{{"key": {_KEY}}}', f"key.kind: {_KINDS} `sending`"),
        ('{"Expected `str`, got `int`": 1}', "object contains unknown field `Expected `str`, got `int``"),
        ('{"key": {}}', "key: object missing required field `organizationId`"),
        ("", "the body is not valid JSON: it is empty"),
    ],
)
def test_a_wrong_body_is_explained_without_pythons_words(body: str, problem: str) -> None:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Body)
    with pytest.raises(msgspec.DecodeError) as caught:
        decoder.decode(body)
    assert problem_of(caught.value, body.encode(), decoder.type) == problem
