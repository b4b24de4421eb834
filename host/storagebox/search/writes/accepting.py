"""What a client sends, as operations: whatever can be refused is refused here, before the log.

Messages are Algolia's where a client is known to read them (record size, objectID, index name,
replicas); the rest name the thing, the fault and the remedy.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.languages import LANGUAGES
from storagebox.search.language.parameters import Where
from storagebox.search.language.query import Query
from storagebox.search.language.rules import Rule
from storagebox.search.language.settings import DEFAULTS
from storagebox.search.language.synonyms import Synonym
from storagebox.search.writes import partial
from storagebox.search.writes.operations import (
    ACTIONS,
    ADD,
    CLEAR,
    DELETE,
    DELETE_INDEX,
    PARTIAL,
    PARTIAL_NO_CREATE,
    RULES,
    SCOPES,
    SYNONYMS,
    UPDATE,
    AddKey,
    Batch,
    CopyIndex,
    DeleteBy,
    DictionaryBatch,
    MoveIndex,
    Request,
    SaveItems,
    SetDictionarySettings,
    SetSettings,
    UpdateKey,
)
from storagebox.search.writes.refused import Refused

# A name is part of a URL's path; what could end it, or stand for several names, is not part of it.
_INDEX_NAME: Final = re.compile(r"[^/\\*?#%&\x00-\x1f\x7f]{1,256}")
_MAX_OBJECT_ID_BYTES: Final = 2048
_MAX_REQUESTS: Final = 100_000
ACLS: Final = (
    "addObject",
    "analytics",
    "browse",
    "deleteIndex",
    "deleteObject",
    "editSettings",
    "inference",
    "listIndexes",
    "logs",
    "nluReadAnswers",
    "nluReadEntities",
    "nluReadProject",
    "nluWriteEntities",
    "nluWriteProject",
    "personalization",
    "recommendation",
    "search",
    "seeUnretrievableAttributes",
    "settings",
    "usage",
)
DICTIONARIES: Final = ("stopwords", "plurals", "compounds")
_KEY_FIELDS: Final[Mapping[str, type]] = {
    "acl": list,
    "description": str,
    "indexes": list,
    "maxHitsPerQuery": int,
    "maxQueriesPerIPPerHour": int,
    "queryParameters": str,
    "referers": list,
    "validity": int,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an application takes. Algolia's documented limits, where it has them."""

    record_bytes: int = 100_000  # of JSON without blanks
    operation_bytes: int = 100 << 20  # a batch, before compression
    indices: int = 1000
    keys: int = 1000
    # Beyond these, writes are refused until the index has caught up.
    pending_operations: int = 20_000
    pending_bytes: int = 256 << 20
    # Merging segments takes room, and the log needs some to say that something was deleted.
    disk_reserve_bytes: int = 128 << 20


def index_name(name: object) -> str:
    """The name of an index. Raises Refused."""
    if not isinstance(name, str) or not _INDEX_NAME.fullmatch(name) or name in (".", ".."):
        raise Refused("indexName is not valid")
    return name


def batch(index: str | None, body: object, seed: str, limits: Limits) -> Batch:
    """A batch from the API's body; `index` None is the batch on several indices.

    `seed`, the operation's id, is where the ids of records without one come from, so that a batch
    sent twice makes them once. Raises Refused.
    """
    requests = _field(body, "requests", list)
    if len(requests) > _MAX_REQUESTS:
        raise Refused(
            f"requests: {len(requests)} in one batch are over {_MAX_REQUESTS}: cut it up"
        )
    index = None if index is None else index_name(index)
    return Batch(
        tuple(
            _request(index, request, position, seed, limits)
            for position, request in enumerate(requests)
        )
    )


def put(index: str, object_id: str | None, record: object, seed: str, limits: Limits) -> Batch:
    """One record to add (`object_id` None: it may bear its id, or gets one) or to replace."""
    body = _object(record, "the record")
    if object_id is not None:
        body["objectID"] = object_id
    action = ADD if object_id is None else UPDATE
    return batch(index, {"requests": [{"action": action, "body": body}]}, seed, limits)


def partial_update(
    index: str, object_id: str, attributes: object, create: bool, limits: Limits
) -> Batch:
    """A partial update of one record."""
    body = _object(attributes, "the attributes")
    body["objectID"] = object_id
    action = PARTIAL if create else PARTIAL_NO_CREATE
    return batch(index, {"requests": [{"action": action, "body": body}]}, "", limits)


