"""The administration over HTTP: the documented requests, what each refusal says, and that only ADMIN keys may ask."""

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from smsledger.http.admin import ADMIN_HANDLERS, examples
from tests.running_service import Service, eventually

from .organizations import TestOrganization

US, GB = "+14155551234", "+447400123456"


@pytest.fixture
def admin(service: Service, organization: TestOrganization) -> Iterator[httpx.Client]:
    """A client with an ADMIN key of some organization."""
    with service.client(organization.admin_key) as client:
        yield client


def name() -> str:
    return f"made-{secrets.token_hex(6)}"


def made(answer: httpx.Response, status: int = 201) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def make_organization(admin: httpx.Client, **more: Any) -> str:
    body = {"organizationId": name(), "name": "Made"} | more
    organization_id: str = made(admin.post("/v1/admin/organizations", json=body))["organizationId"]
    return organization_id


def make_template(admin: httpx.Client, **more: Any) -> dict[str, Any]:
    body = {"alias": name(), "name": "Made", "body": "Code {{ code }}"} | more
    template: dict[str, Any] = made(admin.post("/v1/admin/templates", json=body))
    return template


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert error["statusCode"] == answer.status_code
    return answer.status_code, error["code"], error["message"]


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value).__name__


def test_the_documented_requests_are_answered_as_documented(admin: httpx.Client) -> None:
    organization_id, alias = name(), name()
    organization = made(
        admin.post(
            "/v1/admin/organizations",
            json=examples.NEW_ORGANIZATION | {"organizationId": organization_id},
        )
    )
    assert shape(organization) == shape(
        examples.ORGANIZATION
        | {"keywords": examples.ORGANIZATION["keywords"] | {"optInReply": "", "helpReply": ""}}
    )
    path = f"/v1/admin/organizations/{organization_id}"
    changed = made(admin.patch(path, json=examples.ORGANIZATION_CHANGE), 200)
    same = {"organizationId": organization_id, "createdAt": organization["createdAt"]}
    assert changed == examples.ORGANIZATION | same == made(admin.get(path), 200)

    key = made(admin.post("/v1/admin/keys", json=examples.NEW_KEY | {"organizationId": organization_id}))
    assert shape(key) == shape(examples.CREATED_KEY)
    listed = made(admin.get("/v1/admin/keys", params={"organizationId": organization_id}), 200)
    del key["key"]
    assert listed == {"totalCount": 1, "keys": [key], "nextCursor": None}

    template = made(admin.post("/v1/admin/templates", json=examples.NEW_TEMPLATE | {"alias": alias}))
    own = {name: template[name] for name in ("templateId", "createdAt")}
    assert template == examples.TEMPLATE | own | {"alias": alias}
    path = f"/v1/admin/templates/{template['templateId']}"
    version = made(admin.post(f"{path}/versions", json=examples.NEW_VERSION))
    assert version == examples.VERSION | own | {"createdAt": version["createdAt"]}
    page = made(admin.get(f"{path}/versions?count=1"), 200)
    assert page == examples.VERSIONS | {"versions": [version]}
    rest = made(admin.get(f"{path}/versions", params={"cursor": page["nextCursor"]}), 200)
    assert [(one["version"], one["sent"]) for one in rest["versions"]] == [(1, False)]
    assert made(admin.patch(path, json=examples.TEMPLATE_CHANGE), 200) == template | {"versions": 2}
    assert made(admin.get("/v1/admin/templates", params={"alias": alias}), 200) == {
        "totalCount": 1,
        "templates": [made(admin.get(path), 200)],
        "nextCursor": None,
    }

    approval = made(admin.put(f"{path}/approvals/{organization_id}", json=examples.APPROVE), 200)
    assert shape(approval) == shape(examples.APPROVAL)
    assert made(admin.get(f"{path}/approvals"), 200) == examples.APPROVALS | {"approvals": [approval]}
    for _ in range(2):
        assert admin.delete(f"{path}/approvals/{organization_id}").status_code == 204
    assert made(admin.get(f"{path}/approvals"), 200)["totalCount"] == 0

    sender = f"A{secrets.token_hex(5)}"
    body = examples.NEW_SENDER | {"organizationId": organization_id, "sender": sender}
    added = made(admin.post("/v1/admin/senders", json=body))
    assert shape(added) == shape(examples.SENDER)
    query = {"organizationId": organization_id, "country": "DE", "pool": "false"}
    assert made(admin.get("/v1/admin/senders", params=query), 200) == examples.SENDERS | {"senders": [added]}
    assert admin.delete(f"/v1/admin/senders/{sender}?country=DE").status_code == 204
    assert refusal(admin.delete(f"/v1/admin/senders/{sender}"))[:2] == (404, "SENDER_NOT_FOUND")


