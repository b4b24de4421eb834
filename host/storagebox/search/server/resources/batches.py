"""Many writes in one request."""

from __future__ import annotations

from typing import Any, Final

from storagebox.search.server.call import Call
from storagebox.search.writes import accepting
from storagebox.search.writes.application import iso
from storagebox.search.writes.operations import (
    ADD,
    CLEAR,
    DELETE,
    DELETE_INDEX,
    PARTIAL,
    PARTIAL_NO_CREATE,
    UPDATE,
    Batch,
    indices,
)
from storagebox.search.writes.refused import Refused

_NEEDS: Final = {
    ADD: "addObject",
    UPDATE: "addObject",
    PARTIAL: "addObject",
    PARTIAL_NO_CREATE: "addObject",
    DELETE: "deleteObject",
    DELETE_INDEX: "deleteIndex",
    CLEAR: "deleteIndex",
}


async def batch(call: Call) -> Any:
    """POST …/batch: on one index."""
    task_id, made = await _write(call, call.index)
    return {"taskID": task_id, "objectIDs": _object_ids(made)}


async def multiple(call: Call) -> Any:
    """POST /1/indexes/*/batch: each request names its index."""
    task_id, made = await _write(call, None)
    return {
        "taskID": dict.fromkeys(indices(made), task_id),
        "objectIDs": _object_ids(made),
    }


async def delete_by(call: Call) -> Any:
    """POST …/deleteByQuery."""
    body = call.fields(optional=True)
    task_id = await call.write(lambda _: accepting.delete_by(call.index, body))
    return {"updatedAt": iso(int(call.now_s * 1000)), "taskID": task_id}


async def _write(call: Call, index: str | None) -> tuple[int, Batch]:
    if not any(call.grant.holds(acl) for acl in set(_NEEDS.values())):
        raise Refused("Method not allowed with this API key", 403)
    made: list[Batch] = []

    def operation(seed: str) -> Batch:
        batch = accepting.batch(index, call.json(), seed, call.application.limits)
        for acl in {_NEEDS[request.action] for request in batch.requests}:
            call.allow(acl)
        made.append(batch)
        return batch

    return await call.write(operation), made[0]


def _object_ids(batch: Batch) -> list[str]:
    return [request.object_id for request in batch.requests if request.object_id]
