"""One measurement of the engine in a process of its own, so that memory is the measured one's.

    python -m tools.bench.search_worker       a job as JSON on stdin, its result on stdout

Records go in through the ordered log, as every write does; searches are the engine's, from the
parameters of a search to the JSON of its answer, without HTTP.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

from storagebox.search.engine.index import Index
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings
from storagebox.search.writes import accepting
from storagebox.search.writes.application import Application
from storagebox.search.writes.operations import UPDATE, Batch, Request
from storagebox.search.writes.refused import Refused

APPLICATION: Final = "bench"
INDEX: Final = "records"
_BATCH: Final = 1000
_APPLY_S: Final = 3600.0
_NEAR: Final = 5  # a hit is found if it is among so many


def main() -> int:
    """Do the job on stdin."""
    job = orjson.loads(sys.stdin.buffer.read())
    work: Callable[..., dict[str, Any]] = {"fill": fill, "ask": ask}[job.pop("job")]
    sys.stdout.buffer.write(orjson.dumps(work(**job)))
    return 0


def fill(folder: str, records: str, settings: dict[str, Any], admin_key: str) -> dict[str, Any]:
    """Put the records of an NDJSON file into a new application; how long, how big."""
    application = Application.open(Path(folder), APPLICATION, admin_key=admin_key)
    try:
        application.submit(accepting.set_settings(INDEX, settings, forward=False))
        count = 0
        began_s = time.perf_counter()
        task = 0
        for batch in _batches(_records(records)):
            requests = [Request(INDEX, UPDATE, each["objectID"], each) for each in batch]
            task = _submit(application, Batch(tuple(requests)))
            count += len(batch)
        taken_s = time.perf_counter() - began_s
        application.wait(task, _APPLY_S)
        visible_s = time.perf_counter() - began_s
        index = _index(application)
        index.settle()
        size = index.size_bytes()
    finally:
        application.close()
    return {
        "records": count,
        "taken_s": taken_s,
        "visible_s": visible_s,
        "index_bytes": size,
        "folder_bytes": sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def ask(
    folder: str,
    warm: list[str],
    queries: list[str],
    filtered: dict[str, Any],
    typed: list[tuple[str, list[str]]],
    writes: int,
) -> dict[str, Any]:
    """Open the application, then search: one after another, on two threads, letter by letter.

    `filtered` are parameters that come with `queries` in one more round; `typed` are packages and
    what is typed to find each.
    """
    bare_bytes = _rss_bytes()
    began_s = time.perf_counter()
    application = Application.open(Path(folder), APPLICATION)
    asking = _Asking(application)
    asking("a", {})
    result: dict[str, Any] = {
        "open_s": time.perf_counter() - began_s,
        "open_rss_bytes": _rss_bytes(),
        "bare_rss_bytes": bare_bytes,
    }
    try:
        asking.round(warm, {})
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        times_s, cpu_times_s, found = asking.round(queries, {})
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        result |= {"times_s": times_s, "cpu_times_s": cpu_times_s, "with_hits": found}
        result |= {"wall_s": wall_s, "cpu_s": cpu_s}
        if filtered:
            result["filtered_s"] = asking.round(queries, filtered)[0]
        if queries:
            result["two_threads_s"] = _on_two_threads(asking, queries)
        result["keys"] = [asking.letter_by_letter(target, keys) for target, keys in typed]
        result["rss_bytes"] = _rss_bytes()
        result["write_s"] = [_write(application, number) for number in range(writes)]
    finally:
        application.close()
    return result


class _Asking:
    """Searches as the server does them: parse, search, JSON."""

    def __init__(self, application: Application) -> None:
        self._index = _index(application)
        self._settings = Settings.from_json(application.meta(INDEX, "settings") or {})

    def __call__(self, text: str, params: dict[str, Any]) -> dict[str, Any]:
        """The answer to one query."""
        query = Query.parse({"query": text, **params}, self._settings)
        answer = self._index.search(query).to_json(query)
        orjson.dumps(answer)
        return answer

    def round(
        self, texts: Sequence[str], params: dict[str, Any]
    ) -> tuple[list[float], list[float], int]:
        """How long each took, and took the processor, in seconds; how many found something."""
        times_s: list[float] = []
        cpu_times_s: list[float] = []
        found = 0
        for text in texts:
            began_s, cpu_began_s = time.perf_counter(), time.thread_time()
            answer = self(text, params)
            cpu_times_s.append(time.thread_time() - cpu_began_s)
            times_s.append(time.perf_counter() - began_s)
            found += answer["nbHits"] > 0
        return times_s, cpu_times_s, found

    def letter_by_letter(self, target: str, keys: Sequence[str]) -> tuple[list[float], int | None]:
        """How long each keystroke took, and after how many the target is among the first hits."""
        times_s: list[float] = []
        at: int | None = None
        for number, text in enumerate(keys, 1):
            began_s = time.perf_counter()
            answer = self(text, {})
            times_s.append(time.perf_counter() - began_s)
            near = any(hit["objectID"] == target for hit in answer["hits"][:_NEAR])
            at = (at or number) if near else None
        return times_s, at


def _on_two_threads(asking: _Asking, queries: Sequence[str]) -> float:
    """Seconds for all queries, shared between two threads."""
    halves = [queries[::2], queries[1::2]]
    threads = [threading.Thread(target=asking.round, args=(half, {})) for half in halves]
    began_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began_s


def _write(application: Application, number: int) -> float:
    """Seconds from submitting a record until it can be read."""
    object_id = f"written-{number}"
    record = {"objectID": object_id, "title": f"Just written {number}"}
    began_s = time.perf_counter()
    task = application.submit(Batch((Request(INDEX, UPDATE, object_id, record),)))
    application.wait(task, _APPLY_S)
    took_s = time.perf_counter() - began_s
    assert _index(application).get(object_id) is not None
    return took_s


def _submit(application: Application, batch: Batch) -> int:
    while True:
        try:
            return application.submit(batch)
        except Refused as refused:
            if refused.status != 429:
                raise
            time.sleep(0.05)


def _index(application: Application) -> Index:
    index = application.index(INDEX)
    assert index is not None
    return index


def _records(path: str) -> Iterator[dict[str, Any]]:
    with Path(path).open("rb") as file:
        yield from map(orjson.loads, file)


def _batches(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    source = iter(records)
    while batch := list(islice(source, _BATCH)):
        yield batch


def _rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
