"""Browsing goes by the index's sorts, strings too, whatever is written between its pages."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from storagebox.search.engine.changes import Change, Delete, Put
from storagebox.search.language.errors import LanguageError
from tests.search.engine.conftest import Bench

Fill = Callable[..., Bench]


def pages(
    bench: Bench, size: int, between: Callable[[int], None] = lambda _: None, **params: Any
) -> list[str]:
    """The objectIDs of all pages, with something done between them."""
    found: list[str] = []
    cursor: str | None = None
    for number in range(10_000):
        hits, cursor = bench.index.browse(bench.query(**params), cursor, size)
        found += [hit["objectID"] for hit in hits]
        if cursor is None:
            return found
        between(number)
    raise AssertionError("browsing has no end")


def titled(*titles: Any) -> dict[str, dict[str, Any]]:
    return {f"{n}": {} if title is None else {"title": title} for n, title in enumerate(titles)}


def test_strings_are_browsed_in_order_numbers_before_them_and_nothing_last(filled: Fill) -> None:
    bench = filled(
        titled("pear", None, "apple", "fig", 7, "Apple", "fig", -3),
        customRanking=["asc(title)"],
    )
    assert pages(bench, 3) == ["7", "4", "5", "2", "3", "6", "0", "1"]
    bench.fill([], {"customRanking": ["desc(title)"]})
    assert pages(bench, 3) == ["0", "3", "6", "2", "5", "4", "7", "1"]
    bench.reopen()
    assert pages(bench, 1) == ["0", "3", "6", "2", "5", "4", "7", "1"]


def test_sorts_of_the_ranking_count_where_they_stand_and_nothing_of_the_text(
    filled: Fill,
) -> None:
    records = {
        "a": {"text": "word word", "kind": "y", "year": 1},
        "b": {"text": "other word", "kind": "x", "year": 1},
        "c": {"text": "word", "kind": "y", "year": 2},
        "d": {"text": "wort", "kind": "x", "year": 2},
    }
    bench = filled(
        records,
        ranking=["typo", "desc(year)", "words", "custom", "exact"],
        customRanking=["asc(kind)"],
    )
    assert pages(bench, 1, query="word") == ["d", "c", "b", "a"]
    bench.fill([], {"ranking": ["custom", "desc(year)"], "customRanking": ["asc(kind)"]})
    assert pages(bench, 1, query="word") == ["d", "b", "c", "a"]


@pytest.mark.parametrize("descending", [False, True])
def test_what_is_written_between_pages_neither_hides_nor_repeats_a_record(
    filled: Fill, descending: bool
) -> None:
    rng = random.Random(5)
    word = lambda: "".join(rng.choices("abc", k=rng.randint(1, 6)))  # noqa: E731
    records = {f"{n}": {"title": word(), "n": n % 3} for n in range(1500)}
    sorts = ["asc(n)", f"{'desc' if descending else 'asc'}(title)"]
    bench = filled(records, customRanking=sorts)
    bench.index.settle()  # a base, so that what comes now is beside it

    def write(number: int) -> None:
        new: list[Change] = [
            Put(f"new{number}-{n}", {"title": word(), "n": rng.randint(0, 2)}) for n in range(9)
        ]
        gone: list[Change] = [Delete(f"new{number - 2}-{n}") for n in range(5)]
        bench.index.apply(new + gone, bench.index.applied + 1)
        if number % 20 == 10:
            bench.reopen()  # the base has the new strings now

    found = [each for each in pages(bench, 20, write) if not each.startswith("new")]

    def key(each: str) -> Any:
        title = records[each]["title"]
        order = [-ord(letter) for letter in f"{title:`<7}"] if descending else title
        return records[each]["n"], order, int(each)

    assert found == sorted(records, key=key)


def test_the_last_record_of_a_page_may_go_before_the_next(filled: Fill) -> None:
    bench = filled(titled("a", "b", "c", "d"), customRanking=["asc(title)"])
    hits, cursor = bench.index.browse(bench.query(), None, 2)
    assert [hit["objectID"] for hit in hits] == ["0", "1"]
    bench.index.apply([Delete("1"), Put("x", {"title": "bb"})], bench.index.applied + 1)
    hits, cursor = bench.index.browse(bench.query(), cursor, 9)
    assert [hit["objectID"] for hit in hits] == ["x", "2", "3"]
    assert cursor is None


def test_a_cursor_of_other_settings_is_refused(filled: Fill) -> None:
    bench = filled(titled("a", "b", "c"), customRanking=["asc(title)"])
    cursor = bench.index.browse(bench.query(), None, 1)[1]
    bench.fill([], {"customRanking": ["desc(title)"]})
    for wrong in (cursor, "x", "W10=", "bnVsbA==", _packed([["desc(title)"], [[]], 1])):
        with pytest.raises(LanguageError, match="start browsing anew"):
            bench.index.browse(bench.query(), wrong, 1)


def _packed(content: Any) -> str:
    import base64

    return base64.urlsafe_b64encode(orjson.dumps(content)).decode()
