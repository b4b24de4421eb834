"""An application in a folder of its own, and how tests write to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from storagebox.search.writes import accepting
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.application import Application
from storagebox.search.writes.operations import ClearIndex, CopyIndex, MoveIndex, Operation

PATIENCE_S = 60.0


class Tenant:
    """An application that can be closed and opened again, and what it reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[dict[str, Any]] = []
        self.app = self._open()

    def _open(self, **options: Any) -> Application:
        def report(event: str, /, **fields: Any) -> None:
            self.events.append({"event": event, **fields})

        return Application.open(self.folder, "TEST", report=report, **options)

    def reopen(self, **options: Any) -> None:
        self.app.close()
        self.app = self._open(**options)

    def told(self, event: str) -> list[dict[str, Any]]:
        return [told for told in self.events if told["event"] == event]

    def do(self, operation: Operation, op_id: str | None = None) -> int:
        """Write, and wait until it is visible."""
        task = self.app.submit(operation, op_id)
        assert self.app.wait(task, PATIENCE_S)
        return task

    def batch(self, index: str, *requests: tuple[str, dict[str, Any] | None]) -> int:
        body = {"requests": [{"action": action, "body": body} for action, body in requests]}
        return self.do(accepting.batch(index, body, "seed", Limits()))

    def add(self, index: str, *records: dict[str, Any]) -> int:
        return self.batch(index, *(("addObject", record) for record in records))

    def settings(self, index: str, patch: dict[str, Any], forward: bool = False) -> int:
        return self.do(accepting.set_settings(index, patch, forward))

    def records(self, index: str) -> dict[str, dict[str, Any]] | None:
        """All records by id, or None if there is no such index."""
        found = self.app.index(index)
        if found is None:
            return None
        read = [orjson.loads(body) for body in found.records()]
        return {record["objectID"]: record for record in read}

    def names(self) -> list[str]:
        return [each["name"] for each in self.app.indices()]

    def contents(self) -> dict[str, Any]:
        """Records and settings of all indices."""
        return {n: (self.records(n), self.app.meta(n, "settings")) for n in self.names()}

    def wait_for_all(self) -> None:
        """Wait until all that was written is visible."""
        assert self.app.wait(self.app.submit(ClearIndex("nothing")), PATIENCE_S)

    def history(self) -> dict[str, Any]:
        """Writes of every kind, and what they lead to."""
        for first in range(0, 20, 5):
            numbers = range(first, first + 5)
            self.add("a", *({"objectID": str(n % 7), "number": n} for n in numbers))
        increment = {"_operation": "Increment", "value": 1}
        self.settings("a", {"hitsPerPage": 5, "replicas": ["r"]})
        self.do(CopyIndex("a", "b"))
        self.batch("a", *(("partialUpdateObject", {"objectID": "1", "n": increment}),) * 3)
        self.batch("b", ("partialUpdateObject", {"objectID": "1", "n": increment}))
        self.add("tmp", {"objectID": "moved", "n": 1})
        self.do(MoveIndex("tmp", "c"))
        self.batch("c", ("partialUpdateObject", {"objectID": "moved", "n": increment}))
        return self.contents()
