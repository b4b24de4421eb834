"""Records that no criterion tells apart stand in the index's own order: its sorts, then as put."""

from __future__ import annotations

from pathlib import Path

from storagebox.search.engine.changes import Delete, Meta, Put
from storagebox.search.engine.index import Index
from tests.search.engine.conftest import Bench
from tests.search.relevance.conftest import Build


def test_equals_stand_in_the_order_in_which_they_were_put(corpus: Build) -> None:
    bench = corpus({"z": "red", "a": "red", "m": "red"})
    assert bench.ids("red") == ["z", "a", "m"]


def test_a_record_that_is_put_again_stands_behind_its_equals(corpus: Build) -> None:
    bench = corpus({"z": "red", "a": "red", "m": "red"})
    bench.index.apply([Put("z", {"text": "red"})], 2)
    assert bench.ids("red") == ["a", "m", "z"]


def test_the_order_outlives_the_making_of_tables_and_the_closing_of_the_index(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path / "index")
    names = [f"r{at * 7919 % 3000}" for at in range(3000)]
    bench.fill([{"objectID": name, "text": "red"} for name in names], {})
    bench.index.settle()
    bench.index.apply([Put(name, {"text": "red"}) for name in names[:100]], 2)
    bench.index.apply([Delete(names[100])], 3)
    expected = [*names[101:], *names[:100]]
    assert bench.ids("red", hitsPerPage=1000) == expected[:1000]
    bench.reopen()
    assert bench.ids("red", hitsPerPage=1000) == expected[:1000]
    bench.index.apply([Meta("settings", {"searchableAttributes": ["text"]})], 4)  # tables anew
    assert bench.ids("red", hitsPerPage=1000) == expected[:1000]
    bench.index.close()


def test_a_copy_of_an_index_has_its_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "index")
    # One commit after the other: records lie in the store's files in whatever order.
    for at in range(12):
        bench.index.apply([Put(f"r{(at * 5) % 8}", {"objectID": f"r{(at * 5) % 8}"})], at + 1)
    order = bench.ids()
    assert order == ["r4", "r1", "r6", "r3", "r0", "r5", "r2", "r7"]
    copy = Index.open(tmp_path / "copy")
    copy.apply([Put(f"r{body[-3:-2].decode()}", {}) for body in bench.index.records()], 1)
    assert [hit.object_id for hit in copy.search(bench.query()).hits] == order
    copy.close()
    bench.index.close()


def test_sorts_of_the_index_decide_even_where_a_search_has_a_ranking_without_them(
    corpus: Build,
) -> None:
    records = {name: {"text": "red", "n": n} for name, n in (("a", 1), ("b", 3), ("c", 2))}
    bench = corpus(records, customRanking=["desc(n)"])
    assert bench.ids("red", ranking=["typo", "exact"]) == ["b", "c", "a"]
    # So they do for records that came since the tables were made.
    bench.index.apply([Put("d", {"text": "red", "n": 2})], 2)
    assert bench.ids("red", ranking=["typo", "exact"]) == ["b", "c", "d", "a"]


def test_equals_of_different_readings_stand_in_that_order_too(corpus: Build) -> None:
    # "spider man" as it stands with a typo, and run together: a typo each.
    bench = corpus({"typo": "spidar man", "run": "spiderman", "again": "spidar man"})
    ranking = ["typo"]
    assert bench.ids("spider man", ranking=ranking) == ["typo", "run", "again"]
