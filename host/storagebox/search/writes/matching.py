"""What a deletion by filters is about: parsed as a search's filters are, without a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from storagebox.search.engine.index import Index
from storagebox.search.language.parameters import Where
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings
from storagebox.search.writes.operations import SETTINGS


def matching(index: Index, params: Mapping[str, Any]) -> list[str]:
    """The ids of the records that match, as of the last commit."""
    settings = cast("Mapping[str, object] | None", index.meta(SETTINGS))
    query = Query.parse(params, Settings.from_json(settings or {}), Where.DELETE_BY)
    return index.matching(query)
