"""Indices as a whole: listed, copied, moved, cleared, deleted."""

from __future__ import annotations

from typing import Any, Final

from storagebox.search.server.call import Call
from storagebox.search.writes import accepting
from storagebox.search.writes.application import iso
from storagebox.search.writes.operations import ClearIndex, DeleteIndex

_PAGE: Final = 100
_MAX_PAGE: Final = 1000


async def listed(call: Call) -> Any:
    """GET /1/indexes."""
    items = [item for item in call.application.indices() if call.grant.sees(item["name"])]
    if "page" not in call.query:
        return {"items": items, "nbPages": 1}
    page = call.number("page", 0, 1 << 31)
    size = call.number("hitsPerPage", _PAGE, _MAX_PAGE) or _PAGE
    return {"items": items[page * size : (page + 1) * size], "nbPages": -(-len(items) // size)}


async def clear(call: Call) -> Any:
    """POST …/clear: all records go."""
    name = accepting.index_name(call.index)
    task_id = await call.write(lambda _: ClearIndex(name))
    return {"updatedAt": _now(call), "taskID": task_id}


async def delete(call: Call) -> Any:
    """DELETE …: all goes."""
    name = accepting.index_name(call.index)
    task_id = await call.write(lambda _: DeleteIndex(name))
    return {"deletedAt": _now(call), "taskID": task_id}


async def copy_or_move(call: Call) -> Any:
    """POST …/operation."""
    operation = accepting.copy_or_move(call.index, call.json())
    # Replacing an index copies into the new one twice, in two requests that are alike.
    task_id = await call.write(lambda _: operation, once=False)
    return {"updatedAt": _now(call), "taskID": task_id}


def _now(call: Call) -> str:
    return iso(int(call.now_s * 1000))
