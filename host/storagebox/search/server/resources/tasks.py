"""Tasks: whether what a write asks for is visible."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from storagebox.search.server.call import Call
from storagebox.search.writes.refused import Refused

# A client that asks again at once (the Python client's first five polls are) waits here instead;
# well below any client's read timeout.
_WAIT_S: Final = 1.0


async def of_index(call: Call) -> Any:
    """GET …/task/{task}: an index that is gone still has had its tasks."""
    return await _state(call, call.index)


async def of_application(call: Call) -> Any:
    """GET /1/task/{task}."""
    return await _state(call, "")


async def _state(call: Call, index: str) -> Any:
    if not call.grant.acl & {"addObject", "editSettings", "deleteObject", "deleteIndex"}:
        call.allow("addObject")
    text = call.path["task"]
    if not text.isdecimal() or len(text) > 19:
        raise Refused(f"taskID: expected a number, not {text!r:.40}")
    task_id = int(text)
    application = call.application
    if task_id > application.last:
        raise Refused(f"taskID {task_id} does not exist", 404)
    if application.task(index, task_id) != "published":
        visible = asyncio.wrap_future(application.when(task_id))
        await asyncio.wait((visible,), timeout=_WAIT_S)
        visible.cancel()
    state = application.task(index, task_id)
    return {"status": state, "pendingTask": state != "published"}
