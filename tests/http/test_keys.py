"""API keys: how they are presented, which are refused, and that they are not kept."""

import concurrent.futures
from collections.abc import Iterator
from typing import LiteralString

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.running_service import Service, eventually

from .organizations import OTP, TestOrganization

LIST = "/v1/sms/messages?count=1"


@pytest.fixture
def nobody(service: Service) -> Iterator[httpx.Client]:
    """A client without a key."""
    with service.client(None) as client:
        yield client


def change_key(service: Service, organization: TestOrganization, change: LiteralString) -> None:
    with psycopg.connect(service.ready.postgres_url) as conn:
        conn.execute(
            f"UPDATE api_keys SET {change} WHERE organization_id = %s AND kind = 'SERVER'",
            [organization.organization_id],
        )


def test_both_headers_of_the_page_are_understood(
    nobody: httpx.Client, organization: TestOrganization
) -> None:
    key = organization.server_key
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"bearer   {key}"},
        {"X-API-Key": key},
        {"Authorization": "Basic dXNlcjpwYXNz", "X-API-Key": key},
    ):
        assert nobody.get(LIST, headers=headers).status_code == 200, headers


def test_sending_and_server_keys_send_and_read(nobody: httpx.Client, organization: TestOrganization) -> None:
    for key in (organization.server_key, organization.sending_key, organization.admin_key):
        headers = {"X-API-Key": key}
        sent = nobody.post("/v1/sms", json=OTP, headers=headers)
        assert sent.status_code == 200
        message_id = sent.json()["messageId"]
        for path in (LIST, f"/v1/sms/{message_id}", f"/v1/sms/{message_id}/events"):
            assert nobody.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer unknown"},
        {"Authorization": "KEY"},
        {"Authorization": "Basic KEY"},
        {"Authorization": "BearerKEY"},
        {"Authorization": "Bearer KEY KEY"},
        {"Authorization": 'Bearer "KEY"'},
        {"X-API-Key": "unknown"},
        {"X-API-Key": ""},
        {"X-API-Key": "Bearer KEY"},
        {"X-API-Key": "KEYx"},
        {"X-API-Key": "x" * 5_000},
        {"X-API-Key": b"KEY\xff"},
        {"Api-Key": "KEY"},
    ],
    ids=lambda headers: repr(headers)[:40],
)
def test_without_a_good_key_nothing_is_answered_but_401(
    nobody: httpx.Client, organization: TestOrganization, headers: dict[str, str | bytes]
) -> None:
    key = organization.server_key
    filled = [
        (
            name.encode(),
            value.replace(b"KEY", key.encode())
            if isinstance(value, bytes)
            else value.replace("KEY", key).encode(),
        )
        for name, value in headers.items()
    ]
    answers = [
        nobody.get(LIST, headers=filled),
        nobody.post("/v1/sms", json=OTP, headers=filled),
        nobody.post("/v1/sms/batch", json=[OTP], headers=filled),
        nobody.post("/v1/sms", content=b"{", headers=filled),
        nobody.get("/v1/sms/sms_01hk153x00e45bavdxkn2xkbtr", headers=filled),
        nobody.get("/v1/sms/nonsense/events", headers=filled),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_in_the_query_is_not_looked_at(nobody: httpx.Client, organization: TestOrganization) -> None:
    assert nobody.get(f"/v1/sms/messages?api_key={organization.server_key}").status_code == 401


def test_a_revoked_key_stops_working(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    assert client.get(LIST).status_code == 200
    change_key(service, organization, "revoked_at = now()")
    # Directories look twice a second; how long it took is not asserted on a busy machine.
    eventually(lambda: client.get(LIST).status_code == 401, 5)
    with service.client(organization.sending_key) as other:
        assert other.get(LIST).status_code == 200
    change_key(service, organization, "revoked_at = NULL")
    eventually(lambda: client.get(LIST).status_code == 200, 5)


def test_an_expired_key_is_refused_and_one_that_expires_stops_working(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    change_key(service, organization, "expires_at = now() + interval '1.5 seconds'")
    assert client.get(LIST).status_code == 200
    eventually(lambda: client.get(LIST).status_code == 401, 5)


def test_an_organization_that_is_disabled_meanwhile_sends_no_more(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    assert client.post("/v1/sms", json=OTP).status_code == 200
    with psycopg.connect(service.ready.postgres_url) as conn:
        conn.execute(
            "UPDATE organizations SET sms_enabled = false WHERE organization_id = %s",
            [organization.organization_id],
        )
    eventually(lambda: client.post("/v1/sms", json=OTP).status_code == 403, 5)


def test_the_database_and_the_logs_do_not_have_the_keys(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    client.post("/v1/sms", json=OTP)
    client.post("/v1/sms", content=b"{")
    for key in (organization.server_key, service.ready.server_key):
        assert key
        with psycopg.connect(service.ready.postgres_url) as conn:
            tables = conn.execute(
                "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'"
            ).fetchall()
            assert ("public", "api_keys") in tables
            for table in tables:
                query = SQL(
                    "SELECT count(*) FROM {} t WHERE strpos(t::text, %s) + strpos(t::text, %s) > 0"
                ).format(Identifier(*table))
                assert conn.execute(query, [key, key.encode().hex()]).fetchone() == (0,), table
        for log in (service.output.parent / "data").rglob("*.log"):
            assert key not in log.read_text(errors="replace"), log


def test_slow_reads_do_not_keep_a_revoked_key_alive(
    service: Service, nobody: httpx.Client, organization: TestOrganization
) -> None:
    headers = {"X-API-Key": organization.server_key}
    assert nobody.post("/v1/sms", json=OTP, headers=headers).status_code == 200
    with (
        psycopg.connect(service.ready.postgres_url) as slow,
        concurrent.futures.ThreadPoolExecutor(20) as readers,
    ):
        table = slow.execute("SELECT relname FROM pg_class WHERE relname ~ '^messages_[0-9]+$'").fetchone()
        assert table is not None
        slow.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(Identifier(table[0])))
        reads = [
            readers.submit(
                httpx.get,
                f"{service.ready.url}{LIST}",
                headers={"X-API-Key": organization.sending_key},
                timeout=30,
                trust_env=False,
            )
            for _ in range(20)
        ]
        # Reads take every connection there is; those beyond wait for one in vain.
        assert not concurrent.futures.wait(reads, timeout=0.5).done
        change_key(service, organization, "revoked_at = now()")
        eventually(lambda: nobody.post("/v1/sms", json=OTP, headers=headers).status_code == 401, 3)
        slow.rollback()
