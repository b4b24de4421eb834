"""What can be written: each operation is one entry of an application's log.

An entry holds all that applying it takes, such as the ids of new records and the time, so that
whoever applies the same log reaches the same state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import orjson

Json = Any  # what orjson reads: None, bool, int, float, str, list, dict

ADD: Final = "addObject"
UPDATE: Final = "updateObject"
PARTIAL: Final = "partialUpdateObject"
PARTIAL_NO_CREATE: Final = "partialUpdateObjectNoCreate"
DELETE: Final = "deleteObject"
DELETE_INDEX: Final = "delete"
CLEAR: Final = "clear"
# What brings an index into being that isn't there.
CREATING: Final = (ADD, UPDATE, PARTIAL)
ACTIONS: Final = (ADD, UPDATE, PARTIAL, PARTIAL_NO_CREATE, DELETE, DELETE_INDEX, CLEAR)

SETTINGS: Final = "settings"
SYNONYMS: Final = "synonyms"
RULES: Final = "rules"
# What an index holds beside its records: the names of its Metas, and the scopes of a copy.
SCOPES: Final = (SETTINGS, SYNONYMS, RULES)


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One action of a batch: on the record `object_id` of `index`, or on the whole of it."""

    index: str
    action: str
    object_id: str = ""
    body: Mapping[str, Json] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Actions in order, on one or several indices."""

    requests: tuple[Request, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteBy:
    """Delete the records that match `params`: filters, or a place."""

    index: str
    params: Mapping[str, Json]


@dataclasses.dataclass(frozen=True, slots=True)
class ClearIndex:
    """Delete all records; settings, synonyms and rules stay."""

    index: str


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteIndex:
    """Delete an index with all that it holds."""

    index: str


@dataclasses.dataclass(frozen=True, slots=True)
class CopyIndex:
    """Copy an index, or of it only what `scope` names, over another."""

    index: str
    destination: str
    scope: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class MoveIndex:
    """Give an index another name, in place of the index that had it."""

    index: str
    destination: str


@dataclasses.dataclass(frozen=True, slots=True)
class SetSettings:
    """Merge `settings` into those of an index; None resets one."""

    index: str
    settings: Mapping[str, Json]
    forward: bool = False  # to its replicas


@dataclasses.dataclass(frozen=True, slots=True)
class SaveItems:
    """Keep synonyms or rules (`scope`), each under its objectID; with `replace` no others."""

    index: str
    scope: str
    items: tuple[Mapping[str, Json], ...]
    replace: bool = False
    forward: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteItem:
    """Forget one synonym or rule."""

    index: str
    scope: str
    object_id: str
    forward: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class AddKey:
    """Give out the API key `value`; `fields` as the API has them."""

    value: str
    fields: Mapping[str, Json]


@dataclasses.dataclass(frozen=True, slots=True)
class UpdateKey:
    """Replace all fields of a key."""

    value: str
    fields: Mapping[str, Json]


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteKey:
    """Take a key back."""

    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class RestoreKey:
    """Give a deleted key out again, for good."""

    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class DictionaryBatch:
    """Add to and delete from a dictionary of the application: stop words, plurals, compounds."""

    dictionary: str
    add: tuple[Mapping[str, Json], ...]
    delete: tuple[str, ...] = ()
    clear: bool = False  # before all else


@dataclasses.dataclass(frozen=True, slots=True)
class SetDictionarySettings:
    """Merge settings of all dictionaries."""

    settings: Mapping[str, Json]


KeyOperation = AddKey | UpdateKey | DeleteKey | RestoreKey
DictionaryOperation = DictionaryBatch | SetDictionarySettings
IndexOperation = (
    Batch
    | DeleteBy
    | ClearIndex
    | DeleteIndex
    | CopyIndex
    | MoveIndex
    | SetSettings
    | SaveItems
    | DeleteItem
)
Operation = IndexOperation | KeyOperation | DictionaryOperation

_KINDS: Final[dict[str, type[Operation]]] = {
    kind.__name__: kind
    for kind in (
        Batch,
        DeleteBy,
        ClearIndex,
        DeleteIndex,
        CopyIndex,
        MoveIndex,
        SetSettings,
        SaveItems,
        DeleteItem,
        AddKey,
        UpdateKey,
        DeleteKey,
        RestoreKey,
        DictionaryBatch,
        SetDictionarySettings,
    )
}


def indices(operation: Operation) -> tuple[str, ...]:
    """The names of the indices that an operation speaks of, each once."""
    match operation:
        case Batch(requests):
            return tuple(dict.fromkeys(request.index for request in requests))
        case CopyIndex(index, destination) | MoveIndex(index, destination):
            return (index, destination)
        case AddKey() | UpdateKey() | DeleteKey() | RestoreKey():
            return ()
        case DictionaryBatch() | SetDictionarySettings():
            return ()
        case _:
            return (operation.index,)


def encode(operation: Operation, at_ms: int) -> bytes:
    """An entry's payload: JSON. `at_ms` is when it was taken, Unix time."""
    if isinstance(operation, Batch):
        # By position: the names of four fields would be as long as a small record.
        fields: Json = [
            [request.index, request.action, request.object_id, request.body]
            for request in operation.requests
        ]
    else:
        fields = operation
    return orjson.dumps([type(operation).__name__, at_ms, fields])


def decode(payload: bytes) -> tuple[Operation, int]:
    """The operation and when it was taken. Raises ValueError for what encode never made."""
    try:
        name, at_ms, fields = orjson.loads(payload)
        kind = _KINDS[name]
        if kind is Batch:
            return Batch(tuple(Request(*request) for request in fields)), at_ms
        for field, value in fields.items():
            if isinstance(value, list):
                fields[field] = tuple(value)
        return kind(**fields), at_ms
    except (KeyError, TypeError, ValueError) as fault:
        raise ValueError(f"search: an entry of the log can't be read: {fault!r}") from None
