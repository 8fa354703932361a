"""API keys: made, shown this once, listed with their last use, revoked. Only a key's digest is kept."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from smsledger.application.accept import InvalidField
from smsledger.application.directory import KeyKind
from smsledger.domain.errors import LedgerError

from .checks import check_name, read_moment
from .listing import Listed, ListPage
from .organizations import OrganizationNotFound, check_organization


class KeyDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key as it is shown; never the key itself."""

    key_id: str
    organization_id: str
    kind: KeyKind
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """Some seconds behind."""


class NewKey(KeyDetail, frozen=True, kw_only=True, rename="camel"):
    """A key that was just made, with what is to be presented; it cannot be shown again."""

    key: str


class CreateKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A new key of an organization."""

    organization_id: str
    kind: KeyKind
    name: str
    expires_at: str | None = None
    """ISO 8601."""


class KeyStore(Protocol):
    """Keeps keys."""

    async def insert_key(self, detail: KeyDetail, digest: bytes) -> bool:
        """Store it; False where its organization does not exist."""
        ...

    async def revoke_key(self, key_id: str, at: datetime) -> bool:
        """Revoke it unless it is revoked; False where there is none."""
        ...

    async def keys(self, organization_id: str | None, page: ListPage) -> Listed[KeyDetail]:
        """Newest first; None: of all organizations."""
        ...


class Keys:
    """The use cases."""

    def __init__(self, store: KeyStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def create(self, command: CreateKey) -> NewKey:
        """Raises InvalidField and OrganizationNotFound."""
        check_name(command.name)
        check_organization(command.organization_id)
        at = self._clock()
        expires_at = None if command.expires_at is None else read_moment("expiresAt", command.expires_at)
        if expires_at is not None and expires_at <= at:
            raise InvalidField(field="expiresAt", problem="expected a moment in the future")
        key_id, key, digest = new_key(command.kind)
        new = NewKey(
            key_id=key_id,
            organization_id=command.organization_id,
            kind=command.kind,
            name=command.name,
            created_at=at,
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
            key=key,
        )
        if not await self._store.insert_key(new, digest):
            raise OrganizationNotFound(organization_id=command.organization_id)
        return new

    async def revoke(self, key_id: str) -> None:
        """From now on it is refused, within a second in every process; again it changes nothing. Raises KeyNotFound."""
        if "\x00" in key_id or not await self._store.revoke_key(key_id, self._clock()):
            raise KeyNotFound  # what was given is likely the key itself, and must not go on from here into logs

    async def list(self, organization_id: str | None, page: ListPage) -> Listed[KeyDetail]:
        """Newest first; of one organization where it is named. Raises InvalidCursor and OrganizationNotFound."""
        check_organization(organization_id)
        return await self._store.keys(organization_id, page)


def new_key(kind: KeyKind) -> tuple[str, str, bytes]:
    """A new key's id, the key, and the digest that is stored of it."""
    key = f"sk_{kind.lower()}_{secrets.token_urlsafe(24)}"
    return f"key_{secrets.token_hex(8)}", key, digest_of(key)


def digest_of(key: str) -> bytes:
    """What is stored of a key. It has 192 random bits, so one round of a plain hash is enough."""
    return hashlib.sha256(key.encode()).digest()


class KeyNotFound(LedgerError):
    """No such key."""

    # What was given is not said back: it may be the key itself.
    message = (
        "keyId: there is no key with this id: give the key's id (key_…), which the list of keys "
        "(`smsledger admin keys list`) shows, not the key itself"
    )
