"""Sets of rows: what is found among many rows is what a look at each record finds."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from storagebox.search.engine import bitset
from storagebox.search.language.filters import And, Between, Facet, Node, Not, Numeric, Or, Tag
from tests.search.engine.conftest import Bench

SETTINGS = {
    "searchableAttributes": ["text"],
    "attributesForFaceting": ["genre", "of", "many", "_tags"],
    "customRanking": ["desc(year)"],
}


def _records(first: int, end: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng([7, first])
    return [
        {
            "objectID": f"r{number}",
            "text": "common " + ("rare" if number % 9 == 0 else "frequent"),
            "genre": f"Genre {rng.integers(4)}",
            "of": [f"v{each}" for each in rng.integers(0, 6, rng.integers(3))],
            "many": f"m{number % 50}",
            "_tags": ["odd"] if number % 2 else [],
            "year": int(rng.integers(1950, 2020)),
            "sizes": rng.integers(0, 9, rng.integers(3)).tolist(),
        }
        for number in range(first, end)
    ]


@pytest.fixture
def records(empty: Bench) -> dict[str, dict[str, Any]]:
    """Records of which some are behind the base, some rewritten and some gone."""
    made = _records(0, 1500)
    empty.fill(made, SETTINGS)
    empty.index.settle()
    later = _records(1480, 1560)
    empty.fill(later, SETTINGS)
    return {each["objectID"]: each for each in [*made, *later]}


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        (Facet("genre", "genre 1"), lambda r: r["genre"] == "Genre 1"),
        (Facet("of", "v3"), lambda r: "v3" in r["of"]),
        (Facet("of", "nothing"), lambda _: False),
        (Facet("absent", "v3"), lambda _: False),
        (Tag("odd"), lambda r: "odd" in r["_tags"]),
        (Facet("objectID", "r3"), lambda r: r["objectID"] == "r3"),
        (Facet("objectID", "r1490"), lambda r: r["objectID"] == "r1490"),
        (Not(Facet("objectID", "r3")), lambda r: r["objectID"] != "r3"),
        (Numeric("year", ">=", 1980), lambda r: r["year"] >= 1980),
        (Numeric("year", "!=", 1980), lambda r: r["year"] != 1980),
        (Numeric("sizes", "=", 3), lambda r: 3 in r["sizes"]),
        (Numeric("sizes", "!=", 3), lambda r: 3 not in r["sizes"]),
        (Numeric("absent", "!=", 3), lambda _: True),
        (Between("sizes", 2, 4), lambda r: any(2 <= each <= 4 for each in r["sizes"])),
        (
            And((Or((Facet("of", "v1"), Not(Facet("of", "v2")))), Numeric("year", "<", 2000))),
            lambda r: ("v1" in r["of"] or "v2" not in r["of"]) and r["year"] < 2000,
        ),
    ],
)
def test_a_filter_holds_for_the_records_it_holds_for(
    empty: Bench, records: dict[str, dict[str, Any]], node: Node, wanted: Any
) -> None:
    expected = sorted(name for name, record in records.items() if wanted(record))
    for _ in range(2):  # the second time it is remembered
        assert sorted(empty.index.matching(node)) == expected


@pytest.mark.parametrize("filters", ["", "year >= 1980 AND NOT of:v2", "objectID:r7"])
@pytest.mark.parametrize("facet", ["genre", "of", "many"])
def test_facets_of_what_very_many_records_hold_are_counted_record_by_record(
    empty: Bench, records: dict[str, dict[str, Any]], facet: str, filters: str
) -> None:
    kept = [
        each
        for each in records.values()
        if not filters
        or (each["objectID"] == "r7" if "objectID" in filters else _is_late_without_v2(each))
    ]
    counted = Counter(
        value
        for each in kept
        for value in (set(each[facet]) if isinstance(each[facet], list) else {each[facet]})
    )
    answer = empty.answer("common", filters=filters, facets=[facet])
    assert answer.nb_hits == len(kept)
    assert (answer.facets or {}).get(facet, {}) == dict(counted)


def _is_late_without_v2(record: dict[str, Any]) -> bool:
    return record["year"] >= 1980 and "v2" not in record["of"]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
def test_a_set_holds_the_rows_that_were_put_into_it(count: int) -> None:
    members = np.random.default_rng(count).random(count) < 0.3
    rows = np.flatnonzero(members)
    bits = bitset.packed(members)
    assert bitset.size(bits) == len(rows)
    assert bitset.rows(bits).tolist() == rows.tolist()
    assert bitset.rows(bits, 1, 3).tolist() == [row for row in rows.tolist() if 64 <= row < 192]
    assert bitset.members(bits, count).tolist() == members.tolist()
    assert bitset.among(bits, np.arange(count)).tolist() == members.tolist()
    assert bitset.of(rows, count).tolist() == bits.tolist()
    assert not bitset.of(np.array([count]), count).any()
