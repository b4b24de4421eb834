"""An index keeps what it is given, all or nothing, and finds it as people type."""

from typing import Any

import pytest

from storagebox.search.engine.changes import Clear, Delete, Meta, Put


def test_an_index_begins_empty_and_knows_no_log(empty: Any) -> None:
    assert (len(empty.index), empty.index.applied) == (0, 0)
    assert empty.ids("anything") == []
    assert empty.index.get("x") is None


def test_typing_the_beginnings_of_words_finds_a_track(music: Any) -> None:
    assert music.ids("bowie her") == ["heroes"]
    assert music.ids("the beach her") == ["villains"]


def test_a_typo_is_forgiven_in_words_of_four_letters_and_more(music: Any) -> None:
    assert music.ids("bowei heroes") == ["heroes"]
    assert music.ids("san") == []


def test_equals_come_in_the_order_of_custom_ranking(music: Any) -> None:
    assert music.ids() == ["sun", "heroes", "ashes", "villains", "spider"]
    assert music.ids("david") == ["heroes", "ashes"]


def test_two_words_find_what_is_written_as_one_and_the_other_way_round(music: Any) -> None:
    assert music.ids("spider man") == ["spider"]
    assert music.ids("beachboys") == ["villains"]


def test_filters_leave_what_they_hold_for(music: Any) -> None:
    assert music.ids(filters="year < 1970") == ["sun", "villains"]
    assert music.ids(filters="artist:'david bowie' AND NOT year = 1977") == ["ashes"]


def test_a_record_is_replaced_and_deleted(music: Any) -> None:
    replaced = Put("sun", {"title": "Something", "artist": "The Beatles"})
    music.index.apply([replaced, Delete("spider")], 2)
    assert music.ids("here comes") == []
    assert music.ids("something") == ["sun"]
    assert (len(music.index), music.index.applied) == (4, 2)
    assert music.index.get("sun") == {
        "objectID": "sun",
        "title": "Something",
        "artist": "The Beatles",
    }


def test_changes_of_one_commit_are_made_in_their_order(empty: Any) -> None:
    old, new = {"title": "old"}, {"title": "new"}
    empty.index.apply([Put("a", old), Clear(), Put("b", old), Put("b", new), Delete("c")], 7)
    assert empty.ids() == ["b"]
    assert empty.ids("new") == ["b"]
    assert empty.ids("old") == []


def test_everything_is_there_after_opening_anew(music: Any) -> None:
    music.index.apply([Delete("sun"), Meta("synonyms", {"s": {"a": 1}})], 9)
    music.reopen()
    assert (len(music.index), music.index.applied) == (4, 9)
    assert music.index.meta("synonyms") == {"s": {"a": 1}}
    assert music.ids("heroes") == ["heroes", "villains"]


def test_a_change_that_fails_changes_nothing(music: Any) -> None:
    with pytest.raises(TypeError):
        music.index.apply([Delete("sun"), Put("x", {"not json": object()})], 2)
    assert music.index.applied == 1
    assert music.ids("sun") == ["sun"]
    music.index.apply([Put("x", {"title": "Afterwards"})], 2)
    assert music.ids("afterwards") == ["x"]


def test_new_settings_hold_for_records_that_are_there(music: Any) -> None:
    assert music.ids("smiley") == ["villains"]
    music.index.apply([Meta("settings", {"searchableAttributes": ["title"]})], 2)
    assert music.ids("smiley") == []
    assert music.ids("heroes")[:1] == ["heroes"]


def test_tables_built_anew_find_what_the_tail_found(filled: Any) -> None:
    texts = {f"n{n}": {"text": f"word{n % 50} common", "rank": n} for n in range(3000)}
    bench = filled(texts, customRanking=["desc(rank)"])
    assert bench.ids("word49 com", hitsPerPage=2) == ["n2999", "n2949"]
    bench.index.apply([Put("late", {"text": "word49 common", "rank": 2970}), Delete("n2999")], 2)
    assert bench.ids("word49 com", hitsPerPage=3) == ["late", "n2949", "n2899"]
    assert bench.answer("common").nb_hits == 3000


def test_what_matched_is_marked_in_the_shape_of_the_record(filled: Any) -> None:
    bench = filled({"a": {"text": {"de": ["Müller", "Maier"]}, "n": 1}})
    [hit] = bench.answer("mulle").hits
    assert hit.highlight == {
        "text": {
            "de": [
                {
                    "value": "<em>Mülle</em>r",
                    "matchLevel": "full",
                    "fullyHighlighted": False,
                    "matchedWords": ["mulle"],
                },
                {"value": "Maier", "matchLevel": "none", "matchedWords": []},
            ]
        }
    }
