"""The process that `search_kills` kills: it writes to an application as fast as it can, for ever.

Each of some threads adds one number after the other to lists in records, waiting for each to be
acknowledged; another moves an index from name to name between increments of a counter in it. What
is acknowledged is told at once. A number that may have been taken before the last kill is written
again under its operation id, as a client does that has had no answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.application import Application
from storagebox.search.writes.operations import Batch, MoveIndex, Operation, Request, SetSettings

INDEX: Final = "tracks"
REPLICA: Final = "tracks_by_count"
MOVER: Final = "mover"
# Numbers in one record: its JSON stays small.
BLOCK: Final = 100
_PATIENCE_S: Final = 60.0
# Snapshots are taken, and the log cut, every second or so.
_SNAPSHOT_BYTES: Final = 100_000


@dataclass(frozen=True)
class Held:
    """What an application holds once it has applied its log."""

    recovery_ms: float  # from opening to everything acknowledged being visible
    lists: Mapping[str, list[int]]  # by thread: its numbers, in the order of their records
    counts: Mapping[str, int]  # by thread: what the increments come to
    replica: bool  # whether the replica holds the same
    hops: tuple[int, int]  # how often the index was moved, and its counter
    failures: int


def write(folder: Path, writers: int, acknowledged: Mapping[str, int], to: Connection) -> None:
    """Open, tell what is held, and write on from what was acknowledged, until killed."""
    began = time.monotonic()
    app = Application.open(
        folder, "KILLS", limits=Limits(disk_reserve_bytes=0), snapshot_bytes=_SNAPSHOT_BYTES
    )
    last = app.last
    if not app.wait(last, _PATIENCE_S):
        raise TimeoutError(f"{app.applied} of {last} entries applied: {app.fault}")
    telling = threading.Lock()

    def tell(what: Any) -> None:
        with telling:
            to.send(what)

    names = [f"w{number}" for number in range(writers)]
    tell(_held(app, names, (time.monotonic() - began) * 1000))
    if INDEX not in (each["name"] for each in app.indices()):
        app.submit(SetSettings(INDEX, {"replicas": [REPLICA]}), "settings")
    for name in names:
        _start(app, name, acknowledged.get(name, 0), _add, tell)
    _start(app, MOVER, acknowledged.get(MOVER, 0), _hop, tell)
    threading.Event().wait()


def _start(
    app: Application,
    name: str,
    done: int,
    operation: Callable[[str, int], Operation],
    tell: Callable[[Any], None],
) -> None:
    def run() -> None:
        number = done
        while True:
            number += 1
            task = app.submit(operation(name, number), f"{name}:{number}")
            tell((name, number))
            if name == MOVER:  # as people do: what takes long isn't asked for without end
                app.wait(task, _PATIENCE_S)

    threading.Thread(target=run, daemon=True).start()


def _add(name: str, number: int) -> Operation:
    record = f"{name}-{(number - 1) // BLOCK}"
    body = {
        "objectID": record,
        "numbers": {"_operation": "Add", "value": number},
        "count": {"_operation": "Increment", "value": 1},
    }
    return Batch((Request(INDEX, "partialUpdateObject", record, body),))


def _hop(_: str, number: int) -> Operation:
    """Odd: count; even: move the index on."""
    hop = (number - 1) // 2
    if number % 2 == 0:
        return MoveIndex(f"hop-{hop}", f"hop-{hop + 1}")
    body = {"objectID": "1", "count": {"_operation": "Increment", "value": 1}}
    return Batch((Request(f"hop-{hop}", "partialUpdateObject", "1", body),))


def _held(app: Application, names: list[str], recovery_ms: float) -> Held:
    lists: dict[str, list[int]] = {}
    counts: dict[str, int] = {}
    primary, replica = app.index(INDEX), app.index(REPLICA)
    same = True
    for name in names:
        lists[name], counts[name] = [], 0
        block = 0
        while primary is not None and (record := primary.get(f"{name}-{block}")) is not None:
            lists[name] += record["numbers"]
            counts[name] += record["count"]
            if replica is None or replica.get(f"{name}-{block}") != record:
                same = False
            block += 1
    hops = [each["name"] for each in app.indices() if each["name"].startswith("hop-")]
    where = (0, 0)
    if len(hops) == 1 and (index := app.index(hops[0])) is not None:
        record = index.get("1") or {"count": 0}
        where = (int(hops[0].removeprefix("hop-")), record["count"])
    elif hops:
        where = (-1, len(hops))
    return Held(recovery_ms, lists, counts, same, where, len(app.failures))
