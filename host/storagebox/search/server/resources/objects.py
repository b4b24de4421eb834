"""Single records: read, kept, updated, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from storagebox.search.engine.answer import Hit
from storagebox.search.language.query import Query
from storagebox.search.server.call import Call
from storagebox.search.server.endpoint import Reply
from storagebox.search.writes import accepting
from storagebox.search.writes.application import iso
from storagebox.search.writes.operations import Batch, Operation
from storagebox.search.writes.refused import Refused

# Algolia's documented limit.
_MAX_OBJECTS: Final = 1000


async def get(call: Call) -> Any:
    """GET …/{id}."""
    wanted = call.query.get("attributesToRetrieve")
    params = {} if wanted is None else {"params": f"attributesToRetrieve={_quoted(wanted)}"}
    found = _record(call, call.index, call.path["id"], params)
    if found is None:
        raise Refused("ObjectID does not exist", 404)
    return found


async def get_many(call: Call) -> Any:
    """POST /1/indexes/*/objects."""
    requests = call.fields().get("requests")
    if not isinstance(requests, list):
        raise Refused("requests: expected a list of records to get")
    if len(requests) > _MAX_OBJECTS:
        raise Refused(f"requests: {len(requests)} in one request are over {_MAX_OBJECTS}")
    call.queries = len(requests)

    def records() -> list[Any]:
        return [_wanted(call, position, request) for position, request in enumerate(requests)]

    return {"results": await call.turns.long(call.tenant.line, records)}


def _wanted(call: Call, position: int, request: Any) -> dict[str, Any] | None:
    """The record that one of several requests asks for."""
    if not isinstance(request, dict):
        raise Refused(f"requests: number {position} is no JSON object")
    name, object_id = request.get("indexName"), request.get("objectID")
    if not isinstance(name, str) or not isinstance(object_id, str):
        raise Refused(f"requests: number {position} has no indexName or no objectID")
    wanted = request.get("attributesToRetrieve")
    return _record(
        call, name, object_id, {} if wanted is None else {"attributesToRetrieve": wanted}
    )


async def add(call: Call) -> Any:
    """POST …: a record, which gets an id if it has none."""
    made: list[str] = []

    def operation(seed: str) -> Operation:
        batch = accepting.put(call.index, None, call.json(), seed, call.application.limits)
        made.append(batch.requests[0].object_id)
        return batch

    task_id = await call.write(operation)
    return Reply({"createdAt": _now(call), "taskID": task_id, "objectID": made[0]}, 201)


async def put(call: Call) -> Any:
    """PUT …/{id}: a record in place of the one there."""
    object_id = call.path["id"]

    def operation(seed: str) -> Batch:
        return accepting.put(call.index, object_id, call.json(), seed, call.application.limits)

    task_id = await call.write(operation)
    return {"updatedAt": _now(call), "taskID": task_id, "objectID": object_id}


async def update(call: Call) -> Any:
    """POST …/{id}/partial."""
    object_id = call.path["id"]
    create = call.flag("createIfNotExists", default=True)

    def operation(_: str) -> Batch:
        return accepting.partial_update(
            call.index, object_id, call.json(), create, call.application.limits
        )

    task_id = await call.write(operation)
    return {"updatedAt": _now(call), "taskID": task_id, "objectID": object_id}


async def delete(call: Call) -> Any:
    """DELETE …/{id}."""
    task_id = await call.write(lambda _: accepting.delete(call.index, call.path["id"]))
    return {"deletedAt": _now(call), "taskID": task_id}


def _record(
    call: Call, name: str, object_id: str, params: Mapping[str, Any]
) -> dict[str, Any] | None:
    """A record as far as the key shows it; what its filters leave out isn't there."""
    view = call.view(name)
    record = view.index.get(object_id)
    # An index's own attributesToRetrieve is for searches.
    asked = params or {"attributesToRetrieve": ["*"]}
    query = Query.parse(asked, call.settings(name), over=call.grant.over)
    if record is None or not view.index.passes(object_id, query.filters):
        return None
    return Hit(object_id, record).to_json(query)


def _now(call: Call) -> str:
    return iso(int(call.now_s * 1000))


def _quoted(text: str) -> str:
    from urllib.parse import quote_plus

    return quote_plus(text)
