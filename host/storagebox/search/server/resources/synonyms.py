"""An index's synonyms."""

from __future__ import annotations

from typing import Any

from storagebox.search.server.call import Call
from storagebox.search.server.resources import items
from storagebox.search.writes.operations import SYNONYMS


async def get(call: Call) -> Any:
    """GET …/synonyms/{id}."""
    return items.get(call, SYNONYMS, "Synonym set does not exist")


async def save(call: Call) -> Any:
    """PUT …/synonyms/{id}."""
    return await items.save(call, SYNONYMS)


async def save_many(call: Call) -> Any:
    """POST …/synonyms/batch."""
    return await items.save_many(call, SYNONYMS, "replaceExistingSynonyms")


async def clear(call: Call) -> Any:
    """POST …/synonyms/clear."""
    return await items.clear(call, SYNONYMS)


async def delete(call: Call) -> Any:
    """DELETE …/synonyms/{id}."""
    return await items.delete(call, SYNONYMS, "deletedAt")


async def search(call: Call) -> Any:
    """POST …/synonyms/search."""
    fields = call.fields(optional=True)
    types = {each.casefold() for each in str(fields.get("type") or "").split(",") if each}
    found = items.found(
        call,
        SYNONYMS,
        fields,
        lambda item: not types or str(item.get("type")).casefold() in types,
    )
    return {name: found[name] for name in ("hits", "nbHits")}
