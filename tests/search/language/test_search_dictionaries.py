"""An application's own stop words and plurals, beside those that come with the server."""

from __future__ import annotations

from typing import Any

import pytest

from storagebox.search.engine.text import Tokenizer
from storagebox.search.language.dictionaries import STANDARD, Dictionaries

STOP_WORDS: dict[str, dict[str, Any]] = {
    "1": {"language": "en", "word": "Foo", "state": "enabled"},
    "2": {"language": "en", "word": "what", "state": "disabled"},
    "3": {"language": "ja", "word": "\u306e"},
    "4": {"language": "en", "word": "of course"},
    "5": {"language": "en"},
}


def test_own_stop_words_count_beside_ours_and_take_some_away() -> None:
    mine = Dictionaries(STOP_WORDS, fold=Tokenizer().fold)
    english = mine.stop_words(("en",))
    assert {"foo", "the"} <= english
    assert "what" in STANDARD.stop_words(("en",))
    assert "what" not in english
    assert "of course" not in english
    assert "foo" not in mine.stop_words(("fr",))


def test_a_language_that_we_do_not_know_has_the_words_that_are_added() -> None:
    mine = Dictionaries(STOP_WORDS)
    assert mine.stop_words(("ja",)) == {"\u306e"}
    assert set(mine.stop_word_languages) - set(STANDARD.stop_word_languages) == {"ja"}


def test_standard_entries_of_a_language_can_be_left_out() -> None:
    without = {"stopwords": {"en": True, "fr": False}, "plurals": {"en": True}}
    mine = Dictionaries(STOP_WORDS, without=without)
    assert mine.stop_words(("en",)) == {"foo"}
    assert "le" in mine.stop_words(("fr",))
    assert not mine.forms("cats", ["en"])
    assert mine.forms("chats", ["fr"]) == STANDARD.forms("chats", ["fr"])


def test_own_plurals_make_words_one() -> None:
    entries: dict[str, dict[str, Any]] = {
        "1": {"language": "en", "words": ["Octopus", "octopodes", "octopi"]},
        "2": {"language": "en", "words": ["hot dog", "hotdogs", 7]},
        "3": {"language": "en", "words": "no list"},
    }
    mine = Dictionaries(plurals=entries, fold=Tokenizer().fold)
    assert {"octopodes", "octopi"} <= mine.forms("octopus", ["en"])
    assert {"octopus", "octopi"} <= mine.forms("octopodes", ["en"])
    assert "octopodes" not in mine.forms("octopus", ["de"])
    assert mine.forms("cats", ["en"]) == {"cat"}


@pytest.mark.parametrize("language", ["en", "da"])
def test_words_are_compared_as_those_of_an_index_are(language: str) -> None:
    entries: dict[str, dict[str, Any]] = {"1": {"language": language, "word": "B\u00c5DE"}}
    assert "bade" in Dictionaries(entries, fold=Tokenizer().fold).stop_words((language,))


def test_own_compounds_have_the_parts_that_they_are_given() -> None:
    entries: dict[str, dict[str, Any]] = {
        "1": {"language": "de", "word": "Kopfsalat", "decomposition": ["Kopf", "Salat"]},
        "2": {"language": "de", "word": "Hochzeit", "decomposition": []},
        "3": {"language": "nl", "word": "eettafel", "decomposition": "no list"},
        "4": {"language": "de", "word": "two words", "decomposition": ["two"]},
    }
    mine = Dictionaries(compounds=entries, without={"compounds": {"de": True}})
    assert mine.compounds(["de"]) == {"kopfsalat": ("kopf", "salat"), "hochzeit": ()}
    assert mine.compounds(["nl", "sv"]) == {"eettafel": ()}
    assert mine.compound_languages(["de", "nl"]) == ("nl",)
