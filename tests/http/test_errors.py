"""Everything that is refused: the envelope as on the page, the field that is at fault, and nothing stored."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.running_service import Service

from .organizations import OTP, TestOrganization, make_organization, make_template, stored_events

RAW_OTP = json.dumps(OTP).encode()


def refused(
    answer: httpx.Response, status: int, code: str, *, number: int | None = None, says: str = ""
) -> None:
    """The envelope of the page, and nothing else in it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert "Ledger-Position" not in answer.headers
    assert list(answer.json()) == ["error"]
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "statusCode"} | ({"errorCode"} if number else set())
    assert (error["code"], error["statusCode"], error.get("errorCode")) == (code, status, number)
    assert says in error["message"], error["message"]


@pytest.fixture(autouse=True)
def _nothing_is_stored(service: Service, organization: TestOrganization) -> Any:
    yield
    assert stored_events(service.ready.postgres_url, organization.organization_id) == 0


@pytest.mark.parametrize("path", ["/v1/sms", "/v1/sms/batch"])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON: it is empty"),
        (b"  \n", "not valid JSON: it is empty"),
        (b"{", ""),
        (b"[", ""),
        (b"to=%2B14155551234", "not valid JSON"),
        (b"{'to': 1}", ""),
        (b"NaN", "not valid JSON"),
        (RAW_OTP + b"x", ""),
        (b"\xef\xbb\xbf" + RAW_OTP, "not valid JSON"),
        (b"\x1f\x8b\x08", "it is compressed (gzip): send it as it is, without Content-Encoding"),
        (b"\x28\xb5\x2f\xfd\x00", "it is compressed (zstd)"),
        (b"\x78\x9c\x00", "it is compressed (deflate)"),
        (RAW_OTP.decode().encode("utf-16"), "not valid JSON"),
        (b"null", "got null"),
        (b'"text"', "got a string"),
        (b"12", "got an integer"),
    ],
    ids=ascii,
)
def test_a_body_that_is_not_what_was_asked_for(
    client: httpx.Client, path: str, body: bytes, says: str
) -> None:
    refused(client.post(path, content=body), 400, "INVALID_REQUEST", says=says)


@pytest.mark.parametrize(
    "body",
    [
        b'{"to": "\xff\xfe", "templateAlias": "otp"}',
        b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": "\xed\xa0\x80"}}',
        b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": "\\ud800"}}',
        b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": "\\udc00x"}}',
        b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": "1"}, "tag": "\\ud800"}',
        b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"\\ud800": "1"}}',
        b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": 1e400}}',
        b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": ' + b"9" * 5_000 + b"}}",
        b'{"to": "+14155551234", "templateAlias": "otp", "metadata": ' + b'{"a":' * 50_000 + b"1",
        b"[" * 100_000,
        b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": NaN}}',
    ],
    ids=lambda body: repr(body[-40:]),
)
def test_text_and_numbers_that_json_cannot_hold(client: httpx.Client, body: bytes) -> None:
    refused(client.post("/v1/sms", content=body), 400, "INVALID_REQUEST")


@pytest.mark.parametrize("levels", [33, 100, 500, 900, 980, 1_500])
@pytest.mark.parametrize("field", ["metadata", "templateModel"])
def test_data_that_is_nested_too_deeply(client: httpx.Client, field: str, levels: int) -> None:
    data = b'{"code": "1", "x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    body = b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": "1"}, "%s": %s}'
    refused(client.post("/v1/sms", content=body % (field.encode(), data)), 400, "INVALID_REQUEST")


def test_nesting_and_backslashes_within_the_limits_are_kept(
    client: httpx.Client, service: Service, organization: TestOrganization
) -> None:
    other = make_organization(service.ready.postgres_url)
    deep: Any = "\\u0000 is only text here"
    for _ in range(31):
        deep = [deep]
    with service.client(other.server_key) as theirs:
        sent = theirs.post("/v1/sms", json=OTP | {"metadata": {"deep": deep}})
        assert theirs.get(f"/v1/sms/{sent.json()['messageId']}").json()["metadata"] == {"deep": deep}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"to": 1}, "to: "),
        ({"to": None}, "to: "),
        ({"to": ["+14155551234"]}, "to: "),
        ({"foo": 1}, "`foo`"),
        ({"template_alias": "otp"}, "`template_alias`"),
        ({"tag": 5}, "tag: "),
        ({"tag": ""}, "tag: expected 1 to 255 characters"),
        ({"tag": "x" * 256}, "tag: expected 1 to 255 characters"),
        ({"tag": "a\0b"}, "tag: the character U+0000"),
        ({"metadata": []}, "metadata: "),
        ({"metadata": "x"}, "metadata: "),
        ({"metadata": {"a": "x" * 5_000}}, "metadata: at most 4096 bytes"),
        ({"metadata": {"a": "\0"}}, "metadata: the character U+0000"),
        ({"metadata": {"a\0": 1}}, "metadata: the character U+0000"),
        ({"templateModel": [1]}, "templateModel: "),
        ({"templateModel": {"code": "x" * 20_000}}, "templateModel: at most 16384 bytes"),
        ({"templateModel": {"code": "a\0"}}, "templateModel: the character U+0000"),
        ({"templateModel": {"code": "1", "x": ["\\\0"]}}, "templateModel: the character U+0000"),
        ({"templateModel": {"code": "x" * 2_000}}, "segments"),
        ({"templateModel": {}}, "templateModel: the template needs the variable `code`"),
        ({"templateModel": None}, "templateModel: the template needs the variable `code`"),
        ({"templateModel": {"Code": "1"}}, "templateModel: the template needs the variable `code`"),
        ({"templateAlias": None}, "templateAlias"),
        ({"templateAlias": 5}, "templateAlias: "),
        ({"templateId": 1}, "templateAlias"),
        ({"templateId": "1", "templateAlias": None}, "templateId: "),
        ({"templateId": 1.5, "templateAlias": None}, "templateId: "),
        ({"templateId": True, "templateAlias": None}, "templateId: "),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_wrong_field_is_named(client: httpx.Client, changes: dict[str, Any], says: str) -> None:
    refused(client.post("/v1/sms", json=OTP | changes), 400, "INVALID_REQUEST", says=says)


