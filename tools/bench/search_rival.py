"""The same queries to milli (PyPI `milli`), the core of Meilisearch, where it is installed.

It finds and ranks with typos as we do, but its Python binding has no settings, filters, facets or
highlights: what it answers are the numbers of documents.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tools.bench.latencies import spread_ms

_MAP_BYTES: Final = 4 << 30
# Its newer releases are sources only, which take Rust and a network to build.
NOT_INSTALLED: Final = {
    "skipped": "not installed: `pip install --only-binary :all: milli`, where there is a wheel"
}


def installed() -> bool:
    """Whether it can be measured here."""
    return importlib.util.find_spec("milli") is not None


def measure(
    folder: Path, records: Sequence[dict[str, Any]], warm: Sequence[str], queries: Sequence[str]
) -> dict[str, Any]:
    """Its figures, or why there are none."""
    try:
        milli: Any = importlib.import_module("milli")
        folder.mkdir()
        began_s = time.perf_counter()
        index = milli.Index(str(folder), _MAP_BYTES)
        # With two attributes that could be its key it would take none of them, and say nothing.
        documents = [{**each, "id": n} for n, each in enumerate(records)]
        for each in documents:
            each.pop("objectID", None)
        taken = index.add_documents(documents).indexed_documents
        if taken != len(records):
            raise ValueError(f"{taken} of {len(records)} records taken")
        built_s = time.perf_counter() - began_s
        for query in warm:
            index.search(query)
        times_s: list[float] = []
        with_hits = 0
        for query in queries:
            began_s = time.perf_counter()
            with_hits += bool(index.search(query))
            times_s.append(time.perf_counter() - began_s)
    except Exception as fault:  # its interface changes from release to release
        return {
            "skipped": f"milli does not do as this bench asks: {type(fault).__name__}: {fault}"
        }
    return {
        "version": version("milli"),
        "records": len(records),
        "records_per_s": round(len(records) / built_s),
        "disk_bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
        "search_ms": spread_ms(times_s),
        "with_hits_percent": round(100 * with_hits / len(queries), 1),
        "queries_per_s": round(len(queries) / sum(times_s), 1),
    }
