"""What a sequence of changes comes to, before it is committed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import orjson

from storagebox.search.engine.changes import Change, Clear, Delete, Meta, Put
from storagebox.search.engine.store import Store
from storagebox.search.language.settings import Settings


class Batch:
    """What a sequence of changes comes to."""

    def __init__(self) -> None:
        self.meta: dict[str, object] = {}
        # By objectID: the number, the record, and what its JSON takes.
        self.rows: dict[str, tuple[int, Mapping[str, object], int]] = {}
        self.gone: set[str] = set()
        self.cleared = False

    def add(self, store: Store, change: Change) -> None:
        """Give a change to the store, and remember what it means to the tables."""
        match change:
            case Put(object_id, record):
                whole = {**record, "objectID": object_id}
                body = orjson.dumps(whole)
                self.rows[object_id] = store.put(object_id, body), whole, len(body)
                self.gone.add(object_id)
            case Delete(object_id):
                store.delete(object_id)
                self.rows.pop(object_id, None)
                self.gone.add(object_id)
            case Clear():
                store.clear()
                self.rows.clear()
                self.gone.clear()
                self.cleared = True
            case Meta(name, value):
                self.meta[name] = value

    def settings(self) -> Settings | None:
        """The settings there are from now on, if they were changed."""
        if "settings" not in self.meta:
            return None
        return Settings.from_json(cast("Mapping[str, object]", self.meta["settings"] or {}))