@pytest.mark.parametrize("missing", ["to", "templateAlias"])
def test_a_missing_field_is_named(client: httpx.Client, missing: str) -> None:
    body = {name: value for name, value in OTP.items() if name != missing}
    refused(client.post("/v1/sms", json=body), 400, "INVALID_REQUEST", says=missing)


@pytest.mark.parametrize(
    "recipient",
    [
        *("", "+", "1", "14155551234", "4155551234", "0014155551234", "+1 415 555 1234", "+1-415-555-1234"),
        *(
            "+1(415)5551234",
            "+14155551234 ",
            " +14155551234",
            "+14155551234\n",
            "++14155551234",
            "+1415555123",
        ),
        *(
            "+141555512345",
            "+1415555123456789",
            "+999123456789",
            "+4407400123456",
            "+1415555123a",
            "+0123456789",
        ),
        *(
            "tel:+14155551234",
            "+14155551234;ext=5",
            "+14155551234\0",
            "\uff0b14155551234",
            "+\uff1114155551234",
        ),
        *(
            "+\u0661\u0664155551234",
            "whatsapp:+14155551234",
            "x" * 3_000,
            "a@b.example",
            "+1\u200b4155551234",
        ),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_number_that_is_not_e164(client: httpx.Client, recipient: str) -> None:
    answer = client.post("/v1/sms", json=OTP | {"to": recipient})
    refused(answer, 400, "INVALID_REQUEST", number=1001, says="to: the value is not a phone number in E.164")
    if len(recipient) > 5:
        assert recipient not in answer.json()["error"]["message"], "it may be a person's number"


@pytest.mark.parametrize(
    "wanted",
    [
        *({"templateAlias": alias} for alias in ("nope", "", "OTP", "otp ", "a\0b", "x" * 5_000)),
        *({"templateId": number, "templateAlias": None} for number in (0, -1, 999_999, 10**30)),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_an_unknown_template(client: httpx.Client, wanted: dict[str, Any]) -> None:
    answer = client.post("/v1/sms", json=OTP | wanted)
    refused(answer, 404, "TEMPLATE_NOT_FOUND", number=1002)
    named = wanted["templateAlias"] if wanted["templateAlias"] is not None else wanted["templateId"]
    assert str(named)[:100] in answer.json()["error"]["message"]
    assert len(answer.json()["error"]["message"]) < 200


def test_a_template_that_is_not_approved(service: Service, client: httpx.Client) -> None:
    template_id, alias = make_template(service.ready.postgres_url, None, "Code: {{ code }}")
    for wanted in ({"templateAlias": alias}, {"templateId": template_id, "templateAlias": None}):
        answer = client.post("/v1/sms", json=OTP | wanted)
        refused(answer, 403, "TEMPLATE_NOT_APPROVED", number=1003)


def test_a_template_that_makes_u_0000_by_itself(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    _, alias = make_template(
        service.ready.postgres_url, organization.organization_id, "{{ code | url_decode }}"
    )
    answer = client.post("/v1/sms", json=OTP | {"templateAlias": alias, "templateModel": {"code": "%00"}})
    refused(answer, 400, "INVALID_REQUEST", says="templateModel: the character U+0000")


def test_a_country_without_a_number(client: httpx.Client) -> None:
    answer = client.post("/v1/sms", json=OTP | {"to": "+21650123456"})
    refused(answer, 400, "NO_POOL_NUMBER", number=1004, says="country TN")


def test_an_organization_that_may_not_send(service: Service) -> None:
    disabled = make_organization(service.ready.postgres_url, sms_enabled=False)
    with service.client(disabled.server_key) as client:
        answers = client.post("/v1/sms", json=OTP), client.post("/v1/sms/batch", json=[OTP, OTP])
        for answer in answers:
            refused(
                answer, 403, "SMS_NOT_ENABLED", number=1005, says="SMS is not enabled for this organization"
            )
        assert client.get("/v1/sms/messages").status_code == 200
    assert stored_events(service.ready.postgres_url, disabled.organization_id) == 0


@pytest.mark.parametrize("count", [0, 501, 5_000])
def test_a_batch_of_too_few_or_too_many(client: httpx.Client, count: int) -> None:
    answer = client.post("/v1/sms/batch", json=[OTP] * count)
    refused(answer, 400, "INVALID_REQUEST", says=f"1 to 500 messages, got {count}")


def test_a_batch_that_is_one_message_and_a_message_that_is_a_batch(client: httpx.Client) -> None:
    refused(client.post("/v1/sms/batch", json=OTP), 400, "INVALID_REQUEST", says="expected an array")
    refused(client.post("/v1/sms", json=[OTP]), 400, "INVALID_REQUEST", says="expected an object")


@pytest.mark.parametrize("path", ["/v1/sms", "/v1/sms/batch"])
def test_a_body_over_the_limit(client: httpx.Client, path: str) -> None:
    for content in (b" " * 2_097_153, iter([b" " * 1_000_000] * 3)):
        answer = client.post(path, content=content)
        refused(answer, 413, "REQUEST_TOO_LARGE", says="2097152 bytes")


# --- Ids, paths, methods, headers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message_id",
    [
        *(
            "sms_abc123",
            "x",
            "inboundx",
            "sms_",
            "sms_01hk153x00e45bavdxkn2xkbtr",
            "sms_01HK153X00E45BAVDXKN2XKBTR",
        ),
        *(
            "sms_zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "sms_01hk153x00e45bavdxkn2xkbt%C3%A9",
            "sms_inb_01hk153x00e45bavdxkn2xkbtr",
        ),
        *(
            "%00",
            "%FF",
            "sms_01hk153x00e45bavdxkn2xkbtr%0A",
            "0189c1a1-9ee0-7000-8000-000000000000",
            "y" * 3_000,
            "'--",
        ),
    ],
    ids=lambda value: value[:40],
)
def test_an_unknown_or_malformed_id(client: httpx.Client, message_id: str) -> None:
    for path in (f"/v1/sms/{message_id}", f"/v1/sms/{message_id}/events"):
        refused(client.get(path), 404, "MESSAGE_NOT_FOUND")


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/sms", "/v1/sms/a/b", "/v1/sms/a/events/b", "/nope%00"])
def test_an_unknown_path(client: httpx.Client, path: str) -> None:
    refused(client.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/sms", "POST"),
        ("PUT", "/v1/sms", "POST"),
        ("GET", "/v1/sms/batch", "POST"),
        ("POST", "/v1/sms/messages", "GET"),
        ("DELETE", "/v1/sms/sms_abc123", "GET"),
        ("PATCH", "/v1/sms/sms_abc123/events", "GET"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path, json=OTP)
    refused(answer, 405, "METHOD_NOT_ALLOWED", says=method)
    methods = answer.headers["Allow"].split(", ")
    assert allowed in methods
    assert ("HEAD" in methods) == ("GET" in methods)
    assert answer.json()["error"]["message"].endswith(f"only {answer.headers['Allow']}")


def raw_request(service: Service, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
    """What the service answers to bytes that no client library would send."""
    place = urlsplit(service.ready.url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


def test_odd_headers(service: Service, organization: TestOrganization) -> None:
    key = organization.server_key.encode()
    get = b"GET /v1/sms/messages HTTP/1.1\r\nHost: a\r\n"
    post = b"POST /v1/sms HTTP/1.1\r\nHost: a\r\nX-API-Key: " + key + b"\r\n"
    expected = [
        (get + b"Authorization: Bearer ", 401),
        (get + b"Authorization:", 401),
        (get + b"Authorization: Bearer  " + key + b"\t ", 200),
        (get + b"X-API-KEY:" + key, 200),
        (get + b"Authorization: Bearer nope\r\nAuthorization: Bearer " + key, 401),
        (get + b"X-API-Key: \xff\xfe", 401),
        (get + b"X-API-Key: " + key + b"\r\nLedger-Position: \xb2", 400),
        (get + b"X-API-Key: " + key + b"\r\nBad Header: x", 400),
        (post + b"Content-Length: 2\r\nContent-Length: 5", 400),
        (post + b"Content-Length: -1", 400),
        (post + b"Content-Length: x", 400),
        (post + b"Content-Length: 0", 400),
    ]
    for head, status in expected:
        answered, body = raw_request(service, head)
        assert answered == status, (head, answered, body)
        assert b"Traceback" not in body
