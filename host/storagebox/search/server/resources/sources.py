"""Addresses that an application may be asked from: not restricted here but by keys."""

from __future__ import annotations

from typing import Any

from storagebox.search.server.call import Call
from storagebox.search.writes.refused import Refused


async def listed(_: Call) -> Any:
    """GET /1/security/sources."""
    return []


async def refused(_: Call) -> Any:
    """What would restrict them. Raises Refused: to say yes and not do it would be worse."""
    raise Refused(
        "allowed sources are not enabled here: restrict a key, by restrictSources in its"
        " queryParameters",
        402,
    )
