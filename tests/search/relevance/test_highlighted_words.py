"""_highlightResult and _snippetResult: what is marked, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.search.relevance.conftest import Build, Corpus


def _marked(bench: Corpus, query: str, **params: Any) -> Any:
    return (bench.hit(query, **params).highlight or {}).get("text")


@pytest.mark.parametrize(
    ("text", "query", "value"),
    [
        ("Heroes and Villains", "heroes", "<em>Heroes</em> and Villains"),
        ("Heroes and Villains", "her", "<em>Her</em>oes and Villains"),  # the part that was typed
        ("Heroes and Villains", "herxes", "<em>Heroes</em> and Villains"),  # a typo marks it whole
        ("Heroes, heroes!", "heroes", "<em>Heroes</em>, <em>heroes</em>!"),
        ("Beyoncé", "beyo", "<em>Beyo</em>ncé"),
        ("Beyoncé!", "beyonce", "<em>Beyoncé</em>!"),
        ("a <b>bold</b> word", "bold", "a <b><em>bold</em></b> word"),  # nothing is escaped
        ("note book", "notebook", "<em>note</em> <em>book</em>"),
        ("a notebook", "note book", "a <em>notebook</em>"),
        ("300 B.C.E.", "bce", "300 <em>B.C.E</em>."),
    ],
)
def test_what_matched_is_marked_in_the_text_as_it_stands(
    corpus: Build, text: str, query: str, value: str
) -> None:
    assert _marked(corpus({"a": text}), query)["value"] == value


def test_a_text_says_how_much_of_the_query_is_in_it(corpus: Build) -> None:
    record = {"title": "david bowie", "text": "heroes", "album": "none of it"}
    bench = corpus({"a": record}, searchableAttributes=["title", "text", "album"])
    shown = bench.hit("bowie heroes").highlight
    assert shown is not None
    assert {name: each["matchLevel"] for name, each in shown.items()} == {
        "title": "partial",
        "text": "partial",
        "album": "none",
    }
    assert shown["title"]["matchedWords"] == ["bowie"]
    assert shown["title"]["fullyHighlighted"] is False
    assert shown["text"]["fullyHighlighted"] is True
    assert shown["album"] == {"value": "none of it", "matchLevel": "none", "matchedWords": []}


def test_full_means_all_words_of_the_query(corpus: Build) -> None:
    shown = _marked(corpus({"a": "bowie heroes live"}), "heroes bowie")
    assert shown["matchLevel"] == "full"
    assert sorted(shown["matchedWords"]) == ["bowie", "heroes"]


def test_matched_words_are_the_querys(corpus: Build) -> None:
    # "List of matched words from the search query."
    assert _marked(corpus({"a": "Heroes"}), "HERXES")["matchedWords"] == ["herxes"]


def test_highlights_have_the_shape_of_the_record(corpus: Build) -> None:
    record = {
        "text": "x",
        "tags": ["red hat", "blue"],
        "inner": {"deep": {"name": "red"}, "count": 3},
        "list": [{"name": "red"}, {"name": "green"}],
        "flag": True,
        "nothing": None,
    }
    bench = corpus({"a": record}, searchableAttributes=[])
    shown = bench.hit("red", attributesToHighlight=["*"]).highlight
    assert shown is not None
    assert [each["value"] for each in shown["tags"]] == ["<em>red</em> hat", "blue"]
    assert shown["inner"]["deep"]["name"]["value"] == "<em>red</em>"
    assert shown["inner"]["count"]["value"] == "3"
    assert [each["name"]["matchLevel"] for each in shown["list"]] == ["full", "none"]
    assert "flag" not in shown
    assert "nothing" not in shown


def test_searchable_attributes_are_highlighted_unless_others_are_named(corpus: Build) -> None:
    # "By default, all searchable attributes are highlighted. Use an empty array to turn it off."
    bench = corpus({"a": {"text": "x", "other": "x"}})
    assert set(bench.hit("x").highlight or {}) == {"text"}
    assert set(bench.hit("x", attributesToHighlight=["other"]).highlight or {}) == {"other"}
    assert set(bench.hit("x", attributesToHighlight=["*"]).highlight or {}) == {"text", "other"}
    assert bench.hit("x", attributesToHighlight=[]).highlight is None


def test_the_tags_can_be_chosen(corpus: Build) -> None:
    tags = {"highlightPreTag": "__ais-highlight__", "highlightPostTag": "__/ais-highlight__"}
    shown = _marked(corpus({"a": "heroes"}), "hero", **tags)
    assert shown["value"] == "__ais-highlight__hero__/ais-highlight__es"


def test_elements_in_which_nothing_matches_can_be_left_out(corpus: Build) -> None:
    bench = corpus({"a": {"text": ["red hat", "blue", "red"]}})
    assert len(_marked(bench, "red")) == 3
    only = _marked(bench, "red", restrictHighlightAndSnippetArrays=True)
    assert [each["value"] for each in only] == ["<em>red</em> hat", "<em>red</em>"]


def test_with_exact_single_words_beginnings_are_not_marked(corpus: Build) -> None:
    # exactOnSingleWordQuery "word": "Only exact matches will be highlighted."
    bench = corpus({"a": "road roads"})
    assert _marked(bench, "road")["value"] == "<em>road</em> <em>road</em>s"
    exact = _marked(bench, "road", exactOnSingleWordQuery="word")
    assert exact["value"] == "<em>road</em> roads"


def test_an_empty_query_marks_nothing(corpus: Build) -> None:
    assert _marked(corpus({"a": "heroes"}), "") == {
        "value": "heroes",
        "matchLevel": "none",
        "matchedWords": [],
    }


LONG = " ".join([*(f"w{at}" for at in range(20)), "needle", *(f"v{at}" for at in range(20))])


def _snippet(bench: Corpus, query: str, attribute: str, **params: Any) -> Any:
    shown = bench.hit(query, attributesToSnippet=[attribute], **params).snippet
    assert shown is not None
    return shown["text"]


def test_a_snippet_has_ten_words_around_what_matched(corpus: Build) -> None:
    # "If you enable snippets, they include 10 words, including the matched word."
    found = _snippet(corpus({"a": LONG}), "needle", "text")
    assert len(found["value"].strip("…").split()) == 10
    assert "<em>needle</em>" in found["value"]
    assert found["value"].startswith("…")
    assert found["value"].endswith("…")
    assert found["matchLevel"] == "full"


def test_a_snippet_can_have_another_number_of_words(corpus: Build) -> None:
    found = _snippet(corpus({"a": LONG}), "needle", "text:3")
    assert found["value"] == "…w19 <em>needle</em> v0…"


def test_a_snippet_of_a_text_without_the_words_is_its_beginning(corpus: Build) -> None:
    bench = corpus({"a": {"title": "x", "text": LONG}}, searchableAttributes=["title"])
    found = _snippet(bench, "x", "text:3")
    assert found == {"value": "w0 w1 w2…", "matchLevel": "none"}


def test_a_short_text_is_its_own_snippet(corpus: Build) -> None:
    found = _snippet(corpus({"a": "one needle more"}), "needle", "text")
    assert found == {"value": "one <em>needle</em> more", "matchLevel": "full"}


def test_the_ellipsis_can_be_chosen(corpus: Build) -> None:
    found = _snippet(corpus({"a": LONG}), "needle", "text:1", snippetEllipsisText="[…]")
    assert found["value"] == "[…]<em>needle</em>[…]"


def test_a_star_snippets_all_attributes(corpus: Build) -> None:
    bench = corpus({"a": {"text": LONG, "other": LONG}})
    shown = bench.hit("needle", attributesToSnippet=["*:2"]).snippet
    assert set(shown or {}) == {"text", "other"}


def test_characters_side_by_side_are_marked_as_one(corpus: Build) -> None:
    # Scripts without spaces: every character is a word to the index, and none to a reader.
    bench = corpus({"a": "東京タワー"})
    assert bench.hit("東京").highlight == {
        "text": {
            "value": "<em>東京</em>タワー",
            "matchLevel": "full",
            "fullyHighlighted": False,
            "matchedWords": ["東", "京"],
        }
    }
