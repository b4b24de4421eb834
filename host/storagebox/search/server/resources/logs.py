"""The latest requests."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from storagebox.search.server import recent
from storagebox.search.server.call import Call
from storagebox.search.writes.refused import Refused

_DEFAULT: Final = 10


async def latest(call: Call) -> Any:
    """GET /1/logs."""
    offset = call.number("offset", 0, recent.KEPT)
    length = call.number("length", _DEFAULT, recent.KEPT)
    kind = call.query.get("type") or "all"
    if kind not in ("all", recent.QUERY, recent.BUILD, recent.ERROR):
        raise Refused("type: expected all, query, build or error")
    entries = call.tenant.recent.latest(call.now_s, kind, call.query.get("indexName", ""))
    # Who may see some indices only, sees no request that was about others too, or about keys.
    every = not call.grant.indexes
    seen = (
        entry
        for entry in entries
        if every or (entry.indices and all(map(call.grant.sees, entry.indices)))
    )
    return {"logs": [entry.to_json() for entry in islice(seen, offset, offset + length)]}