def test_the_key_is_shown_once_and_works_until_it_is_revoked(service: Service, admin: httpx.Client) -> None:
    organization_id = make_organization(admin)
    body = {"organizationId": organization_id, "kind": "SERVER", "name": "back office"}
    answer = admin.post("/v1/admin/keys", json=body)
    key = made(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    listed = admin.get("/v1/admin/keys", params={"organizationId": organization_id}).text
    assert key["key"].startswith("sk_server_")
    assert key["key"] not in listed
    with service.client(key["key"]) as client:
        assert client.get("/v1/sms/messages").json()["totalCount"] == 0

        def last_used() -> Any:
            keys = admin.get("/v1/admin/keys", params={"organizationId": organization_id}).json()["keys"]
            return keys[0]["lastUsedAt"]

        assert eventually(last_used) >= key["createdAt"]
        for _ in range(2):
            assert admin.delete(f"/v1/admin/keys/{key['keyId']}").status_code == 204
        # Directories look twice a second; how long it took is not asserted on a busy machine.
        eventually(lambda: client.get("/v1/sms/messages").status_code == 401, 5)
    assert refusal(admin.delete("/v1/admin/keys/key_unknown"))[:2] == (404, "KEY_NOT_FOUND")
    by_the_key = admin.delete(f"/v1/admin/keys/{key['key']}")
    assert by_the_key.status_code == 404
    assert key["key"] not in by_the_key.text


def test_a_new_organization_sends_what_was_set_up_for_it(service: Service, admin: httpx.Client) -> None:
    organization_id = make_organization(admin)
    template = make_template(admin)
    key = made(
        admin.post(
            "/v1/admin/keys", json={"organizationId": organization_id, "kind": "SENDING", "name": "shop"}
        )
    )["key"]
    body = {"to": GB, "templateId": template["templateId"], "templateModel": {"code": "1"}}
    with service.client(key) as client:
        assert refusal(client.post("/v1/sms", json=body))[1] == "TEMPLATE_NOT_APPROVED"
        path = f"/v1/admin/templates/{template['templateId']}/approvals/{organization_id}"
        made(admin.put(path, json={"customAlias": "otp-verification"}), 200)
        sender = f"S{secrets.token_hex(5)}"
        made(
            admin.post(
                "/v1/admin/senders",
                json={"sender": sender, "country": "GB", "organizationId": organization_id},
            )
        )

        def sent() -> Any:
            # The custom alias is also the pool's alias of another template: the organization's own wins.
            wanted = {"to": GB, "templateAlias": "otp-verification", "templateModel": {"code": "7"}}
            answer = client.post("/v1/sms/preview", json=wanted).json()
            return answer if answer.get("from") == sender else None

        previewed = eventually(sent, 5)
        assert (previewed["templateId"], previewed["body"]) == (template["templateId"], "Code 7")
        admin.patch(f"/v1/admin/organizations/{organization_id}", json={"smsEnabled": False})
        eventually(lambda: client.post("/v1/sms", json=body).status_code == 403, 5)


ORGANIZATION: dict[str, Any] = {"organizationId": "never-made", "name": "Never"}
KEY: dict[str, Any] = {"organizationId": "demo", "kind": "SENDING", "name": "never"}
TEMPLATE: dict[str, Any] = {"alias": "never-made", "name": "Never", "body": "Text"}
SENDER: dict[str, Any] = {"sender": "+14155550000", "country": "US"}


@pytest.mark.parametrize(
    ("resource", "body", "problem"),
    [
        (
            "organizations",
            ORGANIZATION | {"organizationId": "Acme"},
            "organizationId: expected 1 to 63 lower",
        ),
        ("organizations", ORGANIZATION | {"organizationId": "-acme"}, "organizationId: expected"),
        ("organizations", ORGANIZATION | {"organizationId": "a" * 64}, "organizationId: expected"),
        ("organizations", ORGANIZATION | {"name": ""}, "name: expected 1 to 200"),
        ("organizations", ORGANIZATION | {"name": "a\u0000b"}, "name: expected"),
        (
            "organizations",
            ORGANIZATION | {"rateLimits": {"send": -1}},
            "rateLimits.send: expected 1 to 1000000",
        ),
        ("organizations", ORGANIZATION | {"rateLimits": {"read": 1_000_001}}, "rateLimits.read: expected"),
        ("organizations", ORGANIZATION | {"rateLimits": {"sent": 1}}, "sent"),
        ("organizations", ORGANIZATION | {"keywords": {"optOut": []}}, "keywords.optOut: expected at least"),
        (
            "organizations",
            ORGANIZATION | {"keywords": {"optIn": ["stop"]}},
            "`stop` stands in keywords.optOut",
        ),
        ("organizations", ORGANIZATION | {"keywords": {"help": ["H", "h"]}}, "keywords.help"),
        (
            "organizations",
            ORGANIZATION | {"keywords": {"help": [" "]}},
            "keywords.help: expected keywords of",
        ),
        ("organizations", ORGANIZATION | {"keywords": {"helpReply": ""}}, "keywords.helpReply: expected"),
        ("organizations", ORGANIZATION | {"smsEnabled": "yes"}, "smsEnabled: expected true or false"),
        ("keys", KEY | {"kind": "ROOT"}, "kind: expected one of SENDING, SERVER, ADMIN, got `ROOT`"),
        ("keys", KEY | {"name": "x" * 201}, "name: expected"),
        ("keys", KEY | {"expiresAt": "tomorrow"}, "expiresAt: expected an ISO 8601"),
        ("keys", KEY | {"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt: expected a moment in the future"),
        ("templates", TEMPLATE | {"alias": "no blanks"}, "alias: expected"),
        ("templates", TEMPLATE | {"body": ""}, "body: expected 1 to"),
        ("templates", TEMPLATE | {"body": "a\u0000"}, "body: expected"),
        ("templates", TEMPLATE | {"body": "x" * 10_001}, "body: expected"),
        ("templates", TEMPLATE | {"body": "a\n{% if x %}"}, "body: expected tag endif"),
        ("templates", TEMPLATE | {"body": "a\n  {{ x | nope }}"}, "no filter 'nope' (line 2, column 10)"),
        ("templates", TEMPLATE | {"body": "{% render 'x' %}"}, "no tag 'render' (line 1, column 4)"),
        ("senders", SENDER | {"sender": "14155550000"}, "sender: expected a number in E.164"),
        ("senders", SENDER | {"sender": "+1415"}, "sender: the value is not a phone number"),
        ("senders", SENDER | {"sender": "twelve chars"}, "sender: expected"),
        ("senders", SENDER | {"sender": ""}, "sender: expected"),
        ("senders", SENDER | {"country": "USA"}, "country: expected the ISO 3166-1"),
        ("senders", SENDER | {"country": "us"}, "country: expected"),
        ("senders", SENDER | {"country": "CA"}, "country: the number is of US, not of CA"),
        ("senders", SENDER | {"country": None}, "country: expected a string"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:40],
)
def test_a_wrong_value_is_named_and_changes_nothing(
    admin: httpx.Client, resource: str, body: dict[str, Any], problem: str
) -> None:
    before = admin.get(f"/v1/admin/{resource}").json()
    status, code, message = refusal(admin.post(f"/v1/admin/{resource}", json=body))
    assert (status, code) == (400, "INVALID_REQUEST")
    assert problem in message
    after = admin.get(f"/v1/admin/{resource}").json()
    for page in (before, after):
        for row in page.get("keys", []):
            del row["lastUsedAt"]
    assert after == before


def test_what_is_taken_is_a_conflict_that_says_by_whom(admin: httpx.Client) -> None:
    organization_id, other = make_organization(admin), make_organization(admin)
    taken = admin.post("/v1/admin/organizations", json={"organizationId": organization_id, "name": "Again"})
    assert refusal(taken)[:2] == (409, "ORGANIZATION_EXISTS")

    pool, own = make_template(admin), make_template(admin, organizationId=organization_id)
    again = {"alias": pool["alias"], "name": "Again", "body": "Text"}
    status, code, message = refusal(admin.post("/v1/admin/templates", json=again))
    assert (status, code) == (409, "ALIAS_TAKEN")
    assert f"template {pool['templateId']} of the pool" in message
    # An own template may have a pool template's alias.
    shadow = make_template(admin, alias=pool["alias"], organizationId=organization_id)
    renamed = admin.patch(f"/v1/admin/templates/{shadow['templateId']}", json={"alias": own["alias"]})
    assert refusal(renamed)[:2] == (409, "ALIAS_TAKEN")

    approvals = f"/v1/admin/templates/{pool['templateId']}/approvals"
    status, code, message = refusal(
        admin.put(f"{approvals}/{organization_id}", json={"customAlias": own["alias"]})
    )
    assert (status, code) == (409, "ALIAS_TAKEN")
    assert message.startswith("customAlias: ")
    made(admin.put(f"{approvals}/{other}", json={"customAlias": own["alias"]}), 200)
    status, code, message = refusal(
        admin.put(f"/v1/admin/templates/{own['templateId']}/approvals/{other}", json={})
    )
    assert (status, code) == (409, "NOT_A_POOL_TEMPLATE")

    sender = {"sender": f"T{secrets.token_hex(5)}", "country": "DE", "organizationId": organization_id}
    made(admin.post("/v1/admin/senders", json=sender))
    assert refusal(admin.post("/v1/admin/senders", json=sender))[:2] == (409, "SENDER_EXISTS")
    made(admin.post("/v1/admin/senders", json=sender | {"country": "FR"}))
    theirs = admin.post("/v1/admin/senders", json=sender | {"country": "GB", "organizationId": other})
    assert refusal(theirs)[:2] == (409, "SENDER_TAKEN")
    assert organization_id in refusal(theirs)[2]


def test_what_does_not_exist_is_not_found(admin: httpx.Client) -> None:
    template = make_template(admin)["templateId"]
    for answer, code in (
        (admin.get("/v1/admin/organizations/nobody"), "ORGANIZATION_NOT_FOUND"),
        (admin.get("/v1/admin/organizations/No%00body"), "ORGANIZATION_NOT_FOUND"),
        (admin.patch("/v1/admin/organizations/nobody", json={}), "ORGANIZATION_NOT_FOUND"),
        (admin.get("/v1/admin/keys?organizationId=nobody"), "ORGANIZATION_NOT_FOUND"),
        (admin.post("/v1/admin/keys", json=KEY | {"organizationId": "nobody"}), "ORGANIZATION_NOT_FOUND"),
        (admin.get("/v1/admin/templates?organizationId=No"), "ORGANIZATION_NOT_FOUND"),
        (admin.post("/v1/admin/senders", json=SENDER | {"organizationId": "x"}), "ORGANIZATION_NOT_FOUND"),
        (admin.put(f"/v1/admin/templates/{template}/approvals/nobody"), "ORGANIZATION_NOT_FOUND"),
        (admin.delete(f"/v1/admin/templates/{template}/approvals/nobody"), "ORGANIZATION_NOT_FOUND"),
        (admin.get("/v1/admin/templates/999999999"), "TEMPLATE_NOT_FOUND"),
        (admin.get("/v1/admin/templates/0"), "TEMPLATE_NOT_FOUND"),
        (admin.get("/v1/admin/templates/9999999999999999999"), "TEMPLATE_NOT_FOUND"),
        (admin.get("/v1/admin/templates/one"), "TEMPLATE_NOT_FOUND"),
        (admin.patch("/v1/admin/templates/999999999", json={"name": "x"}), "TEMPLATE_NOT_FOUND"),
        (admin.get("/v1/admin/templates/999999999/versions"), "TEMPLATE_NOT_FOUND"),
        (admin.post("/v1/admin/templates/999999999/versions", json={"body": "x"}), "TEMPLATE_NOT_FOUND"),
        (admin.get("/v1/admin/templates/999999999/approvals"), "TEMPLATE_NOT_FOUND"),
        (admin.put("/v1/admin/templates/999999999/approvals/demo"), "TEMPLATE_NOT_FOUND"),
        (admin.delete("/v1/admin/senders/%2B14155550000"), "SENDER_NOT_FOUND"),
        (admin.delete("/v1/admin/senders/%00"), "SENDER_NOT_FOUND"),
    ):
        assert refusal(answer)[:2] == (404, code), answer.request.url
    unknown = admin.patch(f"/v1/admin/templates/{template}", json={"version": 9})
    assert refusal(unknown) == (
        400,
        "INVALID_REQUEST",
        f"version: template {template} has the versions 1 to 1",
    )


def test_wrong_parameters_are_named(admin: httpx.Client) -> None:
    for query, problem in (
        ("organizations?count=0", "count must be between 1 and 500"),
        ("organizations?nope=1", "nope: not a parameter"),
        ("organizations?cursor=nonsense", "not a cursor"),
        ("organizations?cursor=%C3%A9", "not a cursor"),
        ("organizations?cursor=WyJrZXlzIixbMV1d", "not a cursor"),
        ("keys?offset=1&cursor=x", "cursor: give either"),
        ("templates?pool=maybe", "pool: expected true or false"),
        ("templates?alias=no%20alias", "alias: expected"),
        ("senders?country=x", "country: expected"),
    ):
        status, code, message = refusal(admin.get(f"/v1/admin/{query}"))
        assert (status, code) == (400, "INVALID_REQUEST"), query
        assert problem in message
    assert admin.delete("/v1/admin/senders/x?all=1").status_code == 400
    assert admin.get("/v1/admin/organizations/demo?x=1").status_code == 400


def test_pages_by_cursor_show_every_row_once(admin: httpx.Client) -> None:
    organization_id = make_organization(admin)
    for number in range(5):
        body = {"organizationId": organization_id, "kind": "SENDING", "name": f"key {number}"}
        made(admin.post("/v1/admin/keys", json=body))
    query: dict[str, Any] = {"organizationId": organization_id, "count": 2}
    names, pages = [], 0
    while True:
        page = admin.get("/v1/admin/keys", params=query).json()
        names += [row["name"] for row in page["keys"]]
        assert page["totalCount"] == 5
        pages += 1
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert (pages, names) == (3, [f"key {number}" for number in (4, 3, 2, 1, 0)])
    offset: dict[str, Any] = {"organizationId": organization_id, "offset": 3}
    assert [row["name"] for row in admin.get("/v1/admin/keys", params=offset).json()["keys"]] == [
        "key 1",
        "key 0",
    ]


@pytest.mark.parametrize("handler", ADMIN_HANDLERS, ids=lambda handler: handler.operation_id)
def test_only_admin_keys_administer(service: Service, organization: TestOrganization, handler: Any) -> None:
    (method,), (path,) = handler.http_methods, handler.paths
    own = {
        "organizationId": organization.organization_id,
        "templateId": "1",
        "keyId": "key_1",
        "sender": "Acme",
    }
    url = "/v1" + path.replace(":str", "").format(**own)
    for key, status, code in (
        (organization.sending_key, 403, "FORBIDDEN"),
        (organization.server_key, 403, "FORBIDDEN"),
        (None, 401, "UNAUTHORIZED"),
        ("sk_admin_unknown", 401, "UNAUTHORIZED"),
    ):
        with service.client(key) as client:
            answer = client.request(method, url, content=b"{")
        assert refusal(answer)[:2] == (status, code)
        assert ("this needs an ADMIN key, not a S" in answer.text) == (status == 403)


def test_the_messages_that_an_admin_key_sees_are_of_its_own_organization(
    service: Service, admin: httpx.Client
) -> None:
    other = make_organization(admin)
    key = made(admin.post("/v1/admin/keys", json=KEY | {"organizationId": other, "kind": "ADMIN"}))["key"]
    with service.client(key) as client:
        assert client.get("/v1/sms/messages").json()["totalCount"] == 0
        assert client.get(f"/v1/admin/organizations/{other}").status_code == 200


def test_options_names_every_method_of_a_path(admin: httpx.Client) -> None:
    for path, allowed in (
        ("organizations", "GET, HEAD, OPTIONS, POST"),
        ("templates/1", "GET, HEAD, OPTIONS, PATCH"),
        ("templates/1/approvals/demo", "DELETE, OPTIONS, PUT"),
        ("keys/key_1", "DELETE, OPTIONS"),
    ):
        answer = admin.options(f"/v1/admin/{path}")
        assert (answer.status_code, answer.headers["Allow"]) == (204, allowed)