def delete(index: str, object_id: str) -> Batch:
    """The deletion of one record."""
    return Batch((Request(index_name(index), DELETE, _object_id(object_id, DELETE, 0)),))


def delete_by(index: str, body: object) -> DeleteBy:
    """Delete what matches; a filter there must be."""
    params = _object(body, "the parameters")
    with _said():
        # Parsed to be refused here; what it finds depends on the index's settings.
        Query.parse(params, DEFAULTS, Where.DELETE_BY)
    return DeleteBy(index_name(index), params)


def copy_or_move(index: str, body: object) -> CopyIndex | MoveIndex:
    """The API's `operation` on an index."""
    wanted = _object(body, "the operation")
    operation, scope = wanted.get("operation"), wanted.get("scope") or ()
    destination = index_name(wanted.get("destination"))
    if operation not in ("copy", "move"):
        raise Refused(f"operation: expected copy or move, not {operation!r}")
    if not isinstance(scope, Sequence) or any(part not in SCOPES for part in scope):
        raise Refused(f"scope: expected some of {', '.join(SCOPES)}, not {scope!r}")
    if index_name(index) == destination:
        raise Refused("destination: it is the same index as the source")
    if operation == "move":
        if scope:
            raise Refused("scope is for copying only: an index moves whole")
        return MoveIndex(index, destination)
    return CopyIndex(index, destination, tuple(dict.fromkeys(scope)))


def set_settings(index: str, body: object, forward: bool) -> SetSettings:
    """Settings to merge."""
    patch = _object(body, "settings")
    with _said():
        known = DEFAULTS.patched(patch).given
    reset = {name: None for name, value in patch.items() if value is None}
    return SetSettings(index_name(index), {**known, **reset}, forward)


def save_items(index: str, scope: str, items: object, replace: bool, forward: bool) -> SaveItems:
    """Synonyms or rules (`scope`) to keep; with `replace` no others."""
    what = scope.removesuffix("s")
    if not isinstance(items, list):
        raise Refused(f"{scope}: expected a list of {what} objects")
    kept: list[Mapping[str, Any]] = []
    for position, item in enumerate(cast("list[object]", items)):
        fields = _object(item, f"{what} {position}")
        object_id = fields.get("objectID")
        if not isinstance(object_id, str) or not object_id:
            raise Refused(f"{what} {position}: objectID is missing: give it one")
        with _said():
            Rule.from_json(fields) if scope == RULES else Synonym.from_json(fields)
        kept.append(fields)
    assert scope in (SYNONYMS, RULES)
    return SaveItems(index_name(index), scope, tuple(kept), replace, forward)


def dictionary_batch(dictionary: str, body: object) -> DictionaryBatch:
    """Entries to add to a dictionary and to delete from it."""
    if dictionary not in DICTIONARIES:
        raise Refused(
            f"dictionary: expected one of {', '.join(DICTIONARIES)}, not {dictionary!r:.40}"
        )
    add: list[Mapping[str, Any]] = []
    gone: list[str] = []
    for position, request in enumerate(_field(body, "requests", list)):
        fields = _object(request, f"request {position}")
        entry = _object(fields.get("body"), f"the body of request {position}")
        object_id = entry.get("objectID")
        if not isinstance(object_id, str) or not object_id:
            raise Refused(f"request {position}: objectID is missing: give it one")
        match fields.get("action"):
            case "addEntry":
                language = entry.get("language")
                if not isinstance(language, str) or language not in LANGUAGES:
                    raise Refused(f"request {position}: unknown language {language!r:.40}")
                add.append(entry)
            case "deleteEntry":
                gone.append(object_id)
            case action:
                raise Refused(
                    f"request {position}: expected addEntry or deleteEntry, not {action!r}"
                )
    clear = _object(body, "the body").get("clearExistingDictionaryEntries", False)
    return DictionaryBatch(dictionary, tuple(add), tuple(gone), bool(clear))


def dictionary_settings(body: object) -> SetDictionarySettings:
    """Settings of all dictionaries: which standard entries are off, by language."""
    disabled = _field(body, "disableStandardEntries", dict)
    for dictionary, languages in disabled.items():
        if dictionary not in DICTIONARIES or not isinstance(languages, dict | None):
            raise Refused(f"disableStandardEntries: {dictionary}: expected languages and booleans")
    return SetDictionarySettings({"disableStandardEntries": disabled})


def add_key(body: object, value: str) -> AddKey:
    """A new key: `value` is its secret."""
    return AddKey(value, _key_fields(body))


