"""The API keys of an application: given out, changed, taken back and given out again.

A key's secret is kept as it is: clients may list keys, and secured keys are signed with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from storagebox.search.writes.operations import (
    AddKey,
    DeleteKey,
    KeyOperation,
    RestoreKey,
    UpdateKey,
)
from storagebox.search.writes.refused import Refused

_DEFAULTS: Final[Mapping[str, Any]] = {
    "acl": [],
    "description": "",
    "indexes": [],
    "maxHitsPerQuery": 0,
    "maxQueriesPerIPPerHour": 0,
    "queryParameters": "",
    "referers": [],
    "validity": 0,
}


def new_secret() -> str:
    """A secret nobody can guess, of the form that Algolia's have."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its secret, since when it is, and the API's fields, all of them."""

    value: str
    created_ms: int  # Unix time, as is deleted_ms
    fields: Mapping[str, Any]
    deleted_ms: int | None = None

    @property
    def acl(self) -> tuple[str, ...]:
        """What it may do."""
        return tuple(self.fields["acl"])

    @property
    def expires_ms(self) -> int | None:
        """When it stops to be one; None for never."""
        validity_s: int = self.fields["validity"]
        return self.created_ms + validity_s * 1000 if validity_s else None

    def valid(self, now_ms: int) -> bool:
        """Whether it opens anything now."""
        expires_ms = self.expires_ms
        return self.deleted_ms is None and (expires_ms is None or now_ms < expires_ms)

    def to_json(self) -> dict[str, Any]:
        """As GET /1/keys has it."""
        return {"value": self.value, "createdAt": self.created_ms, **self.fields}


class Keys:
    """All keys, deleted ones too: as many as `limit`, the oldest forgotten for good."""

    def __init__(self, limit: int, stored: Mapping[str, Any] | None = None) -> None:
        self.limit = limit
        self._keys = {value: Key(value, *fields) for value, fields in (stored or {}).items()}

    def to_stored(self) -> dict[str, Any]:
        """What the catalog keeps; __init__ reads it."""
        return {
            key.value: [key.created_ms, dict(key.fields), key.deleted_ms]
            for key in self._keys.values()
        }

    def copy(self) -> Keys:
        """One that goes its own way."""
        other = Keys(self.limit)
        other._keys = self._keys
        return other

    def get(self, value: str, now_ms: int) -> Key | None:
        """The key with this secret, if it is valid now."""
        key = self._keys.get(value)
        return key if key is not None and key.valid(now_ms) else None

    def all(self, now_ms: int) -> list[Key]:
        """Those valid now, oldest first."""
        return [key for key in self._keys.values() if key.valid(now_ms)]

    def check(self, operation: KeyOperation, now_ms: int) -> None:
        """Raises Refused for an operation on a key that isn't there."""
        if isinstance(operation, AddKey):
            return
        key = self._keys.get(operation.value)
        gone = key is None or (key.deleted_ms is None) == isinstance(operation, RestoreKey)
        if gone or (key is not None and key.deleted_ms is None and not key.valid(now_ms)):
            raise Refused("Key does not exist", 404)

    def apply(self, operation: KeyOperation, at_ms: int) -> None:
        """Do what the log says. One that is impossible by now does nothing."""
        # Replaced as a whole: other threads look keys up meanwhile.
        keys = dict(self._keys)
        found = keys.get(operation.value)
        match operation:
            case AddKey(value, fields):
                keys[value] = Key(value, at_ms, {**_DEFAULTS, **fields})
            case UpdateKey(value, fields) if found is not None:
                keys[value] = Key(value, found.created_ms, {**_DEFAULTS, **fields})
            case DeleteKey(value) if found is not None:
                keys[value] = Key(value, found.created_ms, found.fields, at_ms)
            case RestoreKey(value) if found is not None:
                keys[value] = Key(value, found.created_ms, {**found.fields, "validity": 0})
            case _:
                return
        for value in list(keys)[: max(0, len(keys) - self.limit)]:
            del keys[value]
        self._keys = keys
