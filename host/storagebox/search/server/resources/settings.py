"""An index's settings."""

from __future__ import annotations

from typing import Any

from storagebox.search.language.settings import Settings
from storagebox.search.server.call import Call
from storagebox.search.writes import accepting
from storagebox.search.writes.application import iso
from storagebox.search.writes.operations import SETTINGS


async def get(call: Call) -> Any:
    """GET …/settings: those that were set, and the defaults of others."""
    name = call.index
    view = call.view(name)
    given: Any = call.application.meta(name, SETTINGS) or {}
    answer = {**Settings.from_json(given).to_json(), "version": 2}
    if view.place.primary is not None:
        answer["primary"] = view.place.primary
    return answer


async def set_(call: Call) -> Any:
    """PUT …/settings: merged into those there are; null resets one."""
    name, body = call.index, call.fields()
    forward = call.flag("forwardToReplicas")
    task_id = await call.write(lambda _: accepting.set_settings(name, body, forward))
    return {"updatedAt": iso(int(call.now_s * 1000)), "taskID": task_id}
