"""What of an answer is compared: without identities, indexes and times."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

HEADERS = (
    "content-type",
    "x-consul-index",
    "x-consul-knownleader",
    "x-consul-lastcontact",
    "x-consul-effective-consistency",
    "x-consul-contenthash",
    "x-consul-reason",
    "x-cache",
    "vary",
)
# Whose lists have no order in Consul: it is another one each time.
UNORDERED = ("/v1/agent/health/", "/v1/catalog/services")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = re.compile(r"^[0-9a-f]{16}$")


def masked(path: str, status: int, headers: Mapping[str, str], body: str) -> dict[str, Any]:
    """The parts of an answer to a path that must be the same whoever gives it."""
    told = {name: headers[name] for name in HEADERS if name in headers}
    if told.get("x-consul-knownleader") == "true":
        told["x-consul-index"] = "#"
    if "x-consul-contenthash" in told:
        told["x-consul-contenthash"] = "#"
    if told.get("content-type", "").startswith("application/json"):
        value = _masked(json.loads(body))
        if path.startswith(UNORDERED):
            value = _ordered(value)
        return {"status": status, "headers": told, "json": value}
    return {"status": status, "headers": told, "text": _UUID.sub("#", body)}


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted(map(_ordered, value), key=json.dumps)
    return value


def _masked(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _masked(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if key in ("CreateIndex", "ModifyIndex"):
        return "#"
    if key == "ContentHash" and _HEX.match(str(value)):
        return "#"
    if isinstance(value, str):
        return _UUID.sub("#", value)
    return value
