"""How often the engine's first hits are those of the reference that ranks every record.

    python -m tests.search.relevance.agreement --records 10000 --seeds 1 2 3

Tracks and what people type to find them (tools/bench/search_corpus.py), or with `--random` records
and searches that try every parameter the reference knows. Prints a line a seed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from storagebox.search.engine.changes import Meta, Put
from storagebox.search.engine.index import Index
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings
from tests.search.relevance.random_cases import Cases
from tests.search.relevance.reference import Reference
from tools.bench.search_corpus import queries, tracks

TRACKS = {
    "searchableAttributes": ["title", "artist", "album"],
    "customRanking": ["desc(plays)"],
}
SHOWN = 10


class Case(NamedTuple):
    """One search."""

    query: str
    params: Mapping[str, Any]


class Outcome(NamedTuple):
    """How many records match, the objectIDs of the first, and how often facets' values occur."""

    nb_hits: int
    first: tuple[str, ...]
    facets: Mapping[str, Mapping[str, int]]


class Compared:
    """The same records in the engine and in the reference.

    A share of them, `late`, comes when the engine has built its tables, and as many of the others
    are put once more. With `again` the index is closed and opened before it is searched.
    """

    def __init__(
        self,
        folder: Path,
        records: Sequence[Mapping[str, Any]],
        settings: Mapping[str, Any],
        late: float = 0.0,
        *,
        again: bool = False,
    ) -> None:
        early = round(len(records) * (1 - late))
        put_again = records[: len(records) - early]
        # In the order in which they were last put.
        self.records = [*records[len(put_again) :], *put_again]
        self.index = Index.open(folder)
        puts = [Put(str(each["objectID"]), each) for each in [*records, *put_again]]
        self.index.apply([Meta("settings", dict(settings)), *puts[:early]], 1)
        self.index.settle()
        self.index.apply(puts[early:], 2)
        if again:
            self.index.close()
            self.index = Index.open(folder)
        self._settings = Settings.from_json(settings)
        self._reference = Reference(self.records, settings)

    def engine(self, case: Case, budget_ms: float | None = None) -> Outcome:
        """What the engine answers."""
        params = {"query": case.query, "hitsPerPage": SHOWN, **case.params}
        answer = self.index.search(Query.parse(params, self._settings), budget_ms=budget_ms)
        hits = tuple(hit.object_id for hit in answer.hits)
        return Outcome(answer.nb_hits, hits[:SHOWN], answer.facets or {})

    def reference(self, case: Case) -> Outcome:
        """What it should."""
        found = self._reference.answer(case.query, **case.params)
        return Outcome(found.nb_hits, tuple(found.hits[:SHOWN]), found.facets)

    def close(self) -> None:
        """Close the index."""
        self.index.close()


def _tracks(
    seed: int, count: int, searches: int, folder: Path, _: int | None
) -> tuple[Compared, list[Case]]:
    records = list(tracks(count, seed))
    typed = queries(records, searches, seed, typos=0.3)
    return Compared(folder, records, TRACKS, late=0.02), [Case(each, {}) for each in typed]


def _random(
    seed: int, count: int, searches: int, folder: Path, sorts: int | None
) -> tuple[Compared, list[Case]]:
    cases = Cases(seed)
    records = cases.records(count)
    made = [Case(cases.query(records), cases.params()) for _ in range(searches)]
    return Compared(folder, records, cases.settings(sorts), late=0.1), made


def main() -> None:
    """Compare, and say how often they agree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--budget-ms", type=float, help="the engine's; none by default")
    parser.add_argument("--random", action="store_true", help="all parameters, few words")
    parser.add_argument("--sorts", type=int, help="of random records' customRanking; any number")
    given = parser.parse_args()
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            make = _random if given.random else _tracks
            compared, cases = make(
                seed, given.records, given.searches, Path(folder) / "index", given.sorts
            )
            begin = time.perf_counter()
            expected = [compared.reference(case) for case in cases]
            seconds = time.perf_counter() - begin
            got = [compared.engine(case, given.budget_ms) for case in cases]
            compared.close()
        pairs = list(zip(got, expected, strict=True))
        top = sum(a.first[:1] == b.first[:1] for a, b in pairs) / len(pairs)
        ten = sum(a.first == b.first for a, b in pairs) / len(pairs)
        count = sum(a.nb_hits == b.nb_hits for a, b in pairs) / len(pairs)
        facets = sum(a.facets == b.facets for a, b in pairs) / len(pairs)
        print(
            f"seed {seed}: {given.records} records, {len(pairs)} searches: "
            f"first hit {top:.2%}, first ten in order {ten:.2%}, number of hits {count:.2%}, "
            f"facets {facets:.2%} "
            f"(the reference took {seconds:.0f} s)",
            flush=True,
        )
        for case, (a, b) in zip(cases, pairs, strict=True):
            if a != b:
                print("   differs:", case, a, b)


if __name__ == "__main__":
    main()
