"""Synonyms and rules alike: lists of JSON objects beside an index's records, each by its id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from storagebox.search.server.call import Call, whole
from storagebox.search.writes import accepting
from storagebox.search.writes.application import iso
from storagebox.search.writes.operations import DeleteItem, SaveItems
from storagebox.search.writes.refused import Refused

_PAGE: Final = 20
_MAX_PAGE: Final = 1000

Item = Mapping[str, Any]


def all_of(call: Call, scope: str) -> list[Item]:
    """An index's synonyms or rules."""
    name = call.index
    call.view(name)
    held: Any = call.application.meta(name, scope)
    return list(held or ())


def get(call: Call, scope: str, missing: str) -> Item:
    """The one in the path. Raises Refused."""
    wanted = call.path["id"]
    for item in all_of(call, scope):
        if item["objectID"] == wanted:
            return item
    raise Refused(missing, 404)


async def save(call: Call, scope: str) -> Any:
    """Keep the one in the path."""
    object_id, forward = call.path["id"], call.flag("forwardToReplicas")
    item = {**call.fields(), "objectID": object_id}
    task_id = await call.write(
        lambda _: accepting.save_items(call.index, scope, [item], False, forward)
    )
    return {"taskID": task_id, "updatedAt": now(call), "id": object_id}


async def save_many(call: Call, scope: str, replace: str) -> Any:
    """Keep several; `replace` is the parameter that says whether the others go."""
    others_go, forward = call.flag(replace), call.flag("forwardToReplicas")
    task_id = await call.write(
        lambda _: accepting.save_items(call.index, scope, call.json(), others_go, forward)
    )
    return {"taskID": task_id, "updatedAt": now(call)}


async def clear(call: Call, scope: str) -> Any:
    """Forget them all."""
    name, forward = accepting.index_name(call.index), call.flag("forwardToReplicas")
    task_id = await call.write(lambda _: SaveItems(name, scope, (), replace=True, forward=forward))
    return {"taskID": task_id, "updatedAt": now(call)}


async def delete(call: Call, scope: str, when: str) -> Any:
    """Forget the one in the path; `when` is what the answer calls the time of it."""
    name, forward = accepting.index_name(call.index), call.flag("forwardToReplicas")
    task_id = await call.write(lambda _: DeleteItem(name, scope, call.path["id"], forward))
    return {"taskID": task_id, when: now(call)}


def found(
    call: Call, scope: str, fields: Mapping[str, Any], wanted: Callable[[Item], bool]
) -> dict[str, Any]:
    """A page of those that are wanted and hold all words of `query`, each marked as a hit."""
    words = str(fields.get("query") or "").casefold().split()
    page = whole("page", fields.get("page") or 0, 1 << 31)
    size = whole("hitsPerPage", fields.get("hitsPerPage") or _PAGE, _MAX_PAGE)
    hits = [item for item in all_of(call, scope) if wanted(item) and _holds(item, words)]
    return {
        "hits": [
            {**item, "_highlightResult": {}} for item in hits[page * size : (page + 1) * size]
        ],
        "nbHits": len(hits),
        "page": page,
        "nbPages": -(-len(hits) // size),
    }


def now(call: Call) -> str:
    """When the call came, as the API writes it."""
    return iso(int(call.now_s * 1000))


def _holds(value: Any, words: list[str]) -> bool:
    if not words:
        return True
    text = " ".join(_texts(value)).casefold()
    return all(word in text for word in words)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return []
