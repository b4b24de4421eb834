"""API keys: given out, read, changed, taken back."""

from __future__ import annotations

from typing import Any

from storagebox.search.server import grants
from storagebox.search.server.call import Call
from storagebox.search.server.endpoint import Reply
from storagebox.search.writes import accepting
from storagebox.search.writes.application import iso
from storagebox.search.writes.keys import new_secret
from storagebox.search.writes.operations import AddKey, DeleteKey, RestoreKey, UpdateKey
from storagebox.search.writes.refused import Refused


async def listed(call: Call) -> Any:
    """GET /1/keys."""
    keys = call.application.keys.all(int(call.now_s * 1000))
    return {"keys": [key.to_json() for key in reversed(keys)]}


async def get(call: Call) -> Any:
    """GET /1/keys/{key}: the admin key reads any, another one itself."""
    value, admin = call.path["key"], call.grant.admin
    if not admin and value != call.grant.key:
        raise Refused("Method not allowed with this API key", 403)
    key = call.application.keys.get(value, int(call.now_s * 1000))
    if key is None:
        raise Refused("Key does not exist", 404)
    shown = key.to_json()
    return shown if admin else {**shown, "description": "<redacted>"}


async def add(call: Call) -> Any:
    """POST /1/keys."""
    value = new_secret()

    def operation(_: str) -> AddKey:
        made = accepting.add_key(call.json(), value)
        grants.check_restrictions(made.fields.get("queryParameters", ""))
        return made

    # A second try of it must get the same key, so it can't be known by its body alone.
    await call.write(operation, once=False)
    return Reply({"key": value, "createdAt": _now(call)}, 201)


async def update(call: Call) -> Any:
    """PUT /1/keys/{key}: fields that are left out are reset."""
    value = call.path["key"]

    def operation(_: str) -> UpdateKey:
        made = accepting.update_key(value, call.json())
        grants.check_restrictions(made.fields.get("queryParameters", ""))
        return made

    await call.write(operation)
    return {"key": value, "updatedAt": _now(call)}


async def delete(call: Call) -> Any:
    """DELETE /1/keys/{key}."""
    await call.write(lambda _: DeleteKey(call.path["key"]))
    return {"deletedAt": _now(call)}


async def restore(call: Call) -> Any:
    """POST /1/keys/{key}/restore."""
    value = call.path["key"]
    await call.write(lambda _: RestoreKey(value))
    return {"key": value, "createdAt": _now(call)}


def _now(call: Call) -> str:
    return iso(int(call.now_s * 1000))