def update_key(value: str, body: object) -> UpdateKey:
    """New fields of a key; those left out are reset."""
    return UpdateKey(value, _key_fields(body))


def _key_fields(body: object) -> dict[str, Any]:
    fields = _object(body, "the key")
    # Clients send back what they were given; these are not theirs to set.
    for name in ("value", "key", "createdAt"):
        fields.pop(name, None)
    for name, value in fields.items():
        kind = _KEY_FIELDS.get(name)
        if kind is None:
            raise Refused(f"{name} is no attribute of an API key")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Refused(f"{name}: expected {kind.__name__}, not {value!r:.80}")
        if isinstance(value, int) and value < 0:
            raise Refused(f"{name}: expected 0 or more, not {value}")
        if isinstance(value, list) and not all(isinstance(one, str) for one in value):
            raise Refused(f"{name}: expected a list of strings")
    if "acl" not in fields:
        raise Refused("acl is missing: list what the key may do")
    for permission in fields["acl"]:
        if permission not in ACLS:
            raise Refused(f"acl: unknown permission {permission!r}: {', '.join(ACLS)}")
    return fields


def _request(
    index: str | None, request: object, position: int, seed: str, limits: Limits
) -> Request:
    # A batch has thousands of these: nothing is copied, and no message made, that isn't needed.
    if not isinstance(request, dict):
        raise Refused(f"request {position}: expected a JSON object, not {_kind(request)}")
    fields = cast("dict[str, Any]", request)
    name = index_name(fields.get("indexName")) if index is None else index
    action = fields.get("action")
    if action not in ACTIONS:
        raise Refused(
            f"request {position}: invalid action {action!r}: {', '.join(ACTIONS)}",
            position=position,
        )
    if action in (DELETE_INDEX, CLEAR):
        return Request(name, action)
    body = fields.get("body")
    if not isinstance(body, dict):
        raise Refused(f"request {position}: body: expected a JSON object, not {_kind(body)}")
    body = cast("dict[str, Any]", body)
    given = body.get("objectID")
    if action == ADD and given in (None, ""):
        given = f"{hashlib.sha256(seed.encode()).hexdigest()[:20]}-{position}"
    object_id = _object_id(given, action, position)
    if action == DELETE:
        return Request(name, action, object_id)
    if body.get("objectID") is not object_id:
        body = {**body, "objectID": object_id}
    if action in (PARTIAL, PARTIAL_NO_CREATE):
        for attribute, value in body.items():
            if fault := partial.fault(attribute, value):
                raise Refused(
                    f"request {position}: {fault}", position=position, objectID=object_id
                )
    check_size(body, position, object_id, limits)
    return Request(name, action, object_id, body)


def check_size(body: Mapping[str, Any], position: int, object_id: str, limits: Limits) -> None:
    """That a record is no larger than records may be, and is JSON. Raises Refused."""
    try:
        size = len(orjson.dumps(body))
    except orjson.JSONEncodeError as fault:
        raise Refused(
            f"Record at the position {position} objectID={object_id} can't be kept: {fault}",
            position=position,
            objectID=object_id,
        ) from None
    if size > limits.record_bytes:
        raise Refused(
            f"Record at the position {position} objectID={object_id} is too big"
            f" size={size}/{limits.record_bytes} bytes. Please cut it into several records",
            position=position,
            objectID=object_id,
        )


def _object_id(value: object, action: str, position: int) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise Refused(
            f"The 'objectID' attribute is required to use action={action} (request {position})",
            position=position,
        )
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise Refused(
            f"request {position}: objectID is no Unicode text", position=position
        ) from None
    if size > _MAX_OBJECT_ID_BYTES:
        raise Refused(
            f"request {position}: objectID of {size} bytes is over {_MAX_OBJECT_ID_BYTES}",
            position=position,
        )
    return value


@contextmanager
def _said() -> Generator[None]:
    """What the language finds wrong is a refusal like any other."""
    try:
        yield
    except LanguageError as fault:
        raise Refused(fault.message, fault.status) from None


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{what}: expected a JSON object, not {_kind(value)}")
    return dict(cast("dict[str, Any]", value))


def _field(body: object, name: str, kind: type) -> Any:
    value = _object(body, "the body").get(name)
    if not isinstance(value, kind):
        raise Refused(f"{name}: expected a {kind.__name__}, not {_kind(value)}")
    return value


def _kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__
