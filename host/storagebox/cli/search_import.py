"""Records on their way into an index: in batches, bad ones named and left out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import orjson

from .search_client import SearchClient, SearchFault
from .search_reading import Bad, Row

_ROWS: Final = 1000
_BYTES: Final = 4 << 20
_TASK_S: Final = 0.05
_MAX_TASK_S: Final = 1.0
_FAULTS_KEPT: Final = 100
_SCOPES: Final = ["settings", "synonyms", "rules"]
# Of these the fault is one record's; others are the server's or of the whole request.
_RECORDS_FAULTS: Final = (400, 413)

Tell = Callable[[str], object]


@dataclass
class Import:
    """What has become of the rows."""

    taken: int = 0
    bad: int = 0
    task: int | None = None
    replaced: bool = False
    faults: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class Importing:
    """Sends rows to `index`; `told` hears each fault as a line for a person."""

    def __init__(
        self, api: SearchClient, index: str, told: Tell, id_attribute: str = "objectID"
    ) -> None:
        self.result = Import()
        self._api = api
        self._index = index
        self._path = f"/1/indexes/{quote(index, safe='')}"
        self._told = told
        self._id = id_attribute
        self._batch: list[tuple[str, int, bytes]] = []
        self._bytes = 0

    def add(self, name: str, rows: Iterable[Row | Bad]) -> None:
        """All rows of a file called `name`. Raises SearchFault, or what reading them raises."""
        for row in rows:
            if isinstance(row, Bad):
                self._fault(name, row.line, row.reason)
                continue
            try:
                data = orjson.dumps(self._identified(row.record))
            except (ValueError, orjson.JSONEncodeError) as fault:
                self._fault(name, row.line, str(fault))
                continue
            self._batch.append((name, row.line, data))
            self._bytes += len(data)
            if len(self._batch) >= _ROWS or self._bytes >= _BYTES:
                self.flush()

    @contextmanager
    def replacing(self) -> Generator[None]:
        """Have what the block adds take the place of all that is in the index, at one instant.

        Settings, synonyms and rules stay. Until then, and if it fails, what there was is found.
        """
        aside = f"{self._index}_import_{secrets.token_hex(4)}"
        index, self._path = self._path, f"/1/indexes/{quote(aside, safe='')}"
        copy = {"operation": "copy", "destination": aside, "scope": _SCOPES}
        try:
            self._api.call("POST", f"{index}/operation", copy)
            yield
            self.flush()
            move = {"operation": "move", "destination": self._index}
            self.result.task = self._api.call("POST", f"{self._path}/operation", move)["taskID"]
            self.result.replaced = True
        except BaseException:
            with suppress(SearchFault):
                for _ in range(2):  # a batch that was under way makes it anew
                    self.result.task = self._api.call("DELETE", self._path)["taskID"]
                    self.wait()
            raise

    def flush(self) -> None:
        """Send what has gathered."""
        batch, self._batch, self._bytes = self._batch, [], 0
        while batch:
            body = b",".join(b'{"action":"addObject","body":%b}' % data for _, _, data in batch)
            try:
                answer = self._api.call("POST", f"{self._path}/batch", b'{"requests":[%b]}' % body)
            except SearchFault as fault:
                batch = self._without(batch, fault)
                continue
            self.result.task = answer["taskID"]
            self.result.taken += len(batch)
            return

    def wait(self) -> None:
        """Until all that was taken can be found."""
        pause_s = _TASK_S
        while self.result.task is not None:
            path = f"{self._path}/task/{self.result.task}"
            if self._api.call("GET", path)["status"] == "published":
                return
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _MAX_TASK_S)

    def _identified(self, record: dict[str, Any]) -> dict[str, Any]:
        if self._id == "objectID":
            return record
        value = record.get(self._id)
        if not isinstance(value, (str, int)) or isinstance(value, bool) or value == "":
            raise ValueError(f"{self._id}: no text or whole number to be the objectID")
        return {**record, "objectID": str(value)}

    def _without(
        self, batch: list[tuple[str, int, bytes]], fault: SearchFault
    ) -> list[tuple[str, int, bytes]]:
        """The batch without the record at fault; raises the fault if it is no record's."""
        position = fault.details.get("position")
        if fault.status not in _RECORDS_FAULTS:
            raise fault
        if not isinstance(position, int) or not 0 <= position < len(batch):
            raise fault
        name, line, _ = batch[position]
        self._fault(name, line, str(fault))
        return batch[:position] + batch[position + 1 :]

    def _fault(self, name: str, line: int, reason: str) -> None:
        self.result.bad += 1
        if len(self.result.faults) < _FAULTS_KEPT:
            self.result.faults.append({"file": name, "line": line, "reason": reason})
        self._told(f"{name}:{line}: {reason}")
