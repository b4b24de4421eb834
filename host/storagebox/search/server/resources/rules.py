"""An index's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storagebox.search.server.call import Call
from storagebox.search.server.resources import items
from storagebox.search.writes.operations import RULES


async def get(call: Call) -> Any:
    """GET …/rules/{id}."""
    return items.get(call, RULES, "ObjectID does not exist")


async def save(call: Call) -> Any:
    """PUT …/rules/{id}."""
    return await items.save(call, RULES)


async def save_many(call: Call) -> Any:
    """POST …/rules/batch."""
    return await items.save_many(call, RULES, "clearExistingRules")


async def clear(call: Call) -> Any:
    """POST …/rules/clear."""
    return await items.clear(call, RULES)


async def delete(call: Call) -> Any:
    """DELETE …/rules/{id}."""
    return await items.delete(call, RULES, "updatedAt")


async def search(call: Call) -> Any:
    """POST …/rules/search."""
    fields = call.fields(optional=True)
    anchoring, context = fields.get("anchoring"), fields.get("context")
    enabled = fields.get("enabled")

    def wanted(rule: Mapping[str, Any]) -> bool:
        conditions = list(rule.get("conditions") or ())
        if rule.get("condition"):
            conditions.append(rule["condition"])
        if enabled is not None and bool(rule.get("enabled", True)) is not bool(enabled):
            return False
        if anchoring and not any(each.get("anchoring") == anchoring for each in conditions):
            return False
        return not context or any(each.get("context") == context for each in conditions)

    return items.found(call, RULES, fields, wanted)
